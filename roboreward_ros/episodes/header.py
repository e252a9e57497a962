# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``meta.json`` of a stored episode: format, summary and the sha256 of every other file."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.episodes.codec import (
    Fields,
    JsonObject,
    from_text,
    summary_from_json,
    summary_to_json,
)
from roboreward_ros.errors import FormatError
from roboreward_ros.types import EpisodeSummary

EPISODE_FORMAT = 1
IMPORTED = "import:"
"""Prefix of ``EpisodeMeta.policy_id`` in episodes that another recorder made: nobody's policy."""
NAME = "meta.json"


@dataclass(frozen=True, slots=True)
class Header:
    """What ``meta.json`` says; ``files`` maps path to sha256."""

    summary: EpisodeSummary
    files: Mapping[str, str]


def file_digests(folder: Path) -> dict[str, str]:
    """Sha256 of every file below ``folder`` by its path there."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _check(episode: JsonObject) -> str:
    text = json.dumps(episode, sort_keys=True, separators=(",", ":"))
    return f"{zlib.crc32(text.encode()):08x}"


def encode_header(header: Header) -> bytes:
    episode = summary_to_json(header.summary) | {"files": dict(header.files)}
    whole = {"format": EPISODE_FORMAT, "crc32": _check(episode), "episode": episode}
    return json.dumps(whole, indent=1, ensure_ascii=False).encode()


def read_header(folder: Path) -> Header:
    """Header of the episode in ``folder``.

    Raises:
        FormatError: missing, damaged, or of a newer format.
    """
    path = folder / NAME
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FormatError(
            f"{folder} is not a stored episode",
            got=f"{NAME}: {error.strerror}",
            next_step="Run `roboreward episodes verify` on the run.",
        ) from None
    fields = Fields(from_text(data, str(path)), str(path))
    version = fields.integer("format")
    if version > EPISODE_FORMAT:
        raise FormatError(
            f"episode {folder.name} was written by a newer roboreward_ros",
            got=f"format {version}",
            allowed=f"format <= {EPISODE_FORMAT}",
            next_step="Upgrade roboreward_ros to read it.",
        )
    episode = fields.object("episode")
    if _check(episode) != fields.text("crc32"):
        raise FormatError(
            f"{path} is damaged: its checksum does not fit",
            next_step="Restore it from a backup or discard the episode.",
        )
    files = fields.fields("episode").fields("files")
    names = fields.fields("episode").object("files")
    return Header(
        summary=summary_from_json(episode, str(path)),
        files={name: files.text(name) for name in names},
    )
