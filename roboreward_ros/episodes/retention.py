# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which episodes may lose their pictures so that a run fits its disk budget, oldest first.

Pictures go only where nobody needs them: the episode was scored, it was learned from or exported
(as asked for), no person labelled it, and it is none of the newest. Where that does not free
enough, nothing else goes: the run is over its budget and says why.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from roboreward_ros.episodes.ledger import OPERATOR, Ledger
from roboreward_ros.episodes.pictures import PICTURES, Fate, PictureBook
from roboreward_ros.episodes.promoted import read_promoted
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.views import LabelStatus, RewardView
from roboreward_ros.errors import ConfigError, FormatError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}

Learned = Callable[[], Collection[str]]
"""Episodes that the learner's checkpoint on disk has taken in."""


class Need(StrEnum):
    """What must have happened to an episode before its pictures may go."""

    LEARNED = "learned"
    EXPORTED = "exported"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class RetentionConfig:
    """A disk budget.

    Attributes:
        budget_bytes: that the run's folder may take; 0 sets none.
        keep_newest: newest episodes that keep their pictures, for the operator and late labels.
        need: see ``Need``.
    """

    budget_bytes: int = 0
    keep_newest: int = 50
    need: Need = Need.LEARNED

    def __post_init__(self) -> None:
        if self.budget_bytes < 0 or self.keep_newest < 0:
            raise ConfigError(
                "a budget's bytes or newest episodes",
                got=f"{self.budget_bytes}, {self.keep_newest}",
                allowed="0 or more",
            )


@dataclass(frozen=True, slots=True)
class Candidate:
    """An episode that has pictures.

    Attributes:
        episode_id: its id.
        size: bytes on disk that its pictures take.
        hindrance: why they stay; "" where they may go.
    """

    episode_id: str
    size: int
    hindrance: str


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What a budget asks for.

    Attributes:
        total: bytes of the run's folder now.
        budget: bytes allowed; 0: no limit.
        remove: whose pictures go, oldest first.
        kept: why others keep theirs -> how many do.
    """

    total: int
    budget: int
    remove: tuple[Candidate, ...]
    kept: Mapping[str, int]

    def parts(self) -> list[PrunePlan]:
        """One plan for each removal."""
        return [replace(self, remove=(it,)) for it in self.remove]

    @property
    def freed(self) -> int:
        """Bytes that the removals free."""
        return sum(it.size for it in self.remove)

    @property
    def short_by(self) -> int:
        """Bytes above the budget that stay whatever goes; 0 where it is met."""
        return max(0, self.total - self.freed - self.budget) if self.budget else 0

    @property
    def problem(self) -> str:
        """Why the budget is not met, one line; "" where it is."""
        if not self.short_by:
            return ""
        why = ", ".join(f"{n} {text}" for text, n in self.kept.items()) or "none has pictures left"
        return (
            f"{self.short_by / 1e9:.3g} GB over the disk budget of {self.budget / 1e9:g} GB and "
            f"nothing more may go: episodes {why}"
        )


def parse_size(text: str) -> int:
    """Bytes of "20G", "500 MB" or "1.5T" (powers of ten).

    Raises:
        ConfigError: no such size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ConfigError("no size of a disk budget", got=text, allowed="20G, 500M, 1.5T")
    return round(float(match.group(1)) * _UNITS[match.group(2).upper()])


class Retention:
    """Plans and carries out; measures committed episodes once. One thread.

    Args:
        store: of the run, open for writing where something is to be removed.
        config: the budget.
        learned: see ``Learned``.
    """

    def __init__(self, store: EpisodeStore, config: RetentionConfig, learned: Learned) -> None:
        self.config = config
        self._store = store
        self._learned = learned
        self._book = PictureBook(store.run_dir)
        self._operator = Ledger(store.run_dir, "r", OPERATOR)
        self._sizes: dict[str, tuple[int, int]] = {}  # all, and pictures
        self._sound: set[str] = set()
        self._view: RewardView | None = None

    def finish(self) -> int:
        """Complete removals that a death interrupted; returns how many episodes' it were."""
        return self._book.finish(list(self._store.ids()))

    def total(self) -> int:
        """Bytes that the run's folder takes on disk."""
        ids = self._store.ids()
        for name in ids:
            if name not in self._sizes:
                folder = self._store.root / name
                self._sizes[name] = (disk_bytes(folder), disk_bytes(folder / PICTURES))
        beside = disk_bytes(self._store.run_dir, skip=self._store.root)
        loose = sum(
            disk_bytes(path) for path in self._store.root.iterdir() if path.name not in self._sizes
        )
        return beside + loose + sum(self._sizes[name][0] for name in ids)

    def plan(self, *, force: bool = False, level: float = 1.0) -> PrunePlan:
        """What would go now.

        Args:
            force: let pictures go that somebody may still need; the newest and a person's stay.
            level: part of the budget to come down to, once it is passed.
        """
        budget, total = self.config.budget_bytes, self.total()
        if not budget or total <= budget:
            return PrunePlan(total, budget, (), {})
        remove: list[Candidate] = []
        kept: Counter[str] = Counter()
        excess = total - level * budget
        for it in self.candidates(force=force):
            if it.hindrance:
                kept[it.hindrance] += 1
            elif excess > 0:
                remove.append(it)
                excess -= it.size
        return PrunePlan(total, budget, tuple(remove), kept)

    def candidates(self, *, force: bool = False) -> list[Candidate]:
        """Every episode that has pictures, by index, and why they stay."""
        ids = self._store.ids()
        learned = self._learned()
        self._follow_source()
        pressed = {it.episode_id for it in self._operator.records()}
        newest = set(ids[len(ids) - self.config.keep_newest :]) if self.config.keep_newest else ()
        found = []
        for name in ids:
            _, size = self._sizes.get(name, (0, 0))
            if not size:
                continue
            if name in newest:
                why = "are among the newest"
            elif name in pressed:
                why = "have a person's word"
            else:
                why = "" if force else self._hindrance(name, learned)
            found.append(Candidate(name, size, why))
        return found

    def _hindrance(self, name: str, learned: Collection[str]) -> str:
        if self._wants_score(name):
            return "wait for their score"
        if self.config.need in (Need.LEARNED, Need.BOTH) and name not in learned:
            return "were not learned from"
        exported = self._book.note(name, Fate.EXPORTED)
        if self.config.need in (Need.EXPORTED, Need.BOTH) and exported is None:
            return "were not exported"
        return ""

    def _wants_score(self, name: str) -> bool:
        """Whether a source or a person has yet to look; what never trains waits for nobody."""
        if name not in self._sound:  # a committed header does not change
            try:
                self._store.open(name)
            except FormatError:
                return True  # damaged: for a person to look at
            self._sound.add(name)
        if self._store.marks.discarded(name):
            return False
        return self._view is None or self._view.status(name).status is not LabelStatus.LABELLED

    def _follow_source(self) -> None:
        config = read_promoted(self._store.run_dir)
        if config is None:
            self._view = None
        elif self._view is None or self._view.config != config:
            self._view = RewardView.of_run(self._store.run_dir, config)

    def carry_out(self, plan: PrunePlan) -> int:
        """Remove what the plan names; returns the bytes that went.

        Raises:
            StoreError: a note could not be written; what follows it stays.
        """
        why = f"disk budget of {plan.budget / 1e9:g} GB; {self.config.need} was asked for"
        freed = 0
        for it in plan.remove:
            self._book.remove(it.episode_id, why, it.size)
            whole, size = self._sizes[it.episode_id]
            self._sizes[it.episode_id] = (whole - size, 0)
            freed += it.size
        return freed


def disk_bytes(path: Path, skip: Path | None = None) -> int:
    """Bytes that a file or a tree takes on disk; what vanishes meanwhile counts nothing.

    Args:
        path: file or folder; may be missing.
        skip: folder below it that is left out.
    """
    total = 0
    waiting = [path]
    while waiting:
        here = waiting.pop()
        if here == skip:
            continue
        try:
            total += here.lstat().st_blocks * 512
            if here.is_dir() and not here.is_symlink():
                waiting.extend(here.iterdir())
        except OSError:
            continue
    return total
