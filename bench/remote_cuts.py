# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is lost or doubled when the way to a reward host breaks, again and again.

Usage (root, Linux)::

    python bench/remote_cuts.py [--episodes N] [--seed S] [--json OUT]

A run's scoring on one host of a made network, ``roboreward serve rewards`` on the other, a wire
between them that loses 0.5 % of the packets and doubles 1 %. Each episode meets one fault at a
random moment: while its frames go out, or while it is being scored.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roboreward_ros.clock import SystemClock
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.scoring_jobs import RetryConfig
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import StackError
from roboreward_ros.evaluation.scoring_desk import DeskConfig, ScoringDesk
from roboreward_ros.remote.certificate import make_certificate
from roboreward_ros.remote.secrets import make_token
from roboreward_ros.rewards.live import LiveFrame
from roboreward_ros.rewards.worker import ChildSource
from roboreward_ros.testing.network import Network, Quality
from roboreward_ros.testing.noise_episodes import TASK, write_noise
from roboreward_ros.types import ImageU8, LabelRecord, RewardSpec, Score

STEPS = 30
PACE_S = 0.02
LIMIT_S = 90.0
SOURCE = "roboreward_ros.testing.fake_rewards:FollowingSource"
FAULTS = ("none", "cut of 0 to 3 s", "host killed", "asker killed", "cut, and host killed")


@dataclass(frozen=True, slots=True)
class Trial:
    """One episode; ``label_s`` is from its end, or from the fault's end, to its score on disk."""

    fault: str
    label_s: float
    bytes_up: int
    payload: int


class Deaf:
    """Hears what the desk tells, and keeps nothing."""

    def recorded(self, record: LabelRecord) -> None: ...

    def step_scored(self, episode_id: str, step: int, value: float, spec: RewardSpec) -> None: ...

    def progress(self, episode_ids: Sequence[str], done: int, total: int) -> None: ...

    def problem(self, episode_id: str, why: str) -> None: ...

    def note(self, text: str) -> None: ...


class RewardHost:
    """``roboreward serve rewards`` on the second host."""

    def __init__(self, net: Network, papers: Sequence[str]) -> None:
        cert, key, token = papers
        self._net = net
        self._words = [sys.executable, "-m", "roboreward_ros.cli.main", "serve", "rewards"]
        self._words += ["--source", SOURCE, "--bind", net.gpu.address]
        self._words += ["--cert", cert, "--key", key, "--token-file", token]
        self.start()

    def start(self) -> None:
        with self._net.gpu.inside():
            self._process = subprocess.Popen(
                self._words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if "serving" not in line:
            raise StackError("the reward host does not start", got=line)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def never(image: ImageU8) -> bytes:
    raise AssertionError(f"nobody looks at this desk, yet a picture came: {image.shape}")


class Rig:
    """Both ends and the wire."""

    def __init__(self, net: Network, folder: Path, seed: int) -> None:
        cert, key = make_certificate(folder, [net.gpu.address])
        token = folder / "token"
        make_token(token)
        self.net, self.run, self.random = net, folder / "run", random.Random(seed)
        self.clock = SystemClock()
        self.host = RewardHost(net, [str(cert), str(key), str(token)])
        self.store = EpisodeStore(self.run, "w")
        options = {
            "url": f"wss://{net.gpu.address}:8650",
            "ca_file": str(cert),
            "token_file": str(token),
            "timeout_s": 4.0,
            "dead_s": 2.0,
        }
        retry = RetryConfig(0.1, 1.0, 2.0)
        with net.robot.inside():
            config = DeskConfig("remote", options, retry=retry)  # type: ignore[arg-type]
            self.desk = ScoringDesk(self.run, config, never, Deaf())
        self.desk.start()

    def labels(self) -> Counter[str]:
        records = Ledger(self.run, "r").records()
        return Counter(r.episode_id for r in records if isinstance(r.outcome, Score))

    def trial(self, index: int) -> Trial:
        """One episode from its first frame to its score."""
        fault = FAULTS[index % len(FAULTS)]
        strikes_at = self.random.randrange(STEPS + 2)  # the last: while it is scored
        before = self.net.carried[0]
        frames = write_noise(self.store, index, STEPS)
        reader = self.store.open(f"ep_{index:06d}")
        mend: Callable[[], None] | None = None
        for step, jpeg in enumerate(frames):
            if step == strikes_at:
                mend = self.strike(fault)
            frame = LiveFrame(reader.summary.meta.episode_id, TASK, 5.0, step, jpeg)
            self.desk.host.push(frame)
            self.clock.sleep(PACE_S)
        self.desk.submit(reader, force=False, wanted=lambda: True)
        mend = mend or self.strike(fault)
        if fault != "none":
            self.clock.sleep(self.random.uniform(0, 3))
        mend()
        start = self.clock.steady_ns()
        while reader.summary.meta.episode_id not in self.labels():
            if self.clock.steady_ns() - start > LIMIT_S * 1e9:
                raise StackError("an episode was lost", got=f"{index}, {fault}")
            self.clock.sleep(0.02)
        label_s = (self.clock.steady_ns() - start) / 1e9
        payload = sum(len(frame) for frame in frames)
        return Trial(fault, label_s, self.net.carried[0] - before, payload)

    def strike(self, fault: str) -> Callable[[], None]:
        """Break something; returns what mends it."""
        mends: list[Callable[[], None]] = []
        if "cut" in fault:
            self.net.cut()
            mends.append(self.net.mend)
        if "host killed" in fault:
            self.host.kill()
            mends.append(self.host.start)
        if fault == "asker killed":
            # The robot's own process for the source: the host's thread makes the next one.
            source = self.desk.host._active.source
            assert isinstance(source, ChildSource)
            if source.pid is not None:
                os.kill(source.pid, signal.SIGKILL)
        return lambda: [mend() for mend in mends] and None

    def close(self) -> None:
        self.desk.close()
        self.host.kill()


def table(trials: Sequence[Trial], labels: Counter[str]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for fault in FAULTS:
        of = [(k, trial) for k, trial in enumerate(trials) if trial.fault == fault]
        times = [trial.label_s for _, trial in of]
        rows.append(
            {
                "fault": fault,
                "episodes": len(of),
                "lost": sum(labels[f"ep_{k:06d}"] == 0 for k, _ in of),
                "doubled": sum(labels[f"ep_{k:06d}"] > 1 for k, _ in of),
                "label_p50_s": float(np.median(times)),
                "label_max_s": max(times),
                "bytes_over_payload": sum(t.bytes_up for _, t in of)
                / sum(t.payload for _, t in of),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=None, metavar="OUT")
    args = parser.parse_args()
    try:
        with Network():
            pass
    except StackError as error:
        print(f"nothing is measured: {error}")
        return
    trials = []
    quality = Quality(delay_s=0.001, jitter_s=0.002, loss=0.005, duplicate=0.01)
    with (
        tempfile.TemporaryDirectory() as name,
        Network(quality, args.seed) as net,
        contextlib.closing(Rig(net, Path(name), args.seed)) as rig,
    ):
        for index in range(args.episodes):
            trials.append(rig.trial(index))
            print(f"{index}: {trials[-1].fault}: {trials[-1].label_s:.2f} s", flush=True)
        rows = table(trials, rig.labels())
    for row in rows:
        print(json.dumps(row))
    if args.json is not None:
        load = os.getloadavg()[0]
        content = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}",
            "seed": args.seed,
            "rows": rows,
            "trials": [dataclasses.asdict(trial) for trial in trials],
        }
        args.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
