// SPDX-FileCopyrightText: 2026 The roboreward_ros authors
// SPDX-License-Identifier: Apache-2.0
// Keys with what stood on the screen when they were pressed, and live pictures one at a time.
"use strict";
window.roboreward = (() => {
  const CONFIRM_MS = 3000;
  const ANSWER_MS = 2000;
  const OPENING_MS = 3000;
  const NOT_SENT = "Not connected: the press was not sent";
  const NO_ANSWER = "No answer: the press may be lost. If the arm must stop now, use its own stop.";
  const KNOWN = "enter space s f 1 2 3 4 5 r m u t q a g c ?".split(" ");
  const COVERED = "A list or a dialog is open: the press was not sent";
  let armed = { what: "", until: 0 };
  let number = 0;
  const unanswered = new Map();

  const seen = () => document.querySelector(".rr-seen")?.dataset ?? {};
  const allowed = (verb) => (seen().allowed ?? "").split(" ").includes(verb);

  function say(text) {
    const box = document.querySelector(".rr-hint");
    if (!box) return;
    box.textContent = text;
    box.classList.add("rr-show");
    clearTimeout(say.timer);
    say.timer = setTimeout(() => box.classList.remove("rr-show"), CONFIRM_MS);
  }

  // The socket that carries presses. Pictures come over sockets of their own and say nothing of it.
  const online = () => Boolean(window.socket?.connected && window.did_handshake);

  // A press goes out now or not at all: one that waits for a connection would act on another scene.
  function send(event, words) {
    if (!online()) { say(NOT_SENT); return; }
    number += 1;
    const mine = number;
    unanswered.set(mine, setTimeout(() => { unanswered.delete(mine); say(NO_ANSWER); }, ANSWER_MS));
    emitEvent(event, { ...words, number: mine });
  }

  function heard(which) {
    clearTimeout(unanswered.get(which));
    unanswered.delete(which);
  }

  let everOnline = false;
  function watch() {
    everOnline ||= online();
    const off = !online() && (everOnline || performance.now() > OPENING_MS);
    document.body.classList.toggle("rr-off", off);
  }

  // What cannot be taken back wants a second press.
  function confirmed(what, words) {
    const now = performance.now();
    if (armed.what === what && now < armed.until) { armed = { what: "", until: 0 }; return true; }
    armed = { what, until: now + CONFIRM_MS };
    say(words);
    return false;
  }

  const running = (s) => ["RUNNING", "TAKEOVER", "READY"].includes(s.phase);

  function target(s) {
    if (running(s)) return s.episode;
    return s.card || s.last;
  }

  function press(verb, text = "", episode = null) {
    if (!online()) { say(NOT_SENT); return; }
    const s = seen();
    if (["confirm_reset", "start", "take_over", "give_back"].includes(verb)) episode = s.episode ?? "";
    if (verb === "label" || verb === "discard") episode = episode ?? target(s);
    if (verb === "discard" && !running(s) &&
        !confirmed("discard" + episode, `Press r again to discard ${episode}`)) return;
    if (verb === "quit" && !confirmed("quit", "Press q again to stop the session and leave")) return;
    if (verb === "stop" && !confirmed("stop", "Press again to stop the loop")) return;
    send("console_verb", { verb, text, episode: episode ?? "", phase: s.phase ?? "" });
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target;
    // Where text is typed, keys are text.
    if (at.closest?.("input:not([role=combobox]), textarea, [contenteditable]")) return;
    // Enter presses the button that has the focus. Space always holds the arm.
    if (event.key === "Enter" && at.closest?.("button, a, [role=combobox]")) return;
    const pressed = { Enter: "enter", " ": "space" }[event.key] ?? event.key.toLowerCase();
    if (handling() && hands.keys[pressed]) {
      event.preventDefault();
      held.add(hands.keys[pressed]);
      return;
    }
    const name = hands.aliases[pressed] ?? pressed;
    if (!KNOWN.includes(name)) return;
    event.preventDefault();
    if (event.repeat) return; // a key that is held down counts once
    // Over an open list or dialog, one that is just closing too, only the hold goes through.
    if (name !== "space" && document.querySelector(".q-menu, .q-dialog")) { say(COVERED); return; }
    act(name);
  }

  function act(name) {
    const s = seen();
    if (name === "enter") press(s.phase === "WAIT_RESET" ? "confirm_reset" : "start");
    else if (name === "space") press("hold");
    else if ("sf12345".includes(name)) press("label", name);
    else if (name === "r") press("discard");
    else if (name === "m") press(s.phase === "TAKEOVER" ? "give_back" : "take_over");
    else if (name === "u") press("undo");
    else if (name === "q") press("quit");
    else own(name); // t, a, g, c and ?: the page's own
  }

  // While a person moves the arm: what is held down goes out ten times a second, rest too, so that
  // a page that is gone, or a key whose release was never heard of, stops the arm.
  const hands = window.roborewardHands ?? { deadZone: 1, keys: {}, aliases: {}, axes: {}, buttons: {} };
  const held = new Set();
  let padDown = new Set();
  const handling = () => seen().phase === "TAKEOVER" && seen().mine === "true";
  const other = (motion) => motion.slice(0, -1) + (motion.endsWith("+") ? "-" : "+");

  // Gamepads: axes push motions, buttons push motions or press keys, once for each time.
  function readPads(push) {
    const down = new Set();
    for (const pad of navigator.getGamepads?.() ?? []) {
      if (!pad?.connected) continue;
      pad.axes.forEach((value, k) => {
        const way = (Math.abs(value) - hands.deadZone) / (1 - hands.deadZone);
        const motion = hands.axes[k];
        if (motion && way > 0) push[value > 0 ? motion : other(motion)] = Math.min(way, 1);
      });
      pad.buttons.forEach((button, k) => {
        const word = hands.buttons[k];
        if (!word || !button.pressed) return;
        down.add(word);
        if (!KNOWN.includes(word)) push[word] = Math.max(button.value, push[word] ?? 0);
        else if (!padDown.has(word)) act(word);
      });
    }
    padDown = down;
  }

  function beat() {
    const push = {};
    readPads(push);
    if (!handling()) { held.clear(); return; }
    held.forEach((motion) => { push[motion] = 1; });
    const gripper = push.open ? "open" : push.close ? "close" : null;
    if (online()) emitEvent("console_hand", { push, gripper });
  }

  function letGo(event) {
    if (event.key) held.delete(hands.keys[event.key.toLowerCase()]);
    else held.clear();
    document.querySelectorAll("[data-down]").forEach((button) => button.removeAttribute("data-down"));
  }

  document.addEventListener("keyup", letGo);
  for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, letGo);
  window.addEventListener("blur", letGo);
  document.addEventListener("visibilitychange", letGo);
  document.addEventListener("pointerdown", (event) => {
    const button = event.target.closest?.("[data-motion]");
    if (!button) return;
    held.add(button.dataset.motion);
    button.dataset.down = "1";
  });
  setInterval(beat, 100);

  const own = (name) => send("console_key", { key: name });

  function live(img, camera) {
    let wait = 250, url = "";
    const note = img.parentElement.querySelector(".rr-stale");
    const connect = () => {
      const scheme = location.protocol === "https:" ? "wss" : "ws";
      const socket = new WebSocket(`${scheme}://${location.host}/live/${camera}`);
      socket.binaryType = "blob";
      socket.onopen = () => { wait = 250; socket.send("n"); };
      socket.onmessage = (event) => {
        const fresh = typeof event.data !== "string";
        note?.classList.toggle("rr-show", !fresh);
        if (!fresh) { socket.send("n"); return; }
        const next = URL.createObjectURL(event.data);
        img.onload = () => {
          if (url) URL.revokeObjectURL(url);
          url = next;
          img.dataset.count = Number(img.dataset.count ?? 0) + 1;
          if (socket.readyState === 1) socket.send("n");
        };
        img.src = next;
      };
      socket.onclose = () => {
        note?.classList.add("rr-show");
        setTimeout(connect, wait);
        wait = Math.min(wait * 2, 4000);
      };
    };
    connect();
  }

  function follow(box) {
    box.scrollTop = box.scrollHeight;
  }

  setInterval(watch, 200);
  document.addEventListener("keydown", key);
  // Some browsers press a focused button when space comes up again.
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && event.target.closest?.("button")) event.preventDefault();
  });
  // A button that was clicked gives the focus back, so that Enter is the session's again.
  document.addEventListener("click", (event) => {
    if (event.detail > 0) event.target.closest?.("button")?.blur();
  });
  // NiceGUI puts the page together after this file: look for cameras until they are there.
  const attach = () => document.querySelectorAll("img[data-camera]:not([data-live])").forEach((img) => {
    img.dataset.live = "1";
    live(img, img.dataset.camera);
  });
  new MutationObserver(attach).observe(document.documentElement, { childList: true, subtree: true });
  attach();
  return { press, own, heard, online, follow, allowed };
})();
