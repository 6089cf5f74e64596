"""A training starts from weights of another, or of a part of it, and says what it took."""

import json
import logging

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from frido.cli import outside
from frido.cli.beginning import check_there
from frido.contracts.errors import FridoError
from frido.engine import checkpoint, initialization
from frido.engine.training import RAW
from tests.engine.toys import BATCH, ToyTask, trainer

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """The directory of a finished training whose averages differ from its weights."""
    torch.set_num_threads(1)
    directory = tmp_path_factory.mktemp("earlier")
    trainer(directory, images=4 * BATCH).run()
    return directory


def last(directory):
    return checkpoint.latest(directory)


def taken(source, **settings) -> ToyTask:
    """Return a task with other weights that has just started from `source`."""
    task = ToyTask()
    for tensor in task.state_dict().values():
        tensor.add_(1)
    initialization.initialize(task, source, **({"parts": ["*"]} | settings))
    return task


def assert_equal(task: nn.Module, weights) -> None:
    for name, tensor in task.state_dict().items():
        assert torch.equal(tensor, weights[name]), name


def test_a_directory_or_its_checkpoint_gives_what_it_draws_with(earlier):
    found = checkpoint.read(last(earlier))
    assert not torch.equal(found.weights["generator.0.weight"], found.averages["half_life"]["generator.0.weight"])
    for source in (earlier, last(earlier)):
        assert_equal(taken(source), found.averages["half_life"])
    assert_equal(taken(last(earlier) / checkpoint.MODEL), found.weights)


def test_a_training_that_draws_with_its_weights_gives_these(tmp_path):
    trainer(tmp_path, images=2 * BATCH, drawn_with=RAW).run()
    assert_equal(taken(tmp_path), checkpoint.read(last(tmp_path)).weights)


def test_a_converted_checkpoint_gives_its_weights(tmp_path):
    """It remembers no average to draw with."""
    weights = ToyTask().state_dict()
    found = checkpoint.Checkpoint(0, weights, averages={"half_life": weights}, optimizers={}, state={})
    checkpoint.write(tmp_path, found, keep=trainer(tmp_path).training.keep)
    assert_equal(taken(tmp_path), weights)


def test_a_damaged_checkpoint_is_skipped_or_refused(earlier, tmp_path):
    trainer(tmp_path, images=8 * BATCH).run()
    newest = last(tmp_path)
    with (newest / checkpoint.average_file("half_life")).open("ab") as file:
        file.write(b"0")
    assert initialization.file_of(tmp_path).parent.name == f"{4 * BATCH:012d}"
    with pytest.raises(FridoError, match="SHA-256"):
        initialization.file_of(newest)


def test_averages_start_as_copies_and_the_training_goes_on_from_there(earlier, tmp_path):
    """A first step of rate 0: what is there after it is what was taken."""
    started = trainer(tmp_path, images=BATCH, init_from=str(earlier), checkpoint_every_images=BATCH)
    started.run()
    source = checkpoint.read(last(earlier)).averages["half_life"]
    found = checkpoint.read(last(tmp_path))
    for weights in (found.weights, found.averages["half_life"]):
        for name, tensor in source.items():
            if name != "generator.seen":  # a running mean of the images
                torch.testing.assert_close(weights[name], tensor, atol=1e-7, rtol=0)
    assert float(found.weights["generator.seen"]) != 0


def test_it_is_done_once(earlier, tmp_path):
    """What was trained since is not thrown away, and the source is needed no more."""
    with pytest.raises(ZeroDivisionError):
        trainer(tmp_path, init_from=str(earlier), during=lambda seen, _: {"one": 1 / (seen < 6 * BATCH)}).run()
    (tmp_path / "init_report.json").unlink()
    again = trainer(tmp_path, init_from=str(tmp_path / "gone"))
    again.restore()
    assert again.images_seen == 4 * BATCH
    assert_equal(again.model, checkpoint.read(last(tmp_path)).weights)
    assert not (tmp_path / "init_report.json").exists()


def test_the_report_names_everything(earlier, tmp_path, capsys):
    part = {name: tensor for name, tensor in ToyTask().state_dict().items() if name != "critic.3.bias"}
    save_file(part | {"generator.extra": torch.ones(1), "critic.0.bias": torch.ones(9)}, tmp_path / "part.safetensors")
    parts = ["generator.*", "critic.3.*"]
    trainer(tmp_path, init_from=str(tmp_path / "part.safetensors"), init_parts=parts).restore()
    report = json.loads((tmp_path / "init_report.json").read_text())
    own = [name for name in ToyTask().state_dict() if name.startswith("generator.")]
    assert sorted(report["taken"]) == sorted([*own, "critic.3.weight"])
    assert report["not_there"] == ["critic.3.bias"]
    assert report["unused"] == ["critic.0.bias", "critic.0.weight", "generator.extra"]
    assert report["other_shape"] == ["critic.0.bias: (9,) instead of (4,)"]
    printed = capsys.readouterr().out
    assert "6 tensors taken" in printed and "critic.3.bias" in printed and printed.count("\n") == 1


def test_names_that_are_not_asked_for_keep_their_values(earlier):
    task, fresh = taken(earlier, parts=["generator.*"]), ToyTask().state_dict()
    averaged = checkpoint.read(last(earlier)).averages["half_life"]
    for name, tensor in task.state_dict().items():
        expected = averaged[name] if name.startswith("generator.") else fresh[name] + 1
        assert torch.equal(tensor, expected), name


def test_a_file_of_one_part_is_taken_as_that_part(earlier, tmp_path):
    averaged = checkpoint.read(last(earlier)).averages["half_life"]
    own = {name.removeprefix("generator."): t for name, t in averaged.items() if name.startswith("generator.")}
    save_file(own, tmp_path / "autoencoder.safetensors")
    task = taken(tmp_path, parts=["generator.0.*"])
    assert torch.equal(task.generator[0].weight, averaged["generator.0.weight"])
    assert torch.equal(task.generator[3].weight, ToyTask().generator[3].weight + 1)


def test_another_shape_is_refused_with_the_patterns_that_leave_it_out(earlier, tmp_path):
    weights = load_file(last(earlier) / checkpoint.MODEL)
    save_file(weights | {"critic.3.bias": torch.ones(7)}, tmp_path / "wide.safetensors")
    task = ToyTask()
    with pytest.raises(FridoError, match=r"critic\.3\.bias of shape \(7,\) instead of \(1,\)") as refused:
        initialization.initialize(task, tmp_path / "wide.safetensors", parts=["*"])
    assert_equal(task, ToyTask().state_dict())
    advice = refused.value.do.removeprefix("init_parts=[").removesuffix("]").split(",")
    assert advice == ["generator.*", "critic.0.*", "critic.3.weight"]
    match = initialization.initialize(task, tmp_path / "wide.safetensors", parts=advice)
    assert match.other_shape == ["critic.3.bias: (7,) instead of (1,)"]


@pytest.mark.parametrize(
    ("content", "parts", "said"),
    [
        (None, ["*"], "which does not exist"),
        (b"no tensors", ["*"], "weights.safetensors"),
        ({"a": torch.ones(1)}, ["*"], "with a"),
        ({"generator.0.weight": torch.ones(4, 3, 3, 3)}, ["genarator.*"], r"generator\.\*"),
    ],
    ids=["missing", "not safetensors", "of another model", "pattern"],
)
def test_bad_sources_are_refused_when_asked_about_and_when_taken(tmp_path, content, parts, said):
    file = tmp_path / "weights.safetensors"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        save_file(content, file)
    for ask in (initialization.check, initialization.initialize):
        with pytest.raises(FridoError, match=said):
            ask(ToyTask(), file, parts=parts)


def test_asking_changes_nothing(earlier):
    task = ToyTask()
    initialization.check(task, earlier, parts=["*"])
    assert_equal(task, ToyTask().state_dict())


def configuration(source, **stages) -> dict:
    training = {"autoencoder": {"init_from": None}, "denoiser": {"init_from": str(source)}}
    return {"training": training, "stages": ["data", "denoiser"], **stages}


def test_a_missing_source_is_refused_before_anything_begins(tmp_path):
    with pytest.raises(FridoError, match=r"training\.denoiser\.init_from"):
        check_there(configuration(tmp_path / "gone"))
    check_there(configuration(tmp_path / "gone", stages=["report"]))
    check_there(configuration(tmp_path))


def test_a_run_remembers_what_it_started_from(earlier, tmp_path, caplog):
    """What came of the source later is told, and no reason to stop."""
    file = tmp_path / "weights.safetensors"
    save_file(ToyTask().state_dict(), file)
    config = configuration(file)
    with pytest.raises(FridoError):
        outside.started_from(configuration(tmp_path / "gone"), tmp_path)
    facts = outside.started_from(config, tmp_path)
    assert facts == {"training.denoiser.init_from": outside.initial_weights(config, "denoiser")}
    trainer(tmp_path, images=BATCH, init_from=str(file), facts=facts).run()
    assert outside.started_from(config, tmp_path) == facts and not caplog.records

    save_file({name: tensor + 1 for name, tensor in ToyTask().state_dict().items()}, file)
    with caplog.at_level(logging.WARNING):
        assert outside.started_from(config, tmp_path) == facts
    assert "no longer" in caplog.text
    file.unlink()
    assert outside.started_from(config, tmp_path) == facts
    assert (
        outside.started_from(configuration("x") | {"training": {"denoiser": {"init_from": None}}}, tmp_path / "b") == {}
    )
