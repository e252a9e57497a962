# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A leak is called one, noise is not, and too little data passes nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.testing.kills import wait_until
from roboreward_ros.testing.trends import Trend, Verdict, trend
from roboreward_ros.testing.vitals import DiskUse, shared_memory_mb, stack_vitals

HOURS = np.linspace(0.0, 8.0, 400)


def judged(values: np.ndarray, segments: list[int] | None = None, **more: float) -> Trend:
    options = {"span": 8.0, "allowed": 5.0} | more
    return trend(HOURS, values, segments or [1] * len(values), **options)


def noise(scale: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0.0, scale, len(HOURS))


def test_noise_about_a_level_is_flat() -> None:
    found = judged(100.0 + noise(2.0))
    assert found.verdict is Verdict.FLAT
    assert found.low < 0 < found.high
    assert found.median == pytest.approx(100.0, abs=1.0)


def test_a_leak_grows_by_what_it_leaks() -> None:
    found = judged(100.0 + 2.0 * HOURS + noise(2.0))
    assert found.verdict is Verdict.GROWS
    assert found.low < 16.0 < found.high


def test_a_figure_that_jumps_about_is_not_called_flat() -> None:
    assert judged(100.0 + noise(60.0)).verdict is Verdict.UNCLEAR


def test_a_new_process_has_a_level_of_its_own() -> None:
    half = len(HOURS) // 2
    values = np.where(np.arange(len(HOURS)) < half, 100.0, 180.0) + noise(1.0)
    assert judged(values, [1] * half + [2] * half).verdict is Verdict.FLAT
    assert judged(values).verdict is Verdict.GROWS


def test_growth_while_it_warms_up_is_left_out() -> None:
    values = 100.0 + 50.0 * np.minimum(HOURS, 1.0) + noise(0.5)
    assert judged(values).verdict is Verdict.GROWS
    assert judged(values, warm_up=1.0).verdict is Verdict.FLAT


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ConfigError, match="too few samples"):
        trend(HOURS[:5], HOURS[:5], [1] * 5, span=8.0, allowed=1.0)


def test_a_process_and_its_child_are_measured() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        wait_until(lambda: len(stack_vitals(process.pid)) == 2, 120.0)
        found = stack_vitals(process.pid)
        process.communicate(b"\n")
    assert [it.name for it in found] == ["supervisor", "supervisor worker"]
    assert all(it.handles > 0 and it.threads > 0 for it in found)
    assert stack_vitals(process.pid) == []


def test_mapped_shared_memory_counts_once() -> None:
    path = Path("/dev/shm") / f"trend_{os.getpid()}"
    path.write_bytes(bytes(1 << 20))
    try:
        before = shared_memory_mb([os.getpid()])
        held = np.memmap(path, mode="r")
        assert shared_memory_mb([os.getpid()] * 2) - before == pytest.approx(1.048576)
        del held
    finally:
        path.unlink()


def test_disk_use_follows_episodes_that_go(tmp_path: Path) -> None:
    for name in ("ep_000000", "ep_000001"):
        (tmp_path / "episodes" / name).mkdir(parents=True)
        (tmp_path / "episodes" / name / "data").write_bytes(bytes(8192))
    (tmp_path / "logs").mkdir()
    (tmp_path / "run.json").write_bytes(bytes(4096))
    use = DiskUse(tmp_path)
    whole = use.megabytes()
    assert whole["episodes"] == pytest.approx(16384e-6)
    assert whole["files"] == pytest.approx(4096e-6)
    assert whole["logs"] == 0.0
    frames = tmp_path / "episodes" / "ep_000002" / "frames"
    frames.mkdir(parents=True)
    (frames / "data").write_bytes(bytes(8192))
    assert use.megabytes()["episodes"] == pytest.approx(24576e-6)
    shutil.rmtree(frames)
    assert use.megabytes()["episodes"] == pytest.approx(16384e-6)
    (tmp_path / "episodes" / "ep_000001" / "data").unlink()
    (tmp_path / "episodes" / "ep_000001").rmdir()
    assert use.megabytes()["episodes"] == pytest.approx(8192e-6)
