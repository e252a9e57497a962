# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest

from roboreward_ros.episodes.promoted import (
    Asked,
    asked_last,
    promote,
    promoted_path,
    read_changes,
    read_promoted,
)
from roboreward_ros.episodes.views import ViewConfig
from roboreward_ros.errors import FormatError
from roboreward_ros.types import ScoreScale


def test_nothing_is_promoted_in_a_new_run(tmp_path):
    assert read_promoted(tmp_path) is None


def test_earlier_sources_stay_as_fallbacks_newest_first(tmp_path):
    for name in ("ground_truth", "human", "roboreward", "human"):
        promote(tmp_path, name, ScoreScale.RUBRIC)
    expected = ViewConfig("human", ScoreScale.RUBRIC, ("roboreward", "ground_truth"))
    assert read_promoted(tmp_path) == expected


def test_the_scale_is_that_of_the_source(tmp_path):
    promote(tmp_path, "ground_truth", ScoreScale.RUBRIC)
    assert promote(tmp_path, "progress", ScoreScale.UNIT).scale is ScoreScale.UNIT


def test_promoting_the_same_source_again_writes_nothing(tmp_path):
    promote(tmp_path, "human", ScoreScale.RUBRIC)
    before = promoted_path(tmp_path).stat().st_mtime_ns
    promote(tmp_path, "human", ScoreScale.RUBRIC)
    assert promoted_path(tmp_path).stat().st_mtime_ns == before


def test_a_newer_format_is_refused_by_name(tmp_path):
    promote(tmp_path, "human", ScoreScale.RUBRIC)
    path = promoted_path(tmp_path)
    path.write_text(
        path.read_text().replace('"format": 1', '"format": 9').replace('"format":1', '"format":9')
    )
    with pytest.raises(FormatError, match="newer version"):
        read_promoted(tmp_path)


def test_what_a_launch_was_asked_for_is_found_by_that_launch_only(tmp_path):
    asked = Asked("package:Source", '{"value": 1}', "17-4")
    promote(tmp_path, "human", ScoreScale.RUBRIC)
    assert asked_last(tmp_path, "17-4") is None
    promote(tmp_path, "Source", ScoreScale.RUBRIC, "swap", 5, asked)
    promote(tmp_path, "Source", ScoreScale.RUBRIC, "start")
    assert asked_last(tmp_path, "17-4") == asked
    assert asked_last(tmp_path, "17-5") is None
    assert asked_last(tmp_path, "") is None
    other = dataclasses.replace(asked, options="")
    promote(tmp_path, "Source", ScoreScale.RUBRIC, "swap", 6, other)
    assert asked_last(tmp_path, "17-4") == other
    assert [change.why for change in read_changes(tmp_path)] == ["", "swap", "swap"]
