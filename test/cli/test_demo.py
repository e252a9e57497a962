# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pieces of the demo: what it remembers, when it gives up, what it shows."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from roboreward_ros.cli import demo_stages
from roboreward_ros.cli.demo import DemoOptions, require_learning, run_seed
from roboreward_ros.cli.demo_stages import (
    StageClock,
    StoppedError,
    TrainingDisplay,
    final_actor,
    run_jobs,
    train,
)
from roboreward_ros.cli.main import main
from roboreward_ros.cli.run_files import LearnerProgress, learner_progress, read_stages
from roboreward_ros.clock import FakeClock
from roboreward_ros.episodes.run import open_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import ConfigError, FormatError, StackError
from roboreward_ros.evaluation.run_view import RunView
from roboreward_ros.evaluation.success import Trial
from roboreward_ros.stack import StackArguments, describe
from roboreward_ros.studies.baselines import Evaluator, Job, Setting
from roboreward_ros.studies.demo_arms import DemoArms
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.types import EndCause


class Shown:
    """A display that keeps what it was told."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, int]] = []
        self.updates: list[tuple[int, str]] = []

    def say(self, line: str) -> None: ...

    def stage(self, name: str, total: int, done: int = 0) -> None:
        self.stages.append((name, total, done))

    def update(self, done: int, detail: str = "") -> None:
        self.updates.append((done, detail))

    def close(self) -> None: ...


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    open_run(tmp_path / "run", {"sim": True, "task": "open the drawer", "seed": 4})
    return tmp_path / "run"


def commit(run_dir: Path, count: int) -> None:
    store = EpisodeStore(run_dir, "w")
    for index in range(len(store), len(store) + count):
        writer = store.create(make_meta(index))
        record(writer, steps=2)
        writer.commit(EndCause.TIME)
    store.close()


def checkpoint(run_dir: Path, episodes: int, owed: int = 0) -> None:
    header = {"seen": {f"ep_{k}": True for k in range(episodes)}, "owed": owed, "steps": 70}
    path = run_dir / "checkpoints" / "learner.safetensors"
    save_file({"w": np.zeros(1)}, path, {"learner": json.dumps(header)})


def test_stage_times_add_up_over_stops_and_resumes(tmp_path: Path) -> None:
    clock = FakeClock()
    with StageClock(tmp_path, clock).time("training"):
        clock.advance(30.0)

    def stopped() -> None:
        with StageClock(tmp_path, clock).time("training"):
            clock.advance(12.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    with StageClock(tmp_path, clock).time("report"):
        clock.advance(1.0)
    assert read_stages(tmp_path) == {"training": 42.0, "report": 1.0}


def test_a_resumed_run_keeps_its_seed(run_dir: Path, tmp_path: Path) -> None:
    assert run_seed(run_dir, None) == 4
    assert run_seed(run_dir, 4) == 4
    assert run_seed(tmp_path / "new", None) == 0
    assert run_seed(tmp_path / "new", 7) == 7
    with pytest.raises(ConfigError, match="another seed"):
        run_seed(run_dir, 0)


@pytest.mark.parametrize("words", [["--episodes", "0"], ["--held-out", "0"]])
def test_a_demo_of_nothing_is_refused(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--run-dir", str(tmp_path / "run"), *words]) == 2
    assert "held-out" in capsys.readouterr().err


def test_the_learner_is_done_when_it_owes_nothing(run_dir: Path) -> None:
    assert learner_progress(run_dir) == LearnerProgress(0, 0)
    checkpoint(run_dir, episodes=5)
    assert learner_progress(run_dir) == LearnerProgress(5, 70)
    checkpoint(run_dir, episodes=5, owed=3)
    assert learner_progress(run_dir).episodes == 0
    (run_dir / "checkpoints" / "learner.safetensors").write_bytes(b"torn")
    with pytest.raises(FormatError, match="checkpoint is damaged"):
        learner_progress(run_dir)


def stack_runs(monkeypatch: pytest.MonkeyPatch, does: Callable[[], int]) -> list[int]:
    codes: list[int] = []

    def run_stack(stack: object, **options: object) -> int:
        codes.append(does())
        return codes[-1]

    monkeypatch.setattr(demo_stages, "run_stack", run_stack)
    return codes


def test_training_runs_until_both_stores_and_learner_are_there(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = describe(StackArguments(sim=True, run_dir=str(run_dir)), "open the drawer")
    codes = stack_runs(monkeypatch, lambda: 0)
    commit(run_dir, 2)
    checkpoint(run_dir, episodes=1)
    train(stack, 2, Shown())
    assert codes == [0], "the learner has not seen the last episode"
    checkpoint(run_dir, episodes=2)
    train(stack, 2, Shown())
    assert codes == [0], "nothing was left to do"
    train(stack, 1, Shown())
    assert codes == [0]


def test_a_stop_and_a_failure_are_told_apart(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = describe(StackArguments(sim=True, run_dir=str(run_dir)), "open the drawer")
    stack_runs(monkeypatch, lambda: 0)
    with pytest.raises(StoppedError, match="after 0 of 3"):
        train(stack, 3, Shown())
    stack_runs(monkeypatch, lambda: 1)
    with pytest.raises(StackError, match="ended early") as failed:
        train(stack, 3, Shown())
    assert not isinstance(failed.value, StoppedError)
    assert str(run_dir / "logs") in str(failed.value)


def test_training_that_stands_still_is_given_up(run_dir: Path) -> None:
    clock = FakeClock()
    shown = Shown()
    watch = TrainingDisplay(RunView(run_dir), 5, shown, clock)
    for _ in range(4):
        commit(run_dir, 1)
        clock.advance(demo_stages.STALL_S - 1)
        watch.tick()
    assert shown.updates[-1][0] == 4
    assert "success 0 %" in shown.updates[-1][1]
    clock.advance(2.0)
    watch.tick()
    clock.advance(demo_stages.STALL_S)
    with pytest.raises(StackError, match=r"session_node\.log"):
        watch.tick()


def test_the_final_actor_is_the_newest(run_dir: Path) -> None:
    assert final_actor(run_dir) is None
    for version in (9, 10, 2):
        (run_dir / "policies" / f"actor_{version:06d}.safetensors").touch()
    found = final_actor(run_dir)
    assert found is not None
    assert found.name == "actor_000010.safetensors"


class Interrupting(Evaluator):
    """Does three trials, then somebody presses Ctrl-C."""

    def run(
        self, jobs: Sequence[Job], on_trial: Callable[[str, Trial], None] | None = None
    ) -> list[tuple[Trial, ...]]:
        assert on_trial is not None
        for seed in jobs[0].seeds[:3]:
            on_trial(jobs[0].name, Trial(seed, seed % 2 == 0, 5, 1.0, 4))
        raise KeyboardInterrupt


def test_an_interrupted_evaluation_says_how_far_it_came(tmp_path: Path) -> None:
    setting = Setting("open the drawer", "demo", "id", 44)
    arms = DemoArms(Interrupting(setting, tmp_path), 4, 10, 20, 0, "widowx")
    shown = Shown()
    with pytest.raises(StoppedError, match="3 of 20 trials"):
        run_jobs("baselines", arms, arms.baselines(), shown)
    assert shown.stages == [("baselines", 20, 0)]
    assert shown.updates[-1] == (3, "base 67 %")


def test_all_arms_meet_the_same_held_out_layouts(tmp_path: Path) -> None:
    setting = Setting("open the drawer", "demo", "id", 44)
    arms = DemoArms(Evaluator(setting, tmp_path), 4, 10, 20, 3, "widowx")
    held_out = {job.seeds for job in arms.baselines()}
    assert len(held_out) == 1
    assert min(held_out.pop()) >= 2**31
    training = {seed for job in arms.choosing() for seed in job.seeds}
    assert max(training) < 2**31
    assert training <= set(range(300_000, 300_020))


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match="1 or more"):
        DemoOptions(run_dir=Path("x"), episodes=0)


def test_a_demo_without_learning_is_refused() -> None:
    stack = describe(StackArguments(sim=True), "open the drawer")
    with pytest.raises(ConfigError, match="allowed: 10 or more"):
        require_learning(stack, 9)
    require_learning(stack, 10)
