# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a report and a demo keep in and read from a run's folder beside its stores."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from roboreward_ros.dsrl.learned import read_remote
from roboreward_ros.errors import FormatError
from roboreward_ros.evaluation.success import Arm, ArmResult, Trial
from roboreward_ros.files import write_atomic

ARMS_FILE = "arms.json"
STAGES_FILE = "stages.json"
PACKAGES = ("numpy", "torch", "mujoco", "zarr", "ros-rclpy")


def read_arms(run_dir: Path) -> list[ArmResult]:
    """Held-out results that lie in the run's folder, in the order of the page."""
    content = _read_json(run_dir / "evaluation" / ARMS_FILE)
    try:
        return [
            ArmResult(arm, tuple(Trial(**trial) for trial in content[arm]))  # type: ignore[attr-defined]
            for arm in Arm
            if arm in content
        ]
    except (TypeError, KeyError) as error:
        raise FormatError("evaluation results are damaged", got=f"{run_dir}: {error}") from error


def write_arms(run_dir: Path, results: Sequence[ArmResult]) -> None:
    """Keep held-out results with the run."""
    content = {str(r.arm): [asdict(trial) for trial in r.trials] for r in results}
    write_json(run_dir / "evaluation" / ARMS_FILE, content)


def read_stages(run_dir: Path) -> dict[str, float]:
    """Seconds spent in each stage of the demo; empty for other runs."""
    content = _read_json(run_dir / "evaluation" / STAGES_FILE)
    return {str(name): float(str(seconds)) for name, seconds in content.items()}


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write atomically."""
    write_atomic(path, json.dumps(content, indent=1) + "\n")


def _read_json(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text())
        return {str(key): value for key, value in content.items()}
    except (ValueError, OverflowError, RecursionError, AttributeError) as error:
        raise FormatError(
            "a file of the run is damaged",
            got=f"{path}: {error}",
            next_step="Delete it; `roboreward demo` with the same run_dir writes it again.",
        ) from error


@dataclass(frozen=True, slots=True)
class LearnerProgress:
    """Attributes: episodes: whose quota of updates is done; grad_steps: updates in all."""

    episodes: int = 0
    grad_steps: int = 0


def learner_progress(run_dir: Path) -> LearnerProgress:
    """Where the learner's checkpoint stands; of one on another host, what it said last.

    Raises:
        FormatError: it is damaged.
    """
    path = run_dir / "checkpoints" / "learner.safetensors"
    if not path.is_file():
        said = read_remote(run_dir)
        return LearnerProgress(said.episodes_done, said.grad_steps)
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads(file.metadata()["learner"])
        behind = header["owed"] or header.get("imitating", 0)
        done = 0 if behind else len(header["seen"])
        return LearnerProgress(done, int(header["steps"]))
    except (
        SafetensorError,
        OSError,
        ValueError,
        OverflowError,
        RecursionError,
        KeyError,
        TypeError,
    ) as error:
        raise FormatError("the learner's checkpoint is damaged", got=f"{path}: {error}") from error


def git_commit() -> str:
    """Commit of the checkout that runs, marked where it has changes; "" outside of one."""
    here = Path(__file__).parent
    words = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
