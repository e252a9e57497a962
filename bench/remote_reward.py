# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What it costs that the reward source, or the policy, is on another host.

Usage (as root two network namespaces and a wire between them are made; else it is the loopback)::

    python bench/remote_reward.py [--episodes N] [--frames N] [--json OUT]

Rewards: seconds from an episode's end to its outcome, through the same RewardHost as in
reward_node, with a source that answers at once, so that all of it is added latency. ``live`` shows
frames while the episode runs (paced), ``plain`` sends the stored episode at its end. ``local`` is
the source in a child process of this machine. Policy: one decision (encode and decode) of a policy
that costs nothing. Bytes are those of IP packets, both ways, with TLS and TCP in them. The wire is
a thread in Python: at 0 ms its own cost is what a row shows.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roboreward_ros.clock import SystemClock
from roboreward_ros.errors import StackError
from roboreward_ros.policies.remote.dialect import Coding
from roboreward_ros.policies.remote.folder import RemotePolicyConfig, write_folder
from roboreward_ros.policies.remote.policy import RemotePolicy, fetch_spec
from roboreward_ros.protocols import Policy
from roboreward_ros.remote.certificate import make_certificate
from roboreward_ros.remote.secrets import make_token
from roboreward_ros.rewards.host import RewardHost
from roboreward_ros.rewards.live import LiveFrame
from roboreward_ros.testing.fake_policy import FakePolicy
from roboreward_ros.testing.network import Network, Quality
from roboreward_ros.types import RewardRequest, Score

SOURCE = "roboreward_ros.testing.fake_rewards:FakeSource"
POLICY_SERVER = """
import sys
from roboreward_ros.cli.serve import serve_until_stopped
from roboreward_ros.policies.remote.service import PolicyService
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.testing.fake_policy import FakePolicy
config = DoorConfig(sys.argv[4], 8651, sys.argv[1], sys.argv[2], token_file=sys.argv[3])
serve_until_stopped(config, PolicyService(FakePolicy(feature_dim=512)), "a policy")
"""
WIRES = {
    "0 ms": Quality(),
    "LAN, 0.25 ms each way": Quality(delay_s=0.000_25),
    "Wi-Fi, 2 to 10 ms each way, 0.5 % lost": Quality(delay_s=0.002, jitter_s=0.008, loss=0.005),
    "WAN, 20 ms each way": Quality(delay_s=0.02),
}


class Loopback:
    """Both ends on this machine, for who may not make namespaces; nobody counts the bytes."""

    address = "127.0.0.1"
    carried = (0, 0)

    def __init__(self) -> None:
        self.robot = self.gpu = self

    def inside(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def change(self, quality: Quality) -> None:
        """There is no wire."""


def wires(net: Network | Loopback) -> dict[str, Quality]:
    return {"loopback": Quality()} if isinstance(net, Loopback) else WIRES


def counted(net: Network | Loopback, before: Sequence[int]) -> tuple[int, int] | None:
    """Bytes up and down since ``before``; None where nobody counts."""
    if isinstance(net, Loopback):
        return None
    return (net.carried[0] - before[0], net.carried[1] - before[1])


@dataclass(frozen=True, slots=True)
class Row:
    """One way over one wire; times in ms, bytes of one episode or one decision."""

    what: str
    wire: str
    mode: str
    n: int
    p50_ms: float
    p99_ms: float
    added_p50_ms: float | None = None
    added_p99_ms: float | None = None
    bytes_up: int | None = None
    bytes_down: int | None = None
    payload: int | None = None


def pictures(count: int, seed: int, side: int = 256) -> list[np.ndarray]:  # type: ignore[type-arg]
    """Pictures ``[side, side, 3]`` that compress about as a camera's do."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    base = Image.fromarray(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)).resize((side, side))
    scene = np.asarray(base, dtype=np.int16)
    noise = rng.integers(-4, 5, (count, side, side, 1), dtype=np.int16)
    moved = (np.roll(scene, 2 * k, axis=1) + noise[k] for k in range(count))
    return [np.clip(picture, 0, 255).astype(np.uint8) for picture in moved]


def episode(frames: int, seed: int) -> RewardRequest:
    """Different pictures as JPEG of quality 95."""
    from PIL import Image

    data = []
    for picture in pictures(frames, seed):
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=95)
        data.append(buffer.getvalue())
    stamps = [200_000_000 * k for k in range(frames)]
    return RewardRequest(f"ep_{seed:06d}", "open the drawer", data, stamps, 5.0)


def score_all(
    host: RewardHost, episodes: Sequence[RewardRequest], live: bool, pace_s: float
) -> list[float]:
    """ms from each episode's end to its outcome."""
    clock, found = SystemClock(), []
    for request in episodes:
        for step, jpeg in enumerate(request.frames if live else ()):
            host.push(LiveFrame(request.episode_id, request.task, 5.0, step, jpeg))
            clock.sleep(pace_s)
        start = clock.steady_ns()
        outcome = host.score(request)
        found.append((clock.steady_ns() - start) / 1e6)
        assert isinstance(outcome, Score), outcome
    return found


def decide_all(policy: Policy, count: int) -> list[float]:
    """ms of each decision, encode and decode."""
    clock, found = SystemClock(), []
    noise = np.zeros((1, policy.spec.prediction_horizon, 7), dtype=np.float32)
    for picture in pictures(count, 7):
        start = clock.steady_ns()
        features = policy.encode([picture], np.zeros((1, 7)), ["open the drawer"])
        policy.decode(features, noise)
        found.append((clock.steady_ns() - start) / 1e6)
    return found


def row(
    what: str,
    wire: str,
    mode: str,
    times: Sequence[float],
    local: Sequence[float] | None = None,
    carried: tuple[int, int] | None = None,
    payload: int | None = None,
) -> Row:
    p50, p99 = (float(np.percentile(times, q)) for q in (50, 99))
    added = (None, None)
    if local is not None:
        added = (p50 - float(np.percentile(local, 50)), p99 - float(np.percentile(local, 99)))
    up, down = (None, None) if carried is None else (x // len(times) for x in carried)
    made = Row(what, wire, mode, len(times), p50, p99, *added, up, down, payload)
    size = "" if up is None else f", {up / 1e3:.1f} kB up, {(down or 0) / 1e3:.1f} kB down"
    print(f"{what} {mode:5s} {wire}: {p50:.1f} ms (p99 {p99:.1f}){size}", flush=True)
    return made


@contextlib.contextmanager
def serving(net: Network | Loopback, words: Sequence[str]) -> Iterator[None]:
    """A server on the second host, once it says that it serves."""
    with net.gpu.inside():
        process = subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "serving" in line, line or process.wait()
        yield
    finally:
        process.terminate()
        process.wait()


def measure_rewards(
    args: argparse.Namespace, net: Network | Loopback, papers: Sequence[str]
) -> list[Row]:
    cert, key, token = papers
    count = args.episodes
    rows, locals_ = [], {}
    batches = [episode(args.frames, seed) for seed in range(count * 2 * len(wires(net)))]
    payload = sum(len(frame) for frame in batches[0].frames)
    host = RewardHost(SOURCE, {"child": True})
    for live in (False, True):
        mode = "live" if live else "plain"
        locals_[mode] = score_all(host, batches[:count], live, args.pace)
        rows.append(row("reward", "local", mode, locals_[mode], payload=payload))
    host.close()
    words = ["-m", "roboreward_ros.cli.main", "serve", "rewards", "--source", SOURCE]
    words += ["--bind", net.gpu.address, "--cert", cert, "--key", key, "--token-file", token]
    options = {"url": f"wss://{net.gpu.address}:8650", "ca_file": cert, "token_file": token}
    with serving(net, words):
        with net.robot.inside():
            host = RewardHost("remote", options)  # type: ignore[arg-type]
        for wire, quality in wires(net).items():
            net.change(quality)
            for live in (False, True):
                mode = "live" if live else "plain"
                part, batches = batches[:count], batches[count:]
                before = list(net.carried)
                times = score_all(host, part, live, args.pace)
                carried = counted(net, before)
                rows.append(row("reward", wire, mode, times, locals_[mode], carried, payload))
        host.close()
    net.change(Quality())
    return rows


def measure_policy(
    args: argparse.Namespace, net: Network | Loopback, papers: Sequence[str]
) -> list[Row]:
    cert, _, token = papers
    local = decide_all(FakePolicy(feature_dim=512), args.decisions)
    rows = [row("decision", "local", "", local)]
    with serving(net, ["-c", POLICY_SERVER, *papers, net.gpu.address]):
        for wire, quality in wires(net).items():
            net.change(quality)
            for coding in Coding:
                folder = Path(token).parent / coding.value
                config = RemotePolicyConfig(
                    f"wss://{net.gpu.address}:8651",
                    cert,
                    token_file=token,
                    coding=coding,
                    timeout_s=20.0,
                )
                with net.robot.inside():
                    write_folder(folder, config, fetch_spec(config))
                    policy = RemotePolicy(folder)
                    decide_all(policy, 2)
                    before = list(net.carried)
                    times = decide_all(policy, args.decisions)
                    carried = counted(net, before)
                    policy.close()
                rows.append(row("decision", wire, coding.value, times, local, carried))
    net.change(Quality())
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--episodes", type=int, default=25, help="of each row (%(default)s)")
    parser.add_argument("--frames", type=int, default=50, help="of an episode (%(default)s)")
    parser.add_argument("--pace", type=float, default=0.05, help="s between live frames")
    parser.add_argument("--decisions", type=int, default=100, help="of each row (%(default)s)")
    parser.add_argument("--json", type=Path, default=None, metavar="OUT")
    args = parser.parse_args()
    parts: list[Callable[[argparse.Namespace, Network | Loopback, Sequence[str]], list[Row]]]
    parts = [measure_rewards, measure_policy]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        net: Network | Loopback
        try:
            net = stack.enter_context(Network())
        except StackError as error:
            print(f"the loopback alone: {error}", flush=True)
            net = Loopback()
        folder = Path(name)
        cert, key = make_certificate(folder, [net.gpu.address])
        make_token(folder / "token")
        for part in parts:
            rows += part(args, net, [str(cert), str(key), str(folder / "token")])
    if args.json is not None:
        load = os.getloadavg()[0]
        content = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}",
            "frames": args.frames,
            "rows": [dataclasses.asdict(item) for item in rows],
        }
        args.json.write_text(
            json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
