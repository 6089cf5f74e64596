"""Power-function averages have the width that they are named by; any other can be made of those that were stored."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from frido.contracts.errors import FridoError
from frido.engine import checkpoint, post_hoc, snapshots
from frido.engine.averages.classic import Classic
from frido.engine.averages.half_life import HalfLife
from frido.engine.averages.power import Power, exponent
from frido.engine.ema import Ema
from frido.engine.post_hoc import Profile
from frido.engine.snapshots import Snapshots
from frido.engine.writer import Writer
from tests.engine.toys import BATCH, ToyStream, newest, trainer

KEPT = {"power_05": Power(sigma_rel=0.05), "power_10": Power(sigma_rel=0.10)}
OTHERS = {"short": Power(sigma_rel=0.04), "middle": Power(sigma_rel=0.075), "long": Power(sigma_rel=0.15)}


def profile(average: Power, *, steps: int, batch: int) -> torch.Tensor:
    """Return how much the weights after each step count in the average after the last one."""
    shares = torch.zeros(steps + 1, dtype=torch.float64)
    shares[0] = 1  # the initial weights
    for step in range(1, steps + 1):
        decay = average.decay(step * batch, batch=batch)
        shares *= decay
        shares[step] += 1 - decay
    return shares


def test_exponents_of_the_paper():
    """Karras et al. (2024) name 16.97 and 6.94 for the two that they keep."""
    assert exponent(0.05) == pytest.approx(16.97, abs=0.005)
    assert exponent(0.10) == pytest.approx(6.94, abs=0.005)


@pytest.mark.parametrize("sigma_rel", [0.02, 0.05, 0.1, 0.25])
@pytest.mark.parametrize("batch", [1, 32])
def test_width_of_an_average_is_its_name(sigma_rel, batch):
    steps = 2000
    shares = profile(Power(sigma_rel=sigma_rel), steps=steps, batch=batch)
    assert float(shares.sum()) == pytest.approx(1)
    assert shares[0] == 0, "the initial weights are forgotten at once"
    moments = (torch.arange(steps + 1, dtype=torch.float64) - 0.5) / steps
    mean = float(shares @ moments)
    assert float(shares @ (moments - mean) ** 2) ** 0.5 == pytest.approx(sigma_rel, rel=2e-3)


@pytest.mark.parametrize("sigma_rel", [0.0, -0.1, 0.28, 1.0])
def test_width_that_no_average_has(sigma_rel):
    with pytest.raises(FridoError, match=r"less than 0\.28"):
        Power(sigma_rel=sigma_rel)


def profiles(count: int, *, of: tuple[float, ...] = (0.05, 0.10)) -> list[Profile]:
    """Return the two kept profiles at `count` moments of a training of 1000 images."""
    return [Profile(exponent(one), 1000 * (moment + 1) / count) for moment in range(count) for one in of]


def test_kept_profile_is_itself():
    kept = profiles(10)
    for index in (3, 12, 19):
        fit = post_hoc.fit(kept[: index + 1], kept[index])
        expected = [float(other == index) for other in range(index + 1)]
        assert fit.coefficients == pytest.approx(expected, abs=1e-6) and fit.residual < 1e-6


def test_a_length_that_is_kept_twice_is_shared():
    fit = post_hoc.fit(profiles(6, of=(0.05, 0.05)), Profile(exponent(0.05), 1000))
    assert fit.coefficients == pytest.approx([0] * 10 + [0.5, 0.5], abs=1e-6)


@pytest.mark.parametrize("sigma_rel", [0.03, 0.075, 0.2])
def test_more_snapshots_are_nearer_and_sum_to_one(sigma_rel):
    fits = [post_hoc.fit(profiles(count), Profile(exponent(sigma_rel), 1000)) for count in (1, 8, 64)]
    residuals = [fit.residual for fit in fits]
    assert residuals[0] > 1.5 * residuals[1] and residuals[1] > 30 * residuals[2] > 0
    for fit in fits:
        assert sum(fit.coefficients) == pytest.approx(1, abs=1e-9)


def test_residual_is_the_distance_between_profiles():
    """Against the integral as a sum of 40,000 rectangles."""
    kept, wanted = profiles(3), Profile(exponent(0.15), 1000)
    fit = post_hoc.fit(kept, wanted)
    at = (torch.arange(40_000, dtype=torch.float64) + 0.5) / 40

    def curve(one: Profile) -> torch.Tensor:
        return (at <= one.images) * (one.gamma + 1) * (at / one.images) ** one.gamma / one.images

    made = sum(coefficient * curve(one) for coefficient, one in zip(fit.coefficients, kept, strict=True))
    distance = (made - curve(wanted)).norm() / curve(wanted).norm()
    assert fit.residual == pytest.approx(float(distance), rel=1e-3)


def model(width: int = 8) -> nn.Module:
    found = nn.Module()
    found.layer = nn.Linear(width, width)
    found.norm = nn.BatchNorm1d(width)
    return found


def random_walk(directory, *, steps: int, count: int) -> tuple[nn.Module, Ema]:
    """Move weights at random, storing `count` snapshots on the way; return them with the averages at the end."""
    walker = model()
    ema = Ema(walker, averages=KEPT | OTHERS)
    writer = Writer(directory=directory, keep=newest(1))
    stored = Snapshots(directory=directory, averages=KEPT, model=walker, writer=writer)
    generator = torch.Generator().manual_seed(0)
    for step in range(1, steps + 1):
        for parameter in walker.parameters():
            parameter.data += torch.randn(parameter.shape, generator=generator) / steps**0.5
        walker.norm.running_mean += 1
        walker.norm.num_batches_tracked += 1
        ema.update(walker, images_seen=step * BATCH, batch=BATCH)
        if step % (steps // count) == 0:
            stored.write(ema.weights, images_seen=step * BATCH)
    writer.finish()
    return walker, ema


@pytest.fixture(scope="module")
def walks(tmp_path_factory) -> dict[int, float]:
    """Return, by name of an average and number of snapshots, how far the one made is off the one kept."""
    errors = {}
    for count in (8, 32):
        directory = tmp_path_factory.mktemp("walk")
        walker, ema = random_walk(directory, steps=512, count=count)
        found = snapshots.found(directory)
        assert len(found) == 2 * count and all(map(snapshots.is_sound, found))
        kept = [Profile(exponent(one.sigma_rel), one.images_seen) for one in found]
        for name, average in OTHERS.items():
            fit = post_hoc.fit(kept, Profile(average.gamma, 512 * BATCH))
            made = post_hoc.combined(zip(found, fit.coefficients, strict=True))
            walker.load_state_dict(made)  # nothing is missing
            difference = made["layer.weight"] - ema.weights[name]["layer.weight"]
            apart = ema.weights[name]["layer.weight"] - ema.weights["power_10"]["layer.weight"]
            errors[name, count] = float(difference.norm() / apart.norm())
    return errors


@pytest.mark.parametrize("name", OTHERS)
def test_average_of_a_random_walk_is_made_of_two_others(walks, name):
    """Measured: 1.3 to 1.7 % of its distance to the longer one that is kept, and 0.1 to 0.4 %, which is float16."""
    assert walks[name, 8] < 0.03
    assert walks[name, 32] < min(0.006, walks[name, 8] / 2)


def test_what_is_no_parameter_is_that_of_the_newest(tmp_path):
    walker, _ = random_walk(tmp_path, steps=16, count=4)
    found = snapshots.found(tmp_path)
    made = post_hoc.combined([(one, 1 / len(found)) for one in found])
    assert made["norm.num_batches_tracked"] == 16
    assert torch.equal(made["norm.running_mean"], walker.norm.running_mean)
    assert {tensor.dtype for tensor in made.values()} == {torch.float32, torch.int64}


def test_snapshot_is_small_and_exact_where_it_must_be(tmp_path):
    found = model()
    found.layer.bias.data[0] = 1e6  # more than float16 holds
    found.norm.running_mean.fill_(1 / 3)
    averages = {"half_life": HalfLife(images=8, ramp=None), "classic": Classic(limit=0.9), **KEPT}
    ema = Ema(found, averages=averages)
    with Writer(directory=tmp_path, keep=newest(1)) as writer:
        stored = Snapshots(directory=tmp_path, averages=averages, model=found, writer=writer)
        stored.write(ema.weights, images_seen=24)
    folder = tmp_path / "snapshots" / "000000000024"
    assert {file.name for file in folder.iterdir()} == {"power_05.safetensors", "power_10.safetensors", "manifest.json"}
    state = load_file(folder / "power_05.safetensors")
    assert state["layer.weight"].dtype == torch.float16
    torch.testing.assert_close(state["layer.weight"].float(), found.layer.weight.data, rtol=2**-11, atol=1e-7)
    assert state["layer.bias"][0].item() == 1e6
    assert torch.equal(state["norm.running_mean"], found.norm.running_mean)
    assert state["norm.num_batches_tracked"].dtype == torch.int64


def test_full_disk_stops_nothing(tmp_path, monkeypatch, caplog):
    real = checkpoint.write_tensors

    def full(path, tensors):
        if "snapshots" in str(path):
            raise OSError(28, "No space left on device")
        real(path, tensors)

    monkeypatch.setattr(checkpoint, "write_tensors", full)
    done = trainer(tmp_path, averages=KEPT, drawn_with="power_05", snapshot_every_images=4 * BATCH)
    done.run()
    assert done.images_seen == 12 * BATCH
    assert caplog.text.count("No space left") == 3
    assert not list((tmp_path / "snapshots").glob("*"))


def test_damage_is_named_and_left_out(tmp_path, caplog):
    random_walk(tmp_path, steps=3, count=3)
    flipped, torn, _ = sorted((tmp_path / "snapshots").iterdir())
    file = flipped / "power_10.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    (torn / "manifest.json").write_text("{")
    sound = [one for one in snapshots.found(tmp_path) if snapshots.is_sound(one)]
    assert [(one.images_seen, one.sigma_rel) for one in sound] == [(8, 0.05), (24, 0.05), (24, 0.10)]
    assert str(file) in caplog.text and str(torn) in caplog.text


def test_interrupted_training_stores_the_same_snapshots(tmp_path):
    class CrashError(Exception):
        pass

    def crash(images_seen: int) -> None:
        if images_seen == 10 * BATCH:
            raise CrashError

    settings = {"averages": KEPT, "drawn_with": "power_10", "snapshot_every_images": 3 * BATCH}
    trainer(tmp_path / "quiet", **settings).run()
    with pytest.raises(CrashError):
        trainer(tmp_path / "other", stream=ToyStream(at_start=crash), **settings).run()
    trainer(tmp_path / "other", **settings).run()
    quiet = sorted(path for path in (tmp_path / "quiet" / "snapshots").rglob("*") if path.is_file())
    assert {path.parent.name for path in quiet} == {f"{images * BATCH:012d}" for images in (3, 6, 9, 12)}
    for path in quiet:
        assert path.read_bytes() == (tmp_path / "other" / path.relative_to(tmp_path / "quiet")).read_bytes()
