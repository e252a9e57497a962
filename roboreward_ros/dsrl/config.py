# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every knob of the learner with its reason, and the profiles in ``config/dsrl/*.yaml``."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml

from roboreward_ros.errors import ConfigError


class CriticForm(StrEnum):
    """Whose value the critic learns."""

    LATENT = "latent"  # Q(s, w): DSRL-SAC, the policy is part of the environment


class Backup(StrEnum):
    """What the target adds for the distance to the prior."""

    HARD = "hard"  # nothing: values stay in the units of the reward
    SOFT = "soft"  # - alpha * KL(pi(.|s') || N(0, I)), SAC eq. 3 with the prior as reference


class NoiseForm(StrEnum):
    """How the actor parameterises the noise of a chunk."""

    FULL = "full"  # one independent latent per action and dimension, [P, 7]


class Combine(StrEnum):
    """How the members of the critic's ensemble become one value."""

    MIN = "min"
    MEAN = "mean"
    PESSIMISTIC = "pessimistic"  # mean - pessimism * standard deviation


class RewardForm(StrEnum):
    """How labels become rewards (see ``dsrl.shaping``)."""

    TERMINAL_SCORE = "terminal_score"
    STEP_COST = "step_cost"
    PROGRESS = "progress"
    POTENTIAL = "potential"


@dataclass(frozen=True, slots=True)
class DsrlConfig:
    """One learner.

    Attributes:
        critic: form of the critic.
        backup: hard by default: an episodic score has known bounds, a bonus leaves them.
        noise: form of the actor's noise.
        target_combine: ensemble -> target value.
        actor_combine: ensemble -> value that the actor climbs.
        pessimism: weight of the ensemble's standard deviation in ``pessimistic``.
        reward: label -> reward.
        success_threshold: normalised score in (0, 1] from which an episode is a success
            (``step_cost``), or, if ``binary``, from which a terminal score counts as 1.
        binary: pay 1 or 0 by ``success_threshold`` instead of the graded score.
        potential_weight: kappa of the potential ``Phi``.
        gamma: discount of one chunk; below 1 it prefers early success.
        monte_carlo: weight of the known return to go in the target; a label arrives once in
            twelve decisions, and bootstrapping alone needs far more episodes to carry it back.
        hidden: widths of the hidden layers of actor and critics.
        ensemble: number of critics.
        bootstrap: probability that a critic learns from an episode. Below 1 the critics' spread
            also shows what a single label decided, so that pessimism keeps the actor from
            climbing on labels that happen to be wrong.
        bounded: critics end in a sigmoid over the range of possible values and learn by cross
            entropy; else they are linear and learn by squared error.
        critic_lr: step size of the critics.
        actor_lr: step size of the actor; smaller lets the critic settle.
        alpha_lr: step size of the temperature; 0 keeps it at ``alpha_init``.
        alpha_init: price of one nat of divergence from the prior, in units of return.
        kl_budget: nats that the actor may leave N(0, I), averaged over states, whole chunk.
        mean_bound: largest shift of a latent's mean; inside the prior's bulk.
        log_std_bound: largest |log sigma| of a latent.
        noise_bound: last clip of |w|; never active for the prior in practice (5 sigma).
        tau: Polyak rate of the target critics.
        batch_size: transitions per update.
        updates_per_episode: fixed quota of an episode, so that a run does not depend on load.
        warmup_episodes: labelled episodes of the prior before the first update.
        warmup_updates: updates owed when the warm-up ends.
        critic_only_updates: first updates that leave the actor alone.
        actor_period: critic updates per actor update.
        capacity: decisions kept.
        prior_share: share of every batch that is prior data (demonstrations, earlier runs), while
            there are any.
        feature_clip: bound of a normalised feature.
        weight_decay: decoupled decay of the critics' weights.

    Raises:
        ConfigError: a value out of range, by name.
    """

    critic: CriticForm = CriticForm.LATENT
    backup: Backup = Backup.HARD
    noise: NoiseForm = NoiseForm.FULL
    target_combine: Combine = Combine.MEAN
    actor_combine: Combine = Combine.PESSIMISTIC
    pessimism: float = 1.0
    reward: RewardForm = RewardForm.TERMINAL_SCORE
    success_threshold: float = 1.0
    binary: bool = False
    potential_weight: float = 0.1
    gamma: float = 0.97
    monte_carlo: float = 0.5
    hidden: tuple[int, ...] = (128, 128)
    ensemble: int = 5
    bootstrap: float = 1.0
    bounded: bool = True
    critic_lr: float = 5e-4
    actor_lr: float = 5e-4
    alpha_lr: float = 5e-3
    alpha_init: float = 0.02
    kl_budget: float = 12.0
    mean_bound: float = 2.0
    log_std_bound: float = 2.0
    noise_bound: float = 5.0
    tau: float = 0.01
    batch_size: int = 256
    updates_per_episode: int = 80
    warmup_episodes: int = 10
    warmup_updates: int = 200
    critic_only_updates: int = 100
    actor_period: int = 1
    capacity: int = 50_000
    prior_share: float = 0.5
    feature_clip: float = 5.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        for name in (
            "critic_lr",
            "actor_lr",
            "alpha_init",
            "kl_budget",
            "mean_bound",
            "log_std_bound",
        ):
            self._require(name, getattr(self, name) > 0, "above 0")
        for name in ("gamma", "tau", "success_threshold", "bootstrap"):
            self._require(name, 0 < getattr(self, name) <= 1, "in (0, 1]")
        for name in ("monte_carlo", "prior_share"):
            self._require(name, 0 <= getattr(self, name) <= 1, "in [0, 1]")
        for name in ("pessimism", "alpha_lr", "weight_decay", "potential_weight"):
            self._require(name, getattr(self, name) >= 0, "0 or more")
        for name in ("warmup_updates", "critic_only_updates", "updates_per_episode"):
            self._require(name, getattr(self, name) >= 0, "0 or more")
        for name in ("ensemble", "batch_size", "warmup_episodes", "actor_period", "capacity"):
            self._require(name, getattr(self, name) >= 1, "1 or more")
        self._require(
            "hidden", bool(self.hidden) and min(self.hidden) > 0, "one or more positive widths"
        )
        self._require("feature_clip", self.feature_clip >= 1, "1 or more")
        self._require("noise_bound", self.noise_bound >= 4, "4 or more, else the prior is cut")
        if self.reward is RewardForm.STEP_COST:
            self._require("gamma", self.gamma < 1, "below 1 for step_cost, whose sum is endless")

    def _require(self, name: str, fits: bool, allowed: str) -> None:
        if not fits:
            raise ConfigError(
                f"DsrlConfig.{name} is out of range", got=getattr(self, name), allowed=allowed
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> DsrlConfig:
        """Build from plain values (YAML, JSON, ROS parameters), with names and types checked.

        Raises:
            ConfigError: an unknown name, a wrong type or a value out of range.
        """
        known = {field.name: field for field in dataclasses.fields(cls)}
        checked: dict[str, object] = {}
        for name, value in values.items():
            if name not in known:
                raise ConfigError("unknown learner setting", got=name, allowed=sorted(known))
            checked[name] = _convert(name, value, known[name].default)
        return cls(**checked)  # type: ignore[arg-type]

    def to_mapping(self) -> dict[str, object]:
        """Plain values that ``from_mapping`` takes back."""
        values = dataclasses.asdict(self)
        return {
            name: list(value)
            if isinstance(value, tuple)
            else str(value)
            if isinstance(value, StrEnum)
            else value
            for name, value in values.items()
        }


def _convert(name: str, value: object, default: object) -> object:
    """``value`` as the type of ``default``; ConfigError if that would change its meaning."""
    what = f"learner setting '{name}' has the wrong type"
    if isinstance(default, StrEnum):
        kind = type(default)
        try:
            return kind(str(value))
        except ValueError:
            raise ConfigError(
                f"learner setting '{name}' is unknown", got=value, allowed=[str(k) for k in kind]
            ) from None
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ConfigError(what, got=value, allowed="true, false")
        return value
    if isinstance(default, tuple):
        if not isinstance(value, list | tuple) or not all(type(item) is int for item in value):
            raise ConfigError(what, got=value, allowed="a list of integers")
        return tuple(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(what, got=value, allowed="a finite number")
    if isinstance(default, int):
        if value != int(value):
            raise ConfigError(what, got=value, allowed="an integer")
        return int(value)
    return float(value)


def profile_dirs() -> list[Path]:
    """Where profiles may lie, nearest first: the checkout, then every installed share above us."""
    here = Path(__file__).resolve()
    checkout = here.parents[2] / "config" / "dsrl"
    shares = [p / "share" / "roboreward_ros" / "config" / "dsrl" for p in here.parents]
    return [folder for folder in (checkout, *shares) if folder.is_dir()]


def load_profile(name: str) -> DsrlConfig:
    """Load a profile by its name or by the path of a YAML file.

    Raises:
        ConfigError: no such profile, unreadable YAML, or a bad value.
    """
    given = Path(name)
    if given.suffix in {".yaml", ".yml"}:
        candidates = [given]
    else:
        candidates = [folder / f"{name}.yaml" for folder in profile_dirs()]
    for path in candidates:
        if path.is_file():
            try:
                values = yaml.safe_load(path.read_text())
            except yaml.YAMLError as error:
                raise ConfigError("learner profile is not YAML", got=f"{path}: {error}") from error
            if not isinstance(values, dict):
                raise ConfigError("learner profile is not a mapping", got=str(path))
            return DsrlConfig.from_mapping(values)
    available = sorted({p.stem for folder in profile_dirs() for p in folder.glob("*.yaml")})
    raise ConfigError("no such learner profile", got=name, allowed=available)
