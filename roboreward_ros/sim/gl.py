# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Choice of the off-screen OpenGL backend; it must be made before MuJoCo is first imported."""

from __future__ import annotations

import ctypes.util
import os
import sys
from collections.abc import Callable
from typing import Literal, Protocol

from roboreward_ros.errors import ConfigError, SimulationError

Backend = Literal["egl", "osmesa"]
BACKENDS: tuple[Backend, ...] = ("osmesa", "egl")
"""In order of preference: both draw the same picture, OSMesa has fewer ways to fail."""

APT = {"osmesa": "libosmesa6", "egl": "libegl1 libegl-mesa0 libgl1-mesa-dri"}
_LIBRARY = {"osmesa": "OSMesa", "egl": "EGL"}


def library_present(backend: Backend) -> bool:
    """Whether the system's loader finds the shared library of ``backend``."""
    return ctypes.util.find_library(_LIBRARY[backend]) is not None


def choose_backend(
    wish: str = "auto", present: Callable[[Backend], bool] = library_present
) -> Backend:
    """Name the backend for ``wish`` (auto | egl | osmesa).

    Args:
        wish: ``auto`` takes MUJOCO_GL where it names a backend, else the first one present.
        present: test for a backend's library, replaceable for tests.

    Raises:
        ConfigError: ``wish`` is none of the three.
        SimulationError: no library for it; the message names the packages to install.
    """
    if wish not in ("auto", *BACKENDS):
        raise ConfigError("unknown OpenGL backend", got=wish, allowed=("auto", *BACKENDS))
    asked = os.environ.get("MUJOCO_GL", "").lower() if wish == "auto" else wish
    candidates = tuple(b for b in BACKENDS if b == asked) or BACKENDS
    for backend in candidates:
        if present(backend):
            return backend
    raise SimulationError(
        "no off-screen OpenGL library for rendering the twin",
        got=f"none of {', '.join(candidates)}",
        allowed=("libOSMesa", "libEGL"),
        next_step=" or ".join(f"'sudo apt-get install {APT[b]}'" for b in candidates)
        + "; physics without pictures needs neither",
    )


def prepare(wish: str = "auto", present: Callable[[Backend], bool] = library_present) -> Backend:
    """Choose a backend and set MUJOCO_GL and PYOPENGL_PLATFORM for it.

    Raises:
        SimulationError: no library, or PyOpenGL is already loaded for another platform.
    """
    backend = choose_backend(wish, present)
    platform = os.environ.get("PYOPENGL_PLATFORM", "").lower()
    if "OpenGL" in sys.modules and platform and platform != backend:
        raise SimulationError(
            "another OpenGL backend is already in use by this process",
            got=platform,
            allowed=backend,
            next_step=f"Set MUJOCO_GL={backend} before the process starts",
        )
    os.environ["MUJOCO_GL"] = backend
    os.environ["PYOPENGL_PLATFORM"] = backend
    # One rasteriser thread: more of them only fight over two cores.
    os.environ.setdefault("LP_NUM_THREADS", "1")
    return backend


def disable() -> None:
    """Let MuJoCo load without any OpenGL library; physics needs none."""
    os.environ.setdefault("MUJOCO_GL", "disabled")


class Context(Protocol):
    """An off-screen OpenGL context."""

    def make_current(self) -> None:
        """Bind it to the calling thread."""

    def free(self) -> None:
        """Destroy it."""


def make_context(backend: Backend, width: int, height: int) -> Context:
    """Create a context of ``backend`` whatever backend MuJoCo chose when it was imported.

    Raises:
        SimulationError: the library is there but gives no context.
    """
    try:
        if backend == "osmesa":
            from mujoco.osmesa import GLContext
        else:
            from mujoco.egl import GLContext
        context: Context = GLContext(width, height)
        return context
    except Exception as error:  # PyOpenGL raises anything from ImportError to its own GLError
        raise SimulationError(
            f"the OpenGL backend {backend} gives no context",
            got=f"{type(error).__name__}: {error}",
            allowed=BACKENDS,
            next_step=f"Try 'sudo apt-get install {APT[backend]}' or the other backend (gl:=...)",
        ) from error
