"""One of two processes of a training; a program that test_distributed.py starts twice."""

import os
import signal
import sys
import time
from pathlib import Path

import torch
from toys import BATCH, ONE_STEP, SHRINKING, Generating, ToyStream, ToyTask, trainer

from frido.contracts.errors import FridoError
from frido.contracts.lost import Lost
from frido.engine import distributed
from frido.engine.distributed import RankLostError


class OutsideDdp(Generating):
    """Changes weights by what only this rank has seen."""

    def forward(self, batch):
        self.generator[0].weight.data -= 0.1 * batch.images.mean()
        return super().forward(batch)


def stall(images_seen: int) -> None:
    """Let the second rank stand still in its third step."""
    if distributed.rank() == 1 and images_seen == 2 * BATCH:
        os.kill(os.getpid(), signal.SIGSTOP)


def main(root: Path) -> None:
    """Do everything that the tests look at."""
    torch.set_num_threads(1)
    with distributed.process_group("cpu", stalled_after_minutes=5.0) as device:
        rank = distributed.rank()
        found = {"rank": rank, "main": distributed.is_main()}
        found["mean"] = distributed.mean(torch.tensor([rank, 1.0]))
        found["largest"] = distributed.largest(rank * 7, -rank, device=device)
        found["from_main"] = distributed.from_main(f"said by {rank}")

        with distributed.in_step():
            found["mean in a step"] = distributed.mean(torch.tensor([rank, 1.0]))
            found["soon"] = distributed._within is distributed.group_of_steps() is not None
        found["late"] = distributed._within is None

        task = ToyTask()
        for tensor in task.parameters():
            tensor.data.add_(rank)  # ranks may start from different weights
        trained = trainer(root / "long", task=task)
        trained.run()
        found["weights"] = task.state_dict()
        found["averaged"] = trained.ema.weights["half_life"]

        trainer(root / "resumed", images=6 * BATCH).run()
        continued = trainer(root / "resumed")
        continued.restore()
        found["restored"] = continued.images_seen
        continued.run()
        found["continued"] = continued.model.state_dict()

        step = ToyTask(dropout=0.0).double()
        trainer(root / "step", task=step, stream=ToyStream(dtype=torch.float64), **ONE_STEP).run()
        found["step"] = step.state_dict()

        wrong = ToyTask()
        try:
            trainer(root / "wrong", task=wrong, phases=[OutsideDdp(wrong)], **ONE_STEP).run()
        except RuntimeError as error:
            found["error"] = str(error)

        shrinking = ToyTask(dropout=0.0).double()
        stream = ToyStream(dtype=torch.float64)
        trainer(root / "shrinking", task=shrinking, stream=stream, **SHRINKING | {"images": 5 * BATCH}).run()
        found["ids"] = stream.ids

        lost = Lost("train-000001.tar", "0017", "changed bytes")
        try:
            trainer(root / "lossy", stream=ToyStream(lost={BATCH - 1: lost})).run()  # a sample of the second rank
        except FridoError as error:
            found["lost"] = str(error)
        torch.save(found, root / f"{rank}.pt")

    os.environ["MASTER_PORT"] = os.environ["SECOND_PORT"]  # at the first one the first store may still answer
    try:
        with distributed.process_group("cpu", stalled_after_minutes=0.1):
            begun = time.monotonic()
            trainer(root / "stalled", stream=ToyStream(at_start=stall)).run()
    except RankLostError as error:
        (root / "stalled.txt").write_text(f"{time.monotonic() - begun} {error}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
