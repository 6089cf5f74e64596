"""Recorded numbers of the official code, found under `$FRIDO_GOLDEN` by the class that made them.

A pair `X.npz` + `X.json` names its class in `config["official"]`; `KINDS` says which test reads that class, so that
more pairs of a known class are tested without an edit. Tests parametrise over `cases("prefix of official")`.
"""

import json
import math
import os
import zlib
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

PENDING = None

KINDS: dict[str, str | None] = {
    "taming.models.msvqgan.MSFPNVQModel": "test_msvqgan",
    "MSFPNVQModel at configs/": "test_msvqgan",
    "taming.modules.vqvae.quantize.VectorQuantizer2": "test_vector_quantizer",
    "taming.modules.discriminator.model.NLayerDiscriminator": "test_discriminator",
    "taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator": "test_vq_loss",
    "ldm.models.autoencoder.AutoencoderKL": "test_autoencoder_kl",
    "ldm.models.autoencoder.VQModelInterface": "test_vq_interface",
    "frido.modules.diffusionmodules.pyunet.PyUNetModel": "test_pyunet",
    "PyUNetModel at configs/": "test_pyunet",
    "ldm.modules.diffusionmodules.openaimodel.UNetModel": "test_pyunet",
    "frido.modules.encoders.modules.BERTEmbedder": "test_bert_embedder",
    "frido.models.diffusion.frido.FridoDiffusion": "test_frido_diffusion",
    "frido.models.diffusion.ddim.DDIMSampler": "test_ddim",
    "ldm.models.diffusion.": "test_ldm_samplers",
    "frido.modules.diffusionmodules.util": "test_schedules",
    "frido.modules.ema.LitEma": "test_ema",
}
"""Prefix of `official` to the test module that reads it; `PENDING` where Frido does not have that part yet."""


@dataclass(frozen=True)
class Golden:
    """One recorded pair. `weights` and `tensors` keep their official names; weights are exact float32."""

    name: str
    config: dict[str, Any]
    weights: dict[str, Tensor] = field(repr=False)
    tensors: dict[str, Tensor] = field(repr=False)

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def __contains__(self, name: str) -> bool:
        return name in self.tensors


def recipe(key: str, shape: tuple[int, ...], embedding_scale: float = 1.0) -> np.ndarray:
    """Return the procedural weight of `key`, for the files that store none."""
    lattice = np.random.RandomState(zlib.crc32(key.encode()) & 0xFFFFFFFF).randint(-127, 128, size=shape or (1,))
    lattice = lattice.astype(np.int8).astype(np.float32)
    if len(shape) >= 2:
        embedding = "embedding.weight" in key or ("emb.weight" in key and "time_emb" not in key)
        step = embedding_scale / 127.0 if embedding else math.sqrt(3.0 / np.prod(shape[1:])) / 127.0
        return lattice * np.float32(step)
    unit = lattice / np.float32(127.0)
    last = key.rsplit(".", 1)[-1]
    if last == "running_var":
        return np.float32(1) + np.float32(0.3) * unit
    if last == "weight":
        return np.float32(1) + np.float32(0.1) * unit
    return (np.float32(0.1) * unit).reshape(shape)


@lru_cache(maxsize=1)  # one pair is up to 2 GB
def load(path: Path) -> Golden:
    """Read a pair, with its weights stored or made by recipe (`config["state_keys"]`: name to shape)."""
    archive = np.load(path)
    config = json.loads(bytes(archive["__config__"]))
    weights, tensors = {}, {}
    for name in archive.files:
        if name == "__config__" or name.endswith("#scale"):
            continue
        if not name.startswith("w/"):
            tensors[name] = torch.from_numpy(archive[name])
        elif name.endswith("#q8"):
            scale = archive[name.removesuffix("#q8") + "#scale"]
            weights[name[2:].removesuffix("#q8")] = torch.from_numpy(archive[name].astype(np.float32) * scale)
        else:
            weights[name[2:]] = torch.from_numpy(archive[name])
    if not weights and "state_keys" in config:
        true_size = config["official"].startswith("MSFPNVQModel at")
        scale = float(config.get("emb_scale", 1.5 if true_size else 1.0))
        keys = dict(config["state_keys"])
        weights = {key: torch.from_numpy(recipe(key, tuple(shape), scale)) for key, shape in keys.items()}
    return Golden(path.stem, config, weights, tensors)


def root() -> Path | None:
    folder = os.environ.get("FRIDO_GOLDEN")
    return Path(folder) if folder else None


@cache
def official(path: Path) -> str:
    """Return the class that a pair was made by, without reading its tensors."""
    return str(json.loads(path.with_suffix(".json").read_text())["config"].get("official", ""))


def paths() -> list[Path]:
    folder = root()
    return sorted(folder.rglob("*.npz")) if folder else []


def cases(*prefixes: str) -> list[Any]:
    """Return pytest parameters, one path per pair whose class begins with one of `prefixes`.

    Without `$FRIDO_GOLDEN` it is one skipped parameter. Heavy pairs (`true_*`) are marked slow.
    """
    found = [path for path in paths() if official(path).startswith(prefixes)]
    if not found:
        why = "FRIDO_GOLDEN names no folder of recorded numbers" if root() is None else f"no pair of {prefixes[0]}"
        return [pytest.param(None, id="none", marks=pytest.mark.skip(reason=why))]
    slow = pytest.mark.slow
    return [pytest.param(path, id=path.stem, marks=slow if path.stem.startswith("true_") else ()) for path in found]
