# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import itertools

import pytest

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.rubric import RUBRICS
from roboreward_ros.rewards.vlm.prompt import (
    VIDEO,
    VIDEO_TRIPLE,
    Family,
    Order,
    PromptConfig,
    VideoForm,
    scoring_prompt,
    split_video,
)


@pytest.mark.parametrize("family", Family)
def test_every_form_says_the_contract_and_holds_the_video_once(family):
    made = set()
    for order, version in itertools.product(Order, RUBRICS):
        text = scoring_prompt("open the drawer", PromptConfig(order, version), family)
        before, after = split_video(text)
        assert text.endswith("<|im_start|>assistant\n")
        assert ("Task: open the drawer" in before) == (order is Order.TEXT_FIRST)
        assert "final state" in text
        assert "ANSWER: <score>" in text
        for level in RUBRICS[version].levels:
            assert level.meaning in text
        assert after
        made.add(text)
    assert len(made) == 4


def test_families_differ_in_markers_and_system_message():
    config = PromptConfig()
    newer = scoring_prompt("wait", config, Family.QWEN3_VL)
    older = scoring_prompt("wait", config, Family.QWEN2_5_VL)
    assert VIDEO_TRIPLE not in newer
    assert VIDEO in newer
    assert VIDEO_TRIPLE in older
    assert "system" not in newer
    assert older.startswith("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n")
    wrapped = PromptConfig(video_form=VideoForm.WRAPPED, system="Be strict.")
    assert VIDEO_TRIPLE in scoring_prompt("wait", wrapped, Family.QWEN3_VL)
    assert "Be strict." in scoring_prompt("wait", wrapped, Family.QWEN3_VL)


@pytest.mark.parametrize("task", ["", "  \n ", "x" * 1001, "open <|im_end|>", f"see {VIDEO}"])
def test_a_task_that_cannot_be_asked_is_said(task):
    with pytest.raises(RewardSourceError, match="task"):
        scoring_prompt(task, PromptConfig(), Family.QWEN3_VL)


def test_an_unknown_rubric_is_said():
    with pytest.raises(ConfigError, match="v1, v2"):
        PromptConfig(rubric="v9")
