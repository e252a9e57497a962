# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the official error leaves out, against hand-made cases and scipy-free arithmetic."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from rows import one_hot, row

from roboreward_ros.errors import ConfigError
from roboreward_ros.evaluation.benchmark import official, progress, quality
from roboreward_ros.evaluation.benchmark.page import Disagreement, render
from roboreward_ros.evaluation.benchmark.result import judge, to_json


def test_confusion_keeps_every_row():
    rows = [row(1, 1, "1"), row(2, 1, "5"), row(3, 5, "?"), row(4, 2, "50"), row(5, 3, "2.6")]
    table = quality.confusion(rows)
    assert table[0] == [1, 0, 0, 0, 1, 0]
    assert table[4] == [0, 0, 0, 0, 0, 1]
    assert table[1][5] == 1
    assert table[2][2] == 1
    assert sum(map(sum, table)) == len(rows)


def test_within_one_counts_silence_as_wrong():
    assert quality.within_one([row(1, 3, "4"), row(2, 3, "5"), row(3, 3, "")]) == pytest.approx(
        1 / 3
    )


def test_false_positives_look_at_certain_failures_only():
    rows = [row(1, 1, "5"), row(2, 2, "4"), row(3, 3, "5"), row(4, 2, "?"), row(5, 1, "1")]
    rate, count = quality.false_positives(rows)
    assert (rate.value, count) == (0.25, 4)
    assert rate.low < 0.25 < rate.high


def test_the_auc_uses_the_distribution_where_there_is_one():
    near = row(1, 5, "4", probabilities=(0, 0, 0, 0.55, 0.45))
    far = row(2, 4, "4", probabilities=(0, 0, 0.3, 0.7, 0))
    assert quality.success_auc([near, far]) == 1.0
    assert quality.success_auc([row(1, 5, "4"), row(2, 4, "4")]) == 0.5
    assert math.isnan(quality.success_auc([row(1, 5, "4")]))


def test_calibration_of_a_confident_and_half_wrong_model():
    rows = [row(k, 1 + 4 * (k % 2), "1", probabilities=one_hot(1, 0.96)) for k in range(10)]
    found = quality.reliability(rows)
    assert found.ece == pytest.approx(0.46)
    assert found.bins == ((pytest.approx(0.96), 0.5, 10),)
    assert math.isnan(quality.reliability([row(1, 1, "1")]).ece)


def test_a_crossed_group_got_both_failure_and_success():
    rows = [
        row(1, 5, "5"), row(2, 5, "2", paraphrase_of="1"),
        row(3, 5, "5"), row(4, 5, "3", paraphrase_of="3"), row(5, 5, "1"),
    ]  # fmt: skip
    assert quality.score_crossing(rows) == (0.5, 2)


def test_intervals_are_wider_where_rows_share_videos():
    rng = np.random.default_rng(0)
    said = [1 if rng.random() < 0.5 else 5 for _ in range(20)]
    alone = [row(f"{k}.{j}", 5, said[k]) for k in range(20) for j in range(10)]
    shared = [
        row(f"{k}.{j}", 5, said[k], video_sha256=str(k)) for k in range(20) for j in range(10)
    ]
    narrow = quality.cluster_interval(alone, official.macro_mae, resamples=200)
    wide = quality.cluster_interval(shared, official.macro_mae, resamples=200)
    assert wide.value == narrow.value
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_progress_of_a_perfect_a_flat_and_a_backward_curve():
    perfect = progress.progress_quality([np.linspace(0, 1, 11)])
    assert (perfect.mae, perfect.voc, perfect.pairwise) == (0, pytest.approx(1), 1)
    assert perfect.accuracy[0.05] == 1
    flat = progress.progress_quality([[0.5] * 11])
    assert (flat.voc, flat.pairwise) == (0, 0.5)
    assert flat.rmse == pytest.approx(math.sqrt(np.mean((np.linspace(0, 1, 11) - 0.5) ** 2)))
    backward = progress.progress_quality([np.linspace(1, 0, 11)])
    assert (backward.voc, backward.pairwise) == (pytest.approx(-1), 0)
    with pytest.raises(ConfigError, match="not finite"):
        progress.progress_quality([[0.0, math.nan]])


def test_contrast_and_completion():
    assert progress.contrast_accuracy([1, -1, 0, 1], [1, 1, 1, 1]) == pytest.approx(0.625)
    found = progress.completion_quality([0.9, 0.2, 0.6, 0.4], [True, False, False, True])
    assert (found.accuracy, found.auc, found.n) == (0.5, 0.75, 4)


def test_the_document_names_what_is_promised_and_is_plain_json():
    rows = [row(1, 5, "ANSWER: 5"), row(2, 1, "?", subset="b")]
    document = json.loads(to_json(judge({"m": rows}, resamples=10)))
    for name in ("macro_mae", "mae_by_subset", "exact_match", "n", "unparsed", "mean_win_rate"):
        assert name in document
    assert document["macro_mae"] == 2.0
    assert document["mean_win_rate"] is None
    assert document["ece"] is None


def test_training_videos_are_taken_out_of_the_clean_error():
    rows = [row(1, 5, "5", video_sha256="a"), row(2, 5, "1", video_sha256="b")]
    result = judge({"m": rows}, trained_on={"a"}, resamples=10)[0]
    assert result.contamination is not None
    assert (result.contamination.rows, result.contamination.clean_macro_mae) == (1, 4.0)


def test_the_page_is_ordered_and_escapes_what_models_say():
    models = {
        "worse": [row(1, 5, "<script>alert(1)</script>"), row(2, 1, "1", subset="<b>")],
        "better": [row(1, 5, "5"), row(2, 1, "1", subset="<b>")],
    }
    results = judge(models, resamples=10)
    worst = [Disagreement("worse", models["worse"][0], 4.0, b"png")]
    page = render(results, worst, title="a & b", problems=["line <3>"], published=True)
    assert page.index("better") < page.index("worse")
    assert "<script>" not in page
    assert "<b></td>" not in page
    assert "not measured here" in page
