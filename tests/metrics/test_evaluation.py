import json
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from frido.metrics.evaluation import Evaluation
from tests.metrics.pictures import held_out, score, sides


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return instantiate(OmegaConf.load("conf/metrics/scenes.yaml"), _convert_="all")


def test_the_names_a_report_looks_for(evaluation):
    images, scenes = held_out(120)
    numbers, cards, _, _ = score(evaluation, images, images.flip(2), scenes)
    judged = {
        f"judge/{word}{control}"
        for word in ("recall", "precision", "relations")
        for control in ("", "_real", "_shuffled")
    }
    words = ("fid", "is", "is_std", "is_real", "kid", "kid_std", "precision", "recall", "f_score")
    assert set(numbers) == judged | {f"{word}/scenes@120" for word in words}
    assert "at least 300" in cards["fid_subsampled/scenes@150"]["refused"]
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
    assert sum(seen) == 256, "in full batches"


RANKS = """
import json, os, pathlib, sys, traceback
from dataclasses import asdict
import numpy as np, torch, torch.distributed as dist
from hydra.utils import instantiate
from omegaconf import OmegaConf
from frido.contracts.metric import Pictures
from frido.contracts.scene import Scene
from frido.metrics.features.reference import Reference

folder = pathlib.Path(sys.argv[1])
torch.set_num_threads(1)
images = torch.from_numpy(np.load(folder / "images.npy"))
scenes = [Scene.from_json(scene) for scene in json.loads((folder / "scenes.json").read_text())]
options = [OmegaConf.load(f"conf/metrics/{name}.yaml") for name in sys.argv[2:]]
evaluation = instantiate(OmegaConf.merge(*options), _convert_="all")
reference = Reference(root=folder / "reference", images="all of them")

def run(rank, ranks, rows, batch):
    parts = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    sides = [[Pictures(torch.tensor(p), side[p]) for side in (images, images.flip(3))] for p in parts]
    batches = [(*side, [scenes[row] for row in p]) for side, p in zip(sides, parts)]
    dist.init_process_group("gloo", init_method=f"file://{folder / f'store{ranks}'}", rank=rank, world_size=ranks)
    result = evaluation.run(batches, paired=True, described=True, reference=reference)
    dist.destroy_process_group()
    (folder / f"{rank}_of_{ranks}.json").write_text(json.dumps(result, default=asdict))

def work(rank):
    run(rank, 3, [[*range(119)], [119], []][rank], 50)
    if rank < 2:
        run(rank, 2, [k for k in range(120) if (k % 3 == 0) == (rank == 1)], 17)

for rank in range(3):
    if os.fork() == 0:
        try:
            work(rank)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
sys.exit(max(os.waitstatus_to_exitcode(os.wait()[1]) for rank in range(3)))
"""


OF_EVERY_KIND = ("scenes", "similarity", "scenefid_scenes")
"""Numbers of all images, of pairs, of objects, of scenes."""


def test_processes_give_the_numbers_of_one_however_rows_are_shared_out(tmp_path):
    """Of three, one has a single row and one has none; of two, one has every third row."""
    images, scenes = held_out(120)
    np.save(tmp_path / "images.npy", images.numpy())
    (tmp_path / "scenes.json").write_text(json.dumps([scene.to_json() for scene in scenes]))
    subprocess.run([sys.executable, "-c", RANKS, str(tmp_path), *OF_EVERY_KIND], check=True, timeout=300)
    options = [OmegaConf.load(f"conf/metrics/{name}.yaml") for name in OF_EVERY_KIND]
    evaluation = instantiate(OmegaConf.merge(*options), _convert_="all")
    alone = json.loads(json.dumps(score(evaluation, images, images.flip(3), scenes), default=asdict))
    told = [json.loads(path.read_text()) for path in tmp_path.glob("*_of_*.json")]
    assert len(told) == 5
    for found in told:
        assert found == alone, "to the last bit"
    assert len(list(tmp_path.rglob("features.safetensors"))) == 2, "of images and of objects"


def test_without_pairs_or_scenes_only_the_numbers_that_need_them_are_refused(evaluation):
    images, _ = held_out(240)
    given = [(*sides(images[:110], images[110:]), [])]
    unpaired = evaluation.run(given, paired=False, described=False, reference=None)
    assert not [name for name in unpaired.numbers if name.startswith("judge")]
    assert "fid/scenes@130" in unpaired.numbers
    assert "no pairs" in unpaired.cards["judge/recall"]["refused"]
    pairs = [(*sides(images[:120], images[120:]), [])]
    undescribed = evaluation.run(pairs, paired=True, described=False, reference=None)
    assert "no scenes" in undescribed.cards["judge/recall"]["refused"]


def test_the_judge_can_be_asked_for(evaluation):
    images, scenes = held_out(120)
    judge = evaluation.judge()
    assert judge is not None
    assert len(judge.found(images[0], scenes[0])) == len(scenes[0].objects)
    assert Evaluation(metrics={}).judge() is None
