# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a node's process must have in its environment before NumPy and rclpy load.

The variable ``ROBOREWARD_DDS`` names a Fast DDS profile of ``config/dds``: ``loopback`` (the twin,
tests, demo: one machine, UDP on 127.0.0.1), ``shm`` (real cameras: 16 MB of shared memory a
process; other machines by UDP) or ``none`` (the middleware's defaults, which lose raw 640x480
images). What the user has set is never changed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import MutableMapping
from pathlib import Path

from roboreward_ros.errors import ConfigError
from roboreward_ros.files import config_folders

VARIABLE = "ROBOREWARD_DDS"
PROFILES = ("loopback", "shm", "none")
DEFAULT_PROFILE = "shm"
PROFILE_FILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
SHARED_MEMORY = Path("/dev/shm")
SEGMENT_MB = 17
"""What the profile ``shm`` takes of it for one process, with the middleware's own files."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def profile_file(profile: str) -> Path | None:
    """The XML file of a profile; None for ``none``.

    Raises:
        ConfigError: an unknown profile, or a file that is not installed.
    """
    if profile not in PROFILES:
        raise ConfigError("unknown DDS profile", got=profile, allowed=PROFILES)
    if profile == "none":
        return None
    for folder in config_folders("dds"):
        if (folder / f"{profile}.xml").is_file():
            return folder / f"{profile}.xml"
    raise ConfigError(
        "the DDS profile is not installed",
        got=f"config/dds/{profile}.xml",
        next_step="Install the whole package, or set ROBOREWARD_DDS=none.",
    )


def prepare(
    profile: str | None = None, environment: MutableMapping[str, str] | None = None
) -> None:
    """Set profile and thread counts where the user has not; call it before NumPy and rclpy load.

    Args:
        profile: one of PROFILES; None takes ``ROBOREWARD_DDS``, then ``shm``.
        environment: os.environ, or a stand-in.

    Raises:
        ConfigError: an unknown profile.
    """
    target = os.environ if environment is None else environment
    for name in THREAD_VARIABLES:
        target.setdefault(name, "1")
    chosen = profile or target.get(VARIABLE) or DEFAULT_PROFILE
    path = profile_file(chosen)
    if path is None or any(target.get(name) for name in PROFILE_FILE_VARIABLES):
        return
    target[PROFILE_FILE_VARIABLES[0]] = str(path)
    if chosen == "loopback":
        # Any other range makes the middleware add its own transports beside the profile's.
        target.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "SYSTEM_DEFAULT")


def shared_memory_problem(environment: MutableMapping[str, str] | None = None) -> str:
    """Why pictures will not go through shared memory although the profile wants it; "" if they do.

    The middleware falls back to UDP then, in words that nobody understands; nothing is lost, but
    raw pictures cost more time. What runs already keeps what it has.
    """
    target = os.environ if environment is None else environment
    if not target.get(PROFILE_FILE_VARIABLES[0], "").endswith("config/dds/shm.xml"):
        return ""
    try:
        free_mb = shutil.disk_usage(SHARED_MEMORY).free / 2**20
    except OSError as error:
        return f"{SHARED_MEMORY} cannot be used ({error.strerror}): pictures go by UDP"
    if free_mb >= SEGMENT_MB:
        return ""
    return (
        f"{SHARED_MEMORY} has {free_mb:.1f} MB free, {SEGMENT_MB} are needed: pictures go by UDP. "
        "Free it (fastdds shm clean), or give a container more: --shm-size=512m"
    )
