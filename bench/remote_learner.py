# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What it costs that the learner is on another host.

Usage (root, Linux: two network namespaces and a wire between them are made)::

    python bench/remote_learner.py [--episodes N] [--steps N] [--json OUT]

``episode``: from a committed episode and its label to the host's word that both are synced there.
``actor``: from its publication there to its file, checked and synced, here. Through the same
RemoteDuty and FleetDesk as in a session, both ends in one process, with TLS and token. ``none,
here`` is a learner at home: until it has read the episode, until the actor is synced. A robot
waits for neither: the times say how old the actor is that acts. Bytes are those of IP packets.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roboreward_ros.clock import SystemClock
from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.actor_files import ActorFiles
from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.figures import Bulletin
from roboreward_ros.dsrl.fleet_desk import FleetDesk, FleetService
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.dsrl.remote_duty import RemoteConfig, RemoteDuty
from roboreward_ros.dsrl.stores import RunStores
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.remote.certificate import make_certificate
from roboreward_ros.remote.door import Door
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.remote.endpoint import Endpoint
from roboreward_ros.remote.secrets import make_token
from roboreward_ros.testing.conformance_episode_store import make_meta, make_report
from roboreward_ros.testing.network import Network, Quality
from roboreward_ros.types import (
    Chunk,
    EndCause,
    LabelRecord,
    PolicySpec,
    Provenance,
    Score,
    ScoreKind,
    ScoreScale,
)

HOST = "10.77.0.2"
FEATURES, CHUNK = 512, 4
HIDDEN = (288, 288)
"""Of the actor: about 1 MB."""
HERE = "none, here"
WIRES = {
    "0 ms": Quality(),
    "LAN, 0.25 ms each way": Quality(delay_s=0.000_25),
    "Wi-Fi, 2 to 10 ms each way, 0.5 % lost": Quality(delay_s=0.002, jitter_s=0.008, loss=0.005),
    "WAN, 20 ms each way": Quality(delay_s=0.02),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing over one wire; bytes are means."""

    what: str
    wire: str
    n: int
    p50_ms: float
    p99_ms: float
    bytes_up: int
    bytes_down: int
    payload: int


def jpegs(count: int, seed: int, side: int = 256) -> list[bytes]:
    """Pictures that compress about as a camera's do, quality 95."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    base = Image.fromarray(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)).resize((side, side))
    scene, found = np.asarray(base, dtype=np.int16), []
    for k in range(count):
        noise = rng.integers(-4, 5, (side, side, 1), dtype=np.int16)
        picture = np.clip(np.roll(scene, 2 * k, axis=1) + noise, 0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=95)
        found.append(buffer.getvalue())
    return found


def commit(store: EpisodeStore, ledger: Ledger, index: int, frames: list[bytes]) -> int:
    """Record and label an episode; bytes of its folder."""
    steps = len(frames) - 1
    meta = make_meta(index, max_steps=steps)
    writer, rng = store.create(meta), np.random.default_rng(index)
    for step, frame in enumerate(frames):
        if step:
            writer.add_step(step - 1, make_report(step))
        writer.add_observation(step, 200_000_000 * step, frame, np.zeros(7), np.zeros(6))
    for k in range(steps // CHUNK):
        noise = rng.standard_normal((2 * CHUNK, 7)).astype(np.float32)
        features = rng.standard_normal(FEATURES).astype(np.float32)
        writer.add_chunk(Chunk(k, k * CHUNK, noise, features, noise, 1, True))
    writer.commit(EndCause.TIME)
    score = Score(4.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("s"))
    ledger.append(LabelRecord(-1, meta.episode_id, score, 0))
    folder = store.root / meta.episode_id
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def actors(count: int) -> Iterator[SteeringActor]:
    """Of one learner, as it would publish them; each with weights of its own."""
    spec = PolicySpec("policy", 2 * CHUNK, CHUNK, FEATURES, 32, 5.0)
    for k in range(count):
        yield Learner(DsrlConfig(hidden=HIDDEN), spec, k).sac.snapshot(k + 1, "policy")


@contextmanager
def arm(net: Network, folder: Path, papers: Path) -> Iterator[tuple[RemoteDuty, FleetDesk]]:
    """A run here and its desk there."""
    (certificate, key), token = make_certificate(papers, [HOST]), papers / "token"
    make_token(token)
    config = DoorConfig(HOST, 0, str(certificate), str(key), token_file=str(token))
    desk = FleetDesk(folder / "learner", lambda: None)
    with net.gpu.inside():
        door = Door(config, FleetService(desk))
    with door:
        place = Endpoint(
            f"wss://{HOST}:{door.port}", ca_file=str(certificate), token_file=str(token)
        )
        clock = SystemClock()
        duty = RemoteDuty(
            RemoteConfig(folder / "run", place, "arm", deadline_s=30.0),
            lambda: clock.steady_ns() / 1e9,
        )
        yield duty, desk
        duty.close()
    desk.close()


def measure(
    net: Network, what: str, wire: str, n: int, prepare: Callable[[int], int], duty: RemoteDuty,
    done: Callable[[int], bool],
) -> Row:  # fmt: skip
    """Prepare, then time how long it takes over the wire until it is done, so many times."""
    before = list(net.carried)

    def work(k: int) -> None:
        while not done(k):
            duty.advance(1)

    with net.robot.inside():
        row = timed(what, wire, n, prepare, work)
    up, down = (now - then for now, then in zip(net.carried, before, strict=True))
    return dataclasses.replace(row, bytes_up=up // n, bytes_down=down // n)


def timed(
    what: str, wire: str, n: int, prepare: Callable[[int], int], work: Callable[[int], object]
) -> Row:
    """Prepare, then time the work, so many times; ``prepare`` returns bytes."""
    clock, took, payload = SystemClock(), [], 0
    for k in range(n):
        payload += prepare(k)
        start_ns = clock.steady_ns()
        work(k)
        took.append((clock.steady_ns() - start_ns) / 1e6)
        if sys.stderr.isatty():
            print(f"\r{wire}: {what} {k + 1} of {n} ", end="", file=sys.stderr)
    p50, p99 = np.percentile(took, (50, 99))
    return Row(what, wire, n, round(p50, 1), round(p99, 1), 0, 0, payload // n)


def here(n: int, frames: list[bytes], folder: Path) -> list[Row]:
    """Both rows of a learner in the robot's own run folder."""
    store, ledger = EpisodeStore(folder / "run", "w"), Ledger(folder / "run", "w")
    stores, files, taken = RunStores(folder / "run", "s"), ActorFiles(folder / "run"), []

    def read(k: int) -> None:
        while (name := stores.next(taken) if stores.refresh() else None) is None:
            pass
        if stores.label(name) is None or not stores.open(name).chunks():
            raise SystemExit(f"{name} {k} cannot be learnt from")
        taken.append(name)

    new = list(actors(n))
    rows = [
        timed("episode", HERE, n, lambda k: commit(store, ledger, k, frames), read),
        timed("actor", HERE, n, lambda k: len(new[k].to_bytes()), lambda k: files.write(new[k], k)),
    ]
    store.close()
    ledger.close()
    return rows


def over(net: Network, wire: str, n: int, frames: list[bytes], folder: Path) -> list[Row]:
    """Both rows of one wire."""
    store, ledger = EpisodeStore(folder / "run", "w"), Ledger(folder / "run", "w")
    with arm(net, folder, folder / "papers") as (duty, desk):
        with net.robot.inside():
            while duty.advance(1) or not desk.arms():
                pass  # the connection is there
        episodes = measure(
            net, "episode", wire, n, lambda k: commit(store, ledger, k, frames), duty,
            lambda k: len(duty.shipper.shipped) > k,
        )  # fmt: skip

        files, new = ActorFiles(desk.root), list(actors(n))

        def publish(k: int) -> int:
            published = files.write(new[k], k)
            desk.post("arm", Bulletin({"message": f"{k}"}, {}, published))
            return published.path.stat().st_size

        def there(k: int) -> bool:
            actor = duty.bulletin().actor
            return actor is not None and actor.version == k + 1

        fetched = measure(net, "actor", wire, n, publish, duty, there)
    store.close()
    ledger.close()
    return [episodes, fetched]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=30, metavar="N")
    parser.add_argument("--steps", type=int, default=60, metavar="N")
    parser.add_argument("--json", type=Path, default=None, metavar="OUT")
    args = parser.parse_args()
    rows: list[Row] = []
    frames = jpegs(args.steps + 1, 0)
    load = os.getloadavg()[0]
    with Network() as net, tempfile.TemporaryDirectory(prefix="remote_learner") as scratch:
        rows += here(args.episodes, frames, Path(scratch, "here"))
        for number, (wire, quality) in enumerate(WIRES.items()):
            net.change(quality)
            rows += over(net, wire, args.episodes, frames, Path(scratch, str(number)))
    for row in rows:
        print(
            f"{row.what:8} {row.wire:40} p50 {row.p50_ms:8.1f} ms  p99 {row.p99_ms:8.1f} ms  "
            f"{row.bytes_up:>9} B up  {row.bytes_down:>9} B down  of {row.payload} B"
        )
    if args.json is not None:
        describe = ["git", "describe", "--always", "--dirty"]
        git = subprocess.run(describe, capture_output=True, text=True, check=False).stdout.strip()
        content = {
            "git": git,
            "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
            "load_at_start": round(load, 1),
            "episodes": args.episodes,
            "steps": args.steps,
            "rows": [dataclasses.asdict(row) for row in rows],
        }
        args.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
