# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RoboReward's question to any OpenAI-compatible endpoint: vLLM, SGLang, hosted models."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from dataclasses import dataclass

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.chat.asking import Conversation
from roboreward_ros.rewards.chat.endpoint import EndpointConfig
from roboreward_ros.rewards.chat.media import video_parts
from roboreward_ros.rewards.chat.reply import distribution
from roboreward_ros.rewards.config import config_hash
from roboreward_ros.rewards.frames import frames_hash
from roboreward_ros.rewards.rubric import rubric
from roboreward_ros.rewards.vlm.answers import Estimate
from roboreward_ros.rewards.vlm.clips import Clip, ClipConfig, Sampling, decode, select
from roboreward_ros.rewards.vlm.parsers import Parsed, read_rubric
from roboreward_ros.rewards.vlm.prompt import ANSWER_PREFIX, Order, checked_task, question
from roboreward_ros.rewards.vlm.source import MIN_FRAMES
from roboreward_ros.rewards.vlm.verdict import judge, printed
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    Provenance,
    RewardOutcome,
    RewardRequest,
    RewardSpec,
    ScoreKind,
    ScoreScale,
)
from roboreward_ros.types.codec import JsonObject, JsonValue

_LOG = logging.getLogger(__name__)
_ANSWERS = {str(level): float(level) for level in range(1, 6)}
_PREFILLED_TOKENS = 2  # a blank may come before the digit


@dataclass(frozen=True, slots=True)
class ApiConfig(EndpointConfig):
    """An endpoint and how it is asked; frames and limits as of a local ``roboreward``.

    Attributes:
        sampling, fps, min_frames, max_frames, frame_pixels: see ``clips.ClipConfig``.
        frame_factor: multiple that height and width of a frame are brought to, pixels: 32 for
            Qwen3-VL, 28 for Qwen2.5-VL, so that the server has nothing to resize.
        order, rubric: see ``prompt.PromptConfig``.
        system: system message; "" for none.
        estimate, max_entropy, max_off_answer_mass: see ``settings.ModelConfig``; they hold where
            there is a distribution.
    """

    sampling: Sampling = Sampling.UNIFORM_N
    fps: float = 2.0
    min_frames: int = 4
    max_frames: int = 32
    frame_pixels: int = 65_536
    frame_factor: int = 32
    order: Order = Order.TEXT_FIRST
    rubric: str = "v2"
    system: str = ""
    estimate: Estimate = Estimate.ARGMAX
    max_entropy: float = 1.3
    max_off_answer_mass: float = 0.2

    def __post_init__(self) -> None:
        EndpointConfig.__post_init__(self)
        self.clip_config()
        rubric(self.rubric)
        if not 1 <= self.frame_factor <= 256:
            raise ConfigError(
                "frame_factor is out of range", got=self.frame_factor, allowed="1..256"
            )
        if self.prefill and not self.logprobs:
            raise ConfigError(
                "prefill without logprobs gives less than a printed answer",
                allowed="both, logprobs alone, or neither",
            )

    def clip_config(self) -> ClipConfig:
        return ClipConfig(
            self.sampling, self.fps, self.min_frames, self.max_frames, self.frame_pixels
        )


class ApiSource:
    """Scores 1..5 by a served model (protocol ``RewardSource``).

    With ``logprobs`` the score is the distribution over the five answers, as of a local model;
    otherwise the printed answer, parsed strictly. Holds no weights, so it runs in process; what
    hangs is bounded by its own deadline.
    """

    config_class = ApiConfig

    def __init__(self, config: ApiConfig | None = None) -> None:
        self._config = config or ApiConfig()
        self._spec = RewardSpec("api", ScoreScale.RUBRIC, timeout_s=self._config.timeout_s)
        digest = hashlib.sha256(
            (config_hash(self._config) + question("TASK", self._config.rubric)).encode()
        )
        self._identity = Provenance("api", config_hash=digest.hexdigest())
        self._talk: Conversation | None = None

    @property
    def spec(self) -> RewardSpec:
        return self._spec

    def warm_up(self) -> None:
        """Check the endpoint, its token and its model.

        Raises:
            RewardSourceError: with the remedy.
        """
        if self._talk is not None:
            return
        talk = Conversation(self._config)
        try:
            talk.check()
        except BaseException:
            talk.close()
            raise
        self._talk = talk
        self._identity = dataclasses.replace(self._identity, model=talk.identity)
        _LOG.info("reward source api: %s", talk.identity)

    def diagnostics(self) -> dict[str, str]:
        """What an operator wants to know: requests, tokens and cost so far."""
        return {"endpoint": self._talk.meter.line()} if self._talk else {}

    def score(self, request: RewardRequest) -> RewardOutcome:
        """Score one episode.

        Raises:
            RewardSourceError: it cannot be looked at, or the endpoint did not answer in time.
        """
        if self._talk is None:
            raise RewardSourceError("reward source 'api' is not warm", next_step="Call warm_up.")
        if len(request.frames) < MIN_FRAMES:
            raise RewardSourceError(
                "the episode is too short to be judged",
                got=f"{len(request.frames)} frames",
                allowed=f">= {MIN_FRAMES}",
            )
        config = self._config
        text: JsonObject = {
            "type": "text",
            "text": question(checked_task(request.task), config.rubric),
        }
        selection = select(len(request.frames), request.control_hz, config.clip_config())
        pixels = decode(request.frames, selection.indices, config.frame_pixels, config.frame_factor)
        clip = Clip(pixels, selection.times_s, selection.seconds_per_frame)
        video, fields = video_parts(clip, config, request.control_hz)
        first: list[JsonValue] = [text]
        parts = first + video if config.order is Order.TEXT_FIRST else video + first
        seen = [request.frames[index] for index in selection.indices]
        provenance = dataclasses.replace(self._identity, frames_hash=frames_hash(seen))
        return self._outcome(self._talk, parts, fields, provenance)

    def _outcome(
        self,
        talk: Conversation,
        parts: list[JsonValue],
        fields: JsonObject,
        provenance: Provenance,
    ) -> RewardOutcome:
        config = self._config
        reply = talk.ask(
            parts,
            system=config.system,
            lead=ANSWER_PREFIX if config.prefill else "",
            max_tokens=_PREFILLED_TOKENS if config.prefill else config.max_tokens,
            logprobs=config.logprobs,
            fields=fields,
        )
        if not config.logprobs:
            reading = read_rubric(reply.text)
            return printed(reply.text, reading, self._spec.scale, provenance)
        if not reply.positions:
            raise RewardSourceError(
                f"{config.host} returned no token probabilities",
                next_step="Set logprobs: false (and prefill: false); the answer is parsed then.",
            )
        if not config.prefill:  # what is printed must be an answer, and nothing but one
            reading = read_rubric(reply.text)
            if not isinstance(reading, Parsed):
                return printed(reply.text, reading, self._spec.scale, provenance)
        lead = "" if config.prefill else ANSWER_PREFIX
        answer = distribution(reply.positions, _ANSWERS, lead)
        if answer is None:
            return Abstain(
                AbstainReason.OFF_ANSWER_MASS,
                provenance,
                "none of the likeliest tokens is an answer",
                text=reply.text,
            )
        return judge(
            answer, config, self._spec.scale, ScoreKind.TOKENS, provenance, text=reply.text
        )

    def close(self) -> None:
        """Close the connections; idempotent."""
        if self._talk is not None:
            self._talk.close()
        self._talk = None
