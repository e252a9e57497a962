# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The operator's web page: looks at the topics and the run's stores, asks the session.

Usage::

    python -m roboreward_ros.nodes.console_node --ros-args -p run_dir:=runs/first -p port:=8642

Subscribes ``session``, ``learner``, ``reward``, ``health``, ``image/compressed`` and
``/diagnostics``; calls ``session_node/verb`` and reward_node's services. Its death stops nothing,
and it may come and go.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CompressedImage

import roboreward_ros.msg as msg
from roboreward_ros.console.hands import load_hands
from roboreward_ros.console.hub import Hub, SeatClient
from roboreward_ros.console.live import CAMERA
from roboreward_ros.console.server import ConsoleServer, ServerConfig
from roboreward_ros.console.terminal import Keyboard
from roboreward_ros.evaluation.run_watch import StoreWatch
from roboreward_ros.rewards.registry import SOURCES
from roboreward_ros.ros.diagnostics import health_from_msg
from roboreward_ros.ros.hand import RosHand
from roboreward_ros.ros.joy_pad import JoyPad
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.qos import EVENT, LATCHED, SENSOR
from roboreward_ros.ros.session_client import RosRewardDesk, RosSession
from roboreward_ros.ros.spin import run
from roboreward_ros.types import LearnerView, PartHealth


@dataclass(frozen=True, slots=True)
class ConsoleConfig(HostConfig):
    """Parameters of console_node; help texts are the fields' metadata."""

    address: str = option("127.0.0.1", "where to listen; any other address needs a token")
    port: int = option(8642, "port of the web page")
    token_file: str = option("", "file with the token, readable by its owner only")
    frame_hz: float = option(10.0, "live pictures a second and viewer, at most")
    hands: str = option("default", "config/hands/<hands>.yaml: what keys, pads and pedals do")
    more_cameras: tuple[str, ...] = option(("",), "further compressed topics: wrist/compressed")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        self.server()

    def server(self) -> ServerConfig:
        """Where the page is served."""
        return ServerConfig(self.address, self.port, self.token_file, self.frame_hz)


def camera_name(topic: str) -> str:
    """A name for a camera's topic that is safe in a page and an address."""
    return re.sub(r"\W+", "_", topic.removesuffix("/compressed")).strip("_")


class ConsoleNode(HostNode[ConsoleConfig]):
    """See the module's text."""

    def __init__(self, **arguments: object) -> None:
        super().__init__("console_node", ConsoleConfig, **arguments)  # type: ignore[arg-type]
        self._server: ConsoleServer | None = None
        self._pad: JoyPad | None = None

    def _setup(self) -> None:
        config = self.config
        Path(config.run_dir).mkdir(parents=True, exist_ok=True)
        session = RosSession(self, lambda view: self._hub.heard_session(view))
        desk = RosRewardDesk(self, tuple(sorted(SOURCES)))
        title = f"{self.get_namespace().strip('/')} {Path(config.run_dir).name}".strip()
        hands, watch = load_hands(config.hands), StoreWatch(config.run_dir)
        run = Path(config.run_dir)
        topics = {camera_name(topic): topic for topic in filter(None, config.more_cameras)}
        self._hub = Hub(
            session,
            watch,
            desk,
            self.clock,
            title,
            RosHand(self),
            hands,
            tuple(topics),
            {"report": run / "report.html", "runs": run.resolve().parent / "index.html"},
        )
        for name, topic in topics.items():
            take = functools.partial(self._on_image, name)
            self.create_subscription(CompressedImage, topic, take, SENSOR)
        seat = SeatClient(self._hub, "gamepad")
        keyboard = Keyboard(seat, self.clock, hands=hands)
        self._pad = JoyPad(self, hands, keyboard.press, session.view, seat.move, seat.grip)
        take = functools.partial(self._on_image, CAMERA)
        self.create_subscription(CompressedImage, "image/compressed", take, SENSOR)
        self.create_subscription(msg.LearnerStatus, "learner", self._on_learner, LATCHED)
        self.create_subscription(msg.Reward, "reward", self._on_reward, EVENT)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_health, EVENT)
        self.create_subscription(DiagnosticArray, "health", self._on_whole, LATCHED)
        self._server = ConsoleServer(self._hub, config.server())
        self._server.start()
        self.get_logger().info(f"console: http://{config.address}:{config.port}/")

    def _teardown(self) -> None:
        if self._pad is not None:
            self._pad.close()
        if self._server is not None:
            self._server.close()
        self._server = None

    def _on_image(self, camera: str, image: CompressedImage) -> None:
        self._hub.cameras.put(camera, image.data.tobytes(), self.clock.steady_ns())

    def _on_learner(self, status: msg.LearnerStatus) -> None:
        self._hub.heard_learner(
            LearnerView(
                episodes_done=int(status.episodes_done),
                episodes_trainable=int(status.episodes_trainable),
                transitions=int(status.transitions),
                grad_steps=int(status.grad_steps),
                updates_owed=int(status.updates_owed),
                policy_version=int(status.policy_version),
                critic_loss=float(status.critic_loss),
                actor_loss=float(status.actor_loss),
                q_mean=float(status.q_mean),
                entropy=float(status.entropy),
                updates_per_s=float(status.updates_per_s),
                message=str(status.message),
                audits=tuple(str(name) for name in status.audits_wanted),
            )
        )

    def _on_reward(self, reward: msg.Reward) -> None:
        shadow = " (shadow)" if reward.shadow else ""
        said = f"{reward.value:g}" if reward.outcome == msg.Reward.SCORE else reward.reason
        bad = reward.outcome == msg.Reward.ERROR and reward.source != "human"
        self._hub.log(f"{reward.episode_id}: {reward.source}{shadow} {said}", bad=bad)

    def _on_whole(self, array: DiagnosticArray) -> None:
        self._hub.heard_whole(health_from_msg(array))

    def _on_health(self, array: DiagnosticArray) -> None:
        own = self.get_namespace().strip("/")
        self._hub.heard_health(
            [
                PartHealth(status.name, int.from_bytes(status.level, "little"), status.message)
                for status in array.status
                if not own or own in status.name
            ]
        )


def main() -> int:
    return run(ConsoleNode)


if __name__ == "__main__":
    raise SystemExit(main())
