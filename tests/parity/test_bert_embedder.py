"""The transformer over tokens: outputs of the official code, and its numbers of parameters."""

import pytest
import torch

from frido.conditioning.embedding_transformer import EmbeddingTransformer
from frido.importers.bert_embedder import settings, table
from frido.importers.translate import load, translate
from tests.parity import golden

TEXT = {"vocab_size": 30522, "max_seq_len": 77}
PUBLISHED = {
    "Frido, and LDM text2img256": ({"n_embed": 640, "n_layer": 32, **TEXT}, 186_154_682, 19_564_602),
    "LDM txt2img-1p4B": ({"n_embed": 1280, "n_layer": 32, **TEXT}, 581_994_042, 39_098_682),
    "LDM layout2img-openimages256": (
        {"n_embed": 512, "n_layer": 16, "vocab_size": 8192, "max_seq_len": 92},
        58_858_496,
        4_202_496,
    ),
}
"""Settings, parameters of the official class, and of its `to_logits` among them."""


@pytest.mark.parametrize("path", golden.cases("frido.modules.encoders.modules.BERTEmbedder"))
def test_outputs(path):
    pair = golden.load(path)
    network = EmbeddingTransformer(**settings(pair.config)).eval()
    load(network, pair.weights, table(pair.config["n_layer"]), source=pair.name)
    with torch.no_grad():
        torch.testing.assert_close(network(pair["tokens"], None), pair["out"], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_size(name):
    config, official, unused = PUBLISHED[name]
    with torch.device("meta"):
        network = EmbeddingTransformer(**settings(config))
    assert unused == config["vocab_size"] * (config["n_embed"] + 1)
    assert sum(parameter.numel() for parameter in network.parameters()) + unused == official


@pytest.mark.parametrize("path", golden.cases("frido.modules.encoders.modules.BERTEmbedder"))
def test_logits_are_dropped_and_nothing_else(path):
    pair = golden.load(path)
    network = EmbeddingTransformer(**settings(pair.config))
    report = translate(pair.weights, table(pair.config["n_layer"]), ours=network.state_dict())
    assert report.complete
    assert sorted(report.dropped) == ["transformer.to_logits.bias", "transformer.to_logits.weight"]
