# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward rehearse`` as people run it: its own process, the real nodes, a reward endpoint."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import yaml
from conftest import Ros
from sensor_msgs.msg import Image

from roboreward_ros.cli.domain import free_domain
from roboreward_ros.cli.rehearse import RESULT_FILE
from roboreward_ros.ros.qos import EVENT
from roboreward_ros.testing.bag_writer import write_bag
from roboreward_ros.testing.chat_server import MODEL, ChatServer
from roboreward_ros.testing.recorded_run import STEPS, TASK, write_scored_run

pytestmark = [pytest.mark.launch, pytest.mark.slow, pytest.mark.ros, pytest.mark.timeout(900)]
LIMIT_S = 600.0
MESSAGES = Path(__file__).parents[2] / "msg"
WHOLE = 1000
"""So many steps reach to the next episode, scoring included."""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    with free_domain() as domain:
        yield {**os.environ, **domain}


@pytest.fixture
def endpoint() -> Iterator[ChatServer]:
    """Gives every episode a 3."""
    with ChatServer() as server:
        server.texts.extend(["ANSWER: 3"] * 100)
        yield server


def options(endpoint: ChatServer) -> dict[str, object]:
    return {"base_url": endpoint.url, "model": MODEL, "media": "jpeg_list", "retries": 0}


def rehearse(environment: dict[str, str], out: Path, *words: str) -> tuple[int, str, dict]:
    """Exit code, what it printed on one line, and its result file."""
    command = [sys.executable, "-m", "roboreward_ros.cli.main", "rehearse", *words]
    done = subprocess.run(
        [*command, "--out", str(out), "--patience", "120"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    sys.stdout.write(done.stdout)
    result = json.loads((out / RESULT_FILE).read_text())
    return done.returncode, " ".join(done.stdout.split()), result


def test_a_recorded_run_is_rehearsed_as_it_was(
    environment: dict[str, str], endpoint: ChatServer, tmp_path: Path
) -> None:
    recorded = write_scored_run(tmp_path / "monday", 2, "api", options(endpoint))
    code, said, result = rehearse(environment, tmp_path / "out", str(recorded))
    assert code == 0, said
    figures = result["figures"]
    assert (figures["episodes"], figures["different"], figures["restarts"]) == (2, 0, 0)
    assert [episode["reward"] for episode in result["episodes"]] == [[3.0, 3.0]] * 2
    assert said.endswith("as expected")


def test_a_dead_node_a_full_disk_and_a_bad_wire_are_each_named(
    environment: dict[str, str], endpoint: ChatServer, tmp_path: Path
) -> None:
    recorded = write_scored_run(tmp_path / "monday", 4, "api", options(endpoint))
    faults = [
        {"fault": "disk_full", "node": "recorder_node", "episode": 0, "step": 2, "steps": WHOLE},
        {"fault": "kill", "node": "reward_node", "episode": 1, "step": 2},
        {"fault": "network_cut", "episode": 2, "step": 2, "steps": WHOLE},
        {"fault": "network_html", "episode": 3, "step": 2, "steps": WHOLE},
    ]
    file = tmp_path / "faults.yaml"
    file.write_text(yaml.safe_dump({"faults": faults}))
    words = (str(recorded), "--faults", str(file), "--expect", "restarts=1")
    code, said, result = rehearse(environment, tmp_path / "out", *words)
    assert code == 0, said
    full, killed, cut, html = result["faults"]
    assert all(item["begun"] for item in result["faults"])
    assert any("No space left on device" in text for text in full["seen"])
    assert any("reward_node was killed by SIGKILL" in text for text in killed["seen"])
    assert any("no answer from" in text for text in cut["episode"])
    assert any("502" in text for text in html["episode"]), html
    assert result["figures"]["retries"] >= 1, "an episode that cannot be kept is run again"
    labels = [episode["label"][1] for episode in result["episodes"]]
    assert labels == ["labelled", "labelled", "failed", "failed"]


def test_what_rots_or_finds_no_room_is_named_by_the_node_that_meets_it(
    environment: dict[str, str], endpoint: ChatServer, tmp_path: Path
) -> None:
    recorded = write_scored_run(tmp_path / "monday", 4, "api", options(endpoint))
    faults = [
        {"fault": "disk_read_only", "node": "recorder_node", "episode": 0, "step": 2},
        {"fault": "reward_memory", "episode": 0},
        {"fault": "rot_journal", "episode": 1, "step": 2},
        {"fault": "network_doubled", "episode": 2, "steps": WHOLE},
        {"fault": "rot_episode", "episode": 2, "step": 2},
        {"fault": "rot_checkpoint", "episode": 3, "step": 2},
    ]
    file = tmp_path / "faults.yaml"
    file.write_text(yaml.safe_dump({"faults": faults}))
    # A learner that refuses its checkpoint ends the run; its episode may be on disk by then.
    words = (str(recorded), "--faults", str(file), "--expect", "missing<=1")
    code, said, result = rehearse(environment, tmp_path / "out", *words)
    assert code == 0, said
    assert all(item["begun"] for item in result["faults"])
    seen = [" ".join(item["seen"]) for item in result["faults"]]
    for text, named in zip(
        seen,
        (
            "Read-only file system",
            "CUDA out of memory",
            "episode ep_000001 was interrupted",
            "",
            "chunks/noise/c.0.0.0 is damaged",
            "not a learner checkpoint",
        ),
        strict=True,
    ):
        assert named in text
    (rotten,) = [episode for episode in result["episodes"] if episode["damage"]]
    assert (rotten["name"], "ep_000001/chunks/noise" in rotten["damage"]) == ("ep_000001", True)
    assert len(endpoint.requests) > len(result["episodes"]), "one of them came twice"


def test_an_mcap_bag_is_rehearsed_with_all_its_cameras(
    ros: Ros, node_environment: dict[str, str], endpoint: ChatServer, tmp_path: Path
) -> None:
    cameras = ("/image", "/wrist")
    write_bag(tmp_path / "bag", MESSAGES, cameras=cameras, size=(96, 96))
    given = ("policy:=demo", "reward:=api", f"reward_options:={json.dumps(options(endpoint))}")
    words = (str(tmp_path / "bag"), *given, "--expect", "unlabelled=0")
    seen: list[tuple[str, int]] = []
    watcher = ros.node()
    for camera in cameras:
        hear = partial(lambda name, image: seen.append((name, image.data[0])), camera)
        watcher.create_subscription(Image, camera, hear, EVENT)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(rehearse, node_environment, tmp_path / "out", *words)
        ros.spin_until(done.done, "the rehearsal's end", LIMIT_S)
    code, said, result = done.result()
    assert code == 0, said
    (episode,) = result["episodes"]
    assert episode["steps"] == [STEPS, STEPS]
    assert episode["reward"][1] == 3.0
    config = json.loads((tmp_path / "out" / "run.json").read_text())["config"]
    assert config["task"] == TASK
    for number, camera in enumerate(cameras):
        levels = sorted({level for name, level in seen if name == camera})
        assert levels == pytest.approx([10 * k + number for k in range(STEPS + 1)], abs=2)
