"""Official noise schedules: their settings as ours, and the buffers that checkpoints hold of them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from frido.contracts.errors import FridoError
from frido.diffusion.samplers.posterior import posterior
from frido.diffusion.schedules.base import Schedule

TARGETS = {
    "linear": "sqrt_linear.SqrtLinear",
    "sqrt_linear": "linear.Linear",
    "sqrt": "sqrt.Sqrt",
    "cosine": "cosine.Cosine",
}
"""Official names to our classes: their "linear" is linear in the square root, and the other way round."""

BUFFERS = (
    "betas",
    "alphas_cumprod",
    "alphas_cumprod_prev",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod",
    "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
    "posterior_variance",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
)


def node(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration node of the schedule that official `params` describe.

    Raises:
        FridoError: They describe one that no released model has.
    """
    kind, odd = (
        settings.get("beta_schedule", "linear"),
        [key for key in ("given_betas", "v_posterior") if settings.get(key)],
    )
    if kind not in TARGETS or odd:
        raise FridoError(
            "config: the noise schedule",
            got=", ".join(f"{key}={settings[key]}" for key in odd) or f"beta_schedule={kind}",
            wanted=f"beta_schedule one of {', '.join(TARGETS)}, without given_betas and v_posterior",
            do="give the YAML that the checkpoint was trained with",
        )
    shape: dict[str, Any] = {"start": settings.get("linear_start", 1e-4), "end": settings.get("linear_end", 2e-2)}
    if kind == "cosine":
        shape = {"offset": settings.get("cosine_s", 8e-3), "max_beta": 0.999}
    target = f"frido.diffusion.schedules.{TARGETS[kind]}"
    return {"_target_": target, "num_steps": settings.get("timesteps", 1000), **shape}


def buffers(schedule: Schedule) -> dict[str, Tensor]:
    """Return what an official model keeps of a schedule, in float64."""
    alpha_bar = schedule.alphas_cumprod
    before = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    back = posterior(alpha_bar.sqrt(), (1 - alpha_bar).sqrt(), to_alpha=before.sqrt(), to_sigma=(1 - before).sqrt())
    values = (
        schedule.betas(),
        alpha_bar,
        before,
        alpha_bar.sqrt(),
        (1 - alpha_bar).sqrt(),
        (1 - alpha_bar).log(),
        alpha_bar.rsqrt(),
        (1 / alpha_bar - 1).sqrt(),
        back.variance,
        back.variance.clamp(min=1e-20).log(),
        back.of_clean,
        back.of_noisy,
    )
    return dict(zip(BUFFERS, values, strict=True))


def check(tensors: Mapping[str, Tensor], schedule: Schedule, *, source: str) -> None:
    """Refuse buffers of another schedule: they must agree to a millionth.

    Raises:
        FridoError: One is missing or differs.
    """
    for name, ours in buffers(schedule).items():
        theirs = tensors.get(name)
        if theirs is None or theirs.shape != ours.shape:
            got = "no such tensor" if theirs is None else f"{len(theirs.flatten())} numbers"
        elif torch.allclose(theirs.double(), ours, atol=1e-6, rtol=1e-6):
            continue
        else:
            step = int((theirs.double() - ours).abs().argmax())
            got = f"{theirs[step].item():.7g} at step {step}, where the YAML makes it {ours[step].item():.7g}"
        raise FridoError(
            f"{name} in {source}",
            got=got,
            wanted=f"the {len(ours)} numbers of the schedule in config=",
            do="give the YAML that the checkpoint was trained with (linear_start, linear_end, timesteps)",
        )
