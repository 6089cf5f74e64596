"""A toy training under torchrun: `elastic.py FOLDER`. At its first start the second rank is killed in the middle."""

import os
import signal
import sys
from pathlib import Path

import torch
from toys import BATCH, ToyStream, trainer

from frido.engine import distributed
from frido.engine.distributed import RankLostError


def main(folder: Path) -> int:
    died = folder / "died"

    def die(images_seen: int) -> None:
        if distributed.rank() == 1 and images_seen == 6 * BATCH and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    torch.set_num_threads(1)
    try:
        with distributed.process_group("cpu", stalled_after_minutes=5.0):
            with (folder / "starts").open("a") as starts:
                starts.write(f"rank {distributed.rank()}, on its machine {os.environ['LOCAL_RANK']}\n")
            trainer(folder / "run", stream=ToyStream(at_start=die)).run()
    except RankLostError as error:
        (folder / "lost").write_text(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
