"""Several conditions at once."""

import torch

from tests.conditioning.given import build, scenes
from tests.denoisers import options


def several(*names, width=24):
    return build("several", parts={name: options.node("conditioning", name) for name in names}, width=width)


def test_parts_stand_in_a_row():
    both = several("layout", "class", "class_pooled")
    context = both(scenes())
    layout, token, pooled = (both.parts[name](scenes()) for name in ("layout", "class", "class_pooled"))
    assert torch.equal(context.tokens, torch.cat([layout.tokens, token.tokens], dim=1))
    assert torch.equal(context.mask, torch.cat([layout.mask, torch.ones(2, 1, dtype=torch.bool)], dim=1))
    assert torch.equal(context.pooled, pooled.pooled)
    assert (both.width, both.pooled_width) == (24, 3)


def test_other_widths_go_through_a_map():
    both = several("layout", "class", width=40)
    assert both.width == 40 and both(scenes()).tokens.shape[-1] == 40
    assert set(both.projections) == {"layout", "class"}


def test_nothing_is_masked_where_no_part_hides_anything():
    assert several("class", "layout_tokens")(scenes()).mask is None


def test_pooled_vectors_alone():
    alone = several("class_pooled", "none")
    assert alone.width == 0 and alone(scenes()).tokens is None
    assert alone.empty(scenes()).pooled.shape == (2, 3)
