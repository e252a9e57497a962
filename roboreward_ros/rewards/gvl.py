# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Generative Value Learning: how far each of a trajectory's frames is, asked in random order.

Zero-shot and dense. In order, models count upwards whatever they see; shuffled, they have to look.
The first frame stays first and is said to be the beginning.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.chat.endpoint import EndpointConfig
from roboreward_ros.rewards.config import config_hash
from roboreward_ros.rewards.frames import frames_hash
from roboreward_ros.rewards.printing import LocalPrinter, Printer, ServedPrinter
from roboreward_ros.rewards.vlm.clips import ClipConfig, decode
from roboreward_ros.rewards.vlm.parsers import OutOfRange, Unreadable
from roboreward_ros.rewards.vlm.prompt import checked_task
from roboreward_ros.rewards.vlm.settings import ModelConfig, Readout
from roboreward_ros.rewards.vlm.source import MIN_FRAMES
from roboreward_ros.rewards.vlm.verdict import printed
from roboreward_ros.types import (
    ImageU8,
    Provenance,
    RewardOutcome,
    RewardRequest,
    RewardSpec,
    Score,
    ScoreKind,
    ScoreScale,
)

_LOG = logging.getLogger(__name__)
_LINE = re.compile(
    r"[-*#\s]*frame\s*(\d+)[*\s]*:[*\s]*([-+]?\d+(?:\.\d+)?)\s*%[*\s]*\.?", re.IGNORECASE
)
_HINT = (
    "Download a model once, for example `hf download Qwen/Qwen3-VL-8B-Instruct --revision COMMIT "
    "--local-dir FOLDER`."
)


class Via(StrEnum):
    LOCAL = "local"  # weights in a child process
    API = "api"  # a served model


@dataclass(frozen=True, slots=True)
class GvlConfig(ModelConfig):
    """A model and how many frames it sees.

    Attributes:
        via: where the model is; ``model`` and the like are of a local one.
        endpoint: of a served one; ``max_tokens`` must suffice for a line a frame.
        frames: most frames of an episode, spread evenly, first and last included.
        readout: printed; there is nothing to score.
        max_new_tokens: of a local model's answer.
    """

    via: Via = Via.LOCAL
    endpoint: EndpointConfig = EndpointConfig(max_tokens=1024, timeout_s=120.0)  # noqa: RUF009
    frames: int = 16
    readout: Readout = Readout.PRINTED
    max_new_tokens: int = 512
    timeout_s: float = 120.0

    def __post_init__(self) -> None:
        ModelConfig.__post_init__(self)
        ClipConfig(frame_pixels=self.frame_pixels)
        if self.readout is not Readout.PRINTED:
            raise ConfigError(
                "percentages are printed", got=f"readout {self.readout}", allowed=Readout.PRINTED
            )
        if not MIN_FRAMES <= self.frames <= 256:
            raise ConfigError(
                "frames is out of range", got=self.frames, allowed=f"{MIN_FRAMES}..256"
            )


class GvlSource:
    """Progress 0..1 of every step, held between the frames shown (protocol ``RewardSource``)."""

    config_class = GvlConfig

    def __init__(self, config: GvlConfig | None = None) -> None:
        self._config = config or GvlConfig()
        served = self._config.via is Via.API
        self._spec = RewardSpec(
            "gvl",
            ScoreScale.UNIT,
            dense=True,
            needs_child_process=not served,
            timeout_s=self._config.endpoint.timeout_s if served else self._config.timeout_s,
        )
        wording = "".join(str(part) for part in _question("TASK", ["IMAGE"], "IMAGE"))
        digest = hashlib.sha256((config_hash(self._config) + wording).encode())
        self._identity = Provenance("gvl", config_hash=digest.hexdigest())
        self._printer: Printer | None = None

    @property
    def spec(self) -> RewardSpec:
        return self._spec

    def warm_up(self) -> None:
        """Load the weights, or check the endpoint; raises RewardSourceError with the remedy."""
        if self._printer is not None:
            return
        if self._config.via is Via.API:
            self._printer = ServedPrinter(self._config.endpoint)
        else:
            self._printer = LocalPrinter(self._config, _HINT)
        self._identity = dataclasses.replace(self._identity, model=self._printer.identity)
        _LOG.info("reward source gvl: %s", self._printer.identity)

    def score(self, request: RewardRequest) -> RewardOutcome:
        """Score one episode; raises RewardSourceError for one that cannot be looked at."""
        if self._printer is None:
            raise RewardSourceError("reward source 'gvl' is not warm", next_step="Call warm_up.")
        total = len(request.frames)
        if total < MIN_FRAMES:
            raise RewardSourceError(
                "the episode is too short to be judged",
                got=f"{total} frames",
                allowed=f">= {MIN_FRAMES}",
            )
        task = checked_task(request.task)
        count = min(self._config.frames, total)
        indices = np.linspace(0, total - 1, count).round().astype(int).tolist()
        pixels = decode(request.frames, indices, self._config.frame_pixels, self._printer.factor)
        order = shuffle(count - 1, request)
        shown = [pixels[1 + place] for place in order]
        text = self._printer.ask(_question(task, shown, pixels[0]))
        hashed = frames_hash([request.frames[index] for index in indices])
        provenance = dataclasses.replace(self._identity, frames_hash=hashed)
        found = read_percentages(text, count - 1)
        if isinstance(found, OutOfRange | Unreadable):
            return printed(text, found, self._spec.scale, provenance)
        progress = np.zeros(count)
        progress[1 + np.asarray(order)] = np.asarray(found) / 100
        per_step = np.zeros(total)
        for index, value in zip(indices, progress, strict=True):
            per_step[index:] = value
        return Score(
            float(progress[-1]),
            self._spec.scale,
            ScoreKind.NONE,
            provenance,
            text=text,
            per_step=tuple(per_step.tolist()),
        )

    def close(self) -> None:
        """Free the model or the connection; idempotent."""
        if self._printer is not None:
            self._printer.close()
        self._printer = None


def shuffle(count: int, request: RewardRequest) -> list[int]:
    """A permutation of ``count`` places that is the same whenever the episode is scored."""
    digest = hashlib.sha256(f"{request.episode_id}/{request.seed}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    return [int(place) for place in rng.permutation(count)]


def _question(
    task: str, shown: Sequence[str | ImageU8], first: str | ImageU8
) -> list[str | ImageU8]:
    begin = f"A robot works at this task: {task}\nThis is the beginning, where 0% is done:\n"
    then = (
        f"\nHere are {len(shown)} frames of what it did, in random order. Some may show less than "
        "others, also when they come later.\n"
    )
    parts: list[str | ImageU8] = [begin, first, then]
    for number, frame in enumerate(shown, 1):
        parts += [f"Frame {number}: ", frame, "\n"]
    parts.append(
        "How much of the task is done in each frame, in percent? Look at each frame by itself. "
        "Reply with a line for every frame, in the order shown, and nothing else:\n"
        "Frame <number>: <percent>%"
    )
    return parts


def read_percentages(text: str, count: int) -> tuple[float, ...] | OutOfRange | Unreadable:
    """``Frame 3: 40%`` for each of ``count`` frames, once, and nothing else."""
    values: dict[int, float] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        found = _LINE.fullmatch(line)
        if found is None:
            return Unreadable(f"a line is not 'Frame <number>: <percent>%': {line[:60]!r}")
        number, value = int(found.group(1)), float(found.group(2))
        if number in values:
            return Unreadable(f"frame {number} is given twice")
        if not 1 <= number <= count:
            return OutOfRange(f"frame {number}", f"frames 1..{count}")
        if not 0 <= value <= 100:
            return OutOfRange(found.group(2), "0..100 percent")
        values[number] = value
    if len(values) != count:
        return Unreadable(f"{len(values)} of {count} frames are given")
    return tuple(values[number] for number in range(1, count + 1))


def value_order_correlation(values: Sequence[float]) -> float:
    """Rank correlation of values with time, -1..1 (GVL's VOC); 0 where all values are equal.

    Any rising output has 1, also over a failure: a measure of order, not of being right.
    """
    if len(values) < MIN_FRAMES or len(set(values)) == 1:
        return 0.0
    x = np.asarray(values, dtype=np.float64)
    ranks = (x[:, None] > x).sum(axis=1) + ((x[:, None] == x).sum(axis=1) - 1) / 2
    return float(np.corrcoef(ranks, np.arange(len(x)))[0, 1])
