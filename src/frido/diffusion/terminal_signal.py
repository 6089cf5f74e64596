"""Which predictions say something at the noisy end of a schedule."""

from frido.contracts.errors import FridoError
from frido.diffusion.parameterizations.base import Parameterization
from frido.diffusion.schedules.base import Schedule


def check_terminal_signal(schedule: Schedule, parameterization: Parameterization) -> None:
    """Raise `FridoError` where a schedule ends in pure noise and the prediction says nothing of the clean latent there.

    The noise is all that is seen at such an end, so predicting it teaches nothing and starts no chain
    (Lin et al., 2023, section 3.2).
    """
    if schedule.ends_in_noise and parameterization.needs_signal:
        raise FridoError(
            "diffusion.parameterization",
            got=f"{type(parameterization).__name__} with {type(schedule).__name__}, whose last step is pure noise",
            wanted="a prediction that tells of the clean latent where no signal is left",
            do="diffusion/parameterization=v, or another diffusion/schedule",
        )
