# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import threading
import urllib.request

import cv2
import numpy as np
import pytest

from roboreward_ros.cli import calibrate_camera
from roboreward_ros.cli.main import main
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.testing.conformance_episode_store import make_meta, make_report
from roboreward_ros.testing.fake_camera import FakeCamera
from roboreward_ros.types import EndCause


def scene():
    rng = np.random.default_rng(0)
    image = np.full((240, 320, 3), 120, np.uint8)
    for _ in range(120):
        x, y = int(rng.integers(320)), int(rng.integers(240))
        colour = tuple(int(v) for v in rng.integers(0, 255, 3))
        cv2.rectangle(image, (x, y), (x + 12, y + 8), colour, -1)
    return image


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 100.0, (320, 240))
    for _ in range(20):
        writer.write(scene())
    writer.release()
    return path


def command(film, *more):
    return ["calibrate", "camera", "--camera", str(film), *map(str, more)]


def test_a_view_is_kept_and_found_again(tmp_path, film, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(command(film, "--save", "reference.png")) == 0
    assert main(command(film, "--reference", "reference.png", "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["within"]
    assert abs(found["right_px"]) < 0.5
    assert cv2.imread("ghost.png").shape == (240, 320, 3)


def test_a_camera_that_moved_is_told_how_and_ends_with_1(tmp_path, film, capsys):
    reference = tmp_path / "reference.png"
    cv2.imwrite(str(reference), np.roll(scene(), -10, axis=1))
    out = tmp_path / "overlay.png"
    assert main(command(film, "--reference", reference, "--out", out)) == 1
    assert "pan right" in capsys.readouterr().out
    assert out.exists()


def test_the_first_picture_of_a_run_is_a_reference(tmp_path, film):
    store = EpisodeStore(tmp_path / "run", "w")
    writer = store.create(make_meta())
    jpeg = cv2.imencode(".jpg", scene())[1].tobytes()
    for step in range(2):
        writer.add_observation(step, step, jpeg, np.zeros(7), np.zeros(6))
    writer.add_step(0, make_report(0))
    writer.commit(EndCause.TIME)
    store.close()
    run = tmp_path / "run"
    assert main(command(film, "--reference", run, "--out", tmp_path / "g.png")) == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "nothing to do"),
        (("--reference", "gone.png"), "no picture"),
        (("--reference", "x", "--camera", "ros:/image"), "topic"),
    ],
)
def test_what_cannot_be_done_is_said(film, capsys, more, said):
    assert main(command(film, *more)) == 2
    assert said in capsys.readouterr().err


def test_the_overlay_is_served_live(capsys):
    camera = FakeCamera(width=96, height=64)
    camera.open()
    reference = camera.read(1.0).image
    seen = threading.Event()
    pictures = []

    class Watched(FakeCamera):
        """Sends the viewer to the address as soon as it is printed."""

        def read(self, timeout_s):
            frame = camera.read(timeout_s)
            if "http" in (text := capsys.readouterr().err):
                address = text.partition("http")[2].split()[0]
                threading.Thread(target=look, args=(f"http{address}",)).start()
            return frame

    def look(address):
        with urllib.request.urlopen(address, timeout=60.0) as stream:
            head = stream.read(200)
            size = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
            body = head.partition(b"\r\n\r\n")[2] + stream.read(size - len(head) + 300)
            pictures.append(cv2.imdecode(np.frombuffer(body[:size], np.uint8), 1))
        seen.set()

    calibrate_camera.show_live(Watched(), reference, 0, lambda: not seen.is_set())
    assert pictures[0].shape == (64, 96, 3)
