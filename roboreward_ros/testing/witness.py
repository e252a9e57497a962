# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold of a run on disk whatever was killed: remembers what it saw and looks again."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from roboreward_ros.dsrl.config import load_profile
from roboreward_ros.episodes.header import NAME
from roboreward_ros.episodes.ledger import OPERATOR, SCORES, Ledger, ledger_path
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.verify import verify_episode
from roboreward_ros.errors import LearnerError
from roboreward_ros.robot.command_log import COMMANDS, read_commands, unheld
from roboreward_ros.session.plan import PlanConfig
from roboreward_ros.types import RewardFailure

if TYPE_CHECKING:
    from roboreward_ros.dsrl.follow import RunFollower

SLICE = 20
"""Updates at a time; the weights do not depend on it."""


class Witness:
    """Looks at a run again and again; each look names what must never happen.

    Args:
        run_dir: the run.
        plan: what its session was asked to do.

    What processes told the arm before this was made is not judged: who killed them is not known.
    """

    def __init__(self, run_dir: Path, plan: PlanConfig) -> None:
        self.run_dir = run_dir
        self._plan = plan
        self._headers: dict[str, str] = {}
        self._lines: dict[str, bytes] = {}
        self._unheld: set[str] = set()
        self._earlier = {it.pid for it in read_commands(run_dir / "logs" / COMMANDS)}

    @property
    def episodes(self) -> int:
        """Committed episodes, now."""
        return len(EpisodeStore(self.run_dir).ids()) if self.run_dir.is_dir() else 0

    def look(self, killed: Collection[int] = ()) -> list[str]:
        """What is wrong, a sentence each; episodes and lines seen before must be unchanged.

        Args:
            killed: processes that drove the arm and could not hold it.
        """
        store = EpisodeStore(self.run_dir)
        ids = list(store.ids())
        wrong = [f"{name} was lost" for name in self._headers if name not in ids]
        for place, name in enumerate(ids):
            folder = store.root / name
            header = hashlib.sha256((folder / NAME).read_bytes()).hexdigest()
            if name in self._headers:
                if self._headers[name] != header:
                    wrong.append(f"{name} was changed")
                continue
            self._headers[name] = header
            wrong += [f"{name} is damaged: {damage.what}" for damage in verify_episode(folder)]
            meta, planned = store.open(name).summary.meta, self._plan.episode(place)
            found = (meta.episode_id, meta.seed, meta.task)
            if found != (planned.episode_id, planned.seed, planned.task):
                wrong.append(f"{name} has the place of {planned.episode_id}")
        return wrong + self._ledgers() + self._arm(killed)

    def _arm(self, killed: Collection[int]) -> list[str]:
        """Where the arm was left without a hold; each once."""
        commands = read_commands(self.run_dir / "logs" / COMMANDS)
        wrong = unheld((it for it in commands if it.pid not in self._earlier), killed)
        told = [text for text in wrong if text not in self._unheld]
        self._unheld.update(told)
        return told

    def _ledgers(self) -> list[str]:
        wrong = []
        for name in (SCORES, OPERATOR):
            path = ledger_path(self.run_dir, name)
            data = path.read_bytes() if path.exists() else b""
            whole = data[: data.rfind(b"\n") + 1]
            if not whole.startswith(self._lines.get(name, b"")):
                wrong.append(f"{path.name}: a line that was read is gone or changed")
            self._lines[name] = whole
        answers = self.answers()
        wrong += [f"{episode} was scored {n} times" for episode, n in answers.items() if n > 1]
        return wrong

    def answers(self) -> Counter[str]:
        """How often each episode was answered, by a source that did not fail."""
        return Counter(
            record.episode_id
            for record in Ledger(self.run_dir).records()
            if not record.shadow and not isinstance(record.outcome, RewardFailure)
        )

    def unanswered(self) -> list[str]:
        """Committed episodes that no source has answered; of a run that is at rest."""
        answers = self.answers()
        return [name for name in EpisodeStore(self.run_dir).ids() if name not in answers]


class Shadow:
    """A second learner that reads the same stores undisturbed and stops where the checkpoint is.

    It goes on from look to look, so that a look costs the updates since the last one.

    Args:
        run_dir: the run.
        scratch: empty folder for the second learner.
        profile: of the learner.
        seed: of the learner.
    """

    def __init__(
        self, run_dir: Path, scratch: Path, profile: str = "widowx", seed: int = 0
    ) -> None:
        self._run_dir = run_dir
        self._scratch = scratch
        self._profile = profile
        self._seed = seed
        self._follower: RunFollower | None = None
        self.updates = 0
        """Updates behind the checkpoint that was compared last."""

    def compare(self) -> list[str]:
        """Names of the tensors that differ from the run's newest checkpoint, to the bit.

        Weights, targets, moments, generators and replay rows; [] where there is no checkpoint.

        Raises:
            LearnerError: the stores do not lead to where the checkpoint stands.
        """
        from safetensors.torch import load_file

        from roboreward_ros.dsrl.checkpoint import load_learner
        from roboreward_ros.dsrl.follow import CHECKPOINT
        from roboreward_ros.dsrl.resume import spec_of

        path = self._scratch / "compared.safetensors"
        try:
            shutil.copyfile(self._run_dir / "checkpoints" / CHECKPOINT, path)
        except FileNotFoundError:
            return []
        spec = spec_of(next(iter(EpisodeStore(self._run_dir))))
        saved = load_learner(path, spec, exact=False)
        follower = self._follower = self._follower or self._begin()
        while follower.grad_steps < saved.sac.steps or follower.taken < len(saved.seen):
            if not follower.advance(min(SLICE, max(saved.sac.steps - follower.grad_steps, 1))):
                raise LearnerError(
                    "the stores do not lead to where the checkpoint stands",
                    got=f"{follower.taken} episodes, {follower.grad_steps} updates",
                    allowed=f"{len(saved.seen)} episodes, {saved.sac.steps} updates",
                )
        follower.save()
        self.updates = saved.sac.steps
        one, other = load_file(path), load_file(follower.checkpoint)
        return sorted(
            name
            for name in one.keys() | other.keys()
            if name not in one or name not in other or not _same(one[name], other[name])
        )

    def _begin(self) -> RunFollower:
        import torch

        from roboreward_ros.dsrl.compute import Compute, Precision
        from roboreward_ros.dsrl.follow import RunFollower

        for name in ("episodes", "ledger"):
            (self._scratch / name).symlink_to((self._run_dir / name).resolve())
        torch.set_num_threads(1)
        compute = Compute(precision=Precision.AUTO)  # learner_node's own choice
        profile = load_profile(self._profile)
        return RunFollower(self._scratch, profile, self._seed, compute=compute)


def _same(one: object, other: object) -> bool:
    import torch

    assert isinstance(one, torch.Tensor)
    assert isinstance(other, torch.Tensor)
    return one.shape == other.shape and bool(
        torch.equal(one.nan_to_num(nan=-7.0), other.nan_to_num(nan=-7.0))
        if one.is_floating_point()
        else torch.equal(one, other)
    )
