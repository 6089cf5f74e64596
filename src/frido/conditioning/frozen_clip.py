"""Captions through CLIP's text encoder, from a folder on this machine."""

import importlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from frido.conditioning.base import Conditioner
from frido.conditioning.captions import read
from frido.contracts.batch import Annotations
from frido.contracts.context import Context, expand
from frido.contracts.errors import FridoError
from frido.contracts.scene import Vocabulary


class FrozenClip(Conditioner):
    """The last hidden states of CLIP (Radford et al., 2021) for each image's first caption; it is not trained.

    Needs the package transformers. Downloads nothing. The empty context is the empty text.

    Args:
        vocabulary: Of the dataset (run time); not read.
        folder: With a CLIP model and its tokenizer as transformers saves them (config.json, model.safetensors,
            tokenizer files). Null is an error that says so. Checkpoints remember its content (`frido.cli.outside`).
        max_tokens: Of a caption, start and end included; longer ones are cut, shorter ones padded. CLIP: 77.
        masked: Whether padding is hidden from the denoiser. Official: it is not.

    Raises:
        FridoError: The package or the folder is missing.
    """

    def __init__(self, *, vocabulary: Vocabulary, folder: str | None, max_tokens: int, masked: bool) -> None:
        super().__init__()
        tokenizer, network = _load(folder)
        # In a tuple: a fixed network has no place in every checkpoint.
        self._fixed = (tokenizer, network)
        self.width = network.config.hidden_size
        self.max_tokens, self.masked = max_tokens, masked

    def forward(self, annotations: Annotations) -> Context:
        return self._encode(read(annotations.captions), annotations.categories.device)

    def empty(self, annotations: Annotations) -> Context:
        return expand(self._encode([""], annotations.categories.device), len(annotations.captions))

    @torch.no_grad()
    def _encode(self, texts: list[str], device: torch.device) -> Context:
        tokenizer, network = self._fixed
        encoded = tokenizer(
            texts, max_length=self.max_tokens, truncation=True, padding="max_length", return_tensors="pt"
        ).to(device)
        # It is causal, so tokens never see the padding behind them.
        tokens: Tensor = network.to(device)(input_ids=encoded["input_ids"]).last_hidden_state
        if not self.masked:
            return Context(tokens=tokens)
        real = encoded["attention_mask"].bool()
        return Context(tokens=tokens * real[..., None], mask=real)


def _load(folder: str | None) -> tuple[Any, Any]:
    try:
        package = importlib.import_module("transformers")
    except ImportError as error:
        raise FridoError(
            "conditioning",
            got="the package transformers is not installed",
            wanted="it, for CLIP's text encoder",
            do="pip install 'frido[text]', or condition on captions without: conditioning=text",
        ) from error
    if folder is None or not (Path(folder) / "config.json").is_file():
        raise FridoError(
            "conditioning.folder",
            got="nothing" if folder is None else f"{folder}, where no config.json is",
            wanted="a folder with a CLIP model and its tokenizer",
            do="download huggingface.co/openai/clip-vit-large-patch14 and give the folder's path",
        )
    network = package.CLIPTextModel.from_pretrained(folder, local_files_only=True)
    tokenizer = package.CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    return tokenizer, network.eval().requires_grad_(False)
