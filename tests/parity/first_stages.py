"""From a recorded pair to our model, the way the converter goes: architecture off the shapes, node, build, load."""

from frido.cli.build import build
from frido.importers import first_stage, first_stage_names, first_stage_settings
from frido.importers.translate import load

CLOSE = {"atol": 1e-5, "rtol": 1e-4}


def tolerance(pair):
    """What networks of this size may differ by, as measured where the pairs were recorded."""
    return {"atol": 2e-4, "rtol": 1e-4} if pair.name.startswith("true_") else CLOSE


def imported(pair, *, legacy=True):
    """Return our model with the pair's weights, and the report with our name of each official one.

    Args:
        legacy: Where the codebook loss has its weight; shapes cannot say, the importer follows the official default.
    """
    stage = first_stage.read(pair.weights)
    first_stage_settings.check(stage, pair.config)
    node = first_stage.node(stage, commitment=first_stage.COMMITMENT)
    if not legacy:
        quantizers = node["quantizer"] if isinstance(node["quantizer"], list) else [node["quantizer"]]
        for quantizer in quantizers:
            quantizer["legacy"] = False
    model = build(node).eval()
    report = load(
        model,
        pair.weights,
        first_stage_names.table(stage),
        source=pair.name,
        changes=first_stage_names.changes(stage),
        keep=first_stage_names.KEEP,
    )
    return model, report
