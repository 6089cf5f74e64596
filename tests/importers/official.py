"""Official first stages as plain functions, written from what is known of their code, to hold the importers against.

Nothing here knows how Frido builds or names things. A weight comes into being when the forward pass first asks for
it, by the recipe of the recorded pairs, so one pass over an image also fabricates a checkpoint with official names.
"""

import torch
import torch.nn.functional as F

from tests.importers.fabricated import Fabricated


def settings(*, ch_mult, attn_resolutions, z_channels, double_z=False, **more):
    """Return a `ddconfig` for small images."""
    common = {"ch": 32, "num_res_blocks": 1, "resolution": 32, "in_channels": 3, "out_ch": 3, "dropout": 0.0}
    own = {"ch_mult": ch_mult, "attn_resolutions": attn_resolutions, "z_channels": z_channels, "double_z": double_z}
    return common | own | more


def released(**own):
    return settings(**{"attn_resolutions": [], "ch": 128, "num_res_blocks": 2, "resolution": 256} | own)


VQ = {
    "embed_dim": 3,
    "n_embed": 24,
    "ddconfig": settings(ch_mult=[1, 2, 2], attn_resolutions=[16], z_channels=4),
}
KL = {"embed_dim": 2, "ddconfig": settings(ch_mult=[1, 2, 3], attn_resolutions=[8], z_channels=4, double_z=True)}
MS = {
    "embed_dim": [3, 3, 3],
    "n_embed": [16, 24, 16],
    "quant_beta": 0.5,
    "edconfig": settings(ch_mult=[1, 2, 2], attn_resolutions=[16], z_channels=[3, 3, 3], multiscale=3),
    "ddconfig": settings(ch_mult=[1], attn_resolutions=[], z_channels=9),
}
MS_ALONE = MS | {
    "embed_dim": [3],
    "n_embed": [16],
    "edconfig": settings(ch_mult=[1, 3], attn_resolutions=[16], z_channels=[3], multiscale=1),
    "ddconfig": settings(ch_mult=[1, 3], attn_resolutions=[16], z_channels=3),
}
NO_ATTENTION = VQ | {"ddconfig": VQ["ddconfig"] | {"attn_type": "none", "attn_resolutions": []}}

RELEASED = {
    "vqgan_f4": {"embed_dim": 3, "n_embed": 8192, "ddconfig": released(ch_mult=[1, 2, 4], z_channels=3)},
    "vqgan_f4_noattn": {
        "embed_dim": 3,
        "n_embed": 8192,
        "ddconfig": released(ch_mult=[1, 2, 4], z_channels=3, attn_type="none"),
    },
    "vqgan_f8": {
        "embed_dim": 4,
        "n_embed": 16384,
        "ddconfig": released(ch_mult=[1, 2, 2, 4], attn_resolutions=[32], z_channels=4),
    },
    "kl_f8": {"embed_dim": 4, "ddconfig": released(ch_mult=[1, 2, 4, 4], z_channels=4, double_z=True)},
    "kl_f16": {
        "embed_dim": 16,
        "ddconfig": released(ch_mult=[1, 1, 2, 2, 4], attn_resolutions=[16], z_channels=16, double_z=True),
    },
    "msvqgan_f16f8": {
        "embed_dim": [4, 4],
        "n_embed": [8192, 8192],
        "edconfig": released(ch_mult=[1, 1, 2, 2, 4], attn_resolutions=[32], z_channels=[4, 4], multiscale=2),
        "ddconfig": released(ch_mult=[1, 1, 2, 4], attn_resolutions=[32], z_channels=8),
    },
    "msvqgan_f8f4": {
        "embed_dim": [3, 3],
        "n_embed": [4096, 4096],
        "edconfig": released(ch_mult=[1, 1, 2, 4], attn_resolutions=[64], z_channels=[3, 3], multiscale=2),
        "ddconfig": released(ch_mult=[1, 2, 4], attn_resolutions=[64], z_channels=6),
    },
}
"""Our options to the settings of the released models; their parameter counts are as measured on the official code."""


class Official(Fabricated):
    """A first stage of `config`, the official `params`."""

    # Parts

    def norm(self, name, x):
        channels = x.shape[1]
        return F.group_norm(
            x, 32, self.param(f"{name}.weight", channels), self.param(f"{name}.bias", channels), eps=1e-6
        )

    def block(self, name, x, out):
        hidden = self.norm(f"{name}.norm1", x)
        hidden = self.conv(f"{name}.conv1", hidden * hidden.sigmoid(), out)
        hidden = self.norm(f"{name}.norm2", hidden)
        hidden = self.conv(f"{name}.conv2", hidden * hidden.sigmoid(), out)
        return (x if x.shape[1] == out else self.conv(f"{name}.nin_shortcut", x, out, 1)) + hidden

    def attention(self, name, x):
        batch, channels, height, width = x.shape
        normed = self.norm(f"{name}.norm", x)
        q, k, v = (self.conv(f"{name}.{part}", normed, channels, 1).flatten(2) for part in "qkv")
        weights = (torch.bmm(q.transpose(1, 2), k) * channels**-0.5).softmax(dim=2)
        mixed = torch.bmm(v, weights.transpose(1, 2)).view(batch, channels, height, width)
        return x + self.conv(f"{name}.proj_out", mixed, channels, 1)

    def middle(self, name, x, settings):
        x = self.block(f"{name}.block_1", x, x.shape[1])
        if settings.get("attn_type") != "none":
            x = self.attention(f"{name}.attn_1", x)
        return self.block(f"{name}.block_2", x, x.shape[1])

    def out(self, norm, conv, x, channels):
        x = self.norm(norm, x)
        return self.conv(conv, x * x.sigmoid(), channels)

    # Networks

    def trunk(self, x, settings):
        """Return the features of all levels, finest first."""
        levels, size = [], settings["resolution"]
        x = self.conv("encoder.conv_in", x, settings["ch"])
        for level, factor in enumerate(settings["ch_mult"]):
            for index in range(settings["num_res_blocks"]):
                x = self.block(f"encoder.down.{level}.block.{index}", x, settings["ch"] * factor)
                if size in settings["attn_resolutions"]:
                    x = self.attention(f"encoder.down.{level}.attn.{index}", x)
            levels.append(x)
            if level < len(settings["ch_mult"]) - 1:
                padded, size = F.pad(x, (0, 1, 0, 1)), size // 2
                x = self.conv(f"encoder.down.{level}.downsample.conv", padded, x.shape[1], stride=2, padding=0)
        return levels

    def decoder(self, name, x, settings):
        factors, size = settings["ch_mult"], settings["resolution"] // 2 ** (len(settings["ch_mult"]) - 1)
        x = self.middle(f"{name}.mid", self.conv(f"{name}.conv_in", x, settings["ch"] * factors[-1]), settings)
        for level in reversed(range(len(factors))):
            for index in range(settings["num_res_blocks"] + 1):
                x = self.block(f"{name}.up.{level}.block.{index}", x, settings["ch"] * factors[level])
                if size in settings["attn_resolutions"]:
                    x = self.attention(f"{name}.up.{level}.attn.{index}", x)
            if level:
                x, size = F.interpolate(x, scale_factor=2.0, mode="nearest"), size * 2
                x = self.conv(f"{name}.up.{level}.upsample.conv", x, x.shape[1])
        return self.out(f"{name}.norm_out", f"{name}.conv_out", x, settings["out_ch"])

    def quantise(self, name, x, codes):
        """Return nearest codes as a map, their indices, and the loss as released: beta on the pull of the codes."""
        book = self.param(f"{name}.embedding.weight", codes, x.shape[1])
        indices = torch.cdist(x.movedim(1, 3).flatten(0, 2).double(), book.double()).argmin(1)
        found = book[indices].view(len(x), *x.shape[2:], -1).movedim(3, 1)
        beta = self.config.get("quant_beta", 0.25)
        return found, indices, ((found - x) ** 2).mean() * (1 + beta)

    # First stages

    def reconstruct(self, x):
        """Return the image that the official evaluation makes of `x`, from quantised latents or the mode."""
        if "edconfig" in self.config:
            return self.paint(self.pyramid(x)[1])
        latents = self.encode(x)
        if "n_embed" in self.config:
            return self.decode(self.quantise("quantize", latents, self.config["n_embed"])[0])
        return self.decode(latents.chunk(2, dim=1)[0])

    # One scale

    def encode(self, x):
        """Return what diffusion sees (VQ) or the moments (KL)."""
        settings, embed = self.config["ddconfig"], self.config["embed_dim"]
        twice = 2 if settings["double_z"] else 1
        x = self.middle("encoder.mid", self.trunk(x, settings)[-1], settings)
        x = self.out("encoder.norm_out", "encoder.conv_out", x, twice * settings["z_channels"])
        return self.conv("quant_conv", x, twice * embed, 1)

    def decode(self, latents):
        settings = self.config["ddconfig"]
        return self.decoder("decoder", self.conv("post_quant_conv", latents, settings["z_channels"], 1), settings)

    # Several scales

    def pyramid(self, x):
        """Return latents and quantised maps, coarsest first, each on its own grid."""
        settings, embed = self.config["edconfig"], self.config["embed_dim"]
        count = len(embed)
        maps = []
        for index, level in enumerate(self.trunk(x, settings)[-count:]):  # finest first
            level = self.middle(f"encoder.mid_ms.{index}", level, settings)
            norm, conv = f"encoder.norm_out_ms.{index}", f"encoder.conv_out_ms.{index}"
            maps.append(self.out(norm, conv, level, settings["z_channels"][index]))
        latents, quantised, before = [], [], []
        for scale, features in enumerate(maps[::-1]):
            if scale:
                before = [self.lift(scale - 1, coarser) for coarser in [*before, quantised[-1]]]
                inner = {**settings, "ch_mult": [1], "attn_resolutions": [], "out_ch": embed[0]}
                features = self.decoder(f"shared_decoder.{scale - 1}", torch.cat([*before, features], dim=1), inner)
            latents.append(self.conv(f"ms_quant_conv.{scale}", features, embed[scale], 1))
            quantised.append(self.quantise(f"ms_quantize.{scale}", latents[-1], self.config["n_embed"][scale])[0])
        return latents, quantised

    def lift(self, index, x):
        width = self.config["embed_dim"][0]
        weight, bias = self.param(f"upsample.{index}.weight", width, width, 4, 4), f"upsample.{index}.bias"
        x = F.conv_transpose2d(x, weight, self.param(bias, width), stride=2, padding=1)
        return self.conv(f"shared_post_quant_conv.{index}", x, self.config["edconfig"]["z_channels"][0], 1)

    def paint(self, quantised):
        """Return the image of quantised maps: all on the finest grid, finest first."""
        size = quantised[-1].shape[2:]
        return self.decode(torch.cat([F.interpolate(part, size=size, mode="nearest") for part in quantised[::-1]], 1))


def fabricate(config):
    """Return a checkpoint's tensors with official names, an image, and what the official code makes of it."""
    official, size = Official(config), config["ddconfig"]["resolution"]
    image = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        made = official.reconstruct(image)
    return official, image, made


def shapes(config):
    """Return the same names with tensors on the meta device."""
    official = Official(config, make=lambda name, shape: torch.empty(shape, device="meta"))
    size = config["ddconfig"]["resolution"]
    official.reconstruct(torch.empty(1, 3, size, size, device="meta"))
    return official.weights
