"""The official text encoder, `BERTEmbedder` of LDM and Frido: its names, its settings."""

from collections.abc import Mapping
from typing import Any

from frido.importers.translate import DROP, Table


def table(depth: int) -> Table:
    """Return names in the official state dict (without `cond_stage_model.`) to names in `EmbeddingTransformer`.

    The official layers are a flat list in which attention and feed-forward take turns. `to_logits` is read by nothing.
    """
    official = "transformer.attn_layers.layers"
    names: dict[str, Any] = {
        "transformer.token_emb.{p}": "words.{p}",
        "transformer.pos_emb.emb.{p}": "positions.{p}",
        "transformer.norm.{p}": "norm.{p}",
        "transformer.to_logits.{p}": DROP,
    }
    for layer in range(depth):
        attention, feed_forward = f"{official}.{2 * layer}", f"{official}.{2 * layer + 1}"
        names |= {
            f"{attention}.0.{{p}}": f"attentions.{layer}.norm.{{p}}",
            f"{attention}.1.to_q.{{p}}": f"attentions.{layer}.query.{{p}}",
            f"{attention}.1.to_k.{{p}}": f"attentions.{layer}.key.{{p}}",
            f"{attention}.1.to_v.{{p}}": f"attentions.{layer}.value.{{p}}",
            f"{attention}.1.to_out.{{p}}": f"attentions.{layer}.output.{{p}}",
            f"{feed_forward}.0.{{p}}": f"feed_forwards.{layer}.norm.{{p}}",
            f"{feed_forward}.1.net.0.0.{{p}}": f"feed_forwards.{layer}.inner.{{p}}",
            f"{feed_forward}.1.net.2.{{p}}": f"feed_forwards.{layer}.outer.{{p}}",
        }
    return names


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return constructor arguments of `EmbeddingTransformer` for an official `cond_stage_config.params`."""
    return {
        "words": config.get("vocab_size", 30522),
        "max_tokens": config.get("max_seq_len", 77),
        "width": config["n_embed"],
        "depth": config["n_layer"],
        "heads": 8,
        "head_width": 64,
    }
