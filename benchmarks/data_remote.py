"""Requests and bytes of one epoch from a web server, as the server counts them: by ranges and with whole shards.

    python benchmarks/data_remote.py      # two minutes; prints the tables

16 shards of 512 scenes, in blocks of 4, read in the shuffled order by batches of 64 for each rank, as a loader reads
them (without decoding). Ranks of a node share its cache, which holds two blocks. Counts are exact and tell nothing of
time: every request adds the server's latency.
"""

import json
import re
import tempfile
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from frido.cli.build import build
from frido.cli.compose import compose
from frido.contracts.scene import Scene
from frido.data.shards import SPEC, Shards
from frido.data.stores.at import store_at
from frido.data.stores.pinned import pin
from frido.data.stores.remote import Remote

SHARDS, SCENES, BLOCK, BATCH = 16, 512, 4, 64
RUNS = (1, 8, 16, 32)
RANKS = (1, 2)
EPOCHS = 3
SOURCE = ["source=scenes", f"source.train={SHARDS * SCENES}", "source.val=0", "source.test=0"]
PACKING = [f"format.scenes_per_shard={SCENES}", f"format.block={BLOCK}", "out=unused"]


class Server(ThreadingHTTPServer):
    """Serves a folder by ranges of bytes, and counts requests and bytes of shards."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root, self.url = root, f"http://127.0.0.1:{self.server_address[1]}"
        self.counts: Counter[str] = Counter()


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        content = (self.server.root / self.path.lstrip("/")).read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked:
            content = content[int(asked[1]) : int(asked[2]) + 1]
        if self.path.endswith(".tar"):
            self.server.counts.update(requests=1, bytes=len(content))
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def packed(folder: Path) -> dict[str, Any]:
    """Return the content of `dataset.json` of a dataset of scenes at 64 px."""
    config = compose("pack", [*SOURCE, *PACKING])
    return build(config["format"]).write(build(config["source"]), folder)


def epoch(server: Server, folder: Path, *, ranks: int, cache_gb: float, epochs: int = 1) -> tuple[int, int]:
    """Return the requests for shards and their bytes, over some epochs; processes of a node take turns."""
    pinned = pin(Remote(server.url), folder / "pinned")
    where = {"pinned": pinned, "cache": folder / "cache", "cache_gb": cache_gb}
    rows = [Shards(store_at(server.url, **where), "train") for _ in range(ranks)]
    order = rows[0].order(seed=0)
    server.counts.clear()
    for start in range(0, epochs * SHARDS * SCENES, BATCH * ranks):
        for rank in range(ranks):
            first = start + rank * BATCH
            scenes = rows[rank].scenes(order.indices(np.arange(first, first + BATCH)).tolist())
            assert all(isinstance(scene, Scene) for scene in scenes)
    return server.counts["requests"], server.counts["bytes"]


def main() -> None:
    with tempfile.TemporaryDirectory() as root:
        data = Path(root) / "data"
        spec = packed(data)
        sizes = [shard["bytes"] for shard in spec["splits"]["train"]["shards"]]
        server = Server(data)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"\n{SHARDS} shards of {SCENES} samples, {sum(sizes) / 1e6:.2f} MB\n")
        print("| run | ranks | requests | requests per sample | bytes, of the shards' |\n|---|---|---|---|---|")
        for run in RUNS:
            (data / SPEC).write_text(json.dumps(spec | {"order": spec["order"] | {"run": run}}))
            for ranks in RANKS:
                requests, sent = epoch(server, Path(root) / f"{run}-{ranks}", ranks=ranks, cache_gb=0)
                each = requests / SHARDS / SCENES
                print(f"| {run} | {ranks} | {requests} | {each:.4f} | {sent / sum(sizes):.3f} |")
        print("\n| cache | ranks | epochs | requests | bytes, of the shards' |\n|---|---|---|---|---|")
        for name, most in (("two blocks", 2 * BLOCK * max(sizes)), ("all shards", 2 * sum(sizes))):
            for ranks in RANKS:
                folder = Path(root) / f"{name}-{ranks}"
                requests, sent = epoch(server, folder, ranks=ranks, cache_gb=most / 1e9, epochs=EPOCHS)
                print(f"| {name} | {ranks} | {EPOCHS} | {requests} | {sent / sum(sizes):.3f} |")


if __name__ == "__main__":
    main()
