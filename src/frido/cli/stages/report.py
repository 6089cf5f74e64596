"""Stage `report`: the page of this run."""

from frido.cli.session import Session
from frido.report import page


def run(session: Session) -> None:
    with session.first_alone() as alone:
        if alone:
            out = page.write([session.directory], session.directory / "report.html")
            print(f"report: {out}")
