# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A person at the console: a real browser, the real stack, the twin in real time."""

import asyncio
import functools
import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from playwright.sync_api import expect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from roboreward_ros.dsrl.corrections import Corrector
from roboreward_ros.episodes.ledger import OPERATOR, Ledger
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.policies.diffusion import load_policy
from roboreward_ros.types import StepFlag

pytestmark = [pytest.mark.ros, pytest.mark.slow]


def keys_of(stack):
    return Ledger(stack.run_dir, "r", OPERATOR).records()


def pause(viewer):
    viewer.running()
    viewer.press("Space")
    viewer.phase("PAUSED")


def go_on(viewer):
    viewer.press("Space")
    viewer.phase("RUNNING|READY|RESETTING")


def test_the_session_is_seen_and_its_pictures_move(viewer, stack):
    viewer.running()
    before = viewer.pictures()
    viewer.until(lambda: viewer.pictures() > before + 3, "moving pictures")
    expect(viewer.at("task")).to_contain_text("drawer")
    keys = viewer.page.locator(".rr-control")
    expect(keys.get_by_role("button", name="Success")).to_be_visible()
    expect(keys.get_by_role("button", name="The scene is ready")).to_be_hidden()


def test_nothing_is_loaded_from_elsewhere(browser, stack):
    page = browser.new_page()
    hosts = set()
    page.on("request", lambda request: hosts.add(re.sub(r"^\w+://([^/]*).*", r"\1", request.url)))
    page.goto(stack.url)
    expect(page.get_by_test_id("phase")).not_to_have_text("")
    expect(page.get_by_test_id("chart").locator("canvas, svg").first).to_be_visible()
    page.close()
    assert {h for h in hosts if not h.startswith(("data:", "blob:"))} == {f"localhost:{stack.port}"}


def test_space_holds_and_space_goes_on(viewer):
    viewer.running()
    pause(viewer)
    expect(viewer.page.get_by_role("button", name="Go on")).to_be_visible()
    viewer.press("Space")
    viewer.phase("RUNNING")


def test_an_open_question_is_answered_with_two_keys(viewer, stack):
    viewer.running()
    cards = viewer.at("queue").locator("article")
    expect(cards.first).to_be_visible()
    pause(viewer)
    first = re.match(r"ep_\d+", cards.first.inner_text()).group()
    pictures = cards.first.locator("img")
    expect(pictures).to_have_count(6)
    viewer.until(
        lambda: pictures.first.evaluate("image => image.complete && image.naturalWidth > 0"),
        "the filmstrip",
    )
    viewer.press("a")
    expect(cards.first).to_have_attribute("data-on", "true")
    viewer.press("f")
    expect(cards.first).to_contain_text("how far did it get?")
    expect(cards.first).to_have_attribute("data-on", "true")
    viewer.press("2")
    expect(viewer.at("queue")).not_to_contain_text(first)
    assert [(r.episode_id, r.outcome.text) for r in keys_of(stack)[-2:]] == [
        (first, "f"),
        (first, "2"),
    ]
    viewer.press("Enter")
    viewer.phase("RUNNING")


def test_a_key_ends_and_labels_the_episode_on_the_screen_and_is_taken_back(viewer, stack):
    viewer.running()
    episode_id = f"ep_{viewer.index():06d}"
    viewer.press("s")
    expect(viewer.at("labels")).to_contain_text(f"{episode_id}: success")
    assert EpisodeStore(stack.run_dir).open(episode_id).summary.end_cause == "operator"
    pause(viewer)
    viewer.press("u")
    expect(viewer.at("labels")).to_contain_text(f"{episode_id}: taken back")
    assert keys_of(stack)[-1].retracts == keys_of(stack)[-2].seq
    go_on(viewer)


def test_redo_runs_the_episode_again_and_discard_asks_twice(viewer, stack):
    viewer.running()
    saved = viewer.committed()
    viewer.press("r")
    expect(viewer.at("log")).to_contain_text(re.compile("discard"))
    viewer.phase("RUNNING")
    assert viewer.committed() == saved
    pause(viewer)
    last = EpisodeStore(stack.run_dir).ids()[-1]
    viewer.press("r")
    expect(viewer.page.locator(".rr-hint")).to_contain_text("Press r again")
    assert not EpisodeStore(stack.run_dir).open(last).summary.discarded
    # The looking may have taken so long that the next press is a first one again.
    viewer.press("r")
    viewer.press("r")
    viewer.until(lambda: EpisodeStore(stack.run_dir).open(last).summary.discarded, "discarded")
    go_on(viewer)


def test_the_reward_source_is_swapped_while_the_session_runs(viewer):
    expect(viewer.at("active-source")).to_contain_text("AbstainingSource")
    viewer.page.get_by_label("source", exact=True).click()
    viewer.page.get_by_role("option", name="ground_truth").click()
    viewer.at("swap").click()
    expect(viewer.at("active-source")).to_contain_text("ground_truth")
    expect(viewer.at("log")).to_contain_text(re.compile(r"ground_truth \d"))


def test_a_candidate_is_tried_in_the_shadow_compared_and_promoted(viewer):
    viewer.running()
    viewer.page.get_by_label("source", exact=True).click()
    viewer.page.get_by_role("option", name="degraded").click()
    viewer.at("shadow").click()
    expect(viewer.at("log")).to_contain_text("degraded runs in the shadow of ground_truth")
    expect(viewer.at("agreement")).to_contain_text("degraded against ground_truth: n = ")
    viewer.at("promote").click()
    expect(viewer.at("active-source")).to_contain_text("degraded")


def test_the_operator_takes_the_arm_over_and_gives_it_back_in_mid_episode(viewer, stack):
    viewer.running(left=45)
    episode_id = f"ep_{viewer.index():06d}"
    viewer.press("m")
    viewer.phase("TAKEOVER")
    expect(viewer.at("handling")).to_contain_text("You move the arm")
    viewer.page.keyboard.down("ArrowUp")
    viewer.page.keyboard.down("p")
    viewer.passed(6)
    viewer.page.keyboard.up("p")
    viewer.page.keyboard.up("ArrowUp")
    viewer.passed(3)  # the arm comes to rest: a decision of the policy may be due at once
    viewer.press("m")
    viewer.phase("RUNNING")
    expect(viewer.at("handling")).to_be_hidden()
    viewer.press("s")
    expect(viewer.at("labels")).to_contain_text(f"{episode_id}: success")
    episode = EpisodeStore(stack.run_dir).open(episode_id)
    by_hand = [bool(flag & StepFlag.TAKEOVER) for flag in episode.flags()]
    first, last = by_hand.index(True), len(by_hand) - by_hand[::-1].index(True)
    assert all(by_hand[first:last])  # one stretch
    assert first > 0
    assert episode.summary.taint == ("takeover",)
    moved = episode.actions()[first:last]
    # 0.1 m/s at 5 Hz; a page that is starved for a while is silent, and brakes.
    assert 0.005 < moved[:, 0].max() < 0.021
    assert abs(moved[-1, :6]).max() < 1e-3
    assert moved[-1, 6] == 0.0
    after = list(episode.flags())[last:]  # the policy from a decision on, or the hold at the end
    decided = last % episode.summary.meta.chunk_size == 0
    assert decided or all(flag & StepFlag.HOLD for flag in after)
    learnt = Corrector(functools.partial(load_policy, "demo"))(episode)
    assert learnt is not None
    hands = [c for c in learnt.chunks() if any(by_hand[c.step : c.step + 4])]
    assert hands
    assert any(c.executed == len(by_hand[c.step : c.step + 4]) > 0 for c in hands)
    assert all(np.isfinite(c.features).all() for c in learnt.chunks())


PAD = """() => {
  const up = () => ({ pressed: false, value: 0 });
  window.pad = { connected: true, axes: [0, 0, 0, 0], buttons: Array.from({ length: 16 }, up) };
  navigator.getGamepads = () => [window.pad];
}"""


def test_a_gamepad_takes_the_arm_moves_it_and_gives_it_back(viewer, stack):
    def push(button, down):
        viewer.page.evaluate(
            "([k, down]) => { window.pad.buttons[k] = { pressed: down, value: +down }; }",
            [button, down],
        )

    viewer.page.evaluate(PAD)
    try:
        viewer.running(left=40)
        index = viewer.index()
        push(9, True)
        viewer.phase("TAKEOVER")
        push(9, False)
        viewer.page.evaluate("window.pad.axes[1] = 1")  # pulled: back
        viewer.passed(4)
        viewer.page.evaluate("window.pad.axes[1] = 0")
        push(9, True)
        viewer.phase("RUNNING")
        push(9, False)
        push(2, True)
        expect(viewer.at("labels")).to_contain_text(f"ep_{index:06d}: failure")
    finally:
        viewer.page.evaluate("navigator.getGamepads = () => []")
    episode = EpisodeStore(stack.run_dir).open(f"ep_{index:06d}")
    by_hand = np.asarray(episode.flags()) & int(StepFlag.TAKEOVER) > 0
    fastest = episode.actions()[by_hand, 0].min()
    assert -0.021 < fastest < -0.005  # as above


def test_a_task_full_of_html_stays_text(viewer):
    pause(viewer)
    before = viewer.page.evaluate("document.querySelector('.rr-seen').dataset.phase")
    assert before == "PAUSED"
    nasty = "open the drawer <img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"
    viewer.press("t")
    box = viewer.page.locator(".q-dialog input")
    expect(box).to_have_value("open the drawer")
    box.fill("open drawer")
    expect(viewer.at("remark")).to_contain_text("Did you mean “open the drawer”?")
    box.fill(nasty)
    box.press("Enter")
    expect(viewer.at("task")).to_contain_text("<img src=x")
    assert viewer.page.evaluate("window.hacked") is None
    expect(viewer.page.locator(".q-dialog")).to_have_count(0)
    viewer.press("t")
    box.fill("open the drawer")
    viewer.at("set-task").click()
    expect(viewer.at("task")).to_have_text("“open the drawer”")
    go_on(viewer)


def test_words_that_no_page_would_send_are_refused_and_harm_nobody(viewer, stack):
    viewer.running()
    labels = len(keys_of(stack))
    for words in (
        "12",
        "null",
        "[1, 2]",
        "{verb: 7, text: {}, episode: [], phase: null}",
        "{verb: '__init__', text: '', episode: '', phase: ''}",
        "{verb: 'label', text: 's', episode: '../../etc', phase: 'RUNNING'}",
        "{verb: 'task', text: 'x'.repeat(5000), episode: '', phase: ''}",
        "{verb: 'label', text: 's\\u0000', episode: '', phase: ''}",
    ):
        viewer.page.evaluate(f"emitEvent('console_verb', {words})")
        viewer.page.evaluate(f"emitEvent('console_key', {words})")
    expect(viewer.page.locator(".q-notification").first).to_be_visible()
    assert len(keys_of(stack)) == labels
    assert "drawer" in viewer.at("task").inner_text()
    viewer.running()


def test_fifty_clients_that_come_and_go_do_not_stop_the_arm(viewer, stack):
    viewer.running()

    async def storm() -> int:
        async def come_and_go(k: int) -> int:
            url = f"ws://localhost:{stack.port}/live/main"
            try:
                async with connect(url, open_timeout=30) as socket:
                    await socket.send("n" if k % 5 else "n" * 70_000)
                    return isinstance(await socket.recv(), bytes)
            except (ConnectionClosed, InvalidStatus):  # oversized, or too many viewers at once
                return 0

        return sum(await asyncio.gather(*(come_and_go(k) for k in range(50))))

    with ThreadPoolExecutor(1) as pool:  # the browser's driver has this thread's event loop
        first, second = (pool.submit(asyncio.run, storm()).result() for _ in range(2))
    assert first == 40
    assert second <= 40  # those of the first storm may still count as viewers
    saved = viewer.committed()
    viewer.until(lambda: viewer.committed() > saved, "the next episode")


def test_a_reload_in_mid_episode_changes_nothing(viewer, stack):
    viewer.running(left=45)
    index = viewer.index()
    viewer.page.reload()
    viewer.connected()
    viewer.phase("RUNNING")
    if viewer.index() != index:  # a browser may take longer than an episode
        assert EpisodeStore(stack.run_dir).open(f"ep_{index:06d}").summary.end_cause == "time"
    before = viewer.pictures()
    viewer.until(lambda: viewer.pictures() > before, "pictures after the reload")


def test_of_two_tabs_one_acts_and_both_can_hold(viewer, second, stack):
    first = viewer
    pause(first)
    go_on(first)
    first.running()
    expect(second.at("seat")).to_contain_text("has the controls")
    labels = len(keys_of(stack))
    second.press("s")
    expect(second.page.locator(".q-notification")).to_contain_text("has the controls")
    assert len(keys_of(stack)) == labels
    second.press("Space")
    second.phase("PAUSED")
    second.press("Space")
    expect(second.page.locator(".q-notification").last).to_contain_text("has the controls")
    second.page.get_by_role("button", name="Take the controls").click()
    expect(second.at("seat")).to_have_text("You have the controls")
    expect(first.at("seat")).not_to_have_text("You have the controls")
    second.press("Space")
    second.phase("RUNNING")


def test_a_held_key_counts_once(viewer):
    viewer.running()
    viewer.page.keyboard.down("Space")
    for _ in range(5):
        viewer.page.keyboard.down("Space")  # what auto-repeat sends
    viewer.page.keyboard.up("Space")
    viewer.phase("PAUSED")
    viewer.press("Space")
    viewer.phase("RUNNING")


def test_the_page_comes_back_after_the_server_was_killed(viewer, stack):
    viewer.running()
    os.kill(stack.pid_of("console_node"), signal.SIGKILL)
    expect(viewer.at("lost")).to_be_visible()
    viewer.press("Space")
    expect(viewer.page.locator(".rr-hint")).to_have_text("Not connected: the press was not sent")
    stack.wait_for("console_node started", 2)
    stack.wait_for("console: http", 2)
    viewer.connected()
    expect(viewer.at("lost")).to_be_hidden()
    viewer.phase("RUNNING|READY|RESETTING")
    before = viewer.pictures()
    viewer.until(lambda: viewer.pictures() > before + 2, "pictures after the restart")
    assert stack.process.poll() is None


def test_a_press_that_nobody_answers_is_said_to_be_lost(viewer, stack):
    viewer.running()
    console = stack.pid_of("console_node")
    os.kill(console, signal.SIGSTOP)
    try:
        viewer.press("c")
        expect(viewer.page.locator(".rr-hint.rr-show")).to_contain_text("the press may be lost")
    finally:
        os.kill(console, signal.SIGCONT)
    viewer.connected()


def test_stop_and_start(viewer):
    viewer.running()
    viewer.page.get_by_role("button", name="Stop").dblclick()
    viewer.phase("IDLE")
    viewer.page.get_by_role("button", name="Start").click()
    viewer.phase("RUNNING")
