"""How long a page of 12 runs takes to write and to open, and how large it is.

    python benchmarks/page.py              # 12 made-up runs (three arms, four seeds), 24 scenes each; a minute
    python benchmarks/page.py RUN_DIR...   # runs or folders of studies of your own

Opened in Chromium (`/usr/bin/chromium`, driven by playwright) from the disk, each time in a new profile. `shown` is the
first frame with content, `ready` the end of the load event: tables can be read, sorted and filtered, charts in view are
drawn. `all charts` is the time to draw every chart at once, as printing does; in reading, each is drawn on its own.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
import types
from pathlib import Path

from playwright.sync_api import sync_playwright

from frido.report import page

REPEATS, SEEDS, SCENES = 7, 4, 24
CHROMIUM = "/usr/bin/chromium"
READY = """() => {
  const told = performance.getEntriesByType("navigation")[0];
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return [paint ? paint.startTime : NaN, told.loadEventEnd];
}"""
ALL = """() => {
  const begun = performance.now();
  dispatchEvent(new Event("beforeprint"));
  document.body.getBoundingClientRect();
  return performance.now() - begun;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        report(runs or made_up(Path(folder)), Path(folder) / "page.html")


def made_up(folder: Path) -> list[Path]:
    """Return the folder of a fabricated study, with the pictures that real runs leave."""
    ours = types.ModuleType("tests")  # torch_fidelity installs a package of this name, too
    ours.__path__ = [str(Path(__file__).parents[1] / "tests")]
    sys.modules["tests"] = ours
    from tests.report import conftest, pictured

    study = conftest.fabricate_study(folder, seeds=SEEDS, scenes=SCENES)
    for run in (folder / "runs" / "vg_sg2im").iterdir():
        pictured.samples(run, seed=int(run.name[-1]))
        pictured.films(run, seed=int(run.name[-1]))
    return [study]


def report(runs: list[Path], out: Path) -> None:
    begun = time.perf_counter()
    page.write(runs, out)
    written = time.perf_counter() - begun
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        times = []
        for _ in range(REPEATS):
            tab = browser.new_page(viewport={"width": 1400, "height": 900})
            tab.goto(out.as_uri())
            tab.wait_for_timeout(300)
            times.append([*tab.evaluate(READY), tab.evaluate(ALL)])
            charts, version = tab.locator("figure[data-kind]").count(), browser.version
            tab.close()
        browser.close()
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Chromium {version}")
    print(f"written in {written:.2f} s; {out.stat().st_size / 1e6:.2f} MB; {charts} charts")
    for name, values in zip(("shown", "ready", "all charts"), zip(*times, strict=True), strict=True):
        print(f"{name}: {statistics.median(values):.0f} ms ({min(values):.0f} to {max(values):.0f})")


if __name__ == "__main__":
    main()
