# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import pytest

from roboreward_ros.errors import ConfigError, SimulationError
from roboreward_ros.sim import gl


def test_auto_takes_what_is_there(monkeypatch):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    assert gl.choose_backend("auto", lambda backend: backend == "egl") == "egl"
    assert gl.choose_backend("auto", lambda backend: True) == "osmesa"


def test_auto_follows_mujoco_gl(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    assert gl.choose_backend("auto", lambda backend: True) == "egl"


@pytest.mark.parametrize(
    ("wish", "packages"),
    [("osmesa", ["libosmesa6"]), ("egl", ["libegl1"]), ("auto", ["libosmesa6", "libegl1"])],
)
def test_a_missing_library_names_the_packages_to_install(monkeypatch, wish, packages):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    with pytest.raises(SimulationError) as caught:
        gl.choose_backend(wish, lambda backend: False)
    assert all(f"apt-get install {package}" in str(caught.value) for package in packages)


def test_an_unknown_backend_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"glx.*osmesa"):
        gl.choose_backend("glx")


def test_listing_tasks_loads_no_mujoco_and_physics_no_opengl():
    code = """
import sys
import roboreward_ros.sim.tasks, roboreward_ros.sim.twin, roboreward_ros.sim.demonstrators
assert "mujoco" not in sys.modules
from roboreward_ros.sim import gl
gl.library_present = lambda backend: False
gl.prepare.__defaults__ = ("auto", gl.library_present)
from roboreward_ros.errors import SimulationError
from roboreward_ros.sim.twin import Twin
twin = Twin()
twin.reset("drawer", 0)
twin.hold()
assert "OpenGL" not in sys.modules
try:
    twin.render()
except SimulationError as error:
    assert "apt-get install" in str(error)
else:
    raise SystemExit("rendered without a library")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=240, env={"PATH": "/usr/bin"})
