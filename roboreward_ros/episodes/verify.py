# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Finds every damage of a run: checksums of all files, arrays, frames, lines of the ledger."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from roboreward_ros.episodes.arrays import Array, read_array
from roboreward_ros.episodes.header import IMPORTED, NAME, Header, file_digests, read_header
from roboreward_ros.episodes.ledger import OPERATOR, SCORES, Ledger, ledger_path
from roboreward_ros.episodes.lines import decode_line
from roboreward_ros.episodes.marks import Marks
from roboreward_ros.episodes.pictures import PICTURES, PictureBook
from roboreward_ros.episodes.run import read_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import FormatError, RoboRewardError

_PER_STEP = ("action_raw", "action_executed", "flags", "target_pose", "q_command", "effort", "dq")
_PER_STEP_IF_THERE = ("temperature", "ik_error", "fault")  # not in older episodes
_PER_OBSERVATION = ("stamps_ns", "proprio", "q")
_PER_CHUNK = (
    "step", "executed", "policy_version", "steered", "noise", "actions", "features", "latency_s",
)  # fmt: skip
_FINITE = ("proprio", "action_raw", "action_executed")
_FINITE_OF_AN_ARM = ("q", "target_pose", "q_command")  # imported episodes hold no joints


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong: where (a path below the run) and what."""

    where: str
    what: str


def verify_run(run_dir: Path | str, progress: Callable[[], None] | None = None) -> list[Damage]:
    """All damages of a run, [] for a sound one.

    Args:
        run_dir: the run.
        progress: called after each episode.

    Raises:
        StoreError: there is no such run.
    """
    store = EpisodeStore(run_dir)
    found = list(_guarded("run.json", lambda: read_run(run_dir)))
    indices: dict[int, str] = {}
    for episode_id in store.ids():
        found += verify_episode(store.root / episode_id)
        try:
            index = store.open(episode_id).summary.meta.index
        except RoboRewardError:
            continue  # named by verify_episode
        finally:
            if progress:
                progress()
        if index in indices:
            what = f"has the index {index} of {indices[index]}"
            found.append(Damage(f"episodes/{episode_id}", what))
        indices[index] = episode_id
    for name in (SCORES, OPERATOR):
        found += _verify_lines(ledger_path(run_dir, name), partial(Ledger, run_dir, "r", name))
    found += _verify_lines(store.marks.path, lambda: Marks(run_dir).last(""))
    pictures = PictureBook(run_dir)
    found += _verify_lines(pictures.path, lambda: pictures.removed(""))
    return found


def verify_episode(folder: Path) -> list[Damage]:
    """All damages of one stored episode."""
    place = f"episodes/{folder.name}"
    try:
        header = read_header(folder)
    except RoboRewardError as error:
        return [Damage(f"{place}/{NAME}", str(error))]
    try:
        gone = not (folder / PICTURES).exists() and _removed(folder)
    except FormatError as error:  # the notes themselves; named beside the ledgers too
        return [Damage(place, str(error))]
    if gone:
        there = {k: v for k, v in header.files.items() if not k.startswith(f"{PICTURES}/")}
        header = Header(header.summary, there)
    found = [Damage(f"{place}/{where}", what) for where, what in _files(folder, header)]
    if header.summary.meta.episode_id != folder.name:
        found.append(Damage(place, f"says that it is {header.summary.meta.episode_id}"))
    contents = _contents(folder, header, pictures=not gone)
    found += [Damage(f"{place}/{where}", what) for where, what in contents]
    return found


def _removed(folder: Path) -> bool:
    """Whether a note says that an episode's pictures were taken away on purpose."""
    return PictureBook(folder.parent.parent).removed(folder.name) is not None


def _files(folder: Path, header: Header) -> Iterator[tuple[str, str]]:
    there = file_digests(folder)
    for name, digest in sorted(header.files.items()):
        if name not in there:
            yield name, "is missing"
        elif there[name] != digest:
            yield name, "changed after it was committed (sha256)"
    for name in sorted(set(there) - set(header.files) - {NAME}):
        yield name, "does not belong to the episode"


def _contents(folder: Path, header: Header, *, pictures: bool) -> Iterator[tuple[str, str]]:
    n_steps = header.summary.n_steps
    lengths = dict.fromkeys(_PER_STEP, n_steps) | dict.fromkeys(_PER_OBSERVATION, n_steps + 1)
    there = (name for name in _PER_STEP_IF_THERE if f"{name}/zarr.json" in header.files)
    lengths |= dict.fromkeys(there, n_steps)
    if "truth/zarr.json" in header.files:
        for name in ("progress", "success", "score", "stage"):
            lengths[f"truth/{name}"] = n_steps + 1
    decisions: int | None = None
    for name in _PER_CHUNK:
        if f"chunks/{name}/zarr.json" in header.files:
            lengths[f"chunks/{name}"] = -1
    finite: tuple[str, ...] = _FINITE
    if not header.summary.meta.policy_id.startswith(IMPORTED):
        finite += _FINITE_OF_AN_ARM
    for name, length in lengths.items():
        array, problem = _read(folder / name)
        if array is None:
            yield name, problem
            continue
        if length < 0:
            decisions = len(array) if decisions is None else decisions
            length = decisions
        if len(array) != length:
            yield name, f"has {len(array)} rows instead of {length}"
        if name in finite and not np.isfinite(np.asarray(array, dtype=np.float64)).all():
            yield name, "holds values that are not finite"
    if pictures:
        yield from _frames(folder, n_steps + 1)


def _frames(folder: Path, count: int) -> Iterator[tuple[str, str]]:
    from PIL import Image

    data, data_problem = _read(folder / "frames/data")
    offsets, offsets_problem = _read(folder / "frames/offsets")
    if data is None:
        yield "frames/data", data_problem
    if offsets is None:
        yield "frames/offsets", offsets_problem
    if data is None or offsets is None:
        return
    ends = [int(end) for end in offsets.tolist()]
    if len(ends) != count + 1 or ends[0] != 0 or ends[-1] != data.size or ends != sorted(ends):
        yield "frames/offsets", f"do not cut {data.size} bytes into {count} frames"
        return
    packed = data.tobytes()
    for k in range(count):
        try:
            Image.open(io.BytesIO(packed[ends[k] : ends[k + 1]]), formats=("JPEG",)).load()
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            yield f"frames/data frame {k}", f"cannot be decoded: {error}"


def _read(folder: Path) -> tuple[Array | None, str]:
    try:
        return read_array(folder), ""
    except FormatError as error:
        return None, str(error)


def _verify_lines(path: Path, read: Callable[[], object]) -> Iterator[Damage]:
    if not path.exists():
        return
    place = f"{path.parent.name}/{path.name}"
    *lines, tail = path.read_bytes().split(b"\n")
    damaged = 0
    for number, line in enumerate(lines, start=1):
        try:
            decode_line(line, "line", "")
        except FormatError:
            damaged += 1
            yield Damage(f"{place} line {number}", "is damaged: its checksum does not fit")
    if tail:
        yield Damage(
            f"{place} line {len(lines) + 1}",
            f"is unfinished ({len(tail)} bytes); the next writer cuts it off",
        )
    if not damaged:
        yield from _guarded(place, read)


def _guarded(place: str, read: Callable[[], object]) -> Iterator[Damage]:
    try:
        read()
    except RoboRewardError as error:
        yield Damage(place, str(error))
