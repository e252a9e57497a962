# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import os
import signal
import subprocess
import sys

import pytest

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.memory import ADVICE
from roboreward_ros.rewards.guard import Guard
from roboreward_ros.rewards.worker import ChildSource
from roboreward_ros.testing import fake_rewards as fakes
from roboreward_ros.testing.conformance_reward_source import make_request
from roboreward_ros.types import RewardFailure

LIMIT_S = 60.0


@pytest.fixture
def child():
    made = []

    def make(kind, deadline_s=LIMIT_S, start_s=LIMIT_S, **options):
        options = {"child": True, **options}
        made.append(ChildSource(fakes.registry_name(kind), options, deadline_s, start_s))
        return made[-1]

    yield make
    for source in made:
        source.close()


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize(
    "kind",
    [kind for kind in fakes.MISBEHAVING if kind is not fakes.HangingSource]
    + [fakes.CrashingSource],
)
def test_a_misbehaving_child_gives_no_number_and_the_next_episode_is_scored(child, kind):
    source = child(kind, only="bad", value=4.0)
    outcome = Guard(source, own_thread=False).score(make_request(source, "bad"))
    assert isinstance(outcome, RewardFailure)
    assert outcome.message
    assert source.score(make_request(source, "good")).value == 4


@pytest.mark.parametrize(
    ("kind", "message", "deadline_s"),
    [
        (fakes.HangingSource, "no answer within", 0.5),
        (fakes.GarbageSource, "reward protocol", LIMIT_S),
    ],
)
def test_a_child_that_hangs_or_talks_nonsense_is_killed_and_started_again(
    child, kind, message, deadline_s
):
    source = child(kind, only="bad", deadline_s=deadline_s)
    source.warm_up()
    before = source.pid
    with pytest.raises(RewardSourceError, match=message):
        source.score(make_request(source, "bad"))
    source._deadline_s = LIMIT_S
    assert gone(before)
    assert source.pid not in (None, before)
    source.warm_up()
    assert source.score(make_request(source, "good")).value == 3


def test_a_child_killed_between_two_episodes_is_replaced(child):
    source = child(fakes.FakeSource)
    source.warm_up()
    os.kill(source.pid, signal.SIGKILL)
    os.waitid(os.P_PID, source.pid, os.WEXITED | os.WNOWAIT)
    assert source.score(make_request(source)).value == 3


def test_what_a_source_prints_does_not_reach_the_protocol_or_stdout(capfd, child):
    source = child(fakes.PrintingSource)
    assert source.score(make_request(source)).value == 3
    source.close()
    out, err = capfd.readouterr()
    assert out == ""
    assert "progress bar" in err
    assert "C library" in err


def test_a_source_that_cannot_start_says_why_and_leaves_no_process(child):
    source = child(fakes.ColdSource)
    with pytest.raises(RewardSourceError, match=r"FileNotFoundError: weights\.safetensors"):
        source.warm_up()
    assert source.pid is None


def test_a_source_that_never_gets_warm_is_ended(child):
    source = child(fakes.SlowStartSource, start_s=1.0)
    with pytest.raises(RewardSourceError, match="did not get ready"):
        source.warm_up()
    assert source.pid is None


def test_a_bad_name_or_option_is_refused_before_a_process_starts():
    with pytest.raises(ConfigError, match="unknown reward source"):
        ChildSource("no_such")
    with pytest.raises(ConfigError, match="unknown option"):
        ChildSource(fakes.registry_name(fakes.FakeSource), {"colour": 1})


def test_a_request_does_not_wait_for_a_slow_start(child):
    source = child(fakes.SlowStartSource, deadline_s=0.2)
    for _ in range(2):
        with pytest.raises(RewardSourceError, match="still starting"):
            source.score(make_request(source))
    assert source.pid is not None


def test_a_start_that_is_overdue_is_given_up_and_tried_again(child):
    source = child(fakes.SlowStartSource, deadline_s=0.1, start_s=3.0)
    with pytest.raises(RewardSourceError, match="still starting"):
        source.score(make_request(source))
    source._deadline_s = LIMIT_S
    with pytest.raises(RewardSourceError, match="did not get ready"):
        source.score(make_request(source))
    assert source.pid is None


def test_close_ends_the_process_and_a_ctrl_c_does_not(child):
    source = child(fakes.FakeSource)
    source.warm_up()
    pid = source.pid
    os.kill(pid, signal.SIGINT)
    assert source.score(make_request(source)).value == 3
    assert source.pid == pid
    source.close()
    assert gone(pid)


def test_a_child_ends_with_its_parent_even_while_it_computes():
    code = f"""
import os, threading
from roboreward_ros.rewards.guard import Guard
from roboreward_ros.rewards.worker import ChildSource
from roboreward_ros.testing.conformance_reward_source import make_request
from roboreward_ros.types import RewardFailure
source = ChildSource("{fakes.registry_name(fakes.HangingSource)}", {{"child": True}})
source.warm_up()
os.write(1, str(source.pid).encode() + b"\\n")
source.score(make_request(source))
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    watch = os.pidfd_open(pid)
    parent.kill()
    parent.communicate()
    import select

    assert select.select([watch], [], [], LIMIT_S)[0], "the child outlived its parent"
    os.close(watch)


def test_a_gpu_without_room_is_named_and_is_tried_once_more_each_time(child):
    source = child(fakes.OutOfMemorySource, only="large", times=3, value=4.0)
    outcome = Guard(source, own_thread=False).score(make_request(source, "large"))
    assert isinstance(outcome, RewardFailure)
    assert outcome.message.startswith("OutOfMemoryError: CUDA out of memory.")
    assert outcome.message.endswith(ADVICE)
    assert source.score(make_request(source, "small")).value == 4
    # The third time what was kept of running episodes is let go, and the second try finds room.
    assert source.score(make_request(source, "large")).value == 4
    assert source.stats.restarts == 0
