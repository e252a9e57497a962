# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of other processes' disks and of the wire to a reward server, and how they are told."""

import dataclasses
import errno
import json
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from roboreward_ros.cli.launch import child_of
from roboreward_ros.cli.rehearse_faults import with_faulty_disk, with_troubled_rewards, with_wire
from roboreward_ros.cli.rehearse_rot import require_rot, rot_file
from roboreward_ros.clock import FakeClock, SystemClock
from roboreward_ros.errors import ConfigError, StackError
from roboreward_ros.memory import ran_out
from roboreward_ros.rehearsal.board import FaultBoard
from roboreward_ros.rehearsal.compare import compare
from roboreward_ros.rehearsal.effects import Effects
from roboreward_ros.rehearsal.faults import ROT, Fault, FaultKind, load_faults
from roboreward_ros.rehearsal.recording import StoredRecording
from roboreward_ros.rewards.config import options_from_json
from roboreward_ros.rewards.registry import build
from roboreward_ros.stack import StackArguments, describe
from roboreward_ros.testing.chat_server import MODEL, ChatServer
from roboreward_ros.testing.conformance_reward_source import make_request
from roboreward_ros.testing.fake_rewards import FakeSource, registry_name
from roboreward_ros.testing.faulty_process import trouble_of
from roboreward_ros.testing.recorded_run import write_scored_run
from roboreward_ros.testing.relay import Relay, Wire
from roboreward_ros.testing.troubled_rewards import NAME
from roboreward_ros.types import Score

FULL = Fault(FaultKind.DISK_FULL, episode=1, step=2, steps=2, node="recorder_node")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"fault": "disk_full"}, "its node"),
        ({"fault": "network_cut", "node": "reward_node"}, "its node"),
        ({"fault": "parameter", "node": "reward_node"}, "its parameter"),
        ({"fault": "kill", "node": "reward_node", "parameter": "a=1"}, "its parameter"),
        ({"fault": "parameter", "node": "reward_node", "parameter": "source"}, "name=value"),
        ({"fault": "parameter", "node": "reward_node", "parameter": "a=[1]"}, "name=value"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(tmp_path, row, said):
    path = tmp_path / "faults.yaml"
    path.write_text(f"faults: [{row}]")
    with pytest.raises(ConfigError, match=said):
        load_faults(path)


def test_a_parameter_s_value_is_json_or_text():
    def setting(text):
        return Fault(FaultKind.PARAMETER, node="reward_node", parameter=text).setting

    assert setting("source=human") == ("source", "human")
    assert setting("live=false") == ("live", False)
    assert setting("deadline_s=0.5") == ("deadline_s", 0.5)
    assert setting("source_options={") == ("source_options", "{")


def test_the_board_shows_what_holds_at_a_step_and_nothing_twice(tmp_path):
    board, begun = FaultBoard(tmp_path), []
    effects = Effects([FULL, Fault(FaultKind.NETWORK_LATE, 1, 3)], FakeClock(), begun.append, board)

    def shown(episode, step):
        effects.elsewhere(episode, step)
        full = board.size(FaultKind.DISK_FULL, "recorder_node")
        return full is not None, board.size(FaultKind.NETWORK_LATE)

    assert shown(0, 2) == (False, None)
    assert [shown(1, step) for step in range(3)] == [(False, None)] * 2 + [(True, None)]
    assert shown(1, 3) == (True, 0.2)
    assert board.size(FaultKind.DISK_FULL, "reward_node") is None
    # The episode was dropped for it: it would be for ever if the fault came again.
    assert [shown(1, step) for step in range(4)] == [(False, None)] * 4
    assert begun == [0, 1]


def test_a_disk_fails_and_is_slow_as_the_board_says(tmp_path):
    board = FaultBoard(tmp_path)
    trouble_of(tmp_path, "recorder_node", "write")
    board.show([FULL])
    trouble_of(tmp_path, "reward_node", "write")
    with pytest.raises(OSError, match="No space left") as caught:
        trouble_of(tmp_path, "recorder_node", f"open {tmp_path}/a file")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, f"{tmp_path}/a file")
    trouble_of(tmp_path, "recorder_node", "os.truncate somewhere")
    trouble_of(tmp_path, "recorder_node", "os.remove somewhere")
    board.show([dataclasses.replace(FULL, fault=FaultKind.DISK_READ_ONLY)])
    with pytest.raises(OSError, match="Read-only") as caught:
        trouble_of(tmp_path, "recorder_node", "os.remove somewhere")
    assert caught.value.errno == errno.EROFS
    board.show([dataclasses.replace(FULL, fault=FaultKind.DISK_SLOW, amount=0.02)])
    before_ns = SystemClock().steady_ns()
    trouble_of(tmp_path, "recorder_node", "write")
    assert SystemClock().steady_ns() - before_ns >= 20_000_000


def arguments(**changes):
    values = {"sim": "true", "policy": "demo", "task": "open the drawer", **changes}
    return StackArguments.from_strings(values)


def test_a_process_under_faults_is_the_same_program_on_another_disk(tmp_path):
    node = describe(arguments()).node("recorder_node")
    child = child_of(node, tmp_path / "parameters.yaml")
    assert with_faulty_disk(child, [Fault(FaultKind.KILL, node=node.name)], tmp_path) == child
    assert with_faulty_disk(child, [FULL], tmp_path).command != child.command
    # A small module in its place: it must see its own arguments, and the disk of the board.
    module = tmp_path / "writes.py"
    module.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "assert __name__ == '__main__'\n"
        "try:\n"
        "    Path(sys.argv[2]).write_text('here')\n"
        "except OSError as error:\n"
        "    sys.exit(error.errno)\n"
    )
    place = tmp_path / "written"
    plain = dataclasses.replace(child, command=(sys.executable, "-m", "writes", "--to", str(place)))
    command = with_faulty_disk(plain, [FULL], tmp_path).command
    assert "writes" in command
    board = FaultBoard(tmp_path)
    for shown, code in (([], 0), ([FULL], errno.ENOSPC)):
        board.show(shown)
        place.unlink(missing_ok=True)
        done = subprocess.run(command, cwd=tmp_path, check=False, timeout=120)
        assert (done.returncode, place.exists()) == (code, not code)


@pytest.fixture
def echo():
    """The port of a server that says everything twice."""

    def serve():
        while True:
            try:
                near, _ = door.accept()
            except OSError:
                return
            with near:
                while data := near.recv(4096):
                    near.sendall(2 * data)

    door = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield door.getsockname()[1]
    door.shutdown(socket.SHUT_RDWR)
    door.close()
    thread.join(30.0)
    assert not thread.is_alive()


def test_a_wire_carries_both_ways_is_late_and_can_be_cut(echo):
    now = [Wire()]
    with Relay("127.0.0.1", echo, lambda: now[0]) as relay:
        host, _, port = relay.address.partition(":")
        with socket.create_connection((host, int(port)), 30.0) as near:
            near.sendall(b"a")
            assert near.recv(2, socket.MSG_WAITALL) == b"aa"
            now[0] = Wire(late_s=0.05)
            before_ns = SystemClock().steady_ns()
            near.sendall(b"c")
            assert near.recv(2, socket.MSG_WAITALL) == b"cc"
            assert SystemClock().steady_ns() - before_ns >= 100_000_000, "there and back"
            now[0] = Wire(cut=True)
            assert near.recv(2) == b""
        with socket.create_connection((host, int(port)), 30.0) as near:
            assert near.recv(2) == b"", "no new one lasts"
        now[0] = Wire()
        with socket.create_connection((host, int(port)), 30.0) as near:
            near.sendall(b"d")
            assert near.recv(2, socket.MSG_WAITALL) == b"dd"


def test_a_wire_that_doubles_tells_the_server_twice_and_the_client_once():
    heard, told = [], threading.Event()

    def serve():
        for _ in range(2):
            near, _ = door.accept()
            with near:
                heard.append(near.recv(4096))
                near.sendall(b"answer")
        told.set()

    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with Relay(*door.getsockname(), lambda: Wire(doubled=True)) as relay:
            host, _, port = relay.address.partition(":")
            with socket.create_connection((host, int(port)), 30.0) as near:
                near.sendall(b"question")
                assert near.recv(6, socket.MSG_WAITALL) == b"answer"
                assert told.wait(30.0)
                assert near.recv(1) == b"", "one answer, then the server's end"
        thread.join(30.0)
    assert heard == [b"question"] * 2


def test_a_proxy_answers_html_and_a_wire_that_flaps_carries_every_second_question():
    now = [Wire(html=True)]

    def ask():
        question = {"model": MODEL, "messages": [{"role": "user", "content": "x" * 300_000}]}
        try:
            with urlopen(Request(url, json.dumps(question).encode()), timeout=30.0) as answer:
                return json.load(answer)["choices"][0]["message"]["content"]
        except HTTPError as error:
            return error.code, error.read().decode()
        except (URLError, ConnectionError):
            return "no connection"

    with ChatServer() as server:
        server.texts.extend(["ANSWER: 3"] * 2)
        place = urlsplit(server.url)
        with Relay(place.hostname, place.port, lambda: now[0]) as relay:
            url = f"http://{relay.address}{place.path}/chat/completions"
            code, page = ask()
            assert (code, page[:6]) == (502, "<html>")
            assert not server.requests
            now[0] = Wire(flapping=True)
            assert [ask() for _ in range(4)] == ["no connection", "ANSWER: 3"] * 2


CUT = [Fault(FaultKind.NETWORK_CUT)]


@pytest.mark.parametrize(
    ("reward", "options", "key", "end"),
    [
        ("remote", '{"url": "wss://gpu.lab:8650"}', "via", ""),
        ("api", '{"base_url": "http://gpu.lab:8000/v1", "model": "m"}', "base_url", "/v1"),
    ],
)
def test_the_reward_server_is_reached_over_the_wire(tmp_path, reward, options, key, end):
    stack = describe(arguments(reward=reward, reward_options=options))
    with ExitStack() as opened:
        changed = with_wire(stack, CUT, tmp_path, opened).node("reward_node").parameters
        assert with_wire(stack, [FULL], tmp_path, opened) is stack
    found = options_from_json(changed["source_options"])
    assert changed["source"] == reward
    place = found.pop(key).removeprefix("http://")
    assert place.startswith("127.0.0.1:")
    assert place.endswith(end)
    before = options_from_json(options)
    before.pop(key, None)
    assert found == before


def test_without_a_server_there_is_no_wire_to_cut(tmp_path):
    with pytest.raises(StackError, match="need a reward server"), ExitStack() as opened:
        with_wire(describe(arguments(reward="human")), CUT, tmp_path, opened)


def test_a_source_is_made_late_with_its_own_options(tmp_path):
    stack = describe(arguments(reward="degraded", reward_options='{"probability": 0.5}'))
    assert with_troubled_rewards(stack, {}, CUT, tmp_path) is stack
    late = with_troubled_rewards(stack, {"ep_000000": 1.0}, (), tmp_path)
    late = late.node("reward_node").parameters
    assert late["source"] == NAME
    found = options_from_json(late["source_options"])
    assert (found["source"], found["options"]) == ("degraded", '{"probability": 0.5}')


MEMORY = [Fault(FaultKind.REWARD_MEMORY, episode=1)]


def test_a_source_finds_no_room_for_its_episode_and_then_does(tmp_path):
    stack = describe(arguments(reward=registry_name(FakeSource)))
    found = with_troubled_rewards(stack, {}, MEMORY, tmp_path).node("reward_node").parameters
    assert found["source"] == NAME
    source = build(NAME, options_from_json(found["source_options"]))
    source.warm_up()
    other, mine = (make_request(source, f"ep_{k:06d}") for k in range(2))
    assert isinstance(source.score(other), Score)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="CUDA out of memory") as caught:
            source.score(mine)
        assert ran_out(caught.value)
    assert isinstance(source.score(mine), Score)
    source.close()


def test_what_a_rehearsal_cannot_break_is_refused_by_name(tmp_path):
    with pytest.raises(StackError, match="reward_memory needs a reward source that is a model"):
        with_troubled_rewards(describe(arguments(reward="human")), {}, MEMORY, tmp_path)
    away = describe(arguments(learner="wss://gpu.lab:8650"))
    for kind, node in ROT.items():
        if node == "learner_node":
            with pytest.raises(StackError, match=f"{kind} needs a learner on this machine"):
                require_rot(away, [Fault(kind)])
        else:
            require_rot(away, [Fault(kind)])


@pytest.mark.parametrize("kind", ROT)
def test_one_bit_of_the_file_that_is_named_changes(tmp_path, kind):
    run = write_scored_run(tmp_path / "run", 2, "human", {})
    assert "there is no such file yet" in rot_file(kind, tmp_path / "elsewhere")
    (run / "checkpoints" / "learner.safetensors").write_bytes(bytes(100))
    journal = run / "episodes" / ".journal" / "ep_000002" / "journal"
    journal.parent.mkdir(parents=True)
    journal.write_bytes(bytes(100))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    said = rot_file(kind, run)
    changed = [path for path, data in before.items() if path.read_bytes() != data]
    assert [f"{kind}: one bit of {path.relative_to(run)} is changed" for path in changed] == [said]
    where = {
        FaultKind.ROT_EPISODE: "ep_000001/chunks/noise",
        FaultKind.ROT_JOURNAL: "ep_000002/journal",
        FaultKind.ROT_LEDGER: "ledger.jsonl",
        FaultKind.ROT_CHECKPOINT: "learner.safetensors",
    }[kind]
    assert where in said


def test_a_rehearsal_whose_files_are_damaged_is_compared_all_the_same(tmp_path):
    run = write_scored_run(tmp_path / "run", 2, "human", {})
    out = Path(shutil.copytree(run, tmp_path / "out"))
    rot_file(FaultKind.ROT_EPISODE, out)
    whole, damaged = compare(StoredRecording(run), out, real_time=False)
    assert whole.different == ()
    (why,) = damaged.different
    assert "ep_000001/chunks/noise" in why
    assert damaged.rehearsed
    rot_file(FaultKind.ROT_LEDGER, out)
    whole, _ = compare(StoredRecording(run), out, real_time=False)
    (why,) = whole.different
    assert why.startswith("unscored, recorded: labelled: ")
    assert "line 3 is damaged" in why
