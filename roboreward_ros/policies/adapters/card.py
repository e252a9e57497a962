# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward.yaml`` beside a foreign checkpoint: what its own files do not say.

How fast it was trained to act, which sentences it knows, how many actions of a chunk are executed
and how many steps the sampler takes. Everything has a default; an unknown entry is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import yaml

from roboreward_ros.errors import ConfigError
from roboreward_ros.files import read_yaml

CARD_FILE = "roboreward.yaml"


@dataclass(frozen=True, slots=True)
class AdapterCard:
    """See the module's text.

    Attributes:
        control_hz: rate of the actions it was trained on, 1/s; BridgeData's is 5.
        chunk_size: C, actions executed per decision; 0: what the checkpoint says.
        sample_steps: steps of the deterministic sampler; 0: what the checkpoint says, otherwise
            the adapter's default.
        tasks: sentences it is known to do; empty accepts any.
        goals: goal picture (a file beside the card) per sentence, for goal-conditioned policies.
    """

    control_hz: float = 5.0
    chunk_size: int = 0
    sample_steps: int = 0
    tasks: tuple[str, ...] = ()
    goals: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.control_hz <= 1000:
            raise ConfigError(f"control_hz of {CARD_FILE}", got=self.control_hz, allowed="0..1000")
        for name in ("chunk_size", "sample_steps"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} of {CARD_FILE}", got=getattr(self, name), allowed=">= 0")
        if len(set(self.tasks)) != len(self.tasks) or "" in self.tasks:
            raise ConfigError(f"tasks of {CARD_FILE}", got=self.tasks, allowed="distinct sentences")
        for sentence, picture in self.goals.items():
            if not sentence or Path(picture).name != picture:
                raise ConfigError(
                    f"goals of {CARD_FILE}",
                    got=f"{sentence!r}: {picture!r}",
                    allowed="sentence: name of a picture in the same folder",
                )

    def chunk(self, default: int, most: int) -> int:
        """C: as the card says, otherwise ``default``; at most ``most``.

        Raises:
            ConfigError: longer than what the policy predicts.
        """
        size = self.chunk_size or default
        if size > most:
            raise ConfigError(f"chunk_size of {CARD_FILE}", got=size, allowed=f"1..{most}")
        return size


def load_card(folder: Path) -> AdapterCard:
    """The folder's card, or the defaults where there is none.

    Raises:
        ConfigError: unreadable, unknown entries, values of the wrong kind.
    """
    path = folder / CARD_FILE
    if not path.is_file():
        return AdapterCard()
    try:
        raw = read_yaml(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{CARD_FILE} cannot be read", got=f"{path}: {error}") from error
    allowed = {item.name for item in fields(AdapterCard)}
    if not isinstance(raw, dict) or not set(raw) <= allowed:
        got = sorted(map(str, raw)) if isinstance(raw, dict) else type(raw).__name__
        raise ConfigError(f"{path} has the wrong entries", got=got, allowed=sorted(allowed))
    kinds = {
        "control_hz": (int, float),
        "chunk_size": (int,),
        "sample_steps": (int,),
        "tasks": (list,),
        "goals": (dict,),
    }
    for name, value in raw.items():
        if type(value) not in kinds[name]:
            wanted = " or ".join(kind.__name__ for kind in kinds[name])
            raise ConfigError(f"{name} of {path}", got=value, allowed=wanted)
    return AdapterCard(
        control_hz=float(raw.get("control_hz", AdapterCard().control_hz)),
        chunk_size=raw.get("chunk_size", 0),
        sample_steps=raw.get("sample_steps", 0),
        tasks=tuple(str(task) for task in raw.get("tasks", [])),
        goals={str(task): str(name) for task, name in raw.get("goals", {}).items()},
    )
