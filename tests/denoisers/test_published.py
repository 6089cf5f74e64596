"""Second stages of published size, on the meta device: number of parameters, counted on the official code."""

import pytest
import torch

from frido.conditioning.embedding_transformer import EmbeddingTransformer
from frido.conditioning.views.segmentation import Segmentation
from frido.contracts.context import ContextWidths
from frido.contracts.scene import Vocabulary
from tests.denoisers import options

UNETS = {
    # option: latent channels, (tokens, map, pooled) of the context, parameters
    "unet_faces": ([3], (0, 0, 0), 274_056_163),
    "unet_churches": ([4], (0, 0, 0), 294_966_916),
    "unet_cin_f8": ([4], (512, 0, 0), 394_984_196),
    "unet_cin": ([3], (512, 0, 0), 400_920_579),
    "unet_text_1p4b": ([4], (1280, 0, 0), 872_300_484),
    "unet_text": ([3], (640, 0, 0), 403_623_939),
    "unet_layout": ([3], (512, 0, 0), 246_277_379),
    "unet_semantic": ([3], (0, 3, 0), 215_229_315),
    "unet_inpainting": ([3], (0, 4, 0), 387_245_827),
    "unet_super_resolution": ([3], (0, 3, 0), 113_622_563),
    "unet_retrieval": ([16], (768, 0, 0), 1_335_480_400),
}

TRANSFORMERS = {
    # option: ids, places, parameters
    "frido": (30522, 77, 186_154_682),
    "ldm_text": (30522, 77, 581_994_042),
    "ldm_layout": (8192, 92, 58_858_496),
}
"""Official counts include logits over the ids, which nothing reads and we do not build."""


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def published(option, channels, widths, **parts):
    node = options.node("denoiser", option)
    node |= {group: options.node(f"denoiser/{group}", name) for group, name in parts.items()}
    with torch.device("meta"):
        return options.make(node)(channels=channels, context=ContextWidths(*widths), tells_level=False)


@pytest.mark.parametrize("option", UNETS)
def test_parameters_of_ldm(option):
    channels, widths, parameters = UNETS[option]
    assert count(published(option, channels, widths)) == parameters


@pytest.mark.parametrize(("trunk", "millions"), [("shared", 511.678), ("per_scale", 1022.58)])
def test_parameters_of_frido(trunk, millions):
    network = published("pyunet_f16f8", [4, 4], (640, 0, 0), trunk=trunk)
    assert round(count(network) / 1e6, 3 if trunk == "shared" else 2) == millions


def test_parameters_of_frido_f8f4():
    assert round(count(published("pyunet_f16f8", [3, 3], (640, 0, 0))) / 1e6, 3) == 511.669


def test_a_fifth_of_frido_is_gates():
    network = published("pyunet_f16f8", [4, 4], (640, 0, 0))
    norms = network.trunk.norms(1)
    assert len(norms) == 60
    assert round(sum(count(norm.gate) for norm in norms) / 1e6, 1) == 108.0
    without = published("pyunet_f16f8", [4, 4], (640, 0, 0), gate="concat")
    assert round(count(without) / 1e6, 2) == 403.65


@pytest.mark.parametrize("option", TRANSFORMERS)
def test_parameters_of_text_encoders(option):
    words, places, parameters = TRANSFORMERS[option]
    with torch.device("meta"):
        made: EmbeddingTransformer = options.build("conditioning/transformer", option)(words=words, max_tokens=places)
    logits = words * made.width + words
    assert count(made) + logits == parameters


@pytest.mark.parametrize(("option", "parameters"), [("class_plain", 512_000), ("class", 512_512)])
def test_parameters_of_classes(option, parameters):
    node = options.node("conditioning", option) | {"width": 512}
    assert count(options.make(node)(vocabulary=vocabulary(1000))) == parameters


def test_parameters_of_semantic_maps():
    """LDM's 182 labels of COCO-stuff are 181 categories and none."""
    view: Segmentation = options.build("view", "segmentation")(vocabulary=vocabulary(181), latent_channels=3, factor=4)
    assert (count(view), view.channels) == (546, 3)


def vocabulary(size):
    return Vocabulary(categories=tuple(f"c{k}" for k in range(size)), attributes=(), predicates=())
