from collections.abc import Callable
from pathlib import Path

import pytest

from frido.data.pack import Packing
from frido.data.sources.procedural import Procedural
from frido.data.sources.scenes import Scenes

MakeSource = Callable[..., Procedural]
MakePacking = Callable[..., Packing]


@pytest.fixture(scope="session")
def make_scenes() -> Callable[..., Scenes]:
    def make(**changes) -> Scenes:
        settings = {"resolution": 64, "min_objects": 1, "max_objects": 3, "min_size": 0.36, "max_size": 0.5}
        return Scenes(**(settings | {"min_visible": 0.5, "seed": 0} | changes))

    return make


@pytest.fixture(scope="session")
def make_source(make_scenes) -> MakeSource:
    def make(*, train: int = 60, val: int = 10, test: int = 5, **changes) -> Procedural:
        return Procedural(scenes=make_scenes(**({"resolution": 32} | changes)), train=train, val=val, test=test)

    return make


@pytest.fixture(scope="session")
def make_packing() -> MakePacking:
    def make(**changes) -> Packing:
        settings = {"scenes_per_shard": 16, "image_size": None, "seed": 0, "run": 3, "block": 2}
        return Packing(**(settings | {"tokenizer_size": 300, "processes": 1} | changes))

    return make


@pytest.fixture(scope="session")
def dataset(tmp_path_factory, make_source, make_packing) -> Path:
    """A packed dataset of 60 + 10 + 5 scenes at 32 px, to be read only."""
    root = tmp_path_factory.mktemp("packed") / "scenes"
    make_packing().write(make_source(), root, quiet=True)
    return root
