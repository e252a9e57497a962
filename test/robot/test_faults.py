# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from hypothesis import given
from hypothesis import strategies as st

from roboreward_ros.robot.faults import (
    MAX_RECOVERIES,
    ArmCommand,
    ArmEvent,
    ArmState,
    ArmStatus,
    advance,
)


def after(*events: ArmEvent, start: ArmStatus | None = None) -> ArmStatus:
    status = start or ArmStatus()
    for event in events:
        status = advance(status, event, "overload").status
    return status


E = ArmEvent
UP = (E.LINK_UP, E.CHECKED)


def test_an_episode_needs_a_checked_arm_that_holds() -> None:
    assert advance(ArmStatus(), E.BEGIN).commands == (ArmCommand.REFUSE,)
    assert not after(E.LINK_UP).may_reset
    assert after(*UP).may_reset
    assert after(*UP, E.BEGIN).may_run
    ended = advance(after(*UP, E.BEGIN), E.END)
    assert ended.status.state is ArmState.HOLDING
    assert ended.commands == (ArmCommand.HOLD,)


def test_a_fault_holds_first_and_ends_the_episode() -> None:
    faulted = advance(after(*UP, E.BEGIN), E.FAULT, "elbow jammed")
    assert faulted.commands == (ArmCommand.HOLD, ArmCommand.END_EPISODE)
    assert faulted.status.reason == "elbow jammed"
    assert "elbow jammed" in faulted.status.refusal(E.BEGIN)
    again = advance(faulted.status, E.FAULT, "something later")
    assert again.status.reason == "elbow jammed"


def test_recoveries_are_counted_until_an_episode_ends_well() -> None:
    status = after(*UP, E.BEGIN, E.FAULT, E.RECOVER, E.RECOVERED)
    assert status.recoveries == 1
    assert after(E.BEGIN, E.END, start=status).recoveries == 0


def test_recoveries_that_do_not_help_ask_for_a_person() -> None:
    status = after(*UP, E.FAULT)
    for _ in range(MAX_RECOVERIES):
        status = after(E.RECOVER, start=status)
        failed = advance(status, E.FAULT, "still jammed")
        status = failed.status
    assert ArmCommand.ASK_PERSON in failed.commands
    assert advance(status, E.RECOVER).commands == (ArmCommand.REFUSE,)
    assert "still jammed" in status.refusal(E.RECOVER)
    assert after(E.CLEAR, E.RECOVER, start=status).state is ArmState.RECOVERING


def test_a_lost_link_ends_the_episode_and_needs_the_whole_check_again() -> None:
    lost = advance(after(*UP, E.BEGIN), E.LINK_LOST, "")
    assert lost.commands == (ArmCommand.END_EPISODE,)
    assert lost.status.state is ArmState.DISCONNECTED
    assert lost.status.reason == "link lost"
    assert after(E.CHECKED, start=lost.status).state is ArmState.DISCONNECTED
    assert after(*UP, start=lost.status).may_reset


def test_a_stop_during_recovery_holds_and_leaves_the_fault() -> None:
    stopped = advance(after(*UP, E.FAULT, E.RECOVER), E.STOP)
    assert stopped.commands == (ArmCommand.HOLD,)
    assert stopped.status.state is ArmState.FAULT


events = st.lists(st.sampled_from(list(ArmEvent)), max_size=30)


@given(events)
def test_every_event_is_answered_in_every_state(sequence: list[ArmEvent]) -> None:
    status = ArmStatus()
    for event in sequence:
        step = advance(status, event, "why")
        if ArmCommand.REFUSE in step.commands:
            assert step.status == status
            assert step.commands == (ArmCommand.REFUSE,)
            assert status.refusal(event)
        if status.may_run and not step.status.may_run and step.status.linked:
            assert step.commands[0] is ArmCommand.HOLD
        if status.state is ArmState.RUNNING and step.status.state is not ArmState.RUNNING:
            assert event is ArmEvent.END or ArmCommand.END_EPISODE in step.commands
        assert (step.status.reason == "") or step.status.state in (
            ArmState.FAULT,
            ArmState.RECOVERING,
            ArmState.DISCONNECTED,
        )
        status = step.status


@given(events, events)
def test_nothing_but_a_release_moves_a_stopped_arm(
    before: list[ArmEvent], later: list[ArmEvent]
) -> None:
    status = after(*before, E.STOP)
    for event in later:
        if event is ArmEvent.RELEASE:
            return
        step = advance(status, event)
        assert ArmCommand.RECOVER not in step.commands
        status = step.status
        assert status.stopped
        assert not status.may_run
        assert not status.may_reset
        assert status.state not in (ArmState.RUNNING, ArmState.RECOVERING)
