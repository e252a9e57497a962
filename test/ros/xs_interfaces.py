# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The vendor's message package for tests: the installed one, else our stand-in, built once.

The stand-in lives in ``test/xs_messages`` and is built under ``build/`` (half a minute),
again only when it changes.
"""

import ctypes
import fcntl
import functools
import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "test" / "xs_messages"
PACKAGE = "interbotix_xs_msgs"
BUILD_LIMIT_S = 400.0


@functools.cache
def prepare() -> dict[str, str]:
    """Make the package importable here; returns what child processes need in their environment."""
    if importlib.util.find_spec(PACKAGE) is not None:
        return {}
    prefix = _built()
    folder = str(next(prefix.glob(f"**/{PACKAGE}/__init__.py")).parents[1])
    _load_libraries(prefix / "lib")
    sys.path.append(folder)
    libraries = [str(prefix / "lib"), os.environ.get("LD_LIBRARY_PATH", "")]
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), folder])),
        "LD_LIBRARY_PATH": os.pathsep.join(libraries),
    }


def _built() -> Path:
    files = sorted(path for path in SOURCE.rglob("*") if path.is_file())
    content = b"".join(path.read_bytes() for path in files) + sys.version.encode()
    folder = ROOT / "build" / "xs_interfaces" / hashlib.sha256(content).hexdigest()[:12]
    prefix, done = folder / "install", folder / "done"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test sessions side by side build once
        if not done.exists():
            _build(folder, prefix)
            done.touch()
    return prefix


def _build(folder: Path, prefix: Path) -> None:
    # The interpreter's own prefix holds the wheels; a sourced ROS has its own path.
    ament = os.environ.get("AMENT_PREFIX_PATH") or sys.prefix
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "AMENT_PREFIX_PATH": ament,
        "CMAKE_PREFIX_PATH": ament.replace(os.pathsep, ";"),
    }
    configure = [
        "cmake", "-S", str(SOURCE), "-B", str(folder / "build"), "-G", "Ninja", "-Wno-dev",
        "-DBUILD_TESTING=OFF", f"-DCMAKE_INSTALL_PREFIX={prefix}",
        f"-DPython3_EXECUTABLE={sys.executable}",
        f"-DCMAKE_PROJECT_INCLUDE={ROOT / 'tools' / 'wheel_includes.cmake'}",
    ]  # fmt: skip
    for command in (configure, ["cmake", "--build", str(folder / "build"), "--target", "install"]):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=BUILD_LIMIT_S
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr}"


def _load_libraries(folder: Path) -> None:
    """Type supports are opened by bare name, which finds what is loaded already."""
    waiting = sorted(folder.glob("lib*.so"))
    for _ in range(len(waiting)):
        failed = []
        for library in waiting:
            try:
                ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
            except OSError:
                failed.append(library)  # needs one that is not loaded yet
        if not failed:
            return
        waiting = failed
    raise OSError(f"cannot load {waiting}")
