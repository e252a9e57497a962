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
from roboreward_ros.files import config_folders, read_yaml


class CriticForm(StrEnum):
    """Whose value the critic learns, and by that the algorithm."""

    LATENT = "latent"  # Q(s, w): DSRL-SAC, the policy is part of the environment
    ALIASED = "aliased"  # Q_A(s, a) and Q_W(s, w) distilled from it: DSRL-NA
    EDITED = "edited"  # Q(s, a) chooses among chunks of the policy and small edits of them


class ActorForm(StrEnum):
    """How the actor's output becomes a latent."""

    RESIDUAL = "residual"  # w = mu(s) + sigma(s) w0: N(0, I) at the start, priced by KL to it
    SQUASHED = "squashed"  # w = m tanh(mu(s) + sigma(s) w0), priced by its entropy: the paper's


class Acting(StrEnum):
    """Who chooses the latent of a decision."""

    ACTOR = "actor"
    BEST_OF_PRIOR = "best_of_prior"  # the best of N prior draws by the latent critic; no actor


class Backup(StrEnum):
    """What the target adds for the price of the latent (KL or log density, ``ActorForm``)."""

    HARD = "hard"  # nothing: values stay in the units of the reward
    SOFT = "soft"  # - alpha * price, SAC eq. 3
    CAPPED = "capped"  # - min(alpha, alpha_cap) * price: no loop of bonus, value and temperature


class NoiseForm(StrEnum):
    """How the actor parameterises the noise of a chunk (``dsrl.noise_forms``)."""

    FULL = "full"  # one independent latent per action and dimension, [P, 7]
    REPEAT = "repeat"  # one latent [7] for all actions of the chunk
    BASIS = "basis"  # the first K rows of a DCT along the chunk, [K, 7]; the rest stays prior


class Combine(StrEnum):
    """How the members of the critic's ensemble become one value."""

    MIN = "min"
    MEAN = "mean"
    PESSIMISTIC = "pessimistic"  # mean - pessimism * standard deviation
    SUBSET = "subset"  # min of a random few, drawn anew in every update (REDQ, 2101.05982)


class Activation(StrEnum):
    """Between the layers of every network, behind a LayerNorm."""

    SILU = "silu"
    TANH = "tanh"
    RELU = "relu"


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
        alpha_cap: largest temperature in a ``capped`` target.
        actor: form of the actor.
        acting: the actor, or the best of ``candidates`` prior draws.
        candidates: latents to choose from (``best_of_prior``, ``edited``).
        noise: form of the actor's noise.
        basis: K of ``NoiseForm.BASIS``.
        target_combine: ensemble -> target value.
        actor_combine: ensemble -> value that the actor climbs.
        subset: members of ``Combine.SUBSET``.
        pessimism: weight of the ensemble's standard deviation in ``pessimistic``.
        reward: label -> reward.
        success_threshold: normalised score in (0, 1] from which an episode is a success
            (``step_cost``), or, if ``binary``, from which a terminal score counts as 1.
        binary: pay 1 or 0 by ``success_threshold`` instead of the graded score.
        potential_weight: kappa of the potential ``Phi``.
        chunk_cost: cost of a chunk in ``step_cost``; the sum over its C steps is C.
        time_limit_ends: treat the time limit as a terminal in ``step_cost`` too. Off: running out
            of time is no fact about the state, so the target bootstraps through it.
        gamma: discount; below 1 it prefers early success.
        gamma_steps: exponent of ``gamma`` per chunk: 1 discounts a chunk once, C its every step.
        monte_carlo: weight of the known return to go in the target; a label arrives once in
            twelve decisions, and bootstrapping alone needs far more episodes to carry it back.
        hidden: widths of the hidden layers of actor and critics.
        activation: of their layers.
        time_input: give the networks the share of time that is left; a terminal score needs it.
        ensemble: number of critics.
        bootstrap: probability that a critic learns from an episode. Below 1 the critics' spread
            also shows what a single label decided, so that pessimism keeps the actor from
            climbing on labels that happen to be wrong.
        bounded: critics end in a sigmoid over the range of possible values and learn by cross
            entropy; else they are linear and learn by squared error.
        clip_targets: keep targets in that range.
        critic_lr: step size of the critics.
        actor_lr: step size of the actor; smaller lets the critic settle.
        alpha_lr: step size of the temperature; 0 keeps it at ``alpha_init``.
        alpha_init: price of one nat of divergence from the prior, in units of return.
        kl_budget: nats that the actor may leave N(0, I), averaged over states, whole chunk.
        target_entropy: nats that a ``squashed`` actor keeps, whole chunk.
        magnitude: m, largest latent of a ``squashed`` actor.
        magnitude_in_entropy: count log m in its entropy; else it is that of w / m.
        magnitude_ignored: act with m = 1 whatever ``magnitude`` says.
        distil_every: steps of the action critic between two distillations (``aliased``).
        distil_updates: steps of the latent critic in one.
        distil_actor_share: share of its latents that the present actor draws, the rest is prior.
            Without them the latent critic is unknown where the actor lives.
        edit_bound: largest edit of an action, in spreads of the executed actions (``edited``).
        mean_bound: largest shift of a latent's mean; inside the prior's bulk.
        log_std_bound: largest |log sigma| of a latent.
        noise_bound: last clip of |w|; never active for the prior in practice (5 sigma).
        tau: Polyak rate of the target critics.
        batch_size: transitions per update.
        updates_per_episode: fixed quota of an episode, so that a run does not depend on load.
        updates_per_decision: quota by the episode's decisions instead, if above 0.
        warmup_episodes: labelled episodes of the prior before the first update.
        warmup_updates: updates owed when the warm-up ends.
        clone_updates: steps of imitation when the warm-up ends, and a tenth of them at every
            later correction, where demonstrations or corrections with known latents are there
            (``residual`` actors only; ``dsrl.cloning``).
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
    alpha_cap: float = 0.3
    actor: ActorForm = ActorForm.RESIDUAL
    acting: Acting = Acting.ACTOR
    candidates: int = 8
    noise: NoiseForm = NoiseForm.FULL
    basis: int = 2
    target_combine: Combine = Combine.MEAN
    actor_combine: Combine = Combine.PESSIMISTIC
    subset: int = 2
    pessimism: float = 1.0
    reward: RewardForm = RewardForm.TERMINAL_SCORE
    success_threshold: float = 1.0
    binary: bool = False
    potential_weight: float = 0.1
    chunk_cost: float = 1.0
    time_limit_ends: bool = False
    gamma: float = 0.97
    gamma_steps: int = 1
    monte_carlo: float = 0.5
    hidden: tuple[int, ...] = (128, 128)
    activation: Activation = Activation.SILU
    time_input: bool = True
    ensemble: int = 5
    bootstrap: float = 1.0
    bounded: bool = True
    clip_targets: bool = True
    critic_lr: float = 5e-4
    actor_lr: float = 5e-4
    alpha_lr: float = 5e-3
    alpha_init: float = 0.02
    kl_budget: float = 12.0
    target_entropy: float = 0.0
    magnitude: float = 1.0
    magnitude_in_entropy: bool = True
    magnitude_ignored: bool = False
    distil_every: int = 2
    distil_updates: int = 1
    distil_actor_share: float = 0.5
    edit_bound: float = 0.5
    mean_bound: float = 2.0
    log_std_bound: float = 2.0
    noise_bound: float = 5.0
    tau: float = 0.01
    batch_size: int = 256
    updates_per_episode: int = 80
    updates_per_decision: float = 0.0
    warmup_episodes: int = 10
    warmup_updates: int = 200
    clone_updates: int = 0
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
            "magnitude",
            "chunk_cost",
            "alpha_cap",
            "edit_bound",
        ):
            self._require(name, getattr(self, name) > 0, "above 0")
        for name in ("gamma", "tau", "success_threshold", "bootstrap"):
            self._require(name, 0 < getattr(self, name) <= 1, "in (0, 1]")
        for name in ("monte_carlo", "prior_share", "distil_actor_share"):
            self._require(name, 0 <= getattr(self, name) <= 1, "in [0, 1]")
        for name in (
            "pessimism", "alpha_lr", "weight_decay", "potential_weight", "warmup_updates",
            "critic_only_updates", "updates_per_episode", "updates_per_decision", "clone_updates",
        ):  # fmt: skip
            self._require(name, getattr(self, name) >= 0, "0 or more")
        for name in (
            "ensemble", "batch_size", "warmup_episodes", "actor_period", "capacity", "subset",
            "candidates", "basis", "gamma_steps", "distil_every", "distil_updates",
        ):  # fmt: skip
            self._require(name, getattr(self, name) >= 1, "1 or more")
        if Combine.SUBSET in (self.target_combine, self.actor_combine):
            self._require("subset", self.subset <= self.ensemble, "at most ensemble")
        self._require(
            "hidden", bool(self.hidden) and min(self.hidden) > 0, "one or more positive widths"
        )
        self._require("feature_clip", self.feature_clip >= 1, "1 or more")
        self._require("noise_bound", self.noise_bound >= 4, "4 or more, else the prior is cut")
        if self.reward is RewardForm.STEP_COST:
            self._require("gamma", self.gamma < 1, "below 1 for step_cost, whose sum is endless")
        if self.clone_updates > 0:
            self._require("actor", self.actor is ActorForm.RESIDUAL, "residual for clone_updates")
        if self.bounded:
            self._require("clip_targets", self.clip_targets, "true with bounded critics")
        if self.acting is Acting.BEST_OF_PRIOR:
            self._require("critic", self.critic is not CriticForm.EDITED, "latent or aliased here")

    @property
    def goes_on(self) -> bool:
        """Whether targets bootstrap through an end that is no fact about the task."""
        return self.reward in (RewardForm.STEP_COST, RewardForm.PROGRESS)

    @property
    def needs_dense(self) -> bool:
        """Whether rewards are made of values per step, which an episodic source does not give."""
        return self.reward in (RewardForm.PROGRESS, RewardForm.POTENTIAL)

    @property
    def chunk_gamma(self) -> float:
        """Discount from a decision to the next."""
        return float(self.gamma**self.gamma_steps)

    @property
    def starts_as_prior(self) -> bool:
        """Whether the first actor draws N(0, I) exactly: the warm-up is then the base policy's.

        ``full`` and ``basis`` do (``dsrl.noise_forms``), ``repeat`` does not, nor does a
        ``squashed`` actor over a latent critic, whose warm-up is cut at its bound because the
        critic must not learn from latents that the actor cannot give.
        """
        cut = self.actor is ActorForm.SQUASHED and self.critic is CriticForm.LATENT
        return self.noise is not NoiseForm.REPEAT and not cut

    @property
    def latent_bound(self) -> float:
        """Largest latent that may run; cuts the prior of a ``squashed`` actor too."""
        if self.actor is ActorForm.RESIDUAL:
            return self.noise_bound
        return 1.0 if self.magnitude_ignored else self.magnitude

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
    return config_folders("dsrl")


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
                values = read_yaml(path)
            except yaml.YAMLError as error:
                raise ConfigError("learner profile is not YAML", got=f"{path}: {error}") from error
            if not isinstance(values, dict):
                raise ConfigError("learner profile is not a mapping", got=str(path))
            return DsrlConfig.from_mapping(values)
    available = sorted({p.stem for folder in profile_dirs() for p in folder.glob("*.yaml")})
    raise ConfigError("no such learner profile", got=name, allowed=available)
