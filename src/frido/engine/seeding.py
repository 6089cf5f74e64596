"""Torch's own generator as a function of place in the training, for what draws from it (network dropout)."""

import hashlib

import torch


def reseed(*, seed: int, phase: str, position: int) -> None:
    """Seed torch for the micro-batch of `phase` whose first sample is at `position` of the stream.

    Called before every forward pass, so nothing of a generator's state has to survive a checkpoint, and nothing
    that others draw in between is felt.
    """
    digest = hashlib.blake2b(f"{seed}/{phase}/{position}".encode(), digest_size=8).digest()
    torch.manual_seed(int.from_bytes(digest, "big") >> 1)  # torch takes 63 bits
