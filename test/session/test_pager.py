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
from roboreward_ros.session.pager import Pager, PagerConfig, Pages, run_command


def said(pages, text):
    """What is due, delivered at once."""
    if page := pages.due(text):
        pages.delivered()
    return page


def test_the_same_trouble_is_sent_once_until_it_was_over():
    clock = FakeClock()
    pages = Pages(60.0, clock)
    assert said(pages, "") == ""
    assert said(pages, "the camera is gone") == "the camera is gone"
    clock.advance(1000.0)
    assert said(pages, "the camera is gone") == ""
    assert said(pages, "") == ""
    assert said(pages, "the camera is gone") == "the camera is gone"


def test_another_trouble_waits_for_its_time_and_is_dropped_when_it_is_over():
    clock = FakeClock()
    pages = Pages(60.0, clock)
    said(pages, "first")
    clock.advance(10.0)
    assert said(pages, "second") == ""
    clock.advance(51.0)
    assert said(pages, "third") == "third"
    clock.advance(10.0)
    assert said(pages, "fourth") == ""
    clock.advance(100.0)
    assert said(pages, "") == ""


def test_only_a_new_line_is_news_and_one_that_came_back():
    clock = FakeClock()
    pages = Pages(0.0, clock)
    assert said(pages, "camera\narm") == "camera\narm"
    assert said(pages, "arm") == ""
    assert said(pages, "arm\ncamera") == "arm\ncamera"


def test_what_did_not_get_out_is_due_again_ever_more_rarely_until_it_is_out_or_over():
    clock = FakeClock()
    pages = Pages(60.0, clock)
    waits = []
    for _ in range(6):
        waited_s = 0
        while not pages.due("the camera is gone"):
            clock.advance(1.0)
            waited_s += 1
        assert pages.due("the camera is gone") == "", "one at a time"
        pages.failed()
        waits.append(waited_s)
    assert waits == [0, 10, 20, 40, 60, 60], "never more rarely than two pages follow each other"
    clock.advance(60.0)
    assert pages.due("") == "", "nobody is called for what is over"
    assert said(pages, "the camera is gone\nthe arm is hot").endswith("hot"), "the newest word"
    clock.advance(1000.0)
    assert said(pages, "the camera is gone\nthe arm is hot") == ""


def test_a_command_gets_the_words_without_a_shell(tmp_path):
    out = tmp_path / "out"
    code = (
        "import os,sys;open(sys.argv[1],'w').write(os.environ['ROBOREWARD_PAGE']+sys.stdin.read())"
    )
    run_command(
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


def looks_until(pager, text, fits):
    """Look as the node does, for a minute at most."""
    clock = SystemClock()
    end_ns = clock.steady_ns() + 60 * 10**9
    while not fits():
        assert clock.steady_ns() < end_ns
        pager.look(text)
        clock.sleep(0.01)


def test_a_hook_gets_the_words_and_a_broken_one_is_asked_again_and_said(hook):
    url, heard = hook
    lines = []
    config = PagerConfig(url=url, every_s=0.0, run="runs/evening")
    pager = Pager(config, SystemClock(), lines.append)
    looks_until(pager, "the arm is in a fault", lambda: heard)
    looks_until(pager, "the hook is broken", lambda: len(heard) > 3)
    assert heard[0] == {"text": "evening: the arm is in a fault", "run": "evening"}
    assert all("the hook is broken" in it["text"] for it in heard[1:])
    assert "500" in lines[0]
    assert "500" in pager.problems["web hook"]
    looks_until(pager, "the hook is well", lambda: pager.problems["web hook"] == "")
    pager.close(60.0)
    assert heard[-1]["text"] == "evening: the hook is well"


def test_a_way_that_works_is_not_used_again_because_another_one_fails():
    clock, tried = FakeClock(), {"good": [], "bad": []}

    def bad(config, text):
        tried["bad"].append(text)
        raise RuntimeError("nobody expected this")

    ways = {"good": lambda config, text: tried["good"].append(text), "bad": bad}
    pager = Pager(PagerConfig(every_s=0.0), clock, lambda line: None, ways)
    looks_until(pager, "help", lambda: len(tried["bad"]) > 2)
    assert tried["good"] == ["help"]
    problem = "a page did not get out: nobody expected this; it was about: help"
    assert pager.problems == {"bad": problem}
    pager.say_last("help")
    pager.close(60.0)
    assert tried["good"] == ["help", "help"], "last words are said whatever was said before"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("/no/such/program secret", "No such file"),
        (f"{sys.executable} -c 'raise SystemExit(3)' secret", "ended with code 3"),
    ],
)
def test_a_command_that_fails_is_logged_without_its_arguments(command, why):
    lines = []
    pager = Pager(PagerConfig(command), SystemClock(), lines.append)
    pager.look("help\nthe arm")
    pager.close(60.0)
    assert why in lines[0]
    assert lines[0].endswith("it was about: help the arm")
    assert "secret" not in lines[0]


def test_without_anybody_to_call_nothing_runs():
    before = threading.active_count()
    pager = Pager(PagerConfig(), SystemClock(), print)
    pager.look("help")
    assert threading.active_count() == before
    assert pager.problems == {}
    pager.close()


@pytest.mark.parametrize(
    "wrong", [{"command": "say 'hi"}, {"url": "file:///etc/passwd"}, {"every_s": -1.0}]
)
def test_a_pager_that_cannot_work_is_refused(wrong):
    with pytest.raises(ConfigError, match="page_"):
        PagerConfig(**wrong)
