"""What an official model is conditioned on, as options of ours, and where its weights go."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from frido.conditioning.embedding_transformer import EmbeddingTransformer
from frido.contracts.errors import FridoError
from frido.importers import bert_embedder
from frido.importers.first_stage import FirstStage
from frido.importers.translate import DROP, Table

Config = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One kind of conditioning.

    Args:
        overrides: That choose and set it, for `frido.run`.
        needs: What a dataset must hold for it, for people.
        tokens: Width of its tokens; 0 without.
        map: Channels that are concatenated to the noisy latents; 0 without.
        guided: Whether official samples are guided.
        module: What holds its weights, without values.
        table: Their official names, without `cond_stage_model.`, to those in `module`.
        place: Of `module` in the task.
    """

    overrides: tuple[str, ...]
    needs: str
    tokens: int = 0
    map: int = 0
    guided: bool = False
    module: nn.Module
    table: Table
    place: str = ""


def read(model: Config, data: Config, *, stage: FirstStage, chosen: str | None) -> Condition:
    """Return the conditioning of an official model.

    Args:
        model: Official `model.params`.
        data: Official `data.params.train.params`; where a checkpoint comes without, the released settings are assumed.
        stage: Its first stage.
        chosen: Our option of the group `conditioning`, where somebody asks for one. Some official classes are used
            for several kinds of conditions.

    Raises:
        FridoError: There is no such conditioning here, or it is not `chosen`.
    """
    given = model.get("cond_stage_config", "__is_unconditional__")
    target = given if isinstance(given, str) else str(given.get("target", ""))
    config = {} if isinstance(given, str) else given.get("params") or {}
    name = target.rpartition(".")[2]
    if name == "BERTEmbedder" and config.get("use_tokenizer", True):
        captions = str(data.get("caption_ann_path", "")).rpartition("/")[2]
        of_graphs = "scenegraph" in captions or captions.endswith("_sg.json")
        return _text(_pick(chosen, ("text", "scene_graph_text"), "scene_graph_text" if of_graphs else "text"), config)
    if name == "BERTEmbedder":
        labels = model.get("cond_stage_key") == "objects"
        option = _pick(chosen, ("layout_tokens", "label_tokens"), "label_tokens" if labels else "layout_tokens")
        return _ids(option, config, data)
    if name == "ClassEmbedder":
        number = config.get("n_classes", 1000)
        option = _pick(chosen, ("class", "class_plain"), "class" if number == 1001 else "class_plain")
        return _classes(option, number, config["embed_dim"])
    concatenated = model.get("conditioning_key", "concat" if model.get("concat_mode", True) else None) == "concat"
    shown: dict[str, Callable[[], Condition]] = {
        "__is_unconditional__": _nothing,
        "__is_first_stage__": partial(_masked, stage),
        "SpatialRescaler": partial(_segmentation, config, stage),
        **({"Identity": partial(_low_resolution, data, stage)} if concatenated else {}),
    }
    if name not in shown:
        raise FridoError(
            "config: cond_stage_config",
            got=target,
            wanted="the conditioning of a released Frido or latent-diffusion model, with its weights in the checkpoint",
            do="kind=first_stage converts the first stage alone",
        )
    _pick(chosen, ("none",), "none")
    return shown[name]()


def _pick(chosen: str | None, possible: tuple[str, ...], usual: str) -> str:
    if chosen is not None and chosen not in possible:
        raise FridoError(
            f"conditioning={chosen}",
            got=chosen,
            wanted=f"what the checkpoint was trained with: {' or '.join(possible)}",
            do=f"leave it out: conditioning={usual} is taken",
        )
    return chosen or usual


def _text(option: str, config: Config) -> Condition:
    more = ("conditioning.without=.",) if option == "text" else ()
    return _transformer(
        config,
        overrides=(f"conditioning={option}", "conditioning/tokenizer=bert", "conditioning.masked=false", *more),
        needs=("captions" if option == "text" else "scene graphs")
        + ", and conditioning.tokenizer.file=vocab.txt of bert-base-uncased",
        guided=True,
    )


def _ids(option: str, config: Config, data: Config) -> Condition:
    settings = bert_embedder.settings(config)
    most = data.get("max_objects_per_image", 30)
    numbers = data.get("no_tokens", 8192 if settings["words"] == 8192 else 1024)  # LDM's dataset was not released
    own: dict[str, Any] = {"words": settings["words"], "max_objects": most}
    if option == "layout_tokens":
        crop = str(bool(data.get("encode_crop", True))).lower()
        own |= {"num_tokens": numbers, "shift": data.get("shifting_cls_num", 0), "crop": crop}
    else:
        own |= {"padding": numbers - 1}
    return _transformer(
        config,
        overrides=(f"conditioning={option}", *(f"conditioning.{key}={value}" for key, value in own.items())),
        needs=f"objects, up to {most}, of categories in the official order",
        guided=False,
    )


def _transformer(config: Config, *, overrides: tuple[str, ...], needs: str, guided: bool) -> Condition:
    settings = bert_embedder.settings(config)
    with torch.device("meta"):
        module = EmbeddingTransformer(**settings)
    own = [f"conditioning.transformer.{key}={settings[key]}" for key in ("width", "depth", "heads", "head_width")]
    return Condition(
        overrides=(
            *overrides,
            "conditioning/transformer=frido",
            f"conditioning.max_tokens={settings['max_tokens']}",
            *own,
            "view=none",
        ),
        needs=needs,
        tokens=settings["width"],
        guided=guided,
        module=module,
        table=bert_embedder.table(settings["depth"]),
        place="conditioner.transformer.",
    )


def _classes(option: str, number: int, width: int) -> Condition:
    with torch.device("meta"):
        module = nn.ModuleDict({"embedding": nn.Embedding(number, width)})
    return Condition(
        overrides=(f"conditioning={option}", f"conditioning.width={width}", "view=none"),
        needs=f"{number - (option == 'class')} categories in the official order, one object per image",
        tokens=width,
        guided=option == "class",
        module=module,
        table={"embedding.{p}": "embedding.{p}"},
        place="conditioner.",
    )


def _nothing() -> Condition:
    overrides = ("conditioning=none", "view=none")
    return Condition(overrides=overrides, needs="nothing but images", module=nn.Module(), table={})


def _segmentation(config: Config, stage: FirstStage) -> Condition:
    halvings, factor = config.get("n_stages", 1), stage.factors[-1]
    if 2**halvings != factor or config.get("multiplier", 0.5) != 0.5 or config.get("bias", False):
        raise FridoError(
            "config: cond_stage_config",
            got=f"SpatialRescaler with {dict(config)} for latents of 1/{factor} of the image",
            wanted="n_stages halvings down to the grid of the latents, without bias",
            do="give the YAML that the checkpoint was trained with",
        )
    with torch.device("meta"):
        module = nn.ModuleDict({"projection": nn.Conv2d(config["in_channels"], config["out_channels"], 1, bias=False)})
    return Condition(
        overrides=("conditioning=none", "view=segmentation", f"view.channels={config['out_channels']}"),
        needs=f"segmentations, and {config['in_channels'] - 1} categories in the official order",
        map=config["out_channels"],
        module=module,
        table={"channel_mapper.{p}": "projection.{p}"},
        place="view.",
    )


def _masked(stage: FirstStage) -> Condition:
    return Condition(
        overrides=("conditioning=none", "view=masked"),
        needs="nothing but images: holes are drawn at random",
        map=stage.channels + 1,
        module=nn.Module(),
        table={"*": DROP},  # the first stage once more
    )


def _low_resolution(data: Config, stage: FirstStage) -> Condition:
    reduction = data.get("downscale_f", 4)
    return Condition(
        overrides=("conditioning=none", "view=low_resolution", f"view.reduction={reduction}"),
        needs="nothing but images",
        map=3 * max(1, stage.factors[-1] // reduction) ** 2,
        module=nn.Module(),
        table={},
    )
