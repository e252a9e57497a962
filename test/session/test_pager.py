# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A person is called once for each trouble, not too often, by a real command and a real hook."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from roboreward_ros.clock import FakeClock, SystemClock
from roboreward_ros.errors import ConfigError
from roboreward_ros.session.pager import Pager, PagerConfig, Pages, send


def test_the_same_trouble_is_sent_once_until_it_was_over():
    clock = FakeClock()
    pages = Pages(60.0, clock)
    assert pages.due("") == ""
    assert pages.due("the camera is gone") == "the camera is gone"
    clock.advance(1000.0)
    assert pages.due("the camera is gone") == ""
    assert pages.due("") == ""
    assert pages.due("the camera is gone") == "the camera is gone"


def test_another_trouble_waits_for_its_time_and_is_dropped_when_it_is_over():
    clock = FakeClock()
    pages = Pages(60.0, clock)
    pages.due("first")
    clock.advance(10.0)
    assert pages.due("second") == ""
    clock.advance(51.0)
    assert pages.due("third") == "third"
    clock.advance(10.0)
    assert pages.due("fourth") == ""
    clock.advance(100.0)
    assert pages.due("") == ""


def test_only_a_new_line_is_news_and_one_that_came_back():
    clock = FakeClock()
    pages = Pages(0.0, clock)
    assert pages.due("camera\narm") == "camera\narm"
    assert pages.due("arm") == ""
    assert pages.due("arm\ncamera") == "arm\ncamera"


def test_a_command_gets_the_words_without_a_shell(tmp_path):
    out = tmp_path / "out"
    code = (
        "import os,sys;open(sys.argv[1],'w').write(os.environ['ROBOREWARD_PAGE']+sys.stdin.read())"
    )
    send(
        PagerConfig(f'{sys.executable} -c "{code}" {out}', run="runs/evening"),
        "held $(touch /x); `y`",
    )
    assert out.read_text() == "evening: held $(touch /x); `y`" * 2 + "\n"


@pytest.fixture
def hook():
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if "broken" in heard[-1]["text"] else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_hook_gets_the_words_and_a_broken_one_is_logged(hook):
    url, heard = hook
    lines = []
    pager = Pager(
        PagerConfig(url=url, every_s=0.0, run="runs/evening"), SystemClock(), lines.append
    )
    pager.look("the arm is in a fault")
    pager.look("the arm is in a fault")
    pager.look("the hook is broken")
    pager.close(60.0)
    assert heard[0] == {"text": "evening: the arm is in a fault", "run": "evening"}
    assert len(heard) == 2
    assert len(lines) == 1
    assert "500" in lines[0]


@pytest.mark.parametrize(
    "command", ["/no/such/program", f"{sys.executable} -c 'raise SystemExit(3)'"]
)
def test_a_command_that_fails_is_logged_and_stops_nothing(command):
    lines = []
    pager = Pager(PagerConfig(command), SystemClock(), lines.append)
    pager.look("help")
    pager.close(60.0)
    assert "nobody could be called" in lines[0]


def test_without_anybody_to_call_nothing_runs():
    pager = Pager(PagerConfig(), SystemClock(), print)
    pager.look("help")
    assert pager._thread is None
    pager.close()


@pytest.mark.parametrize(
    "wrong", [{"command": "say 'hi"}, {"url": "file:///etc/passwd"}, {"every_s": -1.0}]
)
def test_a_pager_that_cannot_work_is_refused(wrong):
    with pytest.raises(ConfigError, match="page_"):
        PagerConfig(**wrong)
