# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A policy of another framework through ``policy:=`` and the whole stack."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from roboreward_ros.cli.domain import free_domain
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.policies.loading import load_any_policy
from roboreward_ros.testing.stored_layout import load_layout, write_lerobot

LAYOUT = Path(__file__).parents[1] / "policies" / "layouts" / "lerobot_diffusion.json"
TASK = "open the drawer"

pytestmark = [pytest.mark.launch, pytest.mark.slow, pytest.mark.ros, pytest.mark.timeout(700)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_lerobot(load_layout(LAYOUT), tmp_path / "policy")
    (tmp_path / "policy" / "roboreward.yaml").write_text(f"tasks: [{TASK}]\n")
    return tmp_path / "policy"


def launch(folder: Path, run_dir: Path, *more: str) -> subprocess.CompletedProcess[str]:
    words = ["sim:=true", "speed:=max", "console:=false", f"run_dir:={run_dir}"]
    words += [f"policy:={folder}", "reward:=ground_truth", "episodes:=1", "max_steps:=10", *more]
    command = [sys.executable, "-m", "roboreward_ros.cli.main", "launch", "dsrl_widowx", *words]
    with free_domain() as domain:
        return subprocess.run(
            command,
            env={**os.environ, **domain},
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=600,
        )


def test_a_lerobot_policy_drives_an_episode_that_can_be_decoded_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    done = launch(folder, tmp_path / "run", f"task:={TASK}")
    assert done.returncode == 0, done.stdout[-4000:]
    (episode,) = EpisodeStore(tmp_path / "run")
    policy = load_any_policy(folder)
    summary = episode.summary
    assert summary.complete
    assert summary.n_steps == 10
    assert summary.meta.policy_id == policy.spec.policy_id
    *chunks, closing = episode.chunks()
    assert [chunk.step for chunk in chunks] == [0, 4, 8]
    assert (closing.step, closing.executed) == (10, 0)
    features = np.stack([chunk.features for chunk in chunks])
    assert features.shape == (3, policy.spec.feature_dim)
    again = policy.decode(features, np.stack([chunk.noise for chunk in chunks]))
    made = np.stack([chunk.actions for chunk in chunks])
    np.testing.assert_allclose(made, again, rtol=1e-5, atol=1e-6)
    # Two observations a decision: both halves of the state are the same at an episode's start only.
    state = features[:, : policy.spec.feature_dim // 2], features[:, policy.spec.feature_dim // 2 :]
    same = [bool(np.array_equal(older, newer)) for older, newer in zip(*state, strict=True)]
    assert same == [True, False, False]


def test_a_task_that_the_card_does_not_name_is_refused_before_the_start(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    done = launch(folder, tmp_path / "run", "task:=put the mushroom on the cloth")
    assert done.returncode == 2
    assert "its card names open the drawer" in done.stdout
    assert not (tmp_path / "run" / "episodes").exists()
