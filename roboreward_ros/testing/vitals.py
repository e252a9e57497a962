# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a running stack takes from its machine: memory, handles, threads, shared memory, disk."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.clock import Clock
from roboreward_ros.episodes.pictures import PICTURES

_NODE = re.compile(r"roboreward_ros\.nodes\.(\w+)")
_SHM = Path("/dev/shm")
_MB = 1e6
_PAGE = os.sysconf("SC_PAGE_SIZE")
_NAP_S = 0.002
_ROUNDS = 60_000


@dataclass(frozen=True, slots=True)
class ProcessVitals:
    """One process at one moment.

    Attributes:
        name: of the node; its children have "worker" behind it.
        pid: process id.
        memory_mb: memory that is its own (resident, not shared with a file), MB.
        handles: open file descriptors.
        threads: of the kernel.
    """

    name: str
    pid: int
    memory_mb: float
    handles: int
    threads: int


def reference_ms(clock: Clock) -> float:
    """How long a fixed piece of work takes just now, ms: a short sleep, then some arithmetic.

    Like a step of the stack it waits to be woken and then computes, and it knows nothing of the
    stack: what slows both is the machine. A few ms where nothing else runs.
    """
    start_ns = clock.steady_ns()
    clock.sleep(_NAP_S)
    total = 0
    for k in range(_ROUNDS):
        total ^= k
    return (clock.steady_ns() - start_ns) / 1e6


def stack_vitals(supervisor: int) -> list[ProcessVitals]:
    """Of a supervisor and everything below it; [] where it is gone."""
    below: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            text = path.read_text()  # the name in brackets may hold anything
            parent = int(text[text.rindex(")") + 1 :].split()[1])
            below.setdefault(parent, []).append(int(path.parent.name))
    found: list[ProcessVitals] = []
    waiting = [(supervisor, "supervisor")]
    while waiting:
        pid, name = waiting.pop()
        with contextlib.suppress(OSError, IndexError):
            found.append(_vitals(pid, name))
            waiting += [(child, _name(child, name)) for child in sorted(below.get(pid, ()))]
    return found


def _vitals(pid: int, name: str) -> ProcessVitals:
    folder = Path("/proc", str(pid))
    _, resident, shared, *_ = map(int, (folder / "statm").read_text().split())
    return ProcessVitals(
        name,
        pid,
        (resident - shared) * _PAGE / _MB,
        sum(1 for _ in (folder / "fd").iterdir()),
        sum(1 for _ in (folder / "task").iterdir()),
    )


def _name(pid: int, parent: str) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    if match := _NODE.search(words):
        return match.group(1)
    kind = "tracker" if "resource_tracker" in words else "worker"
    return f"{parent.removesuffix(' worker').removesuffix(' tracker')} {kind}"


def shared_memory_mb(pids: list[int]) -> float:
    """Size of the files in /dev/shm that any of the processes maps, MB."""
    names = set()
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/maps").read_text()
        except OSError:
            continue
        names |= {line.split(maxsplit=5)[5] for line in text.splitlines() if str(_SHM) in line}
    sizes = 0
    for name in names:
        try:
            sizes += Path(name).stat().st_size
        except OSError:  # unlinked; counted as its process's memory
            continue
    return sizes / _MB


class DiskUse:
    """Bytes below a run's folders; committed episodes are measured once, but for their pictures.

    Args:
        run_dir: the run.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._episodes: dict[str, tuple[int, int]] = {}  # bytes of pictures, of the rest

    def megabytes(self) -> dict[str, float]:
        """MB by folder of the run; files beside the folders count as "files"."""
        found = {"files": 0.0}
        for entry in os.scandir(self._run_dir) if self._run_dir.is_dir() else ():
            if entry.name == "episodes":
                found["episodes"] = self._of_episodes(Path(entry.path)) / _MB
            elif entry.is_dir():
                found[entry.name] = tree_bytes(Path(entry.path)) / _MB
            else:
                found["files"] += entry.stat().st_size / _MB
        return found

    def _of_episodes(self, root: Path) -> int:
        total = 0
        here = set()
        for entry in os.scandir(root):
            if entry.is_dir() and entry.name[0] != ".":
                here.add(entry.name)
                if entry.name not in self._episodes:
                    pictures = tree_bytes(Path(entry.path, PICTURES))
                    rest = tree_bytes(Path(entry.path)) - pictures
                    self._episodes[entry.name] = pictures, rest
                pictures, rest = self._episodes[entry.name]
                total += rest + (pictures if Path(entry.path, PICTURES).is_dir() else 0)
            elif not entry.is_dir():
                total += entry.stat().st_size
        self._episodes = {name: self._episodes[name] for name in here}
        return total


def tree_bytes(root: Path) -> int:
    """Bytes of the files below a folder; what vanishes meanwhile counts nothing."""
    total = 0
    for folder, _, names in os.walk(root):
        for name in names:
            try:
                total += Path(folder, name).lstat().st_blocks * 512
            except FileNotFoundError:
                continue
    return total
