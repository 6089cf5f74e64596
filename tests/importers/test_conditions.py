"""How released models are conditioned, as options of ours."""

import pytest
import torch

from frido.cli.build import build
from frido.cli.conversion import conditions, recipe
from frido.contracts.errors import FridoError
from frido.contracts.scene import Vocabulary
from frido.importers import first_stage
from tests.importers import official
from tests.importers.checkpoints import encoder

TEXT = {"n_embed": 640, "n_layer": 32}
IDS = TEXT | {"use_tokenizer": False, "max_seq_len": 96}
VG = {"no_tokens": 1024, "max_objects_per_image": 30, "shifting_cls_num": 179, "encode_crop": True}
LABELS = {"no_tokens": 1024, "max_objects_per_image": 30, "encode_crop": False}
LAYOUTS = {"n_embed": 512, "n_layer": 16, "vocab_size": 8192, "max_seq_len": 92, "use_tokenizer": False}
GRAPHS = {"caption_ann_path": "../datasets/vg/train_sg.json"}
COCO_GRAPHS = {"caption_ann_path": "../datasets/coco/2017/annotations/scenegraph_train2017.json"}
CAPTIONS = {"caption_ann_path": "../datasets/coco/2014/annotations/captions_train2014.json"}
STAGE = first_stage.read(official.shapes(official.RELEASED["vqgan_f4"]))
TEXTS = {"masked": False, "max_tokens": 77}
PLACES = {"crop": True, "max_objects": 30}
RELEASED = {
    # official cond_stage_config, cond_stage_key and data; our class, and settings that differ between models
    "Frido, text": (
        encoder("BERTEmbedder", **TEXT), "caption", CAPTIONS,
        "Captions", TEXTS | {"without": "."},
    ),
    "Frido, graphs": (
        encoder("BERTEmbedder", **TEXT, max_seq_len=180), "caption", GRAPHS,
        "SceneGraphText", TEXTS | {"max_tokens": 180},
    ),
    "Frido, layouts": (
        encoder("BERTEmbedder", **IDS), "objects_bbox", VG,
        "LayoutTokens", PLACES | {"shift": 179, "num_tokens": 1024, "words": 30522},
    ),
    "Frido, labels": (
        encoder("BERTEmbedder", **IDS), "objects", LABELS,
        "LabelTokens", {"padding": 1023, "max_objects": 30},
    ),
    "LDM, layouts": (
        encoder("BERTEmbedder", **LAYOUTS), "coordinates_bbox", {},
        "LayoutTokens", PLACES | {"shift": 0, "num_tokens": 8192, "words": 8192},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """Return a file as large as the vocabulary of bert-base-uncased."""
    file = tmp_path_factory.mktemp("bert") / "vocab.txt"
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    file.write_text("\n".join([*special, *(f"w{k}" for k in range(30522 - len(special)))]))
    return file


@pytest.mark.parametrize("name", RELEASED)
def test_released_conditioning(name, words):
    """The option builds what the checkpoint holds, tensor by tensor."""
    given, key, data, target, expected = RELEASED[name]
    model = {"cond_stage_config": given, "cond_stage_key": key}
    condition = conditions.read(model, data, stage=STAGE, chosen=None)
    asked = ["size=tiny", "data.reading.max_objects=30"]
    if "masked" in expected:
        asked += [f"conditioning.tokenizer.file={words}"]
    node = recipe.composed(model, "frido", condition, asked, averaged=True, factor=4)["conditioning"]
    assert node["_target_"].endswith(target)
    assert {key: node[key] for key in expected} == expected
    vocabulary = Vocabulary(tuple(map(str, range(178))), (), ())
    with torch.device("meta"):
        made = build(node, vocabulary=vocabulary)
    assert made.width == condition.tokens
    ours = {f"conditioner.{name}": tensor.shape for name, tensor in made.state_dict().items()}
    theirs = condition.module.state_dict().items()
    assert ours == {f"{condition.place}{name}": tensor.shape for name, tensor in theirs}


@pytest.mark.parametrize(
    ("data", "chosen", "target"),
    [
        (COCO_GRAPHS, None, "scene_graph_text"),
        (CAPTIONS, "scene_graph_text", "scene_graph_text"),
        ({}, None, "text"),
    ],
)
def test_text_is_told_from_graphs(data, chosen, target):
    model = {"cond_stage_config": encoder("BERTEmbedder", **TEXT), "cond_stage_key": "caption"}
    condition = conditions.read(model, data, stage=STAGE, chosen=chosen)
    assert f"conditioning={target}" in condition.overrides and condition.guided


@pytest.mark.parametrize(
    ("number", "option", "guided"), [(1001, "class", True), (1000, "class_plain", False), (7, "class_plain", False)]
)
def test_classes(number, option, guided):
    model = {"cond_stage_config": encoder("ClassEmbedder", n_classes=number, embed_dim=512)}
    condition = conditions.read(model, {}, stage=STAGE, chosen=None)
    assert f"conditioning={option}" in condition.overrides and condition.guided == guided


@pytest.mark.parametrize(
    ("model", "word"),
    [
        ({"cond_stage_config": {"target": "torch.nn.Identity"}, "conditioning_key": "crossattn"}, "Identity"),
        ({"cond_stage_config": encoder("FrozenCLIPTextEmbedder")}, "FrozenCLIPTextEmbedder"),
        ({"cond_stage_config": encoder("SpatialRescaler", n_stages=1, in_channels=182, out_channels=3)}, "n_stages"),
    ],
)
def test_what_no_option_can_do_is_refused(model, word):
    with pytest.raises(FridoError, match=word):
        conditions.read(model, {}, stage=STAGE, chosen=None)


def test_more_objects_than_places():
    model = {"cond_stage_config": encoder("BERTEmbedder", **IDS), "cond_stage_key": "objects"}
    condition = conditions.read(model, LABELS | {"max_objects_per_image": 8}, stage=STAGE, chosen=None)
    config = recipe.composed(
        model, "frido", condition, ["size=tiny", "data.reading.max_objects=9"], averaged=True, factor=4
    )
    with pytest.raises(FridoError, match="at most 8"):
        recipe.check_room(config)
