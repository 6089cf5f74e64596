"""What every conditioner promises."""

import pytest
import torch

from frido.contracts.batch import Annotations
from frido.contracts.errors import FridoError
from frido.contracts.scene import Vocabulary
from tests.conditioning.given import build, same, scenes, uncropped, written
from tests.denoisers import options

UNTOLD = {"none"}
"""Options that say nothing of the scene."""
EMPTY_TEXT = {"scene_graph_text", "text", "clip"}
"""Options whose empty context is a text of its start and end: more than one token."""
UNLEARNED = {"none", "class_pooled", "clip"}
"""Options without anything to train."""


@pytest.fixture(params=options.names("conditioning"))
def conditioner(request, tmp_path):
    made = build(request.param, tmp_path)
    made.option = request.param
    return made


def let_through(context, row):
    return context.tokens[row] if context.mask is None else context.tokens[row][context.mask[row]]


def test_widths_are_those_of_its_context(conditioner):
    for context in (conditioner(scenes()), conditioner.empty(scenes())):
        for part, width in ((context.tokens, conditioner.width), (context.pooled, conditioner.pooled_width)):
            assert (part is None) == (width == 0)
            assert part is None or part.shape[-1] == width


def test_empty_has_the_shapes_of_the_full(conditioner):
    for annotations in (scenes(), scenes(5, 4, 60)):
        full, empty = conditioner(annotations), conditioner.empty(annotations)
        for a, b in zip(full, empty, strict=True):
            assert (a is None and b is None) or (a.shape == b.shape and a.dtype == b.dtype)


def test_empty_says_nothing_of_the_scene(conditioner):
    annotations = scenes()
    empty = conditioner.empty(annotations)
    told, framing = annotations[:5], annotations[5:]
    assert same(empty, conditioner.empty(Annotations(*(tensor.flip(0, 1) for tensor in told), *framing)))
    if empty.mask is not None and conditioner.option not in EMPTY_TEXT:
        parts = len(getattr(conditioner, "parts", "1"))
        assert empty.mask.sum(1).tolist() == [parts, parts]


def test_every_scene_is_told(conditioner):
    if conditioner.option in UNTOLD:
        return
    context, empty = conditioner(scenes()), conditioner.empty(scenes())
    told = [part for part, _ in zip(context, empty, strict=True) if part is not None and part.is_floating_point()]
    blank = [part for part in empty if part is not None and part.is_floating_point()]
    assert not any(torch.allclose(a, b) for a, b in zip(told, blank, strict=True))
    assert not any(torch.allclose(part[0], part[1]) for part in told)


def test_padding_changes_nothing(conditioner):
    if conditioner.width == 0:
        return
    tight, loose = conditioner(scenes()), conditioner(scenes(6, 5, 60))
    for row in range(2):
        torch.testing.assert_close(let_through(loose, row), let_through(tight, row), atol=1e-5, rtol=1e-5)


def test_what_the_mask_hides_is_zero(conditioner):
    context = conditioner(scenes(6, 5))
    if context.mask is not None:
        assert context.tokens[~context.mask].eq(0).all()


def test_a_scene_of_which_nothing_is_told_is_a_context(conditioner):
    words = [torch.full_like(tensor, -1) for tensor in scenes()[:4]]
    nothing = Annotations(*words, written(["", ""]), *uncropped(2))
    context = conditioner(nothing)
    assert all(part.isfinite().all() for part in context if part is not None)
    assert context.mask is None or context.mask.any(dim=1).all()


def test_training_reaches_every_parameter(conditioner):
    annotations = scenes()
    total = torch.zeros(())
    for context in (conditioner(annotations), conditioner.empty(annotations)):
        for part in (context.tokens, context.pooled):
            if part is not None:
                total = total + (part * torch.randn(part.shape, generator=torch.Generator().manual_seed(1))).sum()
    assert total.requires_grad == (conditioner.option not in UNLEARNED)
    if total.requires_grad:
        total.backward()
    assert [name for name, parameter in conditioner.named_parameters() if parameter.grad is None] == []


def test_weights_are_the_whole_state(conditioner, tmp_path):
    other = build(conditioner.option, tmp_path)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    if any(True for _ in other.parameters()):
        assert not same(other(scenes()), conditioner(scenes()))
    other.load_state_dict(conditioner.state_dict())
    assert same(other(scenes()), conditioner(scenes()))


def test_a_scene_does_not_depend_on_its_batch(conditioner):
    whole, alone = conditioner(scenes()), conditioner(Annotations(*(tensor[1:] for tensor in scenes())))
    for a, b in zip(whole, alone, strict=True):
        if a is not None:
            torch.testing.assert_close(a[1:], b, atol=1e-5, rtol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_agrees(tmp_path):
    for name in options.names("conditioning"):
        conditioner = build(name, tmp_path)
        on_cpu = conditioner(scenes())
        on_gpu = conditioner.cuda()(Annotations(*(tensor.cuda() for tensor in scenes())))
        for a, b in zip(on_cpu, on_gpu, strict=True):
            if a is not None:
                torch.testing.assert_close(b.cpu(), a, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["text", "scene_graph_text"])
@pytest.mark.parametrize("masked", [True, False])
def test_padding_of_texts_is_hidden_or_not(name, masked):
    conditioner = build(name, max_tokens=30, masked=masked)
    context = conditioner(scenes())
    assert (context.mask is not None) == masked
    ids, _ = conditioner.tokenize(scenes())
    with torch.no_grad():
        conditioner.transformer.words.weight[ids[1, -1]] += 1  # the padding's
    moved = conditioner(scenes())
    assert torch.allclose(moved.tokens[1, 0], context.tokens[1, 0]) == masked


def test_a_dataset_without_captions_has_no_tokenizer():
    with pytest.raises(FridoError, match="packed without captions"):
        build("text", vocabulary=Vocabulary(("circle",), (), ()))
