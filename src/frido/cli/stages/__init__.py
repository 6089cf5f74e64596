"""The named stages of a run, in their order; each is a function of a `Session` and does nothing when done."""

from frido.cli.stages import autoencoder, codes, data, denoiser, ema, evaluate, latents, report, sample

STAGES = {
    "data": data.run,
    "autoencoder": autoencoder.run,
    "latents": latents.run,
    "codes": codes.run,
    "denoiser": denoiser.run,
    "ema": ema.run,
    "sample": sample.run,
    "evaluate": evaluate.run,
    "report": report.run,
}
