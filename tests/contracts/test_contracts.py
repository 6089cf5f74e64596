"""The shared words: errors cross processes, files are whole, randomness belongs to the sample."""

import pickle

import pytest
import torch

from frido.contracts import atomic, rng
from frido.contracts.context import Context, choose
from frido.contracts.denoiser import Condition, concatenate
from frido.contracts.errors import FridoError, nearest
from frido.contracts.scene import Object, Relationship, Scene, Vocabulary


def test_errors_cross_processes():
    error = FridoError("size.batch", got=0, wanted="1 or more", do="size.batch=16")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_nearest_names():
    assert nearest("widht", ["width", "depth", "height"])[0] == "width"
    assert nearest("xyz", ["width"]) == []


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    place = tmp_path / "folder"
    with atomic.new_folder(place) as folder:
        (folder / "a").write_text("old")
        assert not place.exists()
    with pytest.raises(RuntimeError), atomic.new_folder(place) as folder:
        (folder / "a").write_text("new")
        raise RuntimeError
    assert (place / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_file_is_replaced_whole(tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    atomic.write_json(file, {"n": 1})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        atomic.write_json(file, {"n": 2})
    assert file.read_text() == '{\n  "n": 1\n}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_noise_is_a_function_of_seed_position_and_purpose():
    def draw(positions, **changed):
        arguments = {"seed": 3, "purpose": "noise/0", "shape": (2, 4)} | changed
        return rng.normal(torch.tensor(positions), **arguments)

    together = draw([5, 6, 7])
    assert torch.equal(together[1], draw([6])[0])
    for changed in ({"seed": 4}, {"purpose": "noise/1"}):
        assert not torch.equal(together, draw([5, 6, 7], **changed))
    many = draw(list(range(4000)))
    assert abs(many.mean()) < 0.02 and abs(many.std() - 1) < 0.02
    shares = rng.uniform(torch.arange(4000), seed=0, purpose="time")
    assert shares.min() >= 0 and shares.max() < 1 and abs(shares.mean() - 0.5) < 0.02


def test_numbers_are_those_of_earlier_trainings():
    """A change of them would change every run that is continued."""
    noise = rng.normal(torch.tensor([5, 10**12]), seed=3, purpose="noise/0", shape=(1, 2))
    assert noise.dtype == torch.float32 and noise.flatten().tolist() == [
        *(-0.7263972759246826, -0.25339433550834656, -0.3950223922729492, 0.05277819186449051)
    ]
    shares = rng.uniform(torch.tensor([5, 10**12]), seed=3, purpose="time")
    assert shares.dtype == torch.float64 and shares.tolist() == [0.985826634478103, 0.33435066967551796]


def test_draws_go_where_they_are_wanted():
    """Their positions may stay on the CPU."""
    there = torch.device("meta")
    assert rng.normal(torch.tensor([5]), seed=3, purpose="noise/0", shape=(1,), device=there).device == there
    assert rng.uniform(torch.tensor([5]), seed=3, purpose="time", device=there).device == there


def test_dropout_takes_whole_rows_of_the_empty_context():
    full = Context(tokens=torch.ones(2, 3, 4), mask=torch.ones(2, 3, dtype=torch.bool))
    empty = Context(tokens=torch.zeros(2, 3, 4), mask=torch.zeros(2, 3, dtype=torch.bool))
    chosen = choose(torch.tensor([True, False]), full, empty)
    assert chosen.tokens.sum(dim=(1, 2)).tolist() == [12, 0]
    assert chosen.mask.sum(dim=1).tolist() == [3, 0]
    assert chosen.map is None and chosen.pooled is None


def test_conditions_concatenate_along_the_batch():
    def condition(value, rows):
        part = torch.full((rows, 2), value)
        return Condition(1, part, modulations=((part, part),), attention=((part, part),), features=(part,))

    both = concatenate([condition(0.0, 1), condition(1.0, 2)])
    assert both.scale == 1 and both.mask is None
    assert both.modulations[0][1][:, 0].tolist() == [0, 1, 1]
    with pytest.raises(AssertionError):
        concatenate([condition(0.0, 1), condition(0.0, 1)._replace(scale=0)])


def test_scenes_and_vocabularies_survive_json():
    scene = Scene(
        id="a",
        objects=(Object("star", (0.1, 0.2, 0.3, 0.4), ("red",), 0.5), Object("cross", (0.0, 0.0, 1.0, 1.0))),
        relationships=(Relationship(0, "inside", 1),),
        captions=("a star",),
        image=b"bytes",
        width=8,
        height=9,
    )
    assert Scene.from_json(scene.to_json(), b"bytes") == scene
    vocabulary = Vocabulary(("star",), ("red",), ("inside",))
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary
