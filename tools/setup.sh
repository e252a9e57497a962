#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
# Makes .venv: dependencies, ROS 2 interfaces, shims. Run by `make setup`; safe to run again.
#
#   PYTHON=python3.11    interpreter to build the environment with (3.11 or newer)
#   TORCH_INDEX_URL=URL  pip index to take torch from (PyTorch's install page lists one for CPU and
#                        one per CUDA version); unset: whatever pip's own configuration offers
#   RECREATE=1           throw .venv away first
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
venv=$root/.venv
log=$root/.setup.log
python=${PYTHON:-python3}
: >"$log"

say() { printf '[setup %3ds] %s\n' "$SECONDS" "$*"; }
die() {
  printf '\n[setup] FAILED: %s\n' "$1" >&2
  [ -n "${2:-}" ] && printf '[setup] Do this: %s\n' "$2" >&2
  exit 1
}
run() { # run MESSAGE NEXT_STEP COMMAND...: quietly, with the end of the log on failure
  local message=$1 next_step=$2
  shift 2
  say "$message"
  if ! "$@" >>"$log" 2>&1; then
    tail -n 25 "$log" >&2
    die "$message (whole log: .setup.log)" "$next_step"
  fi
}

# --- the interpreter and what the system must have ------------------------------------------------
command -v "$python" >/dev/null || die "no '$python' on PATH" "install Python 3.11 or newer, or set PYTHON="
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  die "$("$python" --version 2>&1) is too old; 3.11 or newer is needed" "set PYTHON=python3.11"

missing=()
command -v g++ >/dev/null || missing+=(g++)
command -v make >/dev/null || missing+=(make)
"$python" -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
"$python" - <<'PY' || missing+=(python3-dev)
import pathlib, sys, sysconfig
sys.exit(not (pathlib.Path(sysconfig.get_paths()["include"]) / "Python.h").exists())
PY
"$python" - <<'PY' || missing+=(libosmesa6)
import ctypes.util, sys
sys.exit(not (ctypes.util.find_library("OSMesa") or ctypes.util.find_library("EGL")))
PY
if [ ${#missing[@]} -gt 0 ]; then
  paste="sudo apt-get update && sudo apt-get install -y ${missing[*]}"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    run "installing system packages: ${missing[*]}" "$paste" \
      sh -c "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq ${missing[*]}"
  elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then
    run "installing system packages: ${missing[*]}" "$paste" \
      sh -c "sudo -n apt-get update -qq && sudo -n apt-get install -y -qq ${missing[*]}"
  else
    die "system packages are missing: ${missing[*]}" "$paste"
  fi
fi

# The console's tests look at its page with a real browser; nothing else needs one.
browser=
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  command -v "$name" >/dev/null && browser=$name && break
done
if [ -z "$browser" ]; then
  say "no browser found: installing chromium for the console's tests"
  install="apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    sh -c "$install" >>"$log" 2>&1 || true
  elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then
    sudo -n sh -c "$install" >>"$log" 2>&1 || true
  fi
  command -v chromium >/dev/null ||
    say "without a browser make test fails in the tier 'console': apt-get install chromium"
fi

# --- which ROS 2 ----------------------------------------------------------------------------------
case "${ROS_DISTRO:-}" in
  "")
    ros=wheels
    machine=$(uname -m)
    [ "$machine" = x86_64 ] || die "the ROS 2 wheels exist for x86-64 only, this is $machine" \
      "install ROS 2 Jazzy, source its setup.bash and run make setup again"
    ;;
  jazzy) ros=jazzy ;;
  *) die "ROS 2 '$ROS_DISTRO' is sourced; only Jazzy is supported" \
    "open a shell without it (the Jazzy wheels are used then), or source Jazzy" ;;
esac

# --- virtual environment and dependencies ---------------------------------------------------------
[ "${RECREATE:-0}" = 1 ] && rm -rf "$venv"
stamp_of() { cat "$@" 2>/dev/null | sha256sum | cut -c1-16; }
want="$ros $("$python" -c 'import sys; print(sys.version.split()[0])') $root"
if [ -d "$venv" ] && [ "$(cat "$venv/.made_for" 2>/dev/null)" != "$want" ]; then
  say "the environment was made for something else; making it anew"
  rm -rf "$venv"
fi
if [ ! -x "$venv/bin/python" ]; then
  flags=()
  [ "$ros" = jazzy ] && flags=(--system-site-packages)
  run "creating .venv" "check that $python -m venv works here" "$python" -m venv "${flags[@]}" "$venv"
  echo "$want" >"$venv/.made_for"
fi
pip=("$venv/bin/python" -m pip --disable-pip-version-check)
again="check the network and run make setup again (finished steps are kept)"

if [ "$ros" = wheels ]; then
  constraints=requirements/constraints.txt
  files=(requirements/ros.txt requirements/build.txt requirements/runtime.txt requirements/dev.txt)
else
  constraints=requirements/constraints-jazzy.txt
  files=(requirements/build.txt requirements/runtime.txt requirements/dev.txt)
fi
deps=$(stamp_of "${files[@]}" "$constraints")
if [ "$(cat "$venv/.deps" 2>/dev/null)" != "$deps" ]; then
  torch=("$(grep '^torch==' requirements/runtime.txt)")
  [ -n "${TORCH_INDEX_URL:-}" ] && torch+=(--index-url "$TORCH_INDEX_URL")
  # torch goes first and alone: a later resolve then keeps the build that was chosen here.
  run "installing ${torch[0]} (the largest download)" "$again" "${pip[@]}" install -q "${torch[@]}"
  args=()
  for file in "${files[@]}"; do args+=(-r "$file"); done
  run "installing the other dependencies (about a minute)" "$again" \
    "${pip[@]}" install -q -c "$constraints" "${args[@]}"
  echo "$deps" >"$venv/.deps"
fi

# --- interfaces: real rosidl type support, installed under .venv/ros -------------------------------
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
interfaces=$(stamp_of msg/* srv/* action/* CMakeLists.txt package.xml tools/wheel_includes.cmake tools/environment/* \
  <(ls roboreward_ros/nodes 2>/dev/null | grep _node.py) "$venv/.deps")
if [ "$(cat "$venv/.interfaces" 2>/dev/null)" != "$interfaces" ]; then
  export PATH=$venv/bin:$PATH
  prefix=$venv
  configure=(-DCMAKE_PROJECT_INCLUDE="$root/tools/wheel_includes.cmake")
  if [ "$ros" = jazzy ]; then
    prefix=$AMENT_PREFIX_PATH
    configure=(-DPython3_EXECUTABLE="$venv/bin/python")
  fi
  run "generating the ROS 2 interfaces (20-60 s)" "read the compiler's message above" \
    env AMENT_PREFIX_PATH="$prefix" CMAKE_PREFIX_PATH="${prefix//:/;}" \
    cmake -S . -B build/interfaces -G Ninja -Wno-dev -DBUILD_TESTING=OFF \
    -DROBOREWARD_INTERFACES_ONLY=ON -DROBOREWARD_PYTHON="$venv/bin/python" \
    -DCMAKE_INSTALL_PREFIX="$venv/ros" "${configure[@]}"
  run "compiling the ROS 2 interfaces" "read the compiler's message above" cmake --build build/interfaces
  rm -rf "$venv/ros"
  run "installing them under .venv/ros" "look at .setup.log" cmake --install build/interfaces
  generated=$(find "$venv/ros" -type d -path '*-packages/roboreward_ros' | head -1)
  # The checkout comes first, so the package is run from its sources and never copied.
  printf '%s\n%s\n' "$root" "$(dirname "$generated")" >"$site/roboreward_ros.pth"
  if [ "$ros" = wheels ]; then # their loader looks for libraries in .venv/lib only
    for library in "$venv"/ros/lib/lib*.so; do
      ln -sf "../ros/lib/$(basename "$library")" "$venv/lib/"
    done
  else
    cp tools/library_path.py "$site/roboreward_ros_library_path.py"
    echo "import roboreward_ros_library_path" >"$site/roboreward_ros_library_path.pth"
  fi
  ln -sf ../ros/bin/roboreward "$venv/bin/roboreward"
  echo "$interfaces" >"$venv/.interfaces"
fi

"$venv/bin/python" - <<'PY' >>"$log" 2>&1 || die "the environment does not import (see .setup.log)" "RECREATE=1 make setup"
import rclpy
import torch
from roboreward_ros.msg import Reward

Reward()
PY
say "ready: .venv/bin/roboreward --help"
