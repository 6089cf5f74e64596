"""The converter's door, on checkpoints made with official names."""

import pickle
import re

import pytest
import torch
import yaml
from safetensors.torch import load_file

from frido.convert import main
from frido.importers import msvqgan, pyunet
from frido.importers.translate import Drop, translate

STAGE = {
    "embed_dim": [4, 4],
    "n_embed": [16, 16],
    "edconfig": {
        "ch": 32, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [16],
        "z_channels": [4, 4], "resolution": 32, "multiscale": 2,
    },
    "ddconfig": {
        "ch": 32, "ch_mult": [1], "num_res_blocks": 1, "attn_resolutions": [], "z_channels": 8, "resolution": 32,
    },
}  # fmt: skip
UNET = {
    "split_embed_dim_list": [4, 4], "context_dim": 8, "model_channels": 32, "channel_mult": [1],
    "num_res_blocks": 1, "attention_resolutions": [1], "num_head_channels": 16, "use_SPADE_norm": True,
    "use_spatial_transformer": True, "use_split_head": True,
}  # fmt: skip


def official_names(table, ours):
    """Return an official name for each of ours, by reading the table backwards; the first pattern that fits wins."""
    names = {}
    for theirs, target in table.items():
        if isinstance(target, Drop):
            continue
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^.]+)", re.escape(target))
        for own in ours:
            if found := re.fullmatch(pattern, own):
                name = theirs.format(**{"last": 1, **found.groupdict()})
                if translate({name: ours[own]}, table, ours=ours).renamed.get(name) == own:
                    names.setdefault(own, name)
    return names


def fabricate(module, table):
    ours = module.state_dict()
    return {name: torch.randn_like(ours[own]) for own, name in official_names(table, ours).items()}


@pytest.fixture
def files(tmp_path):
    module = pyunet.model(UNET)
    official = fabricate(module, pyunet.TABLE)
    state = {f"model.diffusion_model.{name}": tensor for name, tensor in official.items()}
    torch.save({"state_dict": {**state, "betas": torch.zeros(3)}}, tmp_path / "model.ckpt")
    config = {"model": {"params": {"unet_config": {"params": UNET}}}}
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(config))
    return tmp_path, official, module


def ask(folder, **changed):
    asked = {"kind": "pyunet", "checkpoint": folder / "model.ckpt", "config": folder / "model.yaml"}
    asked |= {"out": folder / "out.safetensors"} | changed
    return main([f"{key}={value}" for key, value in asked.items()])


def test_unet_inside_a_frido_checkpoint(files, capsys):
    folder, official, module = files
    assert ask(folder) == 0
    made = load_file(folder / "out.safetensors")
    assert made.keys() == module.state_dict().keys()
    assert torch.equal(made["time_embedding.first.weight"], official["time_embed.0.weight"])
    assert "tensors taken" in capsys.readouterr().out


def test_first_stage_alone(tmp_path):
    module = msvqgan.model(STAGE)
    table = msvqgan.table(num_scales=2, levels=2, decoder_levels=1)
    official = fabricate(module, table)
    torch.save({"state_dict": {**official, "loss.discriminator.weight": torch.zeros(1)}}, tmp_path / "model.ckpt")
    (tmp_path / "model.yaml").write_text(yaml.safe_dump({"model": {"params": STAGE}}))
    assert ask(tmp_path, kind="msvqgan") == 0
    made = load_file(tmp_path / "out.safetensors")
    fine, coarse = official["post_quant_conv.weight"].split(4, dim=1)
    assert torch.equal(made["mix.weight"], torch.cat([coarse, fine], dim=1))  # the two channel orders


def test_a_missing_tensor_is_named_and_nothing_is_written(files, capsys):
    folder, official, _ = files
    official.pop("time_embed.0.weight")
    torch.save({"state_dict": official}, folder / "model.ckpt")
    assert ask(folder) == 2
    assert "time_embedding.first.weight" in capsys.readouterr().err
    assert not (folder / "out.safetensors").exists()


def test_code_in_a_checkpoint_is_refused(files, capsys):
    class Evil:
        def __reduce__(self):
            return (print, ("code from the checkpoint ran",))

    folder, _, _ = files
    with (folder / "model.ckpt").open("wb") as file:
        pickle.dump({"state_dict": Evil()}, file, protocol=2)
    assert ask(folder) == 2
    told = capsys.readouterr()
    assert "never run" in told.err and "code from the checkpoint ran" not in told.out


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"kind": "gpt"}, "msvqgan"),
        ({"checkpoint": "nowhere.ckpt"}, "no such file"),
        ({"chekpoint": "x"}, "checkpoint=..."),
    ],
)
def test_bad_arguments_are_explained(files, capsys, change, word):
    assert ask(files[0], **change) == 2
    assert word in capsys.readouterr().err


def test_help(capsys):
    assert main(["--help"]) == 0
    assert "kind" in capsys.readouterr().out
