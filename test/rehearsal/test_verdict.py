# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a rehearsal came to: the script, the faults, and what counts as a success."""

import math
import shutil

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.episodes.views import LabelStatus
from roboreward_ros.errors import ConfigError, FormatError, RobotError
from roboreward_ros.rehearsal.compare import Deviation, Gap, compare
from roboreward_ros.rehearsal.effects import Effects
from roboreward_ros.rehearsal.faults import Fault, FaultKind, load_faults
from roboreward_ros.rehearsal.notes import (
    NOTES_FILE,
    Note,
    NoteBook,
    NoteKind,
    NoteReader,
    await_struck,
)
from roboreward_ros.rehearsal.operator import MAX_HELP, ScriptedOperator
from roboreward_ros.rehearsal.recording import StoredRecording
from roboreward_ros.rehearsal.script import Cue, load_script, script_of
from roboreward_ros.rehearsal.verdict import Expectation, causes, faulty_episodes, figures_of, judge
from roboreward_ros.types import EndCause, Frame, SessionView

BOTH = (LabelStatus.LABELLED, LabelStatus.LABELLED)


def view(phase, message="", missing=()):
    return SessionView(phase, message, (), "t", "", 0, 0, 0, 0, 0, missing=missing)


def as_it_was(position=0, **changes):
    values = {"steps": (6, 6), "end": (EndCause.TIME, EndCause.TIME), "label": BOTH, **changes}
    return Deviation(position, f"ep_{position:06d}", **values)


def note(kind, text="", episode=0, number=-1):
    return Note(kind, 0, episode, -1, text, number)


def test_the_keys_of_a_recorded_session_are_its_script(recorded):
    cues = script_of(StoredRecording(recorded))
    assert cues == (
        Cue(0, "label", "f", operator="ann"),
        Cue(0, "undo", operator="ann"),
        Cue(1, "label", "s", step=5, operator="ann"),  # it ended the episode
        Cue(1, "task", "close the drawer", step=5),
        Cue(2, "discard", "the link", operator="operator"),
    )


def test_a_run_beside_itself_has_no_deviation_and_one_beside_a_part_of_it_lacks_the_rest(
    recorded, tmp_path
):
    recording = StoredRecording(recorded)
    same = compare(recording, recorded, real_time=True)
    assert [d.different for d in same] == [(), (), ()]
    assert same[0].translation_mm == Gap(0.0, 0.0)
    assert same[0].period_ms == Gap(0.0, 0.0)
    part = tmp_path / "part"
    shutil.copytree(recorded, part)
    shutil.rmtree(part / "episodes" / "ep_000001")
    missing = compare(recording, part, real_time=False)
    assert missing[1].different == ("not rehearsed",)
    assert math.isnan(missing[0].period_ms.median)


def test_what_differs_is_said_in_words():
    assert as_it_was().different == ()
    differs = as_it_was(
        steps=(6, 4), end=(EndCause.TIME, EndCause.FAULT), taint=("fault",), holds=2,
        complete=False, label=(LabelStatus.LABELLED, LabelStatus.ABSTAINED),
    )  # fmt: skip
    assert differs.different == (
        "ended by fault, recorded: time",
        "4 steps, recorded: 6",
        "tainted: fault",
        "held 2 steps more",
        "incomplete",
        "abstained, recorded: labelled",
    )


def test_a_deviation_counts_unless_a_fault_explains_it():
    faults = (Fault(FaultKind.ARM_FAULT, 1, 3), Fault(FaultKind.KILL, 2, 0, node="reward_node"))
    notes = [
        note(NoteKind.BEGUN),
        note(NoteKind.BEGUN, episode=1),
        note(NoteKind.FAULT, "arm_fault", 1, number=0),
        note(NoteKind.PART, "recording: refused"),
        note(NoteKind.PHASE, "FAULT: robot failed"),
        note(NoteKind.VERB, "start"),
        note(NoteKind.PHASE, "RESETTING: again"),
        note(NoteKind.BEGUN, episode=1),
        note(NoteKind.OVER, "ep_000001", number=1),
        note(NoteKind.BEGUN, episode=2),
        note(NoteKind.PHASE, "PAUSED: later"),
        note(NoteKind.VERB, "quit"),
    ]
    faulty = faulty_episodes(faults, notes)
    assert faulty == {1}
    tainted = [as_it_was(k, taint=("fault",)) for k in range(2)]
    figures = figures_of([*tainted, as_it_was(2)], notes, 0, faulty)
    assert (figures.episodes, figures.different, figures.unexplained) == (3, 2, 1)
    assert (figures.retries, figures.helped, figures.tainted) == (1, 1, 2)
    assert judge(figures, []) == ["unexplained is 1, expected = 0"]
    assert judge(figures, [Expectation.parse("unexplained<=1")]) == []
    assert judge(figures, [Expectation.parse("retries=0")])[-1] == "retries is 1, expected = 0"
    arm, kill = causes(faults, notes, [*tainted, as_it_was(2)])
    assert arm.seen == ("recording: refused", "FAULT: robot failed")
    assert arm.episode == ("tainted: fault",)
    assert not kill.begun


@pytest.mark.parametrize("text", ["", "retries", "retries<1", "nonsense=1", "reward<=1.2.3"])
def test_what_is_no_expectation_is_refused(text):
    with pytest.raises(ConfigError, match="no expectation"):
        Expectation.parse(text)


def test_the_operator_presses_each_key_once_goes_on_and_leaves():
    cues = [Cue(0, "label", "f"), Cue(1, "hold", step=4), Cue(9, "label", "s")]
    script = ScriptedOperator(cues, episodes=2)
    assert script.look(view("IDLE", "press Enter"), 0.0) is None
    assert script.look(view("WAIT_RESET"), 1.0).verb == "confirm_reset"
    assert [r.verb for r in script.at_step(1, 4)] == ["hold"]
    assert script.at_step(1, 4) == []
    assert script.look(view("PAUSED", "held"), 2.0) is None
    assert script.look(view("PAUSED", "held"), 4.1).verb == "start"
    assert script.look(view("PAUSED", "held", ("reward_node",)), 99.0) is None
    (label,) = script.committed(0)
    assert (label.verb, label.text, label.episode_id) == ("label", "f", "ep_000000")
    assert script.look(view("DONE"), 100.0) is None, "its keys are not answered yet"
    script.answered()
    script.answered()
    assert script.look(view("DONE"), 101.0).verb == "quit"
    assert script.look(view("DONE"), 102.0) is None


def test_a_session_that_gives_up_is_helped_so_often_and_then_left():
    script, stuck = ScriptedOperator([], 1), view("FAULT", "no link")
    pressed = [key.verb for second in range(1000) if (key := script.look(stuck, float(second)))]
    assert pressed == ["start"] * MAX_HELP + ["quit"]


def test_a_process_is_waited_for_until_it_was_hit(tmp_path):
    clock, book = FakeClock(), NoteBook(tmp_path)
    book.add(note(NoteKind.STRUCK, "another", number=1))
    before_ns = clock.steady_ns()
    assert not await_struck(NoteReader(tmp_path), 0, clock, 2.0)
    assert clock.steady_ns() - before_ns >= 2_000_000_000
    book.add(note(NoteKind.STRUCK, "this one", number=0))
    assert await_struck(NoteReader(tmp_path), 0, clock, 2.0)
    book.close()


def test_what_is_said_late_about_an_episode_goes_to_its_own_fault():
    faults = [Fault(FaultKind.REWARD_MEMORY, 0), Fault(FaultKind.CAMERA_FREEZES, 1)]
    late = "reward_node: reward: ep_000000 stays unlabelled: no room"
    notes = [
        note(NoteKind.FAULT, number=0),
        note(NoteKind.BEGUN, "ep_000001", episode=1),
        note(NoteKind.FAULT, number=1, episode=1),
        note(NoteKind.PART, late, episode=1),
        note(NoteKind.PART, "camera: frozen", episode=1),
    ]
    memory, frozen = causes(faults, notes, [])
    assert (memory.seen, frozen.seen) == ((late,), ("camera: frozen",))


def test_a_file_that_rots_explains_every_episode_before():
    rotten = [Fault(FaultKind.ROT_LEDGER, 2)]
    notes = [note(NoteKind.HIT, number=0, episode=2)]
    assert faulty_episodes(rotten, notes) == {0, 1, 2, 3}


def test_why_an_episode_has_no_label_is_said():
    unlabelled = as_it_was(label=(LabelStatus.LABELLED, LabelStatus.FAILED), why="no answer")
    assert unlabelled.different == ("failed, recorded: labelled: no answer",)


def frames(effects, steps, episode=0):
    """What the camera sends at each step: (picture's number, stamp)."""
    sent = []
    for k in range(steps):
        picture = Frame(np.full((8, 8, 3), k, np.uint8), 100 + k)
        pictures = effects.pictures(episode, k, picture)
        sent.append([(int(f.image[0, 0, 0]), f.stamp_ns - 100, f.image.shape[0]) for f in pictures])
    return sent


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (FaultKind.CAMERA_FREEZES, [[(0, 0, 8)], [(1, 1, 8)], [(1, 2, 8)], [(3, 3, 8)]]),
        (FaultKind.CAMERA_DROPS, [[(0, 0, 8)], [], [], [(3, 3, 8)]]),
        (FaultKind.CAMERA_REORDERS, [[(0, 0, 8)], [], [(2, 2, 8), (1, 1, 8)], [(3, 3, 8)]]),
        (FaultKind.CAMERA_RESIZES, [[(0, 0, 8)], [(1, 1, 4)], [(2, 2, 4)], [(3, 3, 8)]]),
    ],
)
def test_a_camera_goes_wrong_for_its_steps(kind, wanted):
    begun = []
    effects = Effects([Fault(kind, 0, 1, 2)], FakeClock(), begun.append)
    assert frames(effects, 4) == wanted
    assert begun == [0]
    assert frames(effects, 2, episode=1) == [[(0, 0, 8)], [(1, 1, 8)]]


def test_an_arm_stalls_refuses_and_its_clock_jumps():
    clock = FakeClock()
    faults = [
        Fault(FaultKind.STATES_STALL, 0, 1),
        Fault(FaultKind.ARM_FAULT, 0, 2),
        Fault(FaultKind.CLOCK_JUMPS, 0, 3, amount=-2.0),
        Fault(FaultKind.CAMERA_LATE, 0, 4, amount=0.3),
    ]
    effects = Effects(faults, clock, lambda _: None)
    before_ns = clock.steady_ns()
    effects.before_step(0, 1)
    assert clock.steady_ns() - before_ns == 500_000_000
    with pytest.raises(RobotError, match="refuses"):
        effects.before_step(0, 2)
    assert [effects.offset_ns(0, k) for k in (2, 3)] == [0, -2_000_000_000]
    assert [effects.late_s(0, k) for k in (3, 4)] == [0.0, 0.3]


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "faults: 3", "faults: [3]", "faults: [{episode: 1}]", "faults: {",
        "faults: [{fault: gremlins}]", "faults: [{fault: kill}]",
        "faults: [{fault: kill, node: sim_node}]", "faults: [{fault: arm_fault, step: -1}]",
        "faults: [{fault: arm_fault, step: yes}]", "faults: [{fault: arm_fault, colour: red}]",
        "faults: [{fault: clock_jumps, amount: .nan}]", "faults: [{fault: arm_fault, steps: 1.5}]",
    ],
)  # fmt: skip
def test_a_fault_file_that_makes_no_sense_is_refused(tmp_path, text):
    path = tmp_path / "faults.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        load_faults(path)


@pytest.mark.parametrize(
    "text", ["cues: no", "cues: [{episode: 0}]", "cues: [{episode: 0, verb: quit}]",
             "cues: [{episode: 0.5, verb: hold}]", "cues: [{episode: -1, verb: hold}]"],
)  # fmt: skip
def test_a_script_that_makes_no_sense_is_refused(tmp_path, text):
    path = tmp_path / "script.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        load_script(path)
    with pytest.raises(ConfigError):
        load_script(tmp_path / "none.yaml")


def test_notes_are_read_as_they_come_and_a_torn_line_waits(tmp_path):
    reader = NoteReader(tmp_path)
    assert reader.new() == []
    book, first = NoteBook(tmp_path), note(NoteKind.PHASE, "IDLE: é")
    book.add(first)
    assert reader.new() == [first]
    with (tmp_path / NOTES_FILE).open("a") as file:
        file.write('{"kind": "ph')
    assert reader.new() == []
    with (tmp_path / NOTES_FILE).open("a") as file:
        file.write('antom"}\n')
    with pytest.raises(FormatError, match="damaged"):
        reader.new()
    book.close()
