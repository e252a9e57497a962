# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which reward source a run goes by (``run_dir/ledger/promoted.json``).

Written by the process that scores, at its start and at each swap; read by every view of the run.
Sources that were promoted before stay as fallbacks: their labels hold until the new one scores.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from roboreward_ros.episodes.codec import Fields, JsonObject, from_text, to_text
from roboreward_ros.episodes.views import ViewConfig
from roboreward_ros.errors import FormatError, StoreError
from roboreward_ros.files import write_atomic
from roboreward_ros.types import ScoreScale

PROMOTED_FORMAT = 1


def promoted_path(run_dir: Path | str) -> Path:
    return Path(run_dir) / "ledger" / "promoted.json"


def read_promoted(run_dir: Path | str) -> ViewConfig | None:
    """The view of the run's present source; None before a source was ever promoted.

    Raises:
        FormatError: damaged, or written by a newer version.
    """
    path = promoted_path(run_dir)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    return parse_promoted(data, path)


def parse_promoted(data: bytes, path: Path) -> ViewConfig:
    """The view that the file at ``path`` describes; raises as ``read_promoted``."""
    fields = Fields(from_text(data, str(path)), str(path))
    if fields.integer("format") > PROMOTED_FORMAT:
        raise FormatError(
            f"{path} was written by a newer version",
            got=fields.integer("format"),
            allowed=f"format <= {PROMOTED_FORMAT}",
            next_step="Upgrade roboreward_ros, or use another run_dir.",
        )
    return ViewConfig(
        source=fields.text("source"),
        scale=fields.enum("scale", ScoreScale),
        fallbacks=fields.texts("before"),
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """How a source was asked for while a session ran, so that a restart can ask for it again.

    Attributes:
        source: registry name.
        options: JSON object over the source's configuration file; "" for none.
        launch: which launch it was asked of; "" where nobody starts the process again.
    """

    source: str = ""
    options: str = ""
    launch: str = ""


@dataclass(frozen=True, slots=True)
class SourceChange:
    """One line of the run's history of sources.

    Attributes:
        source: which.
        stamp_ns: since when, ns since the epoch.
        why: in a word.
        asked: see ``Asked``; empty for the source that the process was started with.
    """

    source: str
    stamp_ns: int
    why: str
    asked: Asked = field(default_factory=Asked)


def read_changes(run_dir: Path | str) -> tuple[SourceChange, ...]:
    """Every change of the run's source, oldest first.

    Raises:
        FormatError: damaged.
    """
    path = promoted_path(run_dir)
    if not path.exists():
        return ()
    fields = Fields(from_text(path.read_bytes(), str(path)), str(path))
    if fields.missing("changes"):
        return ()
    return tuple(
        SourceChange(
            item.text("source"),
            item.integer("stamp_ns"),
            item.text("why"),
            Asked()
            if item.missing("asked")
            else Asked(item.text("asked"), item.text("options"), item.text("launch")),
        )
        for item in fields.objects("changes")
    )


def asked_last(run_dir: Path | str, launch: str) -> Asked | None:
    """What a launch was asked to swap to last, for a process that it starts again; None for none.

    Raises:
        FormatError: damaged.
    """
    changes = read_changes(run_dir)
    if not (launch and changes and changes[-1].asked.launch == launch):
        return None
    return changes[-1].asked


def promote(
    run_dir: Path | str,
    source: str,
    scale: ScoreScale,
    why: str = "",
    stamp_ns: int = 0,
    asked: Asked | None = None,
) -> ViewConfig:
    """Make ``source`` the one the run goes by; atomic. Returns the run's new view.

    Args:
        run_dir: the run.
        source: registry name.
        scale: of its scores.
        why: for the run's history.
        stamp_ns: when, ns since the epoch.
        asked: how it was asked for; None for the source that the process was started with.

    Raises:
        StoreError: the file cannot be written.
    """
    before = read_promoted(run_dir)
    view = ViewConfig(source, scale)
    if before is not None:
        older = dict.fromkeys((before.source, *before.fallbacks))
        older.pop(source, None)
        view = dataclasses.replace(view, fallbacks=tuple(older))
    changes = list(read_changes(run_dir))
    if view == before and (asked is None or (changes and changes[-1].asked == asked)):
        return view
    path = promoted_path(run_dir)
    changes.append(SourceChange(source, stamp_ns, why, asked or Asked()))
    values: JsonObject = {
        "format": PROMOTED_FORMAT,
        "source": view.source,
        "scale": view.scale.value,
        "before": list(view.fallbacks),
        "changes": [_to_json(change) for change in changes],
    }
    try:
        write_atomic(path, to_text(values))
    except OSError as error:
        raise StoreError(
            "the promoted reward source could not be noted",
            got=f"{path}: {error.strerror}",
            next_step="Check free space and rights of run_dir.",
        ) from None
    return view


def _to_json(change: SourceChange) -> JsonObject:
    values: JsonObject = {"source": change.source, "stamp_ns": change.stamp_ns, "why": change.why}
    asked = change.asked
    if asked != Asked():
        values |= {"asked": asked.source, "options": asked.options, "launch": asked.launch}
    return values
