"""No gate."""

from frido.denoisers.gates.base import Gate, GateSite


class NoGate(Gate):
    """Finer scales see nothing of the coarser ones: the floor that other gates are measured from."""

    enters = "nowhere"

    def site(self, *, channels: int, coarse_channels: int, embedding_width: int, attends: bool) -> GateSite | None:
        return None
