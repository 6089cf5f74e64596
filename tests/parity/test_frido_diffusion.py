"""The whole of Frido on a small model: first stage, text encoder, training and sampling, through the importers."""

import re
from dataclasses import replace

import pytest
import torch

from frido.conditioning.embedding_transformer import EmbeddingTransformer
from frido.contracts.context import Context, ContextWidths
from frido.diffusion.guidance.classifier_free import ClassifierFree
from frido.diffusion.layouts.stacked import Stacked
from frido.diffusion.losses.l1 import L1
from frido.diffusion.losses.l2 import L2
from frido.diffusion.noising.constant_mix import ConstantMix
from frido.diffusion.parameterizations.eps import Eps
from frido.diffusion.pyramid_chains import ChainNoise, run_chains
from frido.diffusion.samplers.ddim import Ddim
from frido.diffusion.samplers.posterior import posterior
from frido.diffusion.schedules.sqrt_linear import SqrtLinear
from frido.diffusion.spacings.official import Official
from frido.diffusion.weights.uniform import Uniform
from frido.importers import bert_embedder, pyunet
from frido.importers.translate import load
from frido.tasks.denoising_error import DenoisingError
from frido.tasks.draws import Draws
from tests.denoisers import options
from tests.parity import golden
from tests.parity.first_stages import imported

CLOSE = {"atol": 1e-5, "rtol": 1e-4}
BUFFER = {"atol": 1e-6, "rtol": 1e-5}
LOSSES = {"l1": L1(), "l2": L2()}


class Recorded:
    """A recorded pair, and our parts with its weights."""

    def __init__(self, pair):
        self.pair, config = pair, pair.config
        first_stage = replace(pair, config=config["first_stage"], weights=self.part("first_stage_model"))
        self.first_stage, _ = imported(first_stage)
        self.first_stage.scale_factors.copy_(pair["scale_factor"])

        unet, text = config["unet"], config["cond_stage"]
        self.channels = pyunet.channels(unet)
        widths = ContextWidths(tokens=unet["context_dim"], map=0, pooled=0)
        denoiser = options.make(pyunet.node(unet))(channels=self.channels, context=widths, tells_level=False)
        self.denoiser, names, changes = denoiser.eval(), pyunet.table(unet), pyunet.changes(unet)
        load(self.denoiser, self.part("model.diffusion_model"), names, source=pair.name, changes=changes)
        self.text = EmbeddingTransformer(**bert_embedder.settings(text)).eval()
        load(self.text, self.part("cond_stage_model"), bert_embedder.table(text["n_layer"]), source=pair.name)

        ends = {"start": config["linear_start"], "end": config["linear_end"]}
        self.schedule = SqrtLinear(num_steps=config["timesteps"], **ends)
        size, factors = pair["z"].shape[-1] * self.first_stage.factors[-1], self.first_stage.factors
        self.shapes = [(c, size // f, size // f) for c, f in zip(self.channels, factors, strict=True)]

    def part(self, name):
        return {k.removeprefix(f"{name}."): w for k, w in self.pair.weights.items() if k.startswith(f"{name}.")}

    def __getitem__(self, name):
        return self.pair[name]

    def scales(self, name):
        """Return a recorded map with all scales as channels, apart."""
        return self.pair[name].split(self.channels, dim=1)

    def native(self, name):
        """Return a recorded map as a pyramid on the grids of the first stage."""
        return Stacked().restore(self.scales(name), own=self.shapes)

    def names(self, pattern):
        """Return the matches of a pattern among the names of the recorded tensors."""
        found = [match for name in self.pair.tensors if (match := re.fullmatch(pattern, name))]
        assert found, f"{self.pair.name} records nothing like {pattern}"
        return found

    def at_time(self, values):
        """Return a number per time, at the recorded times, in the shape of a factor of maps."""
        return values[self.pair["t"]].float().view(-1, 1, 1, 1)

    def error(self, loss, *, tau):
        return DenoisingError(
            denoiser=self.denoiser,
            schedule=self.schedule,
            parameterization=Eps(),
            teacher_forcing=ConstantMix(tau=tau, sampling_tau=0.0),
            layout=Stacked(),
            loss=loss,
            weighting=Uniform(),
        )

    def losses(self, scale, loss, *, tau):
        """Return the loss of each sample at the recorded times and noise: official scales share one noise tensor."""
        *coarse_noise, noise = self.scales("noise")[: scale + 1]
        time = self.pair["t"].float()
        draws = Draws(time=time, noise=noise, coarse_noise=tuple(coarse_noise), level=torch.zeros_like(time))
        context = Context(tokens=self.pair["cond"])
        return self.error(loss, tau=tau)(self.native("z"), scale=scale, context=context, draws=draws)


@pytest.fixture(scope="module", params=golden.cases("frido.models.diffusion.frido.FridoDiffusion"))
def recorded(request):
    with torch.no_grad():
        yield Recorded(golden.load(request.param))


@pytest.fixture
def seen(recorded, monkeypatch):
    """Return a dictionary that the denoiser's last inputs and output are put into."""
    network, kept = recorded.denoiser, {}
    condition, forward = network.condition, network.forward

    def watched_condition(**arguments):
        kept["coarse"] = arguments["coarse"]
        return condition(**arguments)

    def watched_forward(noisy, time, given):
        kept["noisy"], kept["output"] = noisy, forward(noisy, time, given)
        return kept["output"]

    monkeypatch.setattr(network, "condition", watched_condition)
    monkeypatch.setattr(network, "forward", watched_forward)
    return kept


def test_latents_and_their_scale(recorded):
    """Latents are those before quantisation; a scale's factor is the inverse of its standard deviation there."""
    raw = recorded.first_stage.latents(recorded["image"])
    torch.testing.assert_close(torch.cat(Stacked().arrange(raw), dim=1), recorded["z_raw"], **CLOSE)
    spread = torch.stack([latent.std() for latent in recorded.scales("z_raw")])
    torch.testing.assert_close(1 / spread, recorded["scale_factor"], **CLOSE)
    scaled = recorded.first_stage.encode(recorded["image"])
    torch.testing.assert_close(torch.cat(Stacked().arrange(scaled), dim=1), recorded["z"], **CLOSE)


def test_decoding(recorded):
    torch.testing.assert_close(recorded.first_stage.decode(recorded.scales("z")), recorded["decoded"], **CLOSE)
    for scale, latent in enumerate(recorded.scales("z_raw")):
        codes = recorded.first_stage.quantizers[scale].latents_to_codes(latent)
        assert torch.equal(codes.flatten(1), recorded[f"decode_code_{scale}"])


def test_text(recorded):
    torch.testing.assert_close(recorded.text(recorded["tokens"], None), recorded["cond"], **CLOSE)


def test_schedule(recorded):
    """All buffers of the official class, from our schedule and posterior."""
    alpha_bar = recorded.schedule.alphas_cumprod
    before = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
    betas = recorded.schedule.betas()
    back = posterior(alpha_bar.sqrt(), (1 - alpha_bar).sqrt(), to_alpha=before.sqrt(), to_sigma=(1 - before).sqrt())
    vlb = betas**2 / (2 * back.variance * (1 - betas) * (1 - alpha_bar))
    vlb[0] = vlb[1]
    ours = {
        "betas": betas,
        "alphas_cumprod": alpha_bar,
        "alphas_cumprod_prev": before,
        "sqrt_alphas_cumprod": alpha_bar.sqrt(),
        "sqrt_one_minus_alphas_cumprod": (1 - alpha_bar).sqrt(),
        "log_one_minus_alphas_cumprod": (1 - alpha_bar).log(),
        "sqrt_recip_alphas_cumprod": alpha_bar.rsqrt(),
        "sqrt_recipm1_alphas_cumprod": (1 / alpha_bar - 1).sqrt(),
        "posterior_variance": back.variance,
        "posterior_log_variance_clipped": back.variance.clamp(min=1e-20).log(),
        "posterior_mean_coef1": back.of_clean,
        "posterior_mean_coef2": back.of_noisy,
        "lvlb_weights": vlb,
    }
    for match in recorded.names(r"buf/(\w+)"):
        torch.testing.assert_close(
            ours[match[1]].float(), recorded[match[0]], **BUFFER, msg=lambda m, n=match[1]: n + m
        )


def test_noisy_latents(recorded, seen):
    """The scale's own at its time; coarser ones mixed with noise. Finer ones, pure noise there, are never shown."""
    for match in recorded.names(r"q_sample_stage(\d+)_tau([\d.]+)"):
        scale, tau = int(match[1]), float(match[2])
        recorded.losses(scale, L1(), tau=tau)
        shown = torch.cat([*seen["coarse"], seen["noisy"]], dim=1)
        torch.testing.assert_close(shown, recorded[match[0]][:, : shown.shape[1]], **CLOSE)


def test_prediction_and_clean_latent(recorded, seen):
    for match in recorded.names(r"apply_model_stage(\d+)"):
        scale = int(match[1])
        recorded.losses(scale, L1(), tau=recorded.pair.config["noise_mix_ratio"])
        torch.testing.assert_close(seen["output"], recorded[match[0]], **CLOSE)
        # of what was recorded: late times would magnify what differs by rounding
        noisy = recorded.scales(f"q_sample_stage{scale}_tau0")[scale]
        factors = (recorded.schedule.alpha, recorded.schedule.sigma)
        alpha, sigma = (factor(recorded["t"].float()).float().view(-1, 1, 1, 1) for factor in factors)
        clean = Eps().to_clean(recorded[match[0]], noisy, alpha, sigma)
        torch.testing.assert_close(clean, recorded.scales(f"pred_x0_stage{scale}")[scale], **CLOSE)


def test_losses(recorded):
    """The bound is the loss weighted by time; it is logged there, and adds nothing to what is trained."""
    for match in recorded.names(r"p_losses_stage(\d+)_(l1|l2)"):
        name, scale, kind = match[0], int(match[1]), match[2]
        losses = recorded.losses(scale, LOSSES[kind], tau=recorded.pair.config["noise_mix_ratio"])
        bound = (recorded["buf/lvlb_weights"][recorded["t"]] * losses).mean()
        expected = {name: losses.mean(), f"{name}/val/loss_simple_stage{scale}": losses.mean()}
        expected |= {f"{name}/val/loss_vlb_stage{scale}": bound, f"{name}/val/loss": losses.mean()}
        for key, ours in expected.items():
            torch.testing.assert_close(ours, recorded[key], rtol=1e-5, atol=1e-6)


def test_posterior(recorded):
    """Of a scale's own channels; the official code hands coarser ones over as they are."""
    alpha_bar = recorded.schedule.alphas_cumprod
    before = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
    to = {"to_alpha": recorded.at_time(before.sqrt()), "to_sigma": recorded.at_time((1 - before).sqrt())}
    found = posterior(recorded.at_time(alpha_bar.sqrt()), recorded.at_time((1 - alpha_bar).sqrt()), **to)
    torch.testing.assert_close(found.variance, recorded["q_posterior_var"], **CLOSE)
    torch.testing.assert_close(found.variance.clamp(min=1e-20).log(), recorded["q_posterior_logvar"], **CLOSE)
    for match in recorded.names(r"q_posterior_mean_stage(\d+)"):
        scale = int(match[1])
        noisy, clean = recorded.scales(f"q_sample_stage{scale}_tau0")[scale], recorded.scales("z")[scale]
        mean = found.of_clean * clean + found.of_noisy * noisy
        torch.testing.assert_close(mean, recorded.scales(match[0])[scale], **CLOSE)


def never(scale, step):
    raise AssertionError("a deterministic chain asked for noise")


def test_sampling(recorded):
    """Deterministic chains of all scales, with and without guidance, and the image."""
    for match in recorded.names(r"ddim(\d+)(?:_cfg([\d.]+))?_out"):
        steps, weight = int(match[1]), float(match[2] or 1)

        def start(scale, steps=steps):
            return recorded.scales(f"ddim{steps}_x_T")[scale]

        sampler = Ddim(schedule=recorded.schedule, parameterization=Eps(), spacing=Official(), steps=steps, eta=0.0)
        pyramid = run_chains(
            denoiser=recorded.denoiser,
            context=Context(tokens=recorded["cond"]),
            empty=Context(tokens=recorded["uncond"]),
            sampler=sampler,
            guidance=ClassifierFree(weight=weight),
            teacher_forcing=ConstantMix(tau=0.1, sampling_tau=0.0),
            layout=Stacked(),
            own_shapes=recorded.shapes,
            noise=ChainNoise(start=start, fresh=never, kept=never, coarse=lambda scale, k: start(k)),
            given=[None] * len(recorded.shapes),
        )
        stacked = torch.cat(Stacked().arrange(pyramid), dim=1)
        torch.testing.assert_close(stacked, recorded[match[0]], atol=1e-4, rtol=1e-4)
        if (image := match[0].replace("_out", "_image")) in recorded.pair:
            torch.testing.assert_close(recorded.first_stage.decode(pyramid), recorded[image], atol=1e-4, rtol=1e-4)
