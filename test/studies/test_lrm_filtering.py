# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from roboreward_ros.cli.main import main
from roboreward_ros.episodes.labels import key_record
from roboreward_ros.episodes.ledger import OPERATOR, SCORES, Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.run import open_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import ConfigError, StoreError
from roboreward_ros.policies.checkpoint import (
    PolicyDescription,
    load_checkpoint,
    make_checkpoint,
    save_checkpoint,
)
from roboreward_ros.policies.config import NetworkConfig, SamplerConfig
from roboreward_ros.policies.network import PolicyNetwork
from roboreward_ros.policies.normalise import Statistics
from roboreward_ros.policies.text import Vocabulary
from roboreward_ros.studies.lrm.filtering import FACTS, Kept, filter_runs, unit
from roboreward_ros.studies.lrm.keep import parse_keep
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.types import (
    EndCause,
    LabelRecord,
    Provenance,
    RewardFailure,
    RewardOutcome,
    Score,
    ScoreKind,
    ScoreScale,
    StepFlag,
)

SIDE, HORIZON = 16, 4


def score(value: float, source: str, scale: ScoreScale = ScoreScale.UNIT) -> Score:
    return Score(value, scale, ScoreKind.NONE, Provenance(source))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six episodes: done, not done, failed to be scored, discarded, pressed s, tainted."""
    path = tmp_path_factory.mktemp("recorded") / "run"
    open_run(path, {"task": "t", "policy": "demo"})
    store = EpisodeStore(path, "w")
    for index in range(6):
        writer = store.create(make_meta(index))
        record(writer, steps=8 + index)
        writer.commit(EndCause.TIME, ("fault",) if index == 5 else ())
    store.discard("ep_000003")
    store.close()
    ledger = Ledger(path, "w", SCORES)
    answers: list[RewardOutcome] = [
        score(1.0, "lrm_completion"),
        score(0.2, "lrm_completion"),
        RewardFailure("no answer in time", Provenance("lrm_completion")),
        score(1.0, "lrm_completion"),
        score(0.0, "lrm_completion"),
        score(1.0, "lrm_completion"),
    ]
    for index, answer in enumerate(answers):
        ledger.append(LabelRecord(-1, f"ep_{index:06d}", answer, index))
    for index in range(6):
        level = score(1.0 + index % 5, "roboreward", ScoreScale.RUBRIC)
        ledger.append(LabelRecord(-1, f"ep_{index:06d}", level, 100 + index, shadow=True))
    ledger.close()
    keys = Ledger(path, "w", OPERATOR)
    keys.append(key_record("s", "ep_000004", 999, "ann"))
    keys.close()
    promote(path, "lrm_completion", ScoreScale.UNIT)
    return path


@pytest.fixture
def run(recorded: Path, tmp_path: Path) -> Path:
    """A copy of that run."""
    return Path(shutil.copytree(recorded, tmp_path / "run"))


def kept(run: Path, text: str, source: str = "") -> Kept:
    return filter_runs([run], parse_keep(text, FACTS), source, SIDE, HORIZON)


def ids(found: Kept) -> list[int]:
    return [int(name[3:]) for names in found.episodes.values() for name in names]


def test_what_the_source_or_a_person_calls_done_is_kept(run: Path):
    found = kept(run, "completion>0.5")
    assert ids(found) == [0, 4]
    assert (found.dropped, found.unanswered, found.unfit) == (1, 1, 2)
    assert (found.source, found.count) == ("lrm_completion", 2)


def test_another_source_may_decide_also_one_that_ran_in_the_shadow(run: Path):
    found = kept(run, "score>=2", "roboreward")
    assert ids(found) == [1, 2, 4]
    assert ids(kept(run, "roboreward>0.2 and lrm_completion<0.5")) == [1]
    assert ids(kept(run, "steps>8 and steps<=10")) == [1, 2]


def test_rows_are_the_executed_actions_with_what_was_seen_before_them(run: Path):
    data = kept(run, "lrm_completion>=1 and steps==8").data
    assert data.tasks == ("put the mushroom on the cloth",)
    assert data.images.shape == (8, SIDE, SIDE, 3)
    assert np.abs(data.images[3].astype(int) - 30).max() < 4
    assert data.proprio[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert data.chunks[3, :, 0] == pytest.approx([3.4, 4.4, 5.4, 6.4])
    assert data.chunks[7, :, 0] == pytest.approx([7.4, 0, 0, 0])  # then it stays
    assert data.chunks[7, :, 6] == pytest.approx(7.4)


def test_rows_whose_chunk_the_policy_did_not_choose_are_left_out(tmp_path: Path):
    path = tmp_path / "run"
    open_run(path, {"task": "t"})
    store = EpisodeStore(path, "w")
    writer = store.create(make_meta())
    record(writer, steps=10, flags={5: StepFlag.LATE, 1: StepFlag.CLIPPED_DELTA})
    writer.commit(EndCause.TIME, ())
    store.close()
    found = kept(path, "steps>0")
    assert found.data.proprio[:, 0].tolist() == [0, 1, 6, 7, 8, 9]


def test_nothing_kept_is_an_error_that_says_why(run: Path):
    with pytest.raises(ConfigError, match="3 that do not, 1 without an answer, 2 unfit"):
        kept(run, "completion>1")


def test_a_source_that_never_scored_is_an_error_with_the_next_step(run: Path):
    with pytest.raises(StoreError, match=r"rescore .* --source gvl"):
        kept(run, "completion>0.5", "gvl")
    with pytest.raises(StoreError, match="lrm_progress"):
        kept(run, "lrm_progress>0.5")


def test_a_run_without_a_source_asks_for_one(tmp_path: Path):
    open_run(tmp_path / "run", {"task": "t"})
    with pytest.raises(ConfigError, match="--source NAME"):
        kept(tmp_path / "run", "completion>0.5")


def test_every_scale_has_its_place_on_0_1():
    assert unit(score(3.0, "x", ScoreScale.RUBRIC)) == 0.5
    assert unit(score(-0.5, "x", ScoreScale.SIGN)) == 0.25
    assert unit(score(0.7, "x")) == 0.7


@pytest.fixture(scope="module")
def old_policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny policy of one task, random weights."""
    sizes = NetworkConfig(image_size=SIDE, channels=(4, 4, 4, 4), hidden=16, blocks=1)
    tasks = ("put the mushroom on the cloth",)
    unit_statistics = Statistics((0.0,) * 7, (0.01,) * 6 + (1.0,))
    sampler = SamplerConfig(sample_steps=2)
    description = PolicyDescription(sizes, sampler, tasks, unit_statistics, unit_statistics)
    torch.manual_seed(0)
    weights = PolicyNetwork(sizes, len(Vocabulary(tasks).words)).state_dict()
    folder = tmp_path_factory.mktemp("old")
    save_checkpoint(folder, make_checkpoint(description, weights))
    return folder


def test_the_command_leaves_a_policy_that_says_what_it_was_made_of(
    run: Path, old_policy: Path, capsys
):
    words = ["policy", "finetune", str(run), "--keep", "completion>0.5", "--steps", "2"]
    assert main([*words, "--policy", str(old_policy), "--episodes", "1"]) == 0
    printed = capsys.readouterr().out
    assert "kept 2 rollouts (20 rows)" in printed
    assert "1 do not meet it, 1 without an answer, 2 unfit" in printed
    assert "w = 0" in printed
    new, old = load_checkpoint(run / "policies" / "finetuned"), load_checkpoint(old_policy)
    assert new.policy_id != old.policy_id
    assert new.provenance["from"] == {"policy": str(old_policy), "policy_id": old.policy_id}
    assert new.provenance["kept"]["episodes"] == {str(run): ["ep_000000", "ep_000004"]}
    measured = new.provenance["success"]["put the mushroom on the cloth"]
    assert {name: row["n"] for name, row in measured.items()} == {"prior": 1, "zero": 1}
    assert "--keep 'completion>0.5'" in new.provenance["command"]


def test_the_old_policy_is_not_written_over(run: Path, old_policy: Path, capsys):
    words = ["policy", "finetune", str(run), "--keep", "completion>0.5"]
    assert main([*words, "--policy", str(old_policy), "--out", str(old_policy)]) == 2
    assert "place of the old one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--keep", "completion>>1"], "--keep"),
        (["--keep", "completion>1"], "no rollout meets"),
        (["--keep", "completion>0.5", "--policy", "/nowhere"], "/nowhere"),
        (["--keep", "completion>0.5", "--episodes", "-1"], "--episodes"),
        (["--keep", "completion>0.5", "--steps", "0"], "FinetuneConfig"),
        (["--keep", "completion>0.5", "--task", "fold the towel"], "fold the towel"),
    ],
)
def test_bad_input_is_explained(words: list[str], text: str, run: Path, capsys):
    assert main(["policy", "finetune", str(run), *words]) == 2
    assert text in capsys.readouterr().err
    assert not (run / "policies" / "finetuned").exists()
