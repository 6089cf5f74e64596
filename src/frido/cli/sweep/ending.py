"""A sweep from its first job to its page and its verdicts."""

from frido.cli.sweep.runner import Starter
from frido.cli.sweep.runner import run as brought_to_an_end
from frido.cli.sweep.show import Show
from frido.cli.sweep.status import Status
from frido.cli.sweep.study import Study

PAGE, RESULTS = "report.html", "results.json"


def run(study: Study, starter: Starter, *, retries: int) -> int:
    """Run all jobs of a study, then draw its page from those that are finished; return the exit code."""
    print(f"sweep: {study.folder}, {len(study.jobs)} jobs", flush=True)
    with Show(study) as show:
        code = brought_to_an_end(study, starter, retries=retries, show=show)
    found = study.look()
    for job, known in found.items():
        if known == Status.FAILED:
            print(f"failed: {' '.join(job.overrides)}\n        see {job.path / 'job'}")
    if Status.FINISHED in found.values():
        from frido.report import findings, page

        if study.comparison:
            print(findings.write(study.folder, study.folder / RESULTS))
        print(page.write([study.folder], study.folder / PAGE))
    return code
