import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from frido.metrics.evaluation import Evaluation
from tests.metrics.pictures import held_out, score


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return instantiate(OmegaConf.load("conf/metrics/scenes.yaml"), _convert_="all")


def test_the_names_a_report_looks_for(evaluation):
    images, scenes = held_out(120)
    numbers, cards, parts, rows = score(evaluation, images, images.flip(2), scenes)
    judged = {
        f"judge/{word}{control}"
        for word in ("recall", "precision", "relations")
        for control in ("", "_real", "_shuffled")
    }
    assert set(numbers) == judged | {"fid/scenes@120", "is/scenes@120", "is_std/scenes@120", "is_real/scenes@120"}
    assert cards["fid/scenes@120"]["images"] == 120
    json.dumps(cards)


def test_worse_images_have_worse_numbers(evaluation):
    images, scenes = held_out(240)
    noise = torch.randint(-60, 61, images.shape)
    spoilt = (images.int() + noise).clamp(0, 255).byte()
    fine = score(evaluation, images[:120], images[120:], scenes[:120]).numbers
    bad = score(evaluation, images[:120], spoilt[120:], scenes[:120]).numbers
    assert bad["fid/scenes@120"] > 1.5 * fine["fid/scenes@120"]


def test_each_image_is_looked_at_once(evaluation, monkeypatch):
    images, scenes = held_out(120)
    extractor = evaluation.make["features"].keywords["extractor"]
    seen = []
    extract = extractor.extract
    monkeypatch.setattr(extractor, "extract", lambda part: seen.append(len(part)) or extract(part))
    score(evaluation, images, images, scenes)
    assert sum(seen) == 240


TWO_PROCESSES = """
import json, pathlib, sys
import numpy as np, torch, torch.distributed as dist
from hydra.utils import instantiate
from omegaconf import OmegaConf
from frido.contracts.scene import Scene

rank, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=2)
images = torch.from_numpy(np.load(folder / "images.npy"))
scenes = [Scene.from_json(scene) for scene in json.loads((folder / "scenes.json").read_text())]
rows = slice(0, 70) if rank == 0 else slice(70, 120)
evaluation = instantiate(OmegaConf.load("conf/metrics/scenes.yaml"), _convert_="all")
print(json.dumps(evaluation.run([(images[rows], images.flip(3)[rows], scenes[rows])]).numbers))
dist.destroy_process_group()
"""


def test_two_processes_give_the_numbers_of_one(evaluation, tmp_path):
    images, scenes = held_out(120)
    np.save(tmp_path / "images.npy", images.numpy())
    (tmp_path / "scenes.json").write_text(json.dumps([scene.to_json() for scene in scenes]))
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", TWO_PROCESSES, str(rank), str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=120) for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], said
    numbers = [json.loads(output.splitlines()[-1]) for output, _ in said]
    alone = score(evaluation, images, images.flip(3), scenes).numbers
    assert numbers[0] == numbers[1]
    assert numbers[0] == pytest.approx(alone, rel=1e-6)


def test_the_judge_can_be_asked_for(evaluation):
    images, scenes = held_out(120)
    judge = evaluation.judge()
    assert judge is not None
    assert len(judge.found(images[0], scenes[0])) == len(scenes[0].objects)
    assert Evaluation(metrics={}).judge() is None
