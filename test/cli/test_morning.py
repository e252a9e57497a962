# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The morning report: faults first, nothing that was not recorded; a page and the same as text."""

import shutil
from datetime import datetime
from pathlib import Path

import pytest

from roboreward_ros.cli.main import main
from roboreward_ros.cli.morning import gather, write_morning
from roboreward_ros.clock import FakeClock
from roboreward_ros.episodes.desk import OperatorDesk
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.run import open_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.views import LabelStatus
from roboreward_ros.evaluation.morning import HOUR_NS, clock, hours_of, lasted, still_of
from roboreward_ros.session.health import HealthEvent
from roboreward_ros.session.health_log import HealthLog
from roboreward_ros.session.launch_end import LaunchEnd, add_end
from roboreward_ros.testing.conformance_episode_store import make_chunk, make_meta, make_report
from roboreward_ros.testing.conformance_reward_source import jpeg
from roboreward_ros.testing.faults import rot
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    EndCause,
    HealthLevel,
    HealthReason,
    LabelRecord,
    Provenance,
    Score,
    ScoreKind,
    ScoreScale,
)

SOURCE = Provenance("qwen_base")
EVENING = round(datetime(2026, 9, 7, 22, 0).timestamp()) * 10**9
MINUTE = 60 * 10**9
KILLED = "was killed by SIGKILL: starting it again in 0.5 s"
MORNING = EVENING + 8 * HOUR_NS


def commit(run_dir: Path, index: int, begin_ns: int, taint: tuple[str, ...] = ()) -> None:
    """Two minutes on a real arm: no truth."""
    with_stamps = [begin_ns + k * MINUTE for k in range(3)]
    store = EpisodeStore(run_dir, "w")
    writer = store.create(make_meta(index, created_ns=begin_ns, seed=index))
    writer.add_chunk(make_chunk(0, 0))
    for step, stamp_ns in enumerate(with_stamps):
        report = make_report(step)
        writer.add_observation(step, stamp_ns, jpeg(step), report.state.proprio, report.state.q)
        if step:
            writer.add_step(step - 1, report)
    writer.commit(EndCause.FAULT if taint else EndCause.TIME, taint)
    store.close()


def line(stamp_ns: int, text: str) -> str:
    moment = datetime.fromtimestamp(stamp_ns / 1e9)
    return f"INFO {moment.isoformat(' ', 'milliseconds')} {text}\n"


@pytest.fixture
def run_dir(night: Path, tmp_path: Path) -> Path:
    """A copy of the night, to be changed."""
    return Path(shutil.copytree(night, tmp_path / night.name))


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four episodes in an evening and one at night; a camera that was gone in between."""
    run = tmp_path_factory.mktemp("night") / "first"
    open_run(run, {"sim": False, "task": "open the drawer", "seed": 0, "policy": "p"})
    begins = [EVENING + k * 5 * MINUTE for k in range(4)] + [EVENING + 5 * HOUR_NS]
    for index, begin_ns in enumerate(begins):
        commit(run, index, begin_ns, ("fault", "lost: the camera") if index == 3 else ())
    promote(run, "qwen_base", ScoreScale.RUBRIC)
    ledger = Ledger(run, "w")
    for index, value in enumerate((5.0, 2.0, 5.0)):
        score = Score(value, ScoreScale.RUBRIC, ScoreKind.NONE, SOURCE)
        ledger.append(LabelRecord(-1, f"ep_{index:06d}", score, begins[index]))
    ledger.append(LabelRecord(-1, "ep_000004", Abstain(AbstainReason.ENTROPY, SOURCE), begins[4]))
    ledger.close()
    desk = OperatorDesk(run, FakeClock())
    desk.discard("ep_000001", "the scene was wrong")
    desk.close()
    gone_ns, back_ns = EVENING + 18 * MINUTE, EVENING + 290 * MINUTE
    reason = HealthReason(
        "camera_node", "camera image", HealthLevel.ERROR, "no picture", gone_ns, "Look at it."
    )
    log = HealthLog(run)
    log.add(HealthEvent(gone_ns, True, reason))
    log.add(HealthEvent(back_ns, False, reason))
    logs = run / "logs"
    (logs / "session_node.log").write_text(
        line(EVENING, "RUNNING: running ep_000000: keys")
        + line(EVENING + 16 * MINUTE, "RUNNING: running ep_000003: keys")
        + line(EVENING + 17 * MINUTE, "FAULT: robot failed, again in 1 s: no link")
        + line(EVENING + 17 * MINUTE + 10**9, "RUNNING: running ep_000003: keys")
        + "a line without a time\n"
        + line(EVENING + 302 * MINUTE, "PAUSED: held: press Enter or space to go on")
    )
    (logs / "launch.log").write_text(
        line(EVENING, "reward_node started, pid 12")
        + line(
            EVENING + 30 * MINUTE, "reward_node was killed by SIGKILL: starting it again in 0.5 s"
        )
    )
    return run


def test_the_night_is_read_from_stores_and_logs(run_dir):
    morning = gather(run_dir, 12.0, MORNING)
    assert (morning.from_ns, morning.to_ns) == (EVENING, MORNING)
    assert [(s.name, s.what) for s in morning.faults] == [
        ("session", "robot failed, again in 1 s: no link"),
        ("camera_node: camera image", "no picture"),
    ]
    assert morning.faults[1].to_ns == EVENING + 290 * MINUTE
    assert [(r.node, r.how) for r in morning.restarts] == [("reward_node", KILLED)]
    assert len(morning.episodes) == 5
    assert morning.dropped == 1
    assert morning.episodes[3].taint == ("fault", "lost: the camera")
    assert [d.discarded for d in morning.episodes] == [False, True, False, False, False]
    assert dict(morning.unlabelled) == {LabelStatus.UNSCORED: 1, LabelStatus.ABSTAINED: 1}
    assert morning.asked == 1
    assert morning.motion_s == 5 * 120.0
    assert not morning.running


def test_success_is_counted_by_the_hour_of_the_clock_with_its_interval(run_dir):
    hours = hours_of(gather(run_dir, 12.0, MORNING))
    assert len(hours) == 8
    assert [(h.episodes, h.successes, h.known) for h in hours[:2]] == [(4, 2, 3), (0, 0, 0)]
    assert hours[0].rate.low < 2 / 3 < hours[0].rate.high
    assert hours[5].episodes == 1


def test_a_robot_that_stands_is_said_so_with_the_longest_time_first(run_dir):
    gaps = still_of(gather(run_dir, 12.0, MORNING))
    assert gaps[0] == (EVENING + 17 * MINUTE, EVENING + 5 * HOUR_NS)
    assert gaps[1] == (EVENING + 302 * MINUTE, MORNING)


def test_what_needs_a_person_comes_first_then_faults(run_dir):
    text, page = write_morning(run_dir, 12.0, MORNING)
    headings = [text.index(f"\n{title}\n") for title in
                ("Needs a person now", "Faults", "Processes started again", "Episodes",
                 "Success by hour", "Robot", "Learner", "Disk")]  # fmt: skip
    assert headings == sorted(headings)
    assert f"nothing runs since {clock(EVENING + 302 * MINUTE)}: PAUSED: held" in text
    assert "1 episode waits for an answer on the console." in text
    assert "reward_node was killed" not in text.split("Faults")[0]
    html = page.read_text()
    assert html.index("Needs a person now") < html.index("no picture") < html.index("Disk")
    assert "data:image/png;base64," in html
    assert "<script" not in html


def test_a_launch_that_gave_up_needs_a_person_until_it_is_launched_again(run_dir):
    gave_up_ns = EVENING + 303 * MINUTE
    words = "session ended by the launch: session_node died 4 times"
    with (run_dir / "logs" / "session_node.log").open("a") as log:
        log.write(line(gave_up_ns + 10**9, "stopping: SIGINT"))
    add_end(run_dir, LaunchEnd(gave_up_ns, "12-34", "session_node died 4 times"))
    with (run_dir / "logs" / "ends.jsonl").open("a") as log:
        log.write('{"stamp_ns": 1')
    morning = gather(run_dir, 12.0, MORNING)
    spell = morning.faults[-1]
    assert (spell.name, spell.what, spell.to_ns) == ("launch", words, None)
    assert morning.needs[0].startswith(f"launch: {words}. Look at the arm")
    assert not any("nothing runs since" in text for text in morning.needs), "said once"

    with (run_dir / "logs" / "session_node.log").open("a") as log:
        log.write(line(gave_up_ns + 30 * MINUTE, "ready"))
    morning = gather(run_dir, 12.0, MORNING)
    assert morning.faults[-1].to_ns == gave_up_ns + 30 * MINUTE
    assert morning.needs[0].startswith("nothing runs since")


def test_words_of_a_log_are_escaped(run_dir):
    with (run_dir / "logs" / "session_node.log").open("a") as log:
        log.write(line(EVENING + 303 * MINUTE, "FAULT: <img src=x onerror=alert(1)>"))
    _, page = write_morning(run_dir, 12.0, MORNING)
    assert "<img src=x" not in page.read_text()


def test_a_short_night_leaves_out_what_was_before(run_dir):
    morning = gather(run_dir, 4.0, MORNING)
    assert [d.row.index for d in morning.episodes] == [4]
    assert [spell.name for spell in morning.faults] == ["camera_node: camera image"]
    assert morning.restarts == ()


def test_a_damaged_episode_is_named_and_the_rest_is_told(run_dir):
    rot(run_dir / "episodes" / "ep_000002" / "meta.json")
    morning = gather(run_dir, 12.0, MORNING)
    assert morning.damaged == ("ep_000002",)
    assert len(morning.episodes) == 4
    assert any("ep_000002" in text and "verify" in text for text in morning.needs)


def test_a_run_without_logs_says_what_is_not_known(tmp_path):
    run = tmp_path / "bare"
    open_run(run, {"sim": True, "task": "open the drawer", "seed": 0})
    text, _ = write_morning(run, 12.0, MORNING)
    assert "Not known: no log" in text
    assert "None was recorded." in text
    assert "not known" in text


def test_a_run_without_logs_counts_its_first_episode_too(tmp_path):
    run = tmp_path / "bare"
    open_run(run, {"sim": True, "task": "open the drawer", "seed": 0})
    for index in range(2):
        commit(run, index, EVENING + 3 * index * MINUTE)
    morning = gather(run, 12.0, MORNING)
    assert [d.row.index for d in morning.episodes] == [0, 1]
    assert morning.from_ns == EVENING


def test_the_command_prints_the_text_and_where_the_page_is(run_dir, capsys):
    assert main(["report", str(run_dir), "--morning", "--hours", "8"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("first: open the drawer: ")
    assert said.rstrip().endswith(f"report: {run_dir / 'morning.html'}")
    assert main(["report", str(run_dir / "none"), "--morning"]) == 2


def test_durations_are_for_people():
    assert (lasted(43.4), lasted(3725.0)) == ("43 s", "1:02:05")
