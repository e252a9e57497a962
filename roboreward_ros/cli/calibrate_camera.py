# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward calibrate camera``: is the camera where it was when the policy's data was recorded.

Needs no ROS: stop whatever else holds the device first.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np

from roboreward_ros.cameras.choose import choice_of, choose_camera
from roboreward_ros.cameras.ghost import Misalignment, Tolerance, ghost, misalignment
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import CameraError, ConfigError
from roboreward_ros.protocols import Camera
from roboreward_ros.types import ImageU8

FIRST_FRAMES = 15
"""Automatic exposure settles within half a second."""
READ_S = 2.0
OFF_EXIT_CODE = 1
_BOUNDARY = "frame"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "camera",
        help="lay the live picture over a reference",
        description="Writes the overlay and says how far the camera is off; ends with 1 when it is "
        "off by more than the tolerance.",
    )
    parser.add_argument(
        "--camera", default="/dev/video0", help="device, realsense[:SERIAL] or film (%(default)s)"
    )
    parser.add_argument(
        "--reference", type=Path, help="picture, or a run: the first picture of its first episode"
    )
    parser.add_argument("--save", type=Path, help="keep the live picture as a reference (.png)")
    parser.add_argument("--out", type=Path, help="where the overlay goes (default: ghost.png)")
    parser.add_argument("--live", type=int, metavar="PORT", help="show it on 127.0.0.1:PORT, too")
    parser.add_argument("--width", type=int, default=640, help="of the picture (%(default)s)")
    parser.add_argument("--height", type=int, default=480, help="of the picture (%(default)s)")
    parser.add_argument("--exposure", type=float, default=0.0, help="locked; 0: automatic")
    parser.add_argument("--white-balance", type=float, default=0.0, help="locked, K; 0: automatic")
    parser.add_argument("--tolerance", type=float, default=3.0, help="pixels (%(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, write, show; returns 1 where the camera is off."""
    if args.reference is None and args.save is None:
        raise ConfigError("nothing to do", got="neither --reference nor --save")
    choice = dataclasses.replace(
        choice_of(args.camera),
        width=args.width,
        height=args.height,
        exposure=args.exposure,
        white_balance=args.white_balance,
    )
    reference = None if args.reference is None else read_reference(args.reference)
    camera = choose_camera(choice)
    with _open(camera):
        frames = [camera.read(READ_S).image for _ in range(FIRST_FRAMES)]
        live = frames[-1]
        if args.save is not None:
            _write(args.save, live)
            print(f"reference kept in {args.save}", file=sys.stderr)
        if reference is None:
            return 0
        code = _measure(args, live, reference)
        if args.live is not None:
            show_live(camera, reference, args.live)
        return code


def read_reference(path: Path) -> ImageU8:
    """A picture, or the first one of a run.

    Raises:
        ConfigError: neither.
    """
    if path.is_dir():
        store = EpisodeStore(path)
        if not store.ids():
            raise ConfigError("the run holds no episode", got=str(path))
        data = np.frombuffer(store.open(store.ids()[0]).frames()[0], dtype=np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    else:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if picture is None:
        raise ConfigError("the reference is no picture", got=str(path), allowed="png, jpg, a run")
    image: ImageU8 = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return image


@contextlib.contextmanager
def _open(camera: Camera) -> Iterator[None]:
    camera.open()
    try:
        yield
    finally:
        camera.close()


def _measure(args: argparse.Namespace, live: ImageU8, reference: ImageU8) -> int:
    out: Path = args.out or Path("ghost.png")
    _write(out, ghost(live, reference))
    print(f"overlay in {out}: the reference is red, the live picture cyan", file=sys.stderr)
    found = misalignment(live, reference)
    good = found.within(Tolerance(shift_px=args.tolerance))
    print(json.dumps(_numbers(found, good)) if args.json else _sentence(found, good))
    return 0 if good else OFF_EXIT_CODE


def _numbers(found: Misalignment, good: bool) -> dict[str, float | int | bool]:
    return {
        "right_px": round(found.right_px, 2),
        "down_px": round(found.down_px, 2),
        "turn_deg": round(found.turn_deg, 3),
        "scale": round(found.scale, 4),
        "points": found.points,
        "within": good,
    }


def _sentence(found: Misalignment, good: bool) -> str:
    return f"{'the same view' if good else 'OFF'}: {found.advice()} ({found.points} points)"


def _write(path: Path, image: ImageU8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise ConfigError("the picture cannot be written", got=str(path), allowed=".png, .jpg")


class GhostServer(ThreadingHTTPServer):
    """Serves the newest overlay as a motion JPEG on 127.0.0.1.

    Args:
        port: 0 for any.
    """

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self._changed = threading.Condition()
        self._jpeg, self._count, self.ended = b"", 0, False

    def put(self, image: ImageU8) -> None:
        """The next picture."""
        _, packed = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        with self._changed:
            self._jpeg, self._count = packed.tobytes(), self._count + 1
            self._changed.notify_all()

    def end(self) -> None:
        """No more pictures."""
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def after(self, count: int) -> tuple[int, bytes]:
        """The first picture after the one numbered ``count``."""
        with self._changed:
            self._changed.wait_for(lambda: self._count > count or self.ended)
            return self._count, self._jpeg


class _Handler(BaseHTTPRequestHandler):
    server: GhostServer

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.end_headers()
        count = 0
        with contextlib.suppress(OSError):  # the browser went away
            while not self.server.ended:
                count, jpeg = self.server.after(count)
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                self.wfile.write(head.encode() + b"\r\n\r\n" + jpeg + b"\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """The terminal is the person's."""


def show_live(
    camera: Camera, reference: ImageU8, port: int, wanted: Callable[[], bool] = lambda: True
) -> None:
    """Serve overlays while they are wanted, until Ctrl-C; prints the pose about once a second."""
    server = GhostServer(port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    print(f"live on http://127.0.0.1:{server.server_port}/ - Ctrl-C ends", file=sys.stderr)
    shown = 0
    try:
        while wanted():
            live = camera.read(READ_S).image
            server.put(ghost(live, reference))
            if shown % 30 == 0:
                print(_said(live, reference), file=sys.stderr)
            shown += 1
    except KeyboardInterrupt:
        pass
    finally:
        server.end()
        server.shutdown()
        server.server_close()
        thread.join()


def _said(live: ImageU8, reference: ImageU8) -> str:
    try:
        found = misalignment(live, reference)
    except CameraError as error:
        return str(error)
    return _sentence(found, found.within(Tolerance()))
