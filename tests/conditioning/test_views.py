"""What the denoiser is shown of images: what every view promises, and what each one shows."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from frido.conditioning.views.masks import Masks
from frido.contracts.batch import Annotations, Batch
from frido.contracts.errors import FridoError
from frido.contracts.scene import Vocabulary
from tests.denoisers import options

VOCABULARY = Vocabulary(("circle", "square", "star"), (), ())
FACTOR = 4


def batch(size=3, start=0, side=32):
    positions = torch.arange(start, start + size)
    generator = torch.Generator().manual_seed(start)
    return Batch(
        images=torch.rand(size, 3, side, side, generator=generator) * 2 - 1,
        annotations=Annotations(*(torch.zeros(size, 0) for _ in Annotations._fields)),
        ids=tuple(map(str, positions.tolist())),
        positions=positions,
        valid=torch.ones(size, dtype=torch.bool),
        segmentation=torch.randint(-1, 3, (size, side, side), generator=generator).short(),
    )


def encode(images):
    """A coarse and a fine latent of five channels, which do not mix places."""
    fine = F.avg_pool2d(images, FACTOR)
    fine = torch.cat([fine, fine[:, :2] ** 2], dim=1)
    return F.avg_pool2d(fine, 2), fine


def build(name, *, factor=FACTOR, vocabulary=VOCABULARY, **changes):
    torch.manual_seed(0)
    node = options.node("view", name) | changes
    return options.make(node)(vocabulary=vocabulary, latent_channels=5, factor=factor)


@pytest.fixture(params=options.names("view"))
def view(request):
    return build(request.param)


def test_the_map_has_the_channels_that_the_denoiser_is_built_for(view):
    some = batch()
    view.check(some)
    prepared = view.prepare(some, encode=encode)
    shown = view(prepared)
    if view.channels == 0:
        assert prepared is None and shown is None and view.picture(some) is None
        return
    assert shown.shape[:2] == (3, view.channels) and shown.dtype == torch.float32
    assert not prepared.requires_grad


def test_a_row_is_a_function_of_its_image_and_position(view):
    some = batch(4, start=7)
    if view.channels:
        whole, part = (view.prepare(b, encode=encode) for b in (some, some.rows(1, 3)))
        assert torch.equal(whole[1:3], part)
        images = some._replace(images=some.images.flip(0), segmentation=some.segmentation.flip(0))
        assert not torch.equal(view.prepare(images, encode=encode), whole)


def test_what_is_shown_can_be_looked_at(view):
    some = batch()
    if view.channels:
        picture = view.picture(some)
        assert picture.shape == some.images.shape and picture.min() >= -1 and picture.max() <= 1


def test_training_reaches_every_parameter(view):
    shown = view(view.prepare(batch(), encode=encode))
    if list(view.parameters()):
        shown.square().sum().backward()
    assert [name for name, parameter in view.named_parameters() if parameter.grad is None] == []


def test_scenes_without_images_are_refused_where_images_are_shown(view):
    wished = batch()._replace(images=None, segmentation=None)
    if view.channels == 0:
        view.check(wished)
    else:
        with pytest.raises(FridoError, match="without images"):
            view.check(wished)


def test_low_resolution_is_the_mean_over_squares():
    """3 channels for factor 4 and reduction 4 (6 with the noisy latent, as bsr_sr), which no filter aliases."""
    view, some = build("low_resolution"), batch()
    shown = view(view.prepare(some, encode=encode))
    assert view.channels == 3 and shown.shape == (3, 3, 8, 8)
    means = some.images.unfold(2, 4, 4).unfold(3, 4, 4).mean((-1, -2))
    torch.testing.assert_close(shown, means, atol=0.5 / 127.5 + 1e-6, rtol=0)
    torch.testing.assert_close(view.picture(some)[1, 2, 12:16, 20:24], shown[1, 2, 3, 5].expand(4, 4))


@pytest.mark.parametrize(("factor", "channels", "side"), [(8, 12, 4), (4, 3, 8), (2, 3, 8)])
def test_a_larger_low_resolution_image_loses_nothing_on_the_latent_grid(factor, channels, side):
    view, some = build("low_resolution", factor=factor), batch()
    prepared = view.prepare(some, encode=encode)
    shown = view(prepared)
    assert view.channels == channels and shown.shape == (3, channels, side, side)
    assert torch.equal(((shown + 1) * 127.5).round().flatten(1).sort().values, prepared.flatten(1).sort().values)


def test_low_resolution_is_prepared_as_bytes_from_end_to_end():
    view, some = build("low_resolution"), batch(1)
    ends = some._replace(images=torch.tensor([-1.0, 1.0]).repeat_interleave(16).expand(1, 3, 32, 32))
    prepared = view.prepare(ends, encode=encode)
    assert prepared.dtype == torch.uint8 and prepared.unique().tolist() == [0, 255]
    assert torch.equal(view(prepared), F.avg_pool2d(ends.images, 4))


def test_reductions_that_do_not_fit_are_refused():
    with pytest.raises(FridoError, match=r"view\.reduction"):
        build("low_resolution", reduction=3)
    with pytest.raises(FridoError, match=r"view\.reduction"):
        build("low_resolution").check(batch(side=30))


def test_masked_shows_black_in_the_holes_and_one_in_their_mask():
    """LDM's trained convention: 1 is a hole, -1 is shown; hidden pixels are -1."""
    view, some = build("masked"), batch(16)
    picture, prepared = view.picture(some), view.prepare(some, encode=encode)
    hidden = (picture != some.images).any(1)
    assert (picture.transpose(0, 1)[:, hidden] == -1).all()
    assert 0.02 < hidden.float().mean() < 0.6 and hidden.flatten(1).any(1).all() and not hidden.flatten(1).all(1).any()
    assert view.channels == prepared.shape[1] == 5 + 1, "latents first, then the mask"
    assert torch.equal(prepared[:, -1] == 1, hidden[:, ::FACTOR, ::FACTOR])
    assert torch.equal(prepared[:, -1] == -1, ~hidden[:, ::FACTOR, ::FACTOR])
    torch.testing.assert_close(prepared[:, :-1], encode(picture)[-1])
    assert torch.equal(view(prepared), prepared)


def masks(**changes):
    return Masks(**({k: v for k, v in options.node("view", "masked")["masks"].items() if k[0] != "_"} | changes))


def test_masks_are_functions_of_seed_and_key():
    drawn = [masks().draw(key, 64, 64) for key in range(20)]
    again = [masks().draw(key, 64, 64) for key in reversed(range(20))]
    assert all((first == second).all() for first, second in zip(drawn, reversed(again), strict=True))
    assert len({mask.tobytes() for mask in drawn}) == 20
    assert (masks(seed=1).draw(0, 64, 64) != drawn[0]).any()


def test_a_key_has_one_mask_at_every_resolution():
    for key in range(5):
        fine, coarse = masks().draw(key, 128, 128), masks().draw(key, 32, 32)
        shares = fine.reshape(32, 4, 32, 4).mean((1, 3))
        assert (coarse[shares == 1]).all() and not (coarse[shares == 0]).any()


def test_masks_hold_what_is_asked_for():
    nothing = {"rectangles": [0, 0], "strokes": [0, 0]}
    assert not masks(**nothing).draw(0, 64, 64).any()
    square = masks(**nothing | {"rectangles": [1, 1], "rectangle_sides": [0.5, 0.5]})
    for key in range(5):
        down, across = np.nonzero(square.draw(key, 64, 64))
        assert np.ptp(down) + 1 in (31, 32, 33) and np.ptp(across) + 1 in (31, 32, 33)
        assert len(down) == (np.ptp(down) + 1) * (np.ptp(across) + 1)
    dot = masks(**nothing | {"strokes": [1, 1], "stroke_widths": [0.25, 0.25], "stroke_turns": [1, 1]})
    length = 0.2
    areas = [
        masks(**nothing | {"strokes": [1, 1], "stroke_widths": [0.25, 0.25], "stroke_turns": [1, 1],
                           "stroke_steps": [length, length]}).draw(key, 64, 64).mean()
        for key in range(40)
    ]  # fmt: skip
    assert max(areas) == pytest.approx(0.25 * length + np.pi * 0.125**2, rel=0.03), "a disc drawn along its way"
    assert dot.draw(0, 64, 64).any()


@pytest.mark.parametrize("changes", [{"strokes": [3, 1]}, {"rectangle_sides": [0.5, 1.5]}, {"stroke_turns": [1]}])
def test_impossible_masks_are_refused(changes):
    with pytest.raises(FridoError, match=next(iter(changes))):
        masks(**changes)


def test_segmentation_is_ldms_rescaler():
    """One-hot maps halved twice bilinearly, then a 1x1 convolution."""
    view, some = build("segmentation"), batch()
    one_hot = F.one_hot(some.segmentation.long() + 1, 4).permute(0, 3, 1, 2).float()
    for _ in range(2):
        one_hot = F.interpolate(one_hot, scale_factor=0.5, mode="bilinear")
    torch.testing.assert_close(view(view.prepare(some, encode=encode)), view.projection(one_hot))


@pytest.mark.parametrize(("count", "dtype"), [(3, torch.uint8), (255, torch.uint8), (256, torch.int16)])
def test_segmentation_is_kept_in_bytes_where_they_hold_every_category(count, dtype):
    view = build("segmentation", vocabulary=Vocabulary(tuple(f"thing {k}" for k in range(count)), (), ()))
    segmentation = torch.tensor([-1, 0, 1, count - 1]).short().repeat_interleave(8).expand(1, 32, 32)
    some = batch(1)._replace(segmentation=segmentation)
    prepared = view.prepare(some, encode=encode)
    assert prepared.dtype == dtype and prepared.shape == (1, 1, 32, 32)
    expected = view.projection.weight[:, [0, 1, 2, count], 0, 0]
    torch.testing.assert_close(view(prepared)[0, :, 0, ::2], expected)
    assert torch.equal(view(segmentation[:, None]), view(prepared)), "as it was cached before"


def test_segmentation_has_the_published_number_of_parameters():
    """LDM's semantic models: 182 labels, 3 channels, no bias."""
    labels = Vocabulary(tuple(f"thing {k}" for k in range(181)), (), ())
    assert sum(p.numel() for p in build("segmentation", vocabulary=labels).parameters()) == 546


def test_segmentation_asks_for_data_that_know_it():
    with pytest.raises(FridoError, match="scenes_segmented"):
        build("segmentation").check(batch()._replace(segmentation=None))


def test_colours_tell_categories_apart():
    view, some = build("segmentation"), batch()
    picture = view.picture(some).permute(0, 2, 3, 1)
    colours = [picture[some.segmentation == k].unique(dim=0) for k in range(-1, 3)]
    assert [len(colour) for colour in colours] == [1] * 4
    assert len(torch.cat(colours).unique(dim=0)) == 4
