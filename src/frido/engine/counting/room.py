"""How much memory a process may still take."""

import gc
import os
import resource
from pathlib import Path

import torch

CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Files with the bound and the use of a container's memory, bytes: version 2, version 1."""


def room(device: torch.device) -> int:
    """Return the bytes that this process can take beside what it has: of its GPU; or of the machine, a container's
    bound and its own limit, whichever is least, shared with the other processes of the machine."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        return torch.cuda.mem_get_info(device)[0]
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    found = [free // processes for free in (_machine(), *_containers())]
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        found.append(limit - pages * resource.getpagesize())
    return max(0, min(found))


def _machine() -> int:
    """Return what the machine has left, as Linux says it; elsewhere all that it has."""
    file = Path("/proc/meminfo")
    if file.is_file():
        lines = dict(line.split(":", 1) for line in file.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _containers() -> list[int]:
    texts = [
        [Path(name).read_text().strip() for name in names]
        for names in CGROUPS
        if all(Path(name).is_file() for name in names)
    ]
    return [int(bound) - int(used) for bound, used in texts if bound.isdigit()]
