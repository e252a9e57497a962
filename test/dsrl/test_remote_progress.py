# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run whose learner is elsewhere knows how far that one is, also for its report."""

import pytest
from fleet_toy import make, settle

from roboreward_ros.cli.run_files import LearnerProgress, learner_progress
from roboreward_ros.dsrl.learned import REMOTE, RemoteLearned, learned_episodes, read_remote
from roboreward_ros.types.codec import to_text


@pytest.mark.usefixtures("no_waiting")
def test_a_run_s_report_has_what_the_learner_elsewhere_said_last(stack, tmp_path):
    host, (a, b) = make(stack, tmp_path)
    for arm in (a, b, a):
        arm.episode()
    settle(host, a, b)
    steps = host.fleet._duty.follower.grad_steps
    assert steps > 0
    assert learner_progress(a.path) == LearnerProgress(2, steps)
    assert learner_progress(b.path) == LearnerProgress(1, steps)
    assert learned_episodes(a.path) == frozenset(), "no checkpoint there holds them yet"
    host.gone()


def test_a_note_of_an_older_version_or_none_is_no_obstacle(tmp_path):
    assert learner_progress(tmp_path) == LearnerProgress(0, 0)
    note = tmp_path / REMOTE
    note.parent.mkdir()
    note.write_text(to_text({"format": 1, "episodes": ["ep_000000"]}))
    assert read_remote(tmp_path) == RemoteLearned(("ep_000000",))
    note.write_text("torn")
    assert read_remote(tmp_path) == RemoteLearned()
