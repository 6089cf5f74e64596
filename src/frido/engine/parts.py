"""Parts of a model, chosen by patterns of names."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from frido.contracts.errors import FridoError, nearest


def chosen(names: Iterable[str], patterns: Sequence[str], *, setting: str) -> list[str]:
    """Return those of `names` that one of `patterns` matches (as file names do: `denoiser.*`), in their order.

    Args:
        names: Of a model.
        patterns: Each must match something.
        setting: That holds the patterns, for the error.

    Raises:
        FridoError: A pattern matches nothing.
    """
    names = list(names)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            places = sorted(
                {".".join(name.split(".")[:depth]) for name in names for depth in range(1, name.count(".") + 1)}
            )
            close = nearest(pattern.removesuffix(".*"), places) or nearest(pattern, names)
            like = [f"{place}.*" if place in places else place for place in close]
            like = like or [f"{top}.*" for top in sorted({name.partition(".")[0] for name in names})]
            raise FridoError(
                f"{setting} of the training",
                got=f"{pattern!r}, which matches no name",
                wanted="patterns of the model's own names, such as " + ", ".join(like),
                do=f"{setting}=[{like[0]}]",
            )
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
