"""Secrets stay on this machine."""

import re
from typing import Any

HIDDEN = "[redacted]"
# No plural of token: num_tokens is a size.
NAMES = r"token|(?:secret|passw(?:or)?d|api_?key|access_?key|private_?key|credential)s?"
NAME = re.compile(rf"(?:^|[_.\-/])(?:{NAMES})$", re.IGNORECASE)
ASSIGNED = re.compile(rf"((?:^|[\s_.\-/'\"])(?:{NAMES})['\"]?\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|\S+)", re.IGNORECASE)
IN_ADDRESS = re.compile(r"(\w+://)[^/\s@]+@")
SHAPES = re.compile(r"\b(?:hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|wandb_v1_\w{20,}|AKIA[A-Z0-9]{16})\b")


def redact(value: Any) -> Any:
    """Return plain data without what looks like a secret.

    Redacted are values under names that end in token, secret, password, api_key and such; the same written as
    `name=value` inside texts (commands, overrides); user names and passwords in addresses; keys of known shape.
    """
    if isinstance(value, dict):
        return {
            key: HIDDEN if NAME.search(str(key)) and item is not None else redact(item) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    if isinstance(value, str):
        return SHAPES.sub(HIDDEN, IN_ADDRESS.sub(rf"\1{HIDDEN}@", ASSIGNED.sub(rf"\1{HIDDEN}", value)))
    return value
