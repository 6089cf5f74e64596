"""How the pictures of a training were drawn and scored, as its config says: the protocol of its curves."""

from collections.abc import Sequence

from frido.report.members import Member, setting
from frido.report.table import flat, say

DECIDE = ("diffusion.sampler", "diffusion.guidance", "diffusion.teacher_forcing", "metrics")
SHOWN = 3  # settings in a label


def protocols(members: Sequence[Member]) -> tuple[str, ...]:
    """Return of each run what sets its protocol apart from those of others, in words; "" where all are alike."""
    told = [_settings(member) for member in members]
    keys = dict.fromkeys(key for settings in told for key in settings)
    apart = [key for key in keys if len({settings.get(key) for settings in told}) > 1]
    labels = []
    for settings in told:
        words = [setting(key, settings[key]) for key in apart if key in settings]
        labels.append(", ".join(words[:SHOWN]) + (f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""))
    kinds = dict.fromkeys(tuple(settings.get(key) for key in apart) for settings in told)
    if len(set(labels)) == len(kinds):
        return tuple(labels)
    numbers = [list(kinds).index(tuple(settings.get(key) for key in apart)) for settings in told]
    return tuple(f"{label} (protocol {number})" for label, number in zip(labels, numbers, strict=True))


def _settings(member: Member) -> dict[str, str]:
    leaves = ((key, say(value)) for key, value in flat(member.run.config))
    return {key: value for key, value in leaves if key.startswith(DECIDE)}
