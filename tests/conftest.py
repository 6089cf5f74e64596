"""For all tests."""

import signal
from collections.abc import Iterator

import pytest

from frido.engine.signals import CODES


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """A training that was asked to stop leaves its process deaf to more of it; here the process goes on."""
    before = {number: signal.getsignal(number) for number in CODES}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Bits are promised at equal threads, and small models are not faster on two."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
