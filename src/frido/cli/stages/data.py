"""Stage `data`: render or find the shards."""

from pathlib import Path

from frido.cli import provenance
from frido.cli.session import Session
from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError
from frido.data.shards import SPEC
from frido.engine import distributed


def run(session: Session) -> None:
    with session.first_alone() as alone:
        root = session.data.prepare(session.shared("data")) if alone else Path()
    root = distributed.from_main(root)
    known, found = session.provenance()["data"], sha256(root / SPEC)
    if known is not None and known["hash"] != found:
        raise FridoError(
            f"the dataset {root} is not the one that {session.directory} was trained on",
            got=f"dataset.json with hash {found[:12]}",
            wanted=known["hash"][:12],
            do="Bring the earlier shards back, or start anew with run.fresh=true.",
        )
    session.link("data", root)
    if session.is_first:
        provenance.complete(session.directory, data={"hash": found})
