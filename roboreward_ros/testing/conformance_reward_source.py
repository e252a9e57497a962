# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every RewardSource must do. Subclass ``RewardSourceConformance``, give it ``source``."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator

import numpy as np
import pytest

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.protocols import RewardSource
from roboreward_ros.rewards.guard import checked
from roboreward_ros.types import (
    Abstain,
    GroundTruth,
    RewardFailure,
    RewardOutcome,
    RewardRequest,
    Score,
    ScoreKind,
)


def jpeg(level: int, size: int = 32) -> bytes:
    """A small JPEG of one brightness."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), level, dtype=np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def make_request(
    source: RewardSource, episode_id: str = "ep_000000", score: int = 3, steps: int = 4
) -> RewardRequest:
    """An episode of ``steps`` steps that ends at rubric level ``score``."""
    truth = [
        GroundTruth(progress=(score - 1) / 4 * k / steps, success=False, score=1, stage="reach")
        for k in range(steps)
    ]
    truth.append(GroundTruth((score - 1) / 4, score == 5, score, "place"))
    return RewardRequest(
        episode_id=episode_id,
        task="open the drawer",
        frames=[jpeg(40 * k) for k in range(steps + 1)],
        stamps_ns=[200_000_000 * k for k in range(steps + 1)],
        control_hz=5.0,
        truth=truth if source.spec.needs_truth else None,
        seed=7,
    )


def without_latency(outcome: RewardOutcome) -> RewardOutcome:
    return dataclasses.replace(outcome, latency_s=0.0)


class RewardSourceConformance:
    """Tests over one source."""

    @pytest.fixture
    def source(self) -> RewardSource:
        raise NotImplementedError("give the suite a source")

    @pytest.fixture
    def warm(self, source: RewardSource) -> Iterator[RewardSource]:
        source.warm_up()
        yield source
        source.close()

    def test_spec_is_consistent_before_and_after_warming(self, source: RewardSource) -> None:
        before = source.spec
        source.warm_up()
        assert source.spec == before
        assert before.name
        assert before.timeout_s > 0
        assert not (before.needs_truth and before.needs_child_process), "a model sees no truth"
        source.close()

    def test_answers_are_outcomes_that_the_spec_allows(self, warm: RewardSource) -> None:
        for level in range(1, 6):
            request = make_request(warm, score=level)
            outcome = warm.score(request)
            assert isinstance(outcome, Score | Abstain | RewardFailure)
            assert checked(outcome, warm.spec, request) == outcome

    def test_provenance_names_source_and_configuration(self, warm: RewardSource) -> None:
        outcome = warm.score(make_request(warm))
        assert outcome.provenance.source == warm.spec.name
        if isinstance(outcome, Score):
            assert len(outcome.provenance.config_hash) == 64

    def test_masses_exist_only_where_the_kind_says_so(self, warm: RewardSource) -> None:
        outcome = warm.score(make_request(warm))
        if isinstance(outcome, Score):
            assert (outcome.kind is ScoreKind.NONE) == (not outcome.probabilities)

    def test_same_request_gives_the_same_answer(self, warm: RewardSource) -> None:
        request = make_request(warm)
        first, again = warm.score(request), warm.score(request)
        assert without_latency(first) == without_latency(again)

    def test_answer_does_not_depend_on_what_was_asked_before(self, warm: RewardSource) -> None:
        request = make_request(warm, "ep_000001", score=4)
        first = warm.score(request)
        warm.score(make_request(warm, "ep_000002", score=1))
        assert without_latency(warm.score(request)) == without_latency(first)

    def test_dense_sources_score_every_frame(self, warm: RewardSource) -> None:
        request = make_request(warm, steps=6)
        outcome = warm.score(request)
        if isinstance(outcome, Score):
            assert len(outcome.per_step) == (7 if warm.spec.dense else 0)

    def test_a_source_that_needs_truth_refuses_to_guess(self, warm: RewardSource) -> None:
        if not warm.spec.needs_truth:
            return
        for truth in (None, ()):
            request = dataclasses.replace(make_request(warm), truth=truth)
            try:
                answer: RewardOutcome | RewardSourceError = warm.score(request)
            except RewardSourceError as error:
                answer = error
            refused = isinstance(answer, RewardSourceError) and "ground truth" in str(answer)
            assert refused or isinstance(answer, Abstain)

    def test_close_is_idempotent(self, source: RewardSource) -> None:
        source.warm_up()
        source.close()
        source.close()
