# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What consoles see of a session."""

from __future__ import annotations

from dataclasses import dataclass, field

from roboreward_ros.errors import ConfigError

TEXT_LIMIT = 300
"""Characters of a task or of a reason."""


@dataclass(frozen=True, slots=True)
class IdleAccount:
    """Seconds of a session by what the robot did or waited for."""

    motion_s: float = 0.0
    reset_s: float = 0.0
    reward_s: float = 0.0
    learner_s: float = 0.0
    operator_s: float = 0.0
    fault_s: float = 0.0

    def total_s(self) -> float:
        return (
            self.motion_s
            + self.reset_s
            + self.reward_s
            + self.learner_s
            + self.operator_s
            + self.fault_s
        )


@dataclass(frozen=True, slots=True)
class SessionView:
    """What every console sees; the session owns it.

    Attributes:
        phase: name of the state machine's state.
        message: one line for the operator: what is going on or what to do.
        allowed: verbs that are valid now.
        task: sentence of the present or next episode.
        episode_id: the episode that is laid out, armed or run; "" between episodes.
        last_episode_id: the last committed one, which labels are about when none is named.
        asked: committed episodes that wait for the operator's judgement.
        missing: what the session waits for before it can start.
        canary: the present episode runs with plain noise.
        index: of the present or next episode.
        max_steps: time limit of its task.
        claimed_successes: labels that say success.
        reward_source: in force, "" before there is one.
        last_reward: label of the last committed episode; None while it is unlabelled.
        policy_version: newest steering actor that the learner gave out.
        notice: alarm of another node, such as the learner's brakes; "" where all is well.
    """

    phase: str
    message: str
    allowed: tuple[str, ...]
    task: str
    episode_id: str
    step: int
    committed: int
    labelled: int
    abstained: int
    errors: int
    idle: IdleAccount = field(default_factory=IdleAccount)
    last_episode_id: str = ""
    asked: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    canary: bool = False
    index: int = 0
    max_steps: int = 0
    claimed_successes: int = 0
    reward_source: str = ""
    last_reward: float | None = None
    policy_version: int = 0
    notice: str = ""


@dataclass(frozen=True, slots=True)
class VerbRequest:
    """What a person asks of the session, with what stood on the screen when they did.

    The session refuses what has been overtaken: a key that was meant for one episode must not
    reach the next.

    Attributes:
        verb: one of ``SessionView.allowed``.
        text: label: the key; task: the sentence; discard: why.
        episode_id: the episode on the screen; "" for whichever is the present one.
        phase: the phase on the screen; "" for any.
        operator: who; "" for anybody.

    Raises:
        ConfigError: a text that is too long or that holds control characters.
    """

    verb: str
    text: str = ""
    episode_id: str = ""
    phase: str = ""
    operator: str = ""

    def __post_init__(self) -> None:
        limits = {"verb": 32, "text": TEXT_LIMIT, "episode_id": 64, "phase": 32, "operator": 64}
        for name, limit in limits.items():
            value: str = getattr(self, name)
            if len(value) > limit or not (value.isprintable() or value == ""):
                raise ConfigError(
                    f"the {name} of a request",
                    got=f"{len(value)} characters: {value[:40]!a}",
                    allowed=f"up to {limit} printable characters on one line",
                )


@dataclass(frozen=True, slots=True)
class VerbAnswer:
    """Attributes: message: one line for the operator; seq: place in the ledger, 0 for none."""

    message: str
    seq: int = 0
