"""Whole checkpoints of diffusion models with official names, as Lightning writes them, and their YAML."""

import copy

import numpy as np
import torch
import yaml

from tests.importers import official
from tests.importers.official_unet import OfficialUNet, stages
from tests.parity.golden import recipe

BUFFERS = (
    *("betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod"),
    *("log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod"),
    *("posterior_variance", "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2"),
)
UNET = {
    "in_channels": 2, "out_channels": 2, "model_channels": 32, "channel_mult": [1, 2], "num_res_blocks": 1,
    "attention_resolutions": [2], "num_heads": 2,
}  # fmt: skip
CROSS = {"use_spatial_transformer": True, "context_dim": 24}


def config(first_stage, unet, condition, *, model=None, data=None):
    """Return an official YAML as data."""
    params = {
        "linear_start": 0.0015, "linear_end": 0.0195, "timesteps": 1000, "image_size": 8, "channels": 2,
        "unet_config": {"target": "ldm.modules.diffusionmodules.openaimodel.UNetModel", "params": unet},
        "first_stage_config": {"target": "some.first.Stage", "params": first_stage},
        "cond_stage_config": condition,
    }  # fmt: skip
    whole = {"model": {"target": "a.LatentDiffusion", "params": params | (model or {})}}
    if data is not None:
        whole["data"] = {"params": {"train": {"params": data}}}
    return copy.deepcopy(whole)


def encoder(target, **params):
    return {"target": f"ldm.modules.encoders.modules.{target}", "params": params}


def buffers(*, start, end, steps):
    """Return the schedule of a checkpoint: what the official constructor computes, in single precision at the end."""
    betas = np.linspace(start**0.5, end**0.5, steps, dtype=np.float64) ** 2
    alphas = np.cumprod(1 - betas)
    before = np.append(1.0, alphas[:-1])
    variance = betas * (1 - before) / (1 - alphas)
    values = (
        *(betas, alphas, before, np.sqrt(alphas), np.sqrt(1 - alphas)),
        *(np.log(1 - alphas), np.sqrt(1 / alphas), np.sqrt(1 / alphas - 1)),
        *(variance, np.log(np.maximum(variance, 1e-20)), betas * np.sqrt(before) / (1 - alphas)),
        (1 - before) * np.sqrt(1 - betas) / (1 - alphas),
    )
    return {name: torch.from_numpy(value).float() for name, value in zip(BUFFERS, values, strict=True)}


def averaged(denoiser):
    """Return tensors of a denoiser under the names of an average."""
    found = {f"model_ema.{f'diffusion_model.{name}'.replace('.', '')}": tensor for name, tensor in denoiser.items()}
    return found | {"model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(3)}


def fabricate(whole, condition, *, scale_factor=None, average=True):
    """Return the tensors of a checkpoint and its U-Net; the averages are those of `OfficialUNet`, the rest is not.

    Args:
        whole: From `config`.
        condition: Names and shapes in the conditioning.
        scale_factor: The buffer, if there is one.
        average: Whether there is one.
    """
    params = whole["model"]["params"]
    unet = OfficialUNet(params["unet_config"]["params"])
    with torch.no_grad():
        for stage in stages(unet.config):
            size = torch.zeros(1, unet.config["in_channels"], 8, 8)
            width = unet.config.get("context_dim")
            unet(size, torch.zeros(1), context=torch.zeros(1, 1, width) if width else None, stage=stage)
    tensors = {
        f"first_stage_model.{name}": tensor
        for name, tensor in official.fabricate(params["first_stage_config"]["params"])[0].weights.items()
    }
    trained = {name: tensor + 0.01 for name, tensor in unet.weights.items()} if average else unet.weights
    tensors |= {f"model.diffusion_model.{name}": tensor for name, tensor in trained.items()}
    tensors |= averaged(unet.weights) if average else {}
    tensors |= {f"cond_stage_model.{n}": torch.from_numpy(recipe(n, shape)) for n, shape in condition.items()}
    tensors |= buffers(start=params["linear_start"], end=params["linear_end"], steps=params["timesteps"])
    return tensors | ({} if scale_factor is None else {"scale_factor": torch.tensor(scale_factor)}), unet


def write(folder, whole, tensors):
    """Write both files; return the arguments that name them."""
    torch.save({"state_dict": tensors, "epoch": 3}, folder / "model.ckpt")
    (folder / "model.yaml").write_text(yaml.safe_dump(whole))
    return [f"checkpoint={folder / 'model.ckpt'}", f"config={folder / 'model.yaml'}"]
