"""Places of the configuration whose objects are finished in Python: what the worker adds must fit as well."""

from collections.abc import Mapping
from typing import Any

from frido.cli import signatures
from frido.contracts.errors import FridoError

SLOTS = {
    "first_stage": {"autoencoder"},
    "conditioning": {"vocabulary"},
    "view": {"vocabulary", "latent_channels", "factor"},
    "denoiser": {"channels", "context", "tells_level"},
    "task": {"denoiser", "conditioner", "view", "schedule", "parameterization", "teacher_forcing", "layout"},
    "diffusion.sampler": {"schedule", "parameterization"},
}
"""Arguments added at run time, as `frido.cli.session` adds them."""


def check_slots(config: Mapping[str, Any]) -> None:
    """Refuse an option of the wrong kind, and a partial node that would still lack something at run time."""
    for path, added in SLOTS.items():
        node: Any = config
        for name in path.split("."):
            node = node[name]
        signature = signatures.read(node["_target_"])
        group = path.replace(".", "/")
        if not node.get("_partial_") or not added <= signature.parameters.keys():
            raise FridoError(
                path,
                got=f"{node['_target_']}{'' if node.get('_partial_') else ', not partial'}",
                wanted=f"a part that takes {', '.join(sorted(added))} at run time (`_partial_: true`)",
                do=f"choose another option of {group}; --help lists them",
            )
        required = {parameter.name for parameter in signature.parameters.values() if parameter.required}
        missing = sorted(required - added - node.keys())
        if missing:
            where = f"{path}.{missing[0]}"
            wanted = f"{signature.parameters[missing[0]].type}, which {node['_target_']} requires"
            raise FridoError(where, got="nothing", wanted=wanted, do=f"+{where}=VALUE, or set it in conf/{group}/")
