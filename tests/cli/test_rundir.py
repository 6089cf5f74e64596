import copy
import json

import pytest
import yaml

from frido.cli.compose import compose
from frido.cli.rundir import RunDirectory, dump, run_hash, stage_directory, stage_hash
from frido.contracts.errors import FridoError


@pytest.fixture
def config(conf) -> dict:
    config = compose("run", [], directory=conf)
    config["training"]["denoiser"] |= {"precision": "bf16", "log_every_images": 5, "lr": 0.1}
    return config


def changed(config: dict, path: str, value: object) -> dict:
    other = copy.deepcopy(config)
    *parents, last = path.split(".")
    node = other
    for name in parents:
        node = node[name]
    node[last] = value
    return other


@pytest.mark.parametrize(
    "path",
    [
        *("hardware.device", "tracking.left", "run.root", "stages", "training.denoiser.precision"),
        *("training.denoiser.log_every_images", "size.checkpoint_every_images", "metrics.left", "comparison"),
    ],
)
def test_how_and_where_is_not_hashed(config, path):
    assert run_hash(changed(config, path, "other")) == run_hash(config)


@pytest.mark.parametrize("path", ["seed", "data.left", "size.samples", "training.denoiser.lr"])
def test_what_is_hashed(config, path):
    assert run_hash(changed(config, path, 123)) != run_hash(config)


def test_hash_ignores_the_order_of_keys(config):
    assert run_hash(dict(reversed(config.items()))) == run_hash(config)
    assert len(run_hash(config)) == 12


@pytest.mark.parametrize(
    ("path", "shared"),
    [
        ("seed", ["data", "autoencoder", "latents"]),
        ("denoiser.sizes", ["data", "autoencoder", "latents"]),
        ("view.left", ["data", "autoencoder"]),
        ("training.autoencoder.left", ["data"]),
        ("first_stage.left", ["data"]),
        ("autoencoder.left", ["data"]),
        ("size.resolution", ["data"]),
        ("data.left", []),
    ],
)
def test_stages_are_shared_exactly_by_what_they_depend_on(config, path, shared):
    other = changed(config, path, [9])
    same = [s for s in ("data", "autoencoder", "latents") if stage_hash(config, s) == stage_hash(other, s)]
    assert same == shared


def test_content_of_the_dataset_counts(config):
    assert stage_hash(config, "autoencoder", content="a") != stage_hash(config, "autoencoder", content="b")
    assert len({stage_directory(config, stage) for stage in ("data", "autoencoder", "latents")}) == 3


def test_freezing_and_reading(config, tmp_path):
    directory = RunDirectory.planned(changed(config, "run.root", str(tmp_path)), recipe="gating/film")
    assert directory.path == tmp_path / "gating" / "film" / run_hash(config)
    directory.make()
    directory.freeze(config)
    assert RunDirectory.existing(directory.path).config == config
    assert list(yaml.safe_load(dump(config))) == list(config)


def test_setting_aside_numbers_the_old_ones(config, tmp_path):
    directory = RunDirectory(tmp_path / "abc")
    assert directory.set_aside() is None
    for number in (1, 2):
        directory.freeze({"number": number})
        assert directory.set_aside() == tmp_path / f"abc.{number}"
    assert RunDirectory(tmp_path / "abc.2").config == {"number": 2}


def test_no_run_directory_is_refused(tmp_path):
    RunDirectory(tmp_path / "real").freeze({})
    with pytest.raises(FridoError, match=f"run={tmp_path / 'real'}"):
        RunDirectory.existing(tmp_path / "unreal")


@pytest.mark.parametrize("text", ["a: [1", "- 1\n", "", "a: \x00"])
def test_damaged_configuration_is_refused(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(FridoError, match=r"config\.yaml"):
        RunDirectory(tmp_path).config  # noqa: B018


def test_frozen_configuration_is_data(tmp_path):
    (tmp_path / "config.yaml").write_text("a: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(FridoError):
        RunDirectory(tmp_path).config  # noqa: B018


def test_unwritable_place_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FridoError, match=r"run\.root=SOME_FOLDER"):
        RunDirectory(tmp_path / "file" / "main" / "abc").make()
    assert json.dumps([path.name for path in tmp_path.iterdir() if path.name != "packages"]).count("file") == 1
