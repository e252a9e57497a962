# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rules of the session that hold for every sequence of events."""

from hypothesis import given, settings
from hypothesis import strategies as st

from roboreward_ros.errors import SessionError
from roboreward_ros.session import events as ev
from roboreward_ros.session.events import Phase
from roboreward_ros.session.machine import MOVING, MachineConfig, SessionMachine
from roboreward_ros.session.plan import PlanConfig

TASK = "put the mushroom on the cloth"


def machine(config, episodes):
    return SessionMachine(config, PlanConfig(TASK, episodes=episodes))


ids = st.sampled_from(["ep_000000", "ep_000001", "ep_000002", "ep_000003"])
any_event = st.one_of(
    st.sampled_from(
        [ev.Start(), ev.ConfirmReset(), ev.Undo(), ev.Hold(), ev.Stop(), ev.Quit(), ev.Discard()]
    ),
    st.sampled_from(
        [ev.TakeOver(), ev.GiveBack(), ev.TakeOver("ep_000001"), ev.GiveBack("ep_000000")]
    ),
    st.sampled_from([ev.Judge("s"), ev.Judge("f"), ev.SetTask("other"), ev.RunOne()]),
    st.builds(
        lambda kind, i: kind(i),
        st.sampled_from(
            [
                *(ev.LaidOut, ev.ResetDone, ev.Begun, ev.Committed, ev.Failed, ev.Aborted),
                *(ev.Labelled, ev.Discarded),
            ]
        ),
        ids,
    ),
    st.builds(ev.Scored, ids, st.booleans()),
    st.builds(ev.Handed, ids, st.booleans()),
    st.builds(ev.Judge, st.just("3"), ids),
    st.builds(ev.Discard, ids),
    st.integers(0, 4).map(ev.LearnerProgress),
    st.sampled_from([frozenset(), frozenset({"policy_node"}), frozenset({"learner_node"})]).map(
        ev.Peers
    ),
    st.integers(1, 4).map(ev.RetryDue),
)
configs = st.builds(
    MachineConfig,
    auto_reset=st.booleans(),
    reset_program=st.booleans(),
    confirm_reset=st.booleans(),
    wait_for_reward=st.booleans(),
    wait_for_learner=st.booleans(),
    ask_operator=st.booleans(),
    max_retries=st.integers(0, 2),
)


def answers(m):
    """What a working stack could answer now, so that sequences get far."""
    if m.episode is None:
        pending = [ev.Scored(e) for e in m.outstanding] + [ev.Labelled(e) for e in m.asked]
        return [*pending, ev.LearnerProgress(m.committed), ev.Start(), ev.Peers(frozenset())]
    i = m.episode.episode_id
    return [
        ev.ConfirmReset(),
        ev.LaidOut(i),
        ev.LaidOut(i, "jammed"),
        ev.ResetDone(i),
        ev.Begun(i),
        ev.Handed(i),
        ev.Committed(i),
        ev.Aborted(i),
    ]


@settings(max_examples=300)
@given(configs, st.data())
def test_rules_hold_for_every_sequence_of_events(config, data):
    m = machine(config, episodes=3)
    running_id = None
    begun_seeds = {}
    for _ in range(data.draw(st.integers(0, 60))):
        likely = data.draw(st.booleans())
        event = data.draw(st.sampled_from(answers(m)) if likely else any_event)
        before, episode = m.committed, m.episode
        try:
            commands = m.handle(event)
        except SessionError:
            assert isinstance(event, ev.Verb)
            assert (m.committed, m.episode) == (before, episode)
            commands = []
        if isinstance(event, ev.Committed | ev.Failed | ev.Aborted) and m.episode is not episode:
            running_id = None
        for command in commands:
            if isinstance(command, ev.Begin):
                assert running_id is None, "two episodes would run"
                running_id = command.episode.episode_id
                assert command.episode.index == m.committed
                key = (command.episode.index, command.episode.task)
                assert begun_seeds.setdefault(key, command.episode.seed) == command.episode.seed
            if isinstance(command, ev.Finish):
                assert m.committed >= 3
        assert m.phase in Phase
        assert m.committed - before in (0, 1)
        assert (m.phase is Phase.DONE) <= (m.committed >= 3)
        moving = m.phase in (*MOVING, Phase.WAIT_RESET)
        assert moving == (m.episode is not None)
        assert m.message


@settings(max_examples=100)
@given(configs, st.data())
def test_a_working_stack_always_reaches_done(config, data):
    """Whatever was pressed on the way, answering everything ends in DONE."""
    m = machine(config, episodes=3)
    for _ in range(data.draw(st.integers(0, 40))):
        try:
            m.handle(data.draw(any_event))
        except SessionError:
            continue
    m.handle(ev.Peers(frozenset()))
    for _ in range(60):
        if m.phase is Phase.DONE:
            break
        if m.phase in (Phase.IDLE, Phase.PAUSED, Phase.FAULT):
            m.handle(ev.Start())
        elif m.phase is Phase.WAIT_RESET:
            m.handle(ev.ConfirmReset())
        elif m.phase is Phase.LEARNING:
            m.handle(ev.LearnerProgress(m.committed))
        elif m.phase is Phase.SCORING:
            m.handle(ev.Scored(m.outstanding[0]))
        elif m.phase is Phase.ASK:
            m.handle(ev.Labelled(m.asked[0]))
        elif m.closing:
            m.handle(ev.Aborted(m.episode.episode_id))
        elif m.phase is Phase.RESETTING:
            m.handle(ev.ResetDone(m.episode.episode_id))
        elif m.phase is Phase.READY:
            m.handle(ev.Begun(m.episode.episode_id))
        else:
            m.handle(ev.Committed(m.episode.episode_id))
    assert m.phase is Phase.DONE
