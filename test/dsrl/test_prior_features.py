# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A learner that starts anew does not encode a demonstration that an earlier start has encoded."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from test_prior_data import POLICY, SMALL, SPEC, record

from roboreward_ros.dsrl.follow import RunFollower
from roboreward_ros.dsrl.pieces import whole
from roboreward_ros.dsrl.prior_data import prior_episodes
from roboreward_ros.dsrl.prior_features import PriorFeatures
from roboreward_ros.policies.inversion import Inversion

NAME = "prior_demos_ep_000000"


class Counting:
    """The policy, counting the observations that it encodes; of another identity where asked."""

    def __init__(self, policy_id: str = SPEC.policy_id) -> None:
        self.spec = replace(SPEC, policy_id=policy_id)
        self.encoded = 0

    def encode(self, images, proprio, tasks):
        self.encoded += len(images)
        return POLICY.encode(images, proprio, tasks)

    def __getattr__(self, name: str):
        return getattr(POLICY, name)


@pytest.fixture(autouse=True)
def found_at_once(monkeypatch):
    """Inverting the sampler takes most of a start's time and has its own tests."""

    def exact(policy, features, chunks):
        return Inversion(np.zeros_like(chunks), *np.zeros((2, len(chunks)), dtype=np.float32))

    monkeypatch.setattr("roboreward_ros.dsrl.pieces.invert", exact)


@pytest.fixture
def folders(tmp_path: Path):
    record(tmp_path / "demos")
    return tmp_path / "demos", tmp_path / "run"


def start(folders, policy: Counting | None = None, **limits):
    """What a fresh learner takes: how many observations were encoded, and their features."""
    demos, run = folders
    policy = policy or Counting()
    kept = PriorFeatures(run, policy.spec, **limits)
    (episode,) = map(whole, prior_episodes(demos, policy, kept=kept))
    assert episode is not None
    return policy.encoded, np.stack([chunk.features for chunk in episode.chunks()])


def path_of(folders) -> Path:
    return folders[1] / "features" / f"{NAME}.safetensors"


def test_the_second_start_encodes_nothing_and_has_the_same_features(folders):
    first, features = start(folders)
    assert first == 4
    again, kept = start(folders)
    assert again == 0
    np.testing.assert_array_equal(kept, features)


def test_a_fresh_learner_of_the_run_encodes_no_demonstration_again(folders):
    demos, run = folders
    record(run, own=True)
    counts = []
    for _ in range(2):  # the first one dies before it was saved
        policy = Counting()
        kept = PriorFeatures(run, policy.spec)
        jobs = lambda policy=policy, kept=kept: prior_episodes(demos, policy, kept=kept)  # noqa: E731
        follower = RunFollower(run, SMALL, policy=POLICY, prior=jobs)
        while follower.advance():
            pass
        counts.append((policy.encoded, follower.grad_steps))
    assert counts == [(4, 4), (0, 4)]


def test_another_policy_encodes_anew_and_takes_the_place(folders, caplog):
    start(folders)
    assert start(folders, Counting("another"))[0] == 4
    assert "of another recording or policy: policy_id" in caplog.text
    caplog.clear()
    assert start(folders, Counting("another"))[0] == 0
    assert not caplog.text


def spoil(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "cut":
        path.write_bytes(data[:-5])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "bit":
        place = data.rindex(load_file(path)["features"].tobytes()) + 6
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    elif how == "long":
        path.write_bytes(data + bytes(1 << 20))
    else:
        from safetensors import safe_open

        with safe_open(path, framework="numpy") as file:
            said = file.metadata()
        tensors = load_file(path)
        if how == "shape":
            tensors["features"] = tensors["features"][:, 1:].copy()
        elif how == "dtype":
            tensors["features"] = tensors["features"].astype(np.float16)
        elif how == "steps":
            tensors["steps"] = tensors["steps"] + 1
        elif how == "nan":
            tensors["features"][0, 0] = np.nan
        elif how == "recording":
            said["recording"] = "another"
        elif how == "nothing":
            said = {}
        save_file(tensors, path, said)


@pytest.mark.parametrize(
    "how",
    ["cut", "empty", "bit", "long", "shape", "dtype", "steps", "nan", "recording", "nothing"],
)
def test_a_file_that_does_not_fit_is_said_once_and_made_anew(folders, caplog, how):
    _, features = start(folders)
    spoil(path_of(folders), how)
    count, made = start(folders)
    assert count == 4
    np.testing.assert_array_equal(made, features)
    assert caplog.text.count(f"the features of {NAME} are encoded again: ") == 1
    caplog.clear()
    assert start(folders)[0] == 0
    assert not caplog.text


class Killed(BaseException):
    """The process ends here."""


def test_a_kill_between_write_and_rename_leaves_no_file_that_counts(folders, monkeypatch):
    def dies(*_):
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(Path, "replace", dies)
        with pytest.raises(Killed):
            start(folders)
    assert not path_of(folders).exists()
    assert list(path_of(folders).parent.iterdir()), "it died before the file was written"
    assert start(folders)[0] == 4
    assert start(folders)[0] == 0
    assert [it.name for it in path_of(folders).parent.iterdir()] == [path_of(folders).name]


def test_a_full_disk_costs_the_next_start_its_time_only(folders, monkeypatch, caplog):
    def refuses(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("roboreward_ros.dsrl.prior_features.write_atomic", refuses)
        assert start(folders)[0] == 4
    assert f"the features of {NAME} are not on disk" in caplog.text
    assert start(folders)[0] == 4


def test_the_folder_is_bounded_and_says_so_once(folders, caplog):
    demos, run = folders
    kept = PriorFeatures(run, SPEC, most_bytes=1000)
    for _ in range(2):
        list(map(whole, prior_episodes(demos, Counting(), kept=kept)))
    assert caplog.text.count("is full") == 1
    assert not path_of(folders).exists()
    size = start(folders) and path_of(folders).stat().st_size
    assert start(folders, Counting("another"), most_bytes=size)[0] == 4
    assert start(folders, Counting("another"))[0] == 0, "a file makes room for its successor"
