# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run's own files in hostile forms: episode, ledgers, run.json, actors, checkpoints."""

import functools
import json
import shutil
import struct
import tempfile
import zlib
from pathlib import Path

import google_crc32c
import numpy as np
from fuzz_edits import Target, edited, hostile_json, json_bytes, odd_json
from hypothesis import strategies as st
from toy_run import CONFIG, ToyRun, work

from roboreward_ros.dsrl.actor import SteeringActor, load_actor
from roboreward_ros.dsrl.checkpoint import checkpoint_format, load_learner
from roboreward_ros.dsrl.follow import RunFollower
from roboreward_ros.dsrl.resume import spec_of
from roboreward_ros.dsrl.watch import SteeringWatch
from roboreward_ros.episodes.arrays import read_array
from roboreward_ros.episodes.header import encode_header, file_digests, read_header
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote, read_changes, read_promoted
from roboreward_ros.episodes.run import open_run, read_run
from roboreward_ros.episodes.store import EpisodeStore, open_uri
from roboreward_ros.episodes.verify import verify_episode, verify_run
from roboreward_ros.policies.checkpoint import load_checkpoint
from roboreward_ros.rewards.small import store as classifiers
from roboreward_ros.rewards.small.model import Classifier, Quality
from roboreward_ros.session.memory import SessionMemory, load_memory, save_memory
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.types import EndCause, LabelRecord, Provenance, Score, ScoreKind, ScoreScale

NAMES = (
    "episode: arrays and headers",
    "episode: meta.json",
    "zarr header",
    "ledger: bytes",
    "ledger: records",
    "marks",
    "run.json",
    "session.json",
    "promoted.json",
    "brakes.json",
    "actor",
    "learner checkpoint",
    "policy.json",
    "classifier",
    "episode uri",
)
ASSETS = Path(__file__).parents[2] / "roboreward_ros" / "assets"


@functools.cache
def sound_run() -> Path:
    """A run with an episode, a journal of one, labels and everything beside them."""
    run = Path(tempfile.mkdtemp(prefix="fuzz-run-")) / "run"
    open_run(run, {"task": "t", "episodes": 1})
    store = EpisodeStore(run, "w")
    for index in range(2):
        writer = store.create(make_meta(index))
        record(writer, steps=6)
        if index == 0:
            writer.commit(EndCause.TIME)
    ledger = Ledger(run, "w")
    score = Score(3.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("s"), per_step=(1.5, 3.0))
    for index in range(3):
        ledger.append(LabelRecord(-1, "ep_000000", score, index))
    store.discard("ep_000000", "bumped")
    promote(run, "human", ScoreScale.RUBRIC)
    save_memory(run, SessionMemory("t"))
    (run / "brakes.json").write_text('{"format": 1, "steering_since": 0}')
    for part in (ledger, store):
        part.close()
    return run


@functools.cache
def sound_learner() -> tuple[Path, Path]:
    """A toy run and its learner's checkpoint."""
    toy = ToyRun(Path(tempfile.mkdtemp(prefix="fuzz-learner-")))
    follower = RunFollower(toy.path, CONFIG)
    for index in range(2):
        toy.score(toy.commit(index))
    work(follower)
    follower.save()
    toy.close()
    return toy.path, follower.checkpoint


def file_in_run(name: str, data: bytes, folder: Path) -> Path:
    """A copy of the run's small files whose ``name`` holds ``data``."""
    run = folder / "run"
    shutil.copytree(sound_run(), run, ignore=shutil.ignore_patterns("ep_*", ".journal"))
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).write_bytes(data)
    return run


def of_run(name: str) -> bytes:
    return (sound_run() / name).read_bytes()


# --- a committed episode ------------------------------------------------------------------------


def read_whole(folder: Path) -> None:
    """Everything that anybody asks of an episode."""
    store = EpisodeStore(folder)
    for episode in store:
        _ = episode.summary
        for part in ("frames", "stamps_ns", "proprio", "actions", "flags", "faults", "chunks"):
            getattr(episode, part)()
        episode.truth()


def read_episode(edit: tuple[str, bytes, bool], folder: Path) -> object:
    """An episode with one file of other contents; with ``True`` its checksums fit them."""
    name, data, fits = edit
    run = folder / "run"
    shutil.copytree(sound_run() / "episodes" / "ep_000000", run / "episodes" / "ep_000000")
    place = run / "episodes" / "ep_000000"
    (place / name).write_bytes(data)
    if fits and name != "meta.json":
        header = read_header(place)
        forged = type(header)(header.summary, file_digests(place))
        (place / "meta.json").write_bytes(encode_header(forged))
    for damage in verify_episode(place):
        assert damage.what
    return read_whole(run)


def arrays() -> list[str]:
    root = sound_run() / "episodes" / "ep_000000"
    return sorted(p.parent.relative_to(root).as_posix() for p in root.rglob("zarr.json"))


@st.composite
def episode_edits(draw: st.DrawFn) -> tuple[str, bytes, bool]:
    root = sound_run() / "episodes" / "ep_000000"
    name = f"{draw(st.sampled_from(arrays()))}/zarr.json"
    if draw(st.booleans()):
        return name, draw(hostile_json(json.loads((root / name).read_bytes()))), draw(st.booleans())
    chunks = sorted(p for p in root.rglob("*") if p.is_file() and p.name.startswith("c"))
    chunk = draw(st.sampled_from(chunks))
    data = draw(edited(chunk.read_bytes()[:-4][:5000]))
    crc = struct.pack("<I", google_crc32c.value(data))
    return chunk.relative_to(root).as_posix(), data + crc, draw(st.booleans())


def forged_header(value: object) -> bytes:
    """Any header, with a checksum that fits."""
    if isinstance(value, dict) and "episode" in value:
        text = json.dumps(value["episode"], sort_keys=True, separators=(",", ":"))
        value["crc32"] = f"{zlib.crc32(text.encode()):08x}"
    return json_bytes(value)


def read_zarr(data: bytes, folder: Path) -> object:
    (folder / "zarr.json").write_bytes(data)
    (folder / "c.0").write_bytes(of_run("episodes/ep_000000/stamps_ns/c.0"))
    return read_array(folder)


# --- lines --------------------------------------------------------------------------------------


def lines() -> list[object]:
    text = of_run("ledger/ledger.jsonl").splitlines()
    return [json.loads(line)["record"] for line in text]


def forged_lines(values: list[object]) -> bytes:
    out = b""
    for value in values:
        body = json_bytes(value)
        out += b'{"crc32":"%08x","record":%s}\n' % (zlib.crc32(body), body)
    return out


def read_ledger(data: bytes, folder: Path) -> object:
    run = file_in_run("ledger/ledger.jsonl", data, folder)
    Ledger(run).records()
    writer = Ledger(run, "w")
    writer.close()
    return writer


def read_marks(data: bytes, folder: Path) -> object:
    run = file_in_run("episodes/marks.jsonl", data, folder)
    return EpisodeStore(run).marks.discarded("ep_000000")


def marks() -> list[object]:
    text = of_run("episodes/marks.jsonl").splitlines()
    return [json.loads(line)["record"] for line in text]


# --- one file each ------------------------------------------------------------------------------


def read_all_of_run(data: bytes, folder: Path) -> object:
    run = file_in_run("run.json", data, folder)
    return read_run(run), open_run(run, {"task": "t"}), verify_run(run)


def read_source(data: bytes, folder: Path) -> object:
    run = file_in_run("ledger/promoted.json", data, folder)
    return read_promoted(run), read_changes(run)


def read_brakes(data: bytes, folder: Path) -> object:
    return SteeringWatch(file_in_run("brakes.json", data, folder), CONFIG)


# --- tensors ------------------------------------------------------------------------------------


def safetensors_with(sound: bytes, key: str, value: bytes) -> bytes:
    """The file with another text under ``key`` of its metadata."""
    size = struct.unpack_from("<Q", sound)[0]
    header = json.loads(sound[8 : 8 + size])
    header["__metadata__"][key] = value.decode("utf-8", "surrogateescape")
    text = json_bytes(header)
    return struct.pack("<Q", len(text)) + text + sound[8 + size :]


def metadata_of(sound: bytes, key: str) -> object:
    size = struct.unpack_from("<Q", sound)[0]
    return json.loads(json.loads(sound[8 : 8 + size])["__metadata__"][key])


def hostile_safetensors(sound: bytes, key: str) -> st.SearchStrategy[bytes]:
    size = struct.unpack_from("<Q", sound)[0]
    front = json.loads(sound[8 : 8 + size])
    return st.one_of(
        hostile_json(metadata_of(sound, key)).map(functools.partial(safetensors_with, sound, key)),
        odd_json(front)
        .map(json_bytes)
        .map(lambda text: struct.pack("<Q", len(text)) + text + sound[8 + size :]),
        edited(sound),
    )


def actor() -> bytes:
    return SteeringActor.prior("f" * 64, 8).to_bytes()


def read_actor(data: bytes, folder: Path) -> object:
    path = folder / "actor.safetensors"
    path.write_bytes(data)
    return load_actor(path)


def read_learner(data: bytes, folder: Path) -> object:
    run, _ = sound_learner()
    path = folder / "learner.safetensors"
    path.write_bytes(data)
    checkpoint_format(path)
    store = EpisodeStore(run)
    return load_learner(path, spec_of(store.open(store.ids()[0])))


def policy_json() -> object:
    return json.loads((ASSETS / "policies/widowx_twin/policy.json").read_bytes())


def read_policy(data: bytes, folder: Path) -> object:
    source = ASSETS / "policies/widowx_twin/policy.safetensors"
    (folder / source.name).symlink_to(source)
    (folder / "policy.json").write_bytes(data)
    return load_checkpoint(folder)


def read_classifier(data: bytes, folder: Path) -> object:
    path = folder / "classifier.safetensors"
    path.write_bytes(data)
    return classifiers.load(path)


def classifier() -> bytes:
    axes = np.eye(2, 3)
    quality = Quality(20, 10, 0.9, 0.3, 0.7)
    model = Classifier(np.zeros(3), axes, axes, np.ones(2), 0.0, 1.0, 0.0, 2.0, quality)
    path = Path(tempfile.mkdtemp(prefix="fuzz-classifier-")) / classifiers.FILE
    classifiers.save(path, {"t": model}, {"run": "r"})
    return path.read_bytes()


def read_uri(uri: str, folder: Path) -> object:
    return open_uri(uri)


def uris() -> st.SearchStrategy[str]:
    sound = (sound_run() / "episodes" / "ep_000000").as_uri()
    parts = (
        "file://",
        "http://host",
        "",
        "/etc",
        "/../",
        "%2e%2e/",
        "episodes/",
        "ep_000000",
        "%00",
        "[",
    )
    return st.one_of(
        st.just(sound),
        st.lists(st.sampled_from((*parts, sound)), max_size=5).map("".join),
        st.text(max_size=30),
    )


def targets() -> list[Target]:
    header = json.loads(of_run("episodes/ep_000000/meta.json"))
    zarr = json.loads(of_run("episodes/ep_000000/stamps_ns/zarr.json"))
    learner = sound_learner()[1].read_bytes()
    return [
        Target("episode: arrays and headers", episode_edits(), read_episode, cost=8),
        Target(
            "episode: meta.json",
            st.one_of(odd_json(header).map(forged_header), hostile_json(header)).map(
                lambda data: ("meta.json", data, False)
            ),
            read_episode,
            cost=8,
        ),
        Target("zarr header", hostile_json(zarr), read_zarr, cost=2),
        Target("ledger: bytes", edited(of_run("ledger/ledger.jsonl")), read_ledger, cost=2),
        Target(
            "ledger: records", odd_json(lines()).map(as_list).map(forged_lines), read_ledger, cost=2
        ),
        Target("marks", odd_json(marks()).map(as_list).map(forged_lines), read_marks, cost=2),
        Target("run.json", hostile_json(json.loads(of_run("run.json"))), read_all_of_run, cost=2),
        Target(
            "session.json",
            hostile_json(json.loads(of_run("session.json"))),
            lambda data, folder: load_memory(file_in_run("session.json", data, folder)),
            cost=2,
        ),
        Target(
            "promoted.json",
            hostile_json(json.loads(of_run("ledger/promoted.json"))),
            read_source,
            2,
        ),
        Target("brakes.json", hostile_json(json.loads(of_run("brakes.json"))), read_brakes, cost=3),
        Target("actor", hostile_safetensors(actor(), "actor"), read_actor),
        Target("learner checkpoint", hostile_safetensors(learner, "learner"), read_learner, cost=8),
        Target("policy.json", hostile_json(policy_json()), read_policy, cost=8),
        Target("classifier", hostile_safetensors(classifier(), "tasks"), read_classifier),
        Target("episode uri", uris(), read_uri),
    ]


def as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
