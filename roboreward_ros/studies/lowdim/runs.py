# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs that advance together, an episode of every one at a time; their updates are one.

Runs of one seed are paired: the same layouts, noise and first weights, a judge each. Finished,
they are one file; what was stopped before that begins again, which costs a minute or two.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.errors import CheckpointError
from roboreward_ros.files import write_atomic
from roboreward_ros.sim.seeds import held_out_seed, training_seed
from roboreward_ros.studies.baselines import candidate_latents
from roboreward_ros.studies.lowdim.bench import EpisodeLanes
from roboreward_ros.studies.lowdim.fleet import Fleet, fits_fleet
from roboreward_ros.studies.lowdim.judges import SUCCESS, Judge
from roboreward_ros.studies.lowdim.lanes import Episode, LaneResult
from roboreward_ros.studies.lowdim.watching import VideoJudge
from roboreward_ros.studies.online import chooser_of
from roboreward_ros.studies.rollout import ConstantNoise, NoiseChooser, PriorNoise, SteeredNoise

FORMAT = 1
_TRIES = 12
OnLine = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What the runs of a study share.

    Attributes:
        config: of the learners.
        episodes: of a run, warm-up and canaries included.
        held_out: layouts of the final evaluation, the same for every run and baseline.
        canary_every: every so many episodes one takes plain noise; 0 for none.
        points: episode counts at which the actor is evaluated besides the end.
        point_layouts: held-out layouts of such a point.
    """

    config: DsrlConfig
    episodes: int
    held_out: int
    canary_every: int = 0
    points: tuple[int, ...] = ()
    point_layouts: int = 50


@dataclass(frozen=True, slots=True)
class Run:
    """A run to do: its arm in the study, who judges, its seed."""

    arm: str
    judge: Judge
    seed: int


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One finished run.

    Attributes:
        arm: its judge's name in the study.
        seed: of the run.
        success: of every training episode, by the simulator.
        levels: the simulator's rubric level of each.
        labels: what the learner was told, 1..5; None where it was told nothing.
        final: success on each held-out layout with the last actor, stochastic.
        points: (episodes, held-out success) on the way.
        grad_steps: updates in all.
    """

    arm: str
    seed: int
    success: tuple[bool, ...]
    levels: tuple[int, ...]
    labels: tuple[float | None, ...]
    final: tuple[bool, ...]
    points: tuple[tuple[int, float], ...]
    grad_steps: int

    @property
    def rate(self) -> float:
        """Held-out success at the end."""
        return float(np.mean(self.final))

    @property
    def labelled(self) -> float:
        """Share of the run's episodes that have a label."""
        return float(np.mean([label is not None for label in self.labels]))

    @property
    def mae(self) -> float:
        """Mean distance of the labels from the simulator's level, over the run's own episodes.

        NaN without a label.
        """
        pairs = zip(self.labels, self.levels, strict=True)
        errors = [abs(label - level) for label, level in pairs if label is not None]
        return float(np.mean(errors)) if errors else float("nan")

    @property
    def false_positives(self) -> float:
        """Share of the failed episodes with a label that were called a success; NaN without any."""
        called = [
            label >= SUCCESS
            for label, won in zip(self.labels, self.success, strict=True)
            if label is not None and not won
        ]
        return float(np.mean(called)) if called else float("nan")

    @property
    def told(self) -> float:
        """Share of the run's episodes whose outcome, success or failure, the label tells."""
        pairs = zip(self.labels, self.success, strict=True)
        return float(np.mean([x is not None and (x >= SUCCESS) == won for x, won in pairs]))


def baselines(lanes: EpisodeLanes, folder: Path, count: int) -> dict[str, tuple[bool, ...]]:
    """Held-out success of noise that does not learn, kept in ``folder``."""
    path = folder / f"baselines_{count}.json"
    if path.is_file():
        known = json.loads(path.read_text())
        if known["policy_id"] == lanes.policy.spec.policy_id:
            return {name: tuple(map(bool, rates)) for name, rates in known["success"].items()}
    choosers: dict[str, NoiseChooser] = {
        "w ~ N(0, I)": PriorNoise(),
        "w = 0": ConstantNoise(),
        "w ~ N(0, I/4)": PriorNoise(0.5),
        "best constant w": _best_constant(lanes),
    }
    found = {name: evaluate(lanes, chooser, count) for name, chooser in choosers.items()}
    content = {"policy_id": lanes.policy.spec.policy_id, "success": found}
    write_atomic(path, json.dumps(content) + "\n")
    return found


def _best_constant(lanes: EpisodeLanes) -> ConstantNoise:
    """The best of 16 constant latents on ``_TRIES`` training layouts each, the same for all."""
    latents = candidate_latents(0, lanes.policy.spec.prediction_horizon)
    layouts = [training_seed(0, k) for k in range(_TRIES)]
    episodes = [Episode(layout, ConstantNoise(w)) for w in latents for layout in layouts]
    won = [result.success for result in lanes.run(episodes)]
    rates = np.asarray(won).reshape(len(latents), _TRIES).mean(axis=1)
    return ConstantNoise(latents[int(np.argmax(rates))])


def evaluate(lanes: EpisodeLanes, chooser: NoiseChooser, count: int) -> tuple[bool, ...]:
    """Success on the first ``count`` held-out layouts."""
    results = lanes.run([Episode(held_out_seed(k), chooser, k) for k in range(count)])
    return tuple(bool(result.success) for result in results)


def run_together(
    lanes: EpisodeLanes, plan: RunPlan, runs: Sequence[Run], path: Path, say: OnLine
) -> list[RunRecord]:
    """Do some runs, or read them from their file if it is there.

    Args:
        lanes: twins and policy; as many as there are runs is fastest.
        plan: what the runs share.
        runs: their arms, judges and seeds.
        path: of the file.
        say: told in a line of progress.

    Raises:
        CheckpointError: a file of other settings.
    """
    key = {
        "format": FORMAT,
        "policy_id": lanes.policy.spec.policy_id,
        "learner": plan.config.to_mapping(),
        "episodes": plan.episodes,
        "held_out": plan.held_out,
        "canary_every": plan.canary_every,
        "points": list(plan.points),
        "runs": [[run.arm, run.seed] for run in runs],
    }
    if path.is_file():
        return _read(path, key)
    records = _run(lanes, plan, runs, lambda text: say(f"{path.stem}: {text}"))
    content = {"key": key, "runs": [asdict(record) for record in records]}
    write_atomic(path, json.dumps(content) + "\n")
    return records


def _read(path: Path, key: Mapping[str, object]) -> list[RunRecord]:
    content = json.loads(path.read_text())
    if content["key"] != key:
        raise CheckpointError(
            "these runs were made with other settings",
            got=str(path),
            next_step="Take another folder, or delete this file.",
        )
    return [
        RunRecord(
            arm=str(run["arm"]),
            seed=int(run["seed"]),
            success=tuple(run["success"]),
            levels=tuple(run["levels"]),
            labels=tuple(run["labels"]),
            final=tuple(run["final"]),
            points=tuple((int(n), float(rate)) for n, rate in run["points"]),
            grad_steps=int(run["grad_steps"]),
        )
        for run in content["runs"]
    ]


def _run(lanes: EpisodeLanes, plan: RunPlan, runs: Sequence[Run], say: OnLine) -> list[RunRecord]:
    policy = lanes.policy
    learners = [Learner(plan.config, policy.spec, run.seed, decode=policy.decode) for run in runs]
    together = [
        learner
        for learner, run in zip(learners, runs, strict=True)
        if fits_fleet(plan.config) and not isinstance(run.judge, VideoJudge)
    ]  # who may leave an episode unlabelled does not keep step with the others
    fleet = Fleet(together) if together else None
    alone = [learner for learner in learners if learner not in together]
    success: list[list[bool]] = [[] for _ in learners]
    levels: list[list[int]] = [[] for _ in learners]
    labels: list[list[float | None]] = [[] for _ in learners]
    points: list[list[tuple[int, float]]] = [[] for _ in learners]
    for index in range(plan.episodes):
        every = plan.canary_every
        plain = every > 0 and index % every == every - 1
        choosers = [PriorNoise() if plain else chooser_of(learner) for learner in learners]
        results = _episode(lanes, runs, choosers, index)
        for k, (run, learner, result) in enumerate(zip(runs, learners, results, strict=True)):
            score = run.judge.score(result, run.seed)
            learner.observe_episode(result, score)
            success[k].append(bool(result.success))
            levels[k].append(int(result.truth.score))
            labels[k].append(None if score is None else score.value)
        if fleet is not None:
            fleet.update()
        for learner in alone:
            learner.update()
        done = index + 1
        if done in plan.points:
            for k, rates in enumerate(_evaluated(lanes, learners, plan.point_layouts)):
                points[k].append((done, float(np.mean(rates))))
        if done % 20 == 0:
            recent = " ".join(f"{np.mean(s[-20:]):.2f}" for s in success)
            say(f"{done} episodes, success of the last 20: {recent}")
    final = _evaluated(lanes, learners, plan.held_out)
    steps = [learner.metrics().grad_steps for learner in learners]
    return [
        RunRecord(
            run.arm, run.seed, tuple(success[k]), tuple(levels[k]), tuple(labels[k]), final[k],
            tuple(points[k]), steps[k],
        )
        for k, run in enumerate(runs)
    ]  # fmt: skip


def _episode(
    lanes: EpisodeLanes, runs: Sequence[Run], choosers: Sequence[NoiseChooser], index: int
) -> list[LaneResult]:
    """Episode ``index`` of every run; plain noise is simulated once for all runs of a seed."""
    wanted: dict[tuple[int, int], Episode] = {}
    keys = []
    for k, (run, chooser) in enumerate(zip(runs, choosers, strict=True)):
        key = (run.seed, -1 if isinstance(chooser, PriorNoise) else k)
        keys.append(key)
        film = run.judge.steps if isinstance(run.judge, VideoJudge) else ()
        shared = wanted.get(key) or Episode(training_seed(run.seed, index), chooser, index)
        wanted[key] = replace(shared, film=tuple(sorted({*shared.film, *film})))
    done = dict(zip(wanted, lanes.run(list(wanted.values())), strict=True))
    return [done[key] for key in keys]


def _evaluated(
    lanes: EpisodeLanes, learners: Sequence[Learner], count: int
) -> list[tuple[bool, ...]]:
    """Held-out success of every learner's present actor, all of them in the same waves."""
    actors = [SteeredNoise(learner.actor_snapshot()) for learner in learners]
    episodes = [Episode(held_out_seed(k), actor, k) for actor in actors for k in range(count)]
    results = lanes.run(episodes)
    return [
        tuple(bool(r.success) for r in results[k * count : (k + 1) * count])
        for k in range(len(actors))
    ]
