# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes a camera from what a person writes: a device, a RealSense, or a video file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.errors import ConfigError
from roboreward_ros.protocols import Camera
from roboreward_ros.stack import camera_parameter


@dataclass(frozen=True, slots=True)
class CameraChoice:
    """Exactly one of the first three, and how it is to be set.

    Attributes:
        device: OpenCV device: a path or an index.
        file: video file.
        realsense: serial number, or ``any``.
        width: pixels of a row.
        height: rows.
        fps: frames per second; 0 for a file's own.
        exposure: locked exposure in the driver's unit; 0: automatic.
        white_balance: locked colour temperature, K; 0: automatic.
        name: in frames and errors.
    """

    device: str = ""
    file: str = ""
    realsense: str = ""
    width: int = 640
    height: int = 480
    fps: float = 30.0
    exposure: float = 0.0
    white_balance: float = 0.0
    name: str = "image"

    def __post_init__(self) -> None:
        given = [name for name in ("device", "file", "realsense") if getattr(self, name)]
        if len(given) != 1:
            raise ConfigError(
                "a camera is a device, a RealSense or a file",
                got=", ".join(given) or "none of them",
                allowed="exactly one of them",
            )


def choice_of(camera: str) -> CameraChoice:
    """The choice that the launch argument ``camera`` stands for.

    Raises:
        ConfigError: a topic, which only a node can listen to.
    """
    kind, source = camera_parameter(camera)
    if kind == "ros_topic":
        raise ConfigError(
            "a topic cannot be opened without a node",
            got=camera,
            allowed="a device, realsense[:SERIAL] or a video file",
        )
    return CameraChoice(
        device=source if kind == "device" else "",
        realsense=source if kind == "realsense" else "",
        file=source if kind == "file" else "",
    )


def choose_camera(choice: CameraChoice) -> Camera:
    """The camera; nothing is opened. Raises ConfigError for settings out of range."""
    exposure, white_balance = choice.exposure or None, choice.white_balance or None
    if choice.file:
        from roboreward_ros.cameras.video_file import VideoFileCamera, VideoFileCameraConfig

        return VideoFileCamera(VideoFileCameraConfig(Path(choice.file), choice.fps))
    if choice.realsense:
        from roboreward_ros.cameras.realsense import RealSenseCamera, RealSenseConfig

        serial = "" if choice.realsense == "any" else choice.realsense
        size = (choice.width, choice.height, int(choice.fps))
        return RealSenseCamera(RealSenseConfig(serial, *size, exposure, white_balance, choice.name))
    from roboreward_ros.cameras.opencv import OpenCvCamera, OpenCvCameraConfig

    return OpenCvCamera(
        OpenCvCameraConfig(
            device=int(choice.device) if choice.device.isdigit() else choice.device,
            width=choice.width,
            height=choice.height,
            fps=choice.fps,
            exposure=exposure,
            white_balance=white_balance,
            name=choice.name,
        )
    )
