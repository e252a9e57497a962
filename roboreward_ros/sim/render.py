# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of the twin: one OpenGL context per model, any size up to 640x480."""

from __future__ import annotations

import weakref

import mujoco
import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.sim import gl
from roboreward_ros.sim.scene import CAMERA, MAX_HEIGHT, MAX_WIDTH
from roboreward_ros.types import ImageU8


class SceneRenderer:
    """Draws one model from the third-person camera. One thread uses it.

    Args:
        model: compiled scene.
        wish: OpenGL backend, auto | egl | osmesa.

    Raises:
        SimulationError: no backend works.
    """

    def __init__(self, model: mujoco.MjModel, wish: str = "auto") -> None:
        self._backend = gl.prepare(wish)
        self._context = gl.make_context(self._backend, MAX_WIDTH, MAX_HEIGHT)
        self._context.make_current()
        self._model = model
        self._scene = mujoco.MjvScene(model=model, maxgeom=300)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        self._option = mujoco.MjvOption()
        self._perturb = mujoco.MjvPerturb()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._camera.fixedcamid = model.camera(CAMERA).id
        self._mjr = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._mjr)
        # Also runs at interpreter exit, before the destructors that would complain there.
        self._free = weakref.finalize(self, _free, self._context, self._mjr)

    def draw(self, data: mujoco.MjData, width: int, height: int) -> ImageU8:
        """Picture ``[height, width, 3]`` uint8 RGB of the present state.

        The camera sees 4:3 as the real one does; another ratio squashes the picture, as
        BridgeData's 256x256 images are squashed.
        """
        if not (8 <= width <= MAX_WIDTH and 8 <= height <= MAX_HEIGHT):
            raise ConfigError(
                "image size out of range",
                got=f"{width}x{height}",
                allowed=f"8x8..{MAX_WIDTH}x{MAX_HEIGHT}",
            )
        self._context.make_current()
        mujoco.mjv_updateScene(
            self._model,
            data,
            self._option,
            self._perturb,
            self._camera,
            mujoco.mjtCatBit.mjCAT_ALL.value,
            self._scene,
        )
        rect = mujoco.MjrRect(0, 0, width, height)
        mujoco.mjr_render(rect, self._scene, self._mjr)
        pixels = np.empty((height, width, 3), dtype=np.uint8)
        mujoco.mjr_readPixels(pixels, None, rect, self._mjr)
        return np.ascontiguousarray(pixels[::-1])

    def close(self) -> None:
        """Free the OpenGL context; idempotent."""
        self._free()


def _free(context: gl.Context, mjr: mujoco.MjrContext) -> None:
    context.make_current()
    mjr.free()
    context.free()
