# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Puts the interfaces' libraries on the loader's path, over a sourced ROS 2.

`make setup` copies this file into .venv and loads it from a .pth file. rmw opens the type support
of a message by its bare name, so the folder must be in LD_LIBRARY_PATH before the process starts:
the interpreter replaces itself once. (Over the ROS wheels their own loader does this, for
.venv/lib.)
"""

import os
import sys

folder = os.path.join(sys.prefix, "ros", "lib")
parts = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
if os.path.isdir(folder) and folder not in parts:
    os.environ["LD_LIBRARY_PATH"] = os.pathsep.join([folder, *filter(None, parts)])
    os.execv(sys.executable, sys.orig_argv)
