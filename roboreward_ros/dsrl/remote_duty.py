# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The learner of a run on another host: sends it the run's stores, brings its actors back.

Has the face of ``dsrl.duty.LearnerDuty`` and loads no torch. The robot never waits for it: while
the host cannot be reached, episodes stay here and the newest actor acts on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from roboreward_ros.dsrl.actor_files import ActorFiles, PublishedActor
from roboreward_ros.dsrl.figures import Bulletin
from roboreward_ros.dsrl.fleet_wire import (
    SERVICE,
    ActorNews,
    Arm,
    News,
    RemoteMirror,
    news_from_json,
)
from roboreward_ros.dsrl.learned import CHECKPOINT, RemoteLearned, read_remote, write_remote
from roboreward_ros.episodes.shipping import Shipper
from roboreward_ros.errors import (
    CheckpointError,
    ConfigError,
    FormatError,
    LinkError,
    RefusedError,
    StoreError,
)
from roboreward_ros.files import read_yaml, write_atomic
from roboreward_ros.remote.endpoint import Endpoint
from roboreward_ros.remote.link import Link
from roboreward_ros.remote.packet import Packet
from roboreward_ros.types.codec import Fields, from_text, to_text

_LOG = logging.getLogger(__name__)
IDENTITY_FORMAT = 1
LOOK_S = 1.0  # news are asked for at least this often while episodes are on their way
LONG_POLL_S = 0.2
REFUSED_S = 10.0


@dataclass(frozen=True, slots=True)
class RemoteConfig:
    """Where the learner is.

    Attributes:
        run_dir: the run here.
        endpoint: the learner's host.
        arm: what this run is called there.
        seed: of the run.
        keep_actors: newest actor files that stay here; 0 keeps all.
        deadline_s: for each question, s.
    """

    run_dir: Path
    endpoint: Endpoint
    arm: str
    seed: int = 0
    keep_actors: int = 0
    deadline_s: float = 5.0

    @classmethod
    def at(cls, learner: str, run_dir: Path, arm: str, seed: int, keep_actors: int) -> RemoteConfig:
        """From a node's parameters; ``arm`` may be its namespace.

        Raises:
            ConfigError: ``learner`` is no host.
        """
        name = arm.strip("/").replace("/", "-").lower() or "arm"
        return cls(run_dir, endpoint_of(learner), name, seed, keep_actors)


def endpoint_of(place: str) -> Endpoint:
    """The learner's host: a URL, or a YAML file of ``Endpoint``'s fields.

    Raises:
        ConfigError: neither.
    """
    if "://" in place:
        return Endpoint(place)
    try:
        values = read_yaml(Path(place).expanduser())
        known = {item.name for item in dataclasses.fields(Endpoint)}
        if not isinstance(values, dict) or not values.keys() <= known or "url" not in values:
            raise ConfigError(f"{place} names no host", got=str(values)[:80], allowed=sorted(known))
        return Endpoint(**values)
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise ConfigError(
            "the learner's host is not given",
            got=f"{place}: {error}",
            allowed="wss://HOST:PORT, or a YAML file with url, ca_file and token_file",
        ) from None


def identity_path(run_dir: Path) -> Path:
    """Who a run is to its remote learner; without that file the run learns here."""
    return run_dir / "checkpoints" / "remote.json"


def refuse_remote(run_dir: Path) -> None:
    """Refuse to learn here what another host learns: numbers would name two actors.

    Raises:
        ConfigError: the run has a remote learner.
    """
    if identity_path(run_dir).exists():
        raise ConfigError(
            "this run is learnt on another host",
            got="learner:= empty",
            allowed="learner:= that host",
            next_step="Launch it with learner:=wss://HOST:PORT again, or start a new run_dir.",
        )


def _identity(run_dir: Path) -> str:
    """The run's identity, made at its first use."""
    path = identity_path(run_dir)
    if path.exists():
        fields = Fields(from_text(path.read_bytes(), str(path)), str(path))
        if fields.integer("format") > IDENTITY_FORMAT:
            raise FormatError(
                f"{path} was written by a newer version",
                got=fields.integer("format"),
                allowed=f"format <= {IDENTITY_FORMAT}",
                next_step="Upgrade roboreward_ros, or use another run_dir.",
            )
        return fields.text("run")
    actors = any((run_dir / "policies").glob("actor_*.safetensors"))
    if actors or (run_dir / CHECKPOINT).exists():
        raise ConfigError(
            "this run was learnt here",
            got="learner:= another host",
            allowed="learner:= empty",
            next_step="Leave learner:= out, or start a new run_dir.",
        )
    run = uuid.uuid4().hex
    write_atomic(path, to_text({"format": IDENTITY_FORMAT, "run": run}))
    return run


class RemoteDuty:
    """See the module's text; one thread.

    Args:
        config: where the learner is.
        steady_s: seconds of a steady clock.

    Raises:
        ConfigError: the run was learnt here, or token or certificate cannot be read.
        FormatError: the run's identity is damaged or newer.
    """

    def __init__(self, config: RemoteConfig, steady_s: Callable[[], float]) -> None:
        self._config = config
        self._steady_s = steady_s
        arm = Arm(config.arm, _identity(config.run_dir), config.seed)
        self._link = Link(config.endpoint, SERVICE, arm.hello())
        mirror = RemoteMirror(self._link, config.deadline_s)
        self.shipper = Shipper(config.run_dir, mirror)
        self._files = ActorFiles(config.run_dir, config.keep_actors)
        self._news = News()
        self._arrived = ("", bytearray())  # of an actor on its way, by its sha256
        self._noted = read_remote(config.run_dir)
        self._wanted: list[str] = []
        self._leaving = False
        self._heard_s = self._refused_s = float("-inf")
        place = config.endpoint.name
        self._told = Bulletin({"message": f"the learner at {place} has not been heard yet"})

    @property
    def unsaved(self) -> bool:
        """It saves itself."""
        return False

    @property
    def place(self) -> str:
        """Where it learns."""
        return f"{self._config.endpoint.name}, as {self._config.arm}"

    def save(self) -> None:
        """Ask it to save."""
        self._wanted.append("save")

    def release(self) -> None:
        """A person lets weights pass and the actor act."""
        self._wanted.append("release")

    def session(self, idle_s: float, committed: int) -> None:
        """The learner's host has its own pace."""

    def bulletin(self) -> Bulletin:
        """What is known of it; the same object until something has changed."""
        return self._told

    def advance(self, max_updates: int) -> bool:
        """One bounded piece of work; False when there is nothing to do until a store changes."""
        del max_updates
        if self._leaving or self._steady_s() - self._refused_s < REFUSED_S:
            return False
        try:
            return self._work()
        except RefusedError as error:
            if self._leaving:
                return False
            self._refused_s = self._steady_s()
            self._lost(f"the learner's host refuses: {error}", trouble=True)
        except LinkError as error:
            waiting = self.shipper.waiting()
            self._lost(f"{error}; {waiting} episodes wait here", trouble=False)
        except (StoreError, FormatError, CheckpointError, OSError) as error:
            self._refused_s = self._steady_s()
            self._lost(str(error), trouble=True)
        return False

    def interrupt(self) -> None:
        """Wait for no answer any more; any thread."""
        self._leaving = True
        self._link.close()

    def close(self) -> None:
        """Drop the connection."""
        self._link.close()

    def _work(self) -> bool:
        if self._wanted:
            self._link.ask(Packet(self._wanted[0]), self._config.deadline_s)
            del self._wanted[0]
            return True
        try:
            worked = self.shipper.step()
        except RefusedError:
            self._hear(0.0)  # where it takes no episodes it may still have a newer actor
            raise
        if worked and self._steady_s() - self._heard_s < LOOK_S:
            return True
        done = self._told.figures.get("episodes_done", 0)
        learning = isinstance(done, int) and len(self.shipper.shipped) > done
        self._hear(LONG_POLL_S if learning and not worked else 0.0)
        return worked or learning

    def _hear(self, wait_s: float) -> None:
        question = Packet("news", {"serial": self._news.serial, "wait_s": wait_s})
        answer = self._link.ask(question, self._config.deadline_s + wait_s)
        self._heard_s = self._steady_s()
        news = news_from_json(answer.fields)
        if news.serial == 0:
            return  # it has not looked at this run yet
        actor = self._told.actor
        if news.actor is not None and (actor is None or actor.sha256 != news.actor.sha256):
            actor = self._fetch(news.actor)
        left_out = "; ".join(self.shipper.left_out.values())
        warning = news.bulletin.warning or left_out
        told = dataclasses.replace(news.bulletin, actor=actor, warning=warning)
        if told != self._told:
            self._told = told
        saved = self._noted.episodes
        if news.saved != self._news.saved:
            answer = self._link.ask(Packet("saved"), self._config.deadline_s)
            saved = Fields(answer.fields, "saved").texts("episodes")
        counts = (news.bulletin.figures.get(name) for name in ("episodes_done", "grad_steps"))
        said = RemoteLearned(saved, *(it if isinstance(it, int) else 0 for it in counts))
        if said != self._noted:
            write_remote(self._config.run_dir, said)
            self._noted = said
        self._news = news

    def _fetch(self, news: ActorNews) -> PublishedActor:
        """The announced actor, on disk here; after a cut it goes on where it was."""
        if self._arrived[0] != news.sha256:
            self._arrived = (news.sha256, bytearray())
        data = self._arrived[1]
        while len(data) < news.size:
            question = Packet("actor", {"version": news.version, "offset": len(data)})
            piece = self._link.ask(question, self._config.deadline_s).body
            if not piece:
                break
            data += piece
        self._arrived = ("", bytearray())
        have = hashlib.sha256(data).hexdigest()
        if have != news.sha256:
            raise FormatError(
                f"actor {news.version} arrived damaged", got=have, allowed=news.sha256
            )
        return self._files.place(bytes(data), news.version, news.policy_id, news.grad_steps)

    def _lost(self, message: str, *, trouble: bool) -> None:
        """Keep what is known; say that it is old, once."""
        before = self._told
        figures = {**before.figures, "message": message}
        told = dataclasses.replace(
            before,
            figures=figures,
            trouble=message if trouble else "",
            warning="" if trouble else message,
        )
        if told != before:
            _LOG.warning("%s", message)
            self._told = told
