"""Numbers of samples drawn otherwise than a run's own, beside the run's."""

from dataclasses import replace

from frido.report.run import Run, Samples, Series
from frido.report.table import CONTROL, Row, card_of, rows


def scores(run: Run, samples: Samples) -> tuple[Row, ...]:
    """Return a row for every metric of `samples`: its first cell is theirs, its second the run's own.

    What the run logged while training has no card, and is no number to compare with.
    """
    values = {name: card.get("value") for name, card in samples.evaluation.items()}
    points: dict[str, Series] = {
        name: ((0, float(value)),) for name, value in values.items() if isinstance(value, int | float)
    }
    theirs = replace(run, metrics=points, evaluation=samples.evaluation)
    final = {name: series for name, series in run.metrics.items() if card_of(CONTROL.sub("", name), run)}
    names = {CONTROL.sub("", name) for name in samples.evaluation}
    return tuple(row for row in rows([theirs, replace(run, metrics=final)]) if row.name in names)
