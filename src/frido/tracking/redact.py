"""Secrets stay on this machine."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HIDDEN = "[redacted]"
# No plural of token: num_tokens is a size.
NAMES = (
    r"(?:access|api|auth|bearer|hub|refresh|session)?_?token|pass(?:word|wd|phrase)s?|pwd|secrets?|credentials?"
    r"|authorization|cookie|signature|sig|(?:api|access|private|secret|account|encryption)_?keys?(?:_?id)?"
    r"|connection_?string|dsn"
)
NAME = re.compile(rf"(?:^|[_.\-/])(?:{NAMES})$", re.IGNORECASE)
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
ASSIGNED = re.compile(
    rf"((?:^|[\s_.\-/'\"?&;,{{(])(?:{NAMES})['\"]?\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s&;,'\")}}]+)", re.IGNORECASE
)
OPTION = re.compile(rf"((?:^|\s)--?(?:[\w.\-]*[_.\-])?(?:{NAMES})\s+)(?:\"[^\"]*\"|'[^']*'|[^\s-]\S*)", re.IGNORECASE)
BEARER = re.compile(r"\b((?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=\-]{8,}")
IN_ADDRESS = re.compile(r"(\w+://)(?:[^/\s@]+|[^\s@/:]+:[^\s@]+)@")
SHAPES = re.compile(
    r"\b(?:hf_\w{20,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w\-]{16,}|wandb_v1_\w{20,}|sk-[\w\-]{20,}"
    r"|xox[a-z]-[\w\-]{10,}|npm_\w{20,}|AIza[\w\-]{35}|A(?:KI|SI)A[A-Z0-9]{16}|eyJ[\w\-]{8,}\.eyJ[\w\-]{8,}\.[\w\-]+)"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
LEAST = 8
"""Letters of a value of the environment that is looked for elsewhere; shorter ones would hide ordinary words."""


def redact(value: Any) -> Any:
    """Return plain data without what looks like a secret.

    Redacted are values under names that end in token, secret, password, api_key and such; the same written as
    `name=value` or `--name value` inside texts (commands, overrides, addresses); user names and passwords in
    addresses; keys of known shape; and, wherever they stand, the values of variables of the environment with such
    names: an interpolation may have put them under any name.
    """
    return _redact(value, tuple(_of_environment()))


def _redact(value: Any, known: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {
            _text(key, known) if isinstance(key, str) else key: HIDDEN
            if item is not None and _telling(str(key))
            else _redact(item, known)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redact(item, known) for item in value]
    return _text(value, known) if isinstance(value, str) else value


def _text(text: str, known: Iterable[str]) -> str:
    for secret in known:
        text = text.replace(secret, HIDDEN)
    text = IN_ADDRESS.sub(rf"\1{HIDDEN}@", SHAPES.sub(HIDDEN, text))
    for pattern in (BEARER, ASSIGNED, OPTION):
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text


def _telling(name: str) -> bool:
    return bool(NAME.search(HUMP.sub("_", name)))


def _of_environment() -> list[str]:
    """Return the values of variables with telling names, longest first: one may be part of another."""
    telling = {value for name, value in os.environ.items() if _telling(name) and len(value) >= LEAST}
    values = {value for value in telling if not Path(value).exists()}  # PWD, and files that hold what is secret
    return sorted(values, key=len, reverse=True)
