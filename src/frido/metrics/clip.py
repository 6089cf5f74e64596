"""CLIP (Radford et al., 2021) from a folder on this machine: images and texts as directions of one space."""

import hashlib
import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from PIL import Image
from torch import Tensor

from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError
from frido.metrics.features.exact import exact
from frido.metrics.full_batches import full_batches

LETTERS = {768: "b", 1024: "l", 1280: "h", 1664: "g"}
"""How a vision transformer of some width is called."""

WANTED = "a folder with a CLIP model, its tokenizer and its preprocessor_config.json, as transformers saves them"
DO = "download huggingface.co/openai/clip-vit-large-patch14 and give the folder's path, or leave out the CLIP score"


class Clip:
    """Needs the package transformers. Downloads nothing.

    Args:
        folder: With config.json, model.safetensors, the tokenizer's files and preprocessor_config.json. Null is an
            error that says so.

    Raises:
        FridoError: The package or the folder is missing, or the folder holds something else.
    """

    def __init__(self, *, folder: str | None) -> None:
        self._tokenizer, self._network, look = _load(folder)
        assert folder is not None
        self.sha256 = _digest(Path(folder))
        vision = self._network.config.vision_config
        kind = LETTERS.get(vision.hidden_size, f"{vision.hidden_size}-")
        self.name = f"clip-{kind}{vision.patch_size}" + (f"-{vision.image_size}" if vision.image_size != 224 else "")
        self.max_tokens = int(self._network.config.text_config.max_position_embeddings)
        self._side, self._resized = _side(look["crop_size"], "height"), _side(look["size"], "shortest_edge")
        self._mean, self._deviation = (torch.tensor(look[key]).view(3, 1, 1) for key in ("image_mean", "image_std"))
        self.resize = f"shorter side to {self._resized} px by PIL's bicubic, {self._side} px cut from the middle"

    @torch.inference_mode()
    def of_images(self, images: UInt8[Tensor, "batch 3 height width"]) -> Float32[Tensor, "batch direction"]:
        """Return a vector of length 1 for each image, on the CPU."""
        network = self._network.to(images.device)

        def encode(rows: Tensor) -> Tensor:
            return network.visual_projection(network.vision_model(pixel_values=rows.to(images.device)).pooler_output)

        if not len(images):
            return torch.zeros(0, network.config.projection_dim)
        pixels = [self._pixels(image) for image in images.cpu().permute(0, 2, 3, 1).numpy()]
        return _in_batches(encode, torch.stack(pixels))

    @torch.inference_mode()
    def of_texts(self, texts: Sequence[str]) -> Float32[Tensor, "batch direction"]:
        """Return a vector of length 1 for each text, cut to `max_tokens`, on the CPU."""
        network = self._network

        def encode(rows: Tensor) -> Tensor:
            ids, mask = rows.to(network.device).unbind(1)
            return network.text_projection(network.text_model(input_ids=ids, attention_mask=mask).pooler_output)

        if not texts:
            return torch.zeros(0, network.config.projection_dim)
        told = self._tokenizer(
            list(texts), max_length=self.max_tokens, truncation=True, padding="max_length", return_tensors="pt"
        )
        return _in_batches(encode, torch.stack([told["input_ids"], told["attention_mask"]], dim=1))

    def too_long(self, texts: Sequence[str]) -> int:
        """Return how many of some texts are cut."""
        return sum(len(ids) > self.max_tokens for ids in self._tokenizer(list(texts), verbose=False)["input_ids"])

    def _pixels(self, image: np.ndarray) -> Float[Tensor, "3 side side"]:
        picture = Image.fromarray(image)
        scale = self._resized / min(picture.size)
        width, height = (max(self._resized, int(side * scale)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
        left, top = (width - self._side) // 2, (height - self._side) // 2
        shown = np.array(picture.crop((left, top, left + self._side, top + self._side)))
        return (torch.from_numpy(shown).permute(2, 0, 1) / 255 - self._mean) / self._deviation


def _in_batches(encode: Callable[[Tensor], Tensor], rows: Tensor) -> Float32[Tensor, "batch direction"]:
    with exact():
        found = [encode(batch)[:count].float().cpu() for batch, count in full_batches(rows)]
    vectors = torch.cat(found)
    return vectors / vectors.norm(dim=1, keepdim=True)


def _load(folder: str | None) -> tuple[Any, Any, dict[str, Any]]:
    """Return tokenizer, network and how images are prepared."""
    setting = "metrics.metrics.clip_score.encoder"
    try:
        package = importlib.import_module("transformers")
    except ImportError as error:
        raise FridoError(
            setting,
            got="the package transformers is not installed",
            wanted="it, for CLIP",
            do="pip install 'frido[text]', or leave out the CLIP score",
        ) from error
    if folder is None or not (Path(folder) / "config.json").is_file():
        got = "nothing" if folder is None else f"{folder}, where no config.json is"
        raise FridoError(f"{setting}.folder", got=got, wanted=WANTED, do=DO)
    try:
        look = json.loads((Path(folder) / "preprocessor_config.json").read_text())
        _side(look["crop_size"], "height"), _side(look["size"], "shortest_edge"), look["image_mean"], look["image_std"]
        network, loaded = package.CLIPModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
        if loaded["missing_keys"]:  # it would have drawn them at random
            raise ValueError(f"no weights for {', '.join(sorted(loaded['missing_keys'])[:3])}")
        tokenizer = package.CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # transformers, tokenizers and safetensors have many of their own
        got = f"{folder}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        raise FridoError(f"{setting}.folder", got=got, wanted=WANTED, do=DO) from error
    return tokenizer, network.eval().requires_grad_(False), look


def _side(size: int | dict[str, int], key: str) -> int:
    """Return a side that older files give as a number, and newer ones by name."""
    return int(size[key] if isinstance(size, dict) else size)


def _digest(folder: Path) -> str:
    """Return the SHA-256 of the weights; of several files, that of their hashes in the order of their names."""
    files = sorted([*folder.glob("*.safetensors")] or [*folder.glob("pytorch_model*.bin")])
    hashes = [sha256(file) for file in files]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()
