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

  function target(s) {
    if (s.phase === "RUNNING" || s.phase === "READY") return s.episode;
    return s.card || s.last;
  }

  function press(verb, text = "", episode = null) {
    if (!online()) { say(NOT_SENT); return; }
    const s = seen();
    if (verb === "confirm_reset" || verb === "start") episode = s.episode ?? "";
    if (verb === "label" || verb === "discard") episode = episode ?? target(s);
    if (verb === "discard" && s.phase !== "RUNNING" && s.phase !== "READY" &&
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
    const name = { Enter: "enter", " ": "space" }[event.key] ?? event.key.toLowerCase();
    const known = "enter space s f 1 2 3 4 5 r u t q a g c ?".split(" ").includes(name);
    if (!known) return;
    event.preventDefault();
    if (event.repeat) return; // a key that is held down counts once
    // Over an open list or dialog, one that is just closing too, only the hold goes through.
    if (name !== "space" && document.querySelector(".q-menu, .q-dialog")) { say(COVERED); return; }
    const s = seen();
    if (name === "enter") press(s.phase === "WAIT_RESET" ? "confirm_reset" : "start");
    else if (name === "space") press("hold");
    else if ("sf12345".includes(name)) press("label", name);
    else if (name === "r") press("discard");
    else if (name === "u") press("undo");
    else if (name === "q") press("quit");
    else own(name); // t, a, g, c and ?: the page's own
  }

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
