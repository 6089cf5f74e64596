"""Stage `data`: render or find the shards."""

from pathlib import Path

from frido.cli import provenance
from frido.cli.session import Session
from frido.contracts.errors import FridoError
from frido.engine import distributed


def run(session: Session) -> None:
    with session.first_alone() as alone:
        root = session.data.prepare(session.shared("data")) if alone else Path()
    session.link("data", distributed.from_main(root))
    known = session.provenance()["data"]
    if known is not None and known["hash"] != session.data_hash:
        raise FridoError(
            f"the dataset {session.path('data')} is not the one that {session.directory} was trained on",
            got=f"dataset.json with hash {session.data_hash[:12]}",
            wanted=known["hash"][:12],
            do="Bring the earlier shards back, or start anew with run.fresh=true.",
        )
    if session.is_first:
        provenance.complete(session.directory, data={"hash": session.data_hash})
