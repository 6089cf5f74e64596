from collections.abc import Callable
from pathlib import Path

import pytest

from frido.data.framing.centre import Centre
from frido.data.framing.of_crop import OfCrop
from frido.data.packing.pack import Packing
from frido.data.reading import Reading
from frido.data.sources.procedural import Procedural
from frido.data.sources.scenes import Scenes

MakeSource = Callable[..., Procedural]
MakePacking = Callable[..., Packing]
MakeReading = Callable[..., Reading]


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
        images = {"image_format": "keep", "quality": 95, "max_unreadable": 0, "image_node": False}
        return Packing(**(settings | images | {"tokenizer_size": 300, "processes": 1} | changes))

    return make


@pytest.fixture(scope="session")
def dataset(tmp_path_factory, make_source, make_packing) -> Path:
    """A packed dataset of 60 + 10 + 5 scenes at 32 px, to be read only."""
    root = tmp_path_factory.mktemp("packed") / "scenes"
    make_packing().write(make_source(), root, quiet=True)
    return root


@pytest.fixture(scope="session")
def make_reading() -> MakeReading:
    def make(**changes) -> Reading:
        limits = {"max_objects": 3, "max_relationships": 6, "max_attributes": 3, "max_caption": 64}
        framing = {"crop": Centre(), "flip": 0.0, "held_out_crop": Centre(), "coordinates": OfCrop()}
        return Reading(**({"resolution": 32, "workers": 0, "cache_mb": 0} | limits | framing | changes))

    return make
