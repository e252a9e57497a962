# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which noise is the base policy's, and what is known of noise that is not."""

import dataclasses
import json

import numpy as np
import pytest

from roboreward_ros.dsrl.config import DsrlConfig, NoiseForm, load_profile, profile_dirs
from roboreward_ros.dsrl.noise_forms import NoiseMap
from roboreward_ros.dsrl.noise_record import (
    NAME,
    FormResult,
    FormVerdict,
    Place,
    keep_results,
    read_results,
    require_form,
    untrained_actor,
)
from roboreward_ros.errors import ConfigError, FormatError, LearnerError
from roboreward_ros.policies.noise import actor_rng

P = 8
REPEAT = load_profile("reference_pi0_real")
TASK = "open the drawer"


def result(mine=(9, 10), base=(10, 10), config=REPEAT, place=Place.TWIN, task=TASK):
    return FormResult.of(untrained_actor(config, "p1", P), task, place, mine, base)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs" / NAME


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "policy"
    made.mkdir()
    return made


@pytest.mark.parametrize("k", range(1, P + 1))
def test_a_basis_of_orthonormal_rows_leaves_the_covariance_of_the_prior(k):
    """w = B'z + (I - B'B) w0 of independent z, w0: cov = B'B + (I - B'B)^2, which must be I."""
    rows = NoiseMap(NoiseForm.BASIS, P, k).rows().astype(np.float64)
    steered = rows.T @ rows
    rest = np.eye(P * 7) - steered
    np.testing.assert_allclose(steered + rest @ rest.T, np.eye(P * 7), atol=1e-6)


@pytest.mark.parametrize("form", [NoiseForm.FULL, NoiseForm.BASIS])
def test_an_untrained_actor_of_these_forms_gives_the_prior_draw_itself(form):
    actor = untrained_actor(DsrlConfig(noise=form, basis=3), "p1", P)
    w0 = actor_rng(4, 2).standard_normal((P, 7))
    np.testing.assert_allclose(actor.steer(np.zeros(5, np.float32), 1.0, 4, 2), w0, atol=1e-6)


def test_an_untrained_actor_has_its_profiles_form_basis_and_bound():
    w = untrained_actor(REPEAT, "p1", P).steer(np.zeros(5, np.float32), 1.0, 4, 2)
    assert (w == w[0]).all()
    cut = dataclasses.replace(REPEAT, noise=NoiseForm.FULL, magnitude=0.5)
    w = untrained_actor(cut, "p1", P).steer(np.zeros(5, np.float32), 1.0, 4, 2)
    assert np.abs(w).max() == 0.5
    assert untrained_actor(DsrlConfig(noise=NoiseForm.BASIS, basis=5), "p1", P).basis == 5
    with pytest.raises(ConfigError, match="basis 9"):
        untrained_actor(DsrlConfig(noise=NoiseForm.BASIS, basis=9), "p1", P)


def test_the_shipped_profiles_that_are_another_policy_before_they_learn():
    names = {path.stem for path in profile_dirs()[0].glob("*.yaml")}
    other = {name for name in names if not load_profile(name).starts_as_prior}
    repeated = {"reference_pi0_real", "reference_pi0_aloha", "reference_pi0_libero"}
    assert other == repeated | {"reference_transport"}, "cut at 1"


@pytest.mark.parametrize(
    ("mine", "base", "verdict"),
    [
        ((0, 10), (10, 10), FormVerdict.KILLS),
        ((0, 40), (20, 40), FormVerdict.KILLS),
        ((0, 20), (10, 20), FormVerdict.OPEN),
        ((0, 3), (3, 3), FormVerdict.OPEN),
        ((0, 40), (0, 40), FormVerdict.OPEN),
        ((0, 0), (0, 0), FormVerdict.OPEN),
        ((4, 20), (10, 20), FormVerdict.OPEN),
        ((5, 20), (10, 20), FormVerdict.STANDS),
        ((40, 40), (20, 40), FormVerdict.STANDS),
    ],
)
def test_what_a_measurement_says(mine, base, verdict):
    assert result(mine, base).verdict is verdict


def test_results_lie_beside_the_policy_and_newer_ones_replace_older(folder, runs):
    other = result(config=load_profile("reference_pi0_libero"))  # another bound
    assert keep_results(str(folder), [result((1, 10)), other]) == folder / NAME
    keep_results(str(folder), [result((8, 10)), result((3, 4), (4, 4), place=Place.ARM)])
    found = read_results(folder / NAME)
    assert [(r.successes, r.bound, r.place) for r in found] == [
        (8, 2.5, Place.TWIN), (9, 1.0, Place.TWIN), (3, 2.5, Place.ARM),
    ]  # fmt: skip
    assert not runs.exists()


@pytest.mark.parametrize("policy", ["demo", "", "file"])
def test_where_the_policys_folder_takes_no_file_they_lie_in_runs(runs, tmp_path, policy):
    (tmp_path / "file").write_text("no folder")
    assert keep_results(policy, [result()]).resolve() == runs
    assert read_results(runs) == [result()]
    require_form(REPEAT, "p", policy, "p1", TASK, Place.TWIN)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"format": 2, "results": []}', "newer version"),
        ("nonsense", NAME),
        (json.dumps({"format": 1, "results": [{}]}), "policy_id"),
    ],
)
def test_a_record_that_cannot_be_read_is_refused_by_name(folder, content, words):
    (folder / NAME).write_text(content)
    with pytest.raises(FormatError, match=words):
        read_results(folder / NAME)
    with pytest.raises(FormatError):
        keep_results(str(folder), [result()])
    assert (folder / NAME).read_text() == content


def test_impossible_counts_are_refused():
    with pytest.raises(FormatError, match="impossible"):
        result(mine=(11, 10))


def ask(folder, config=REPEAT, policy_id="p1", task=TASK, place=Place.TWIN):
    require_form(config, "reference_pi0_real", str(folder), policy_id, task, place)


def test_noise_that_nobody_measured_is_refused_with_the_command(folder, runs):
    command = (
        rf"roboreward study noise --profile reference_pi0_real --policy {folder} --task '{TASK}'"
    )
    with pytest.raises(LearnerError, match=rf"'repeat' .* {command}.*policy eval --robot"):
        ask(folder)
    keep_results(str(folder), [result()])
    ask(folder)
    ask(folder, DsrlConfig())
    for change in (
        {"policy_id": "p2"}, {"task": "stack"}, {"config": load_profile("reference_pi0_libero")},
    ):  # fmt: skip
        with pytest.raises(LearnerError, match="nobody measured"):
            ask(folder, **change)


def test_a_form_that_kills_is_refused_by_its_numbers_and_few_episodes_settle_nothing(folder, runs):
    keep_results(str(folder), [result((0, 40), (20, 40))])
    with pytest.raises(LearnerError, match=r"kills.*0/40 successes against 20/40"):
        ask(folder)
    keep_results(str(folder), [result((0, 20), (10, 20))])
    with pytest.raises(LearnerError, match=r"too few.*0/20.*more --episodes"):
        ask(folder)


def test_what_was_measured_on_the_arm_counts_first_there(folder, runs):
    keep_results(str(folder), [result(), result((0, 20), (18, 20), place=Place.ARM)])
    ask(folder)
    with pytest.raises(LearnerError, match="kills"):
        ask(folder, place=Place.ARM)
