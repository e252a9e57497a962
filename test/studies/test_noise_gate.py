# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from roboreward_ros.dsrl.config import DsrlConfig, NoiseForm
from roboreward_ros.errors import LearnerError
from roboreward_ros.studies.noise_gate import FormNoise, measure_forms, require_form


@dataclass
class BrittlePolicy:
    """Decodes what it gets; its spec is all that noise needs."""

    spec = SimpleNamespace(prediction_horizon=4)

    def decode(self, features, noise):
        return noise


class BrittleRollout:
    """Succeeds unless all actions of a chunk got the same latent."""

    def run_many(self, task, seeds, chooser, max_steps):
        policy, features = BrittlePolicy(), np.zeros(3, np.float32)
        results = []
        for seed in seeds:
            w, _ = chooser.decide(policy, features, 1.0, seed, 0)
            results.append(SimpleNamespace(success=bool(np.abs(np.diff(w, axis=0)).max() > 1e-3)))
        return results


def test_a_form_that_kills_the_base_is_refused_and_others_pass():
    forms = [FormNoise(NoiseForm.FULL), FormNoise(NoiseForm.REPEAT), FormNoise(NoiseForm.BASIS, 2)]
    results = measure_forms(BrittleRollout(), "t", range(12), 8, forms)
    assert [(r.form, r.successes, r.refused) for r in results] == [
        (NoiseForm.FULL, 12, False),
        (NoiseForm.REPEAT, 0, True),
        (NoiseForm.BASIS, 12, False),
    ]
    with pytest.raises(LearnerError, match=r"repeat.*0/12.*12/12"):
        require_form(DsrlConfig(noise=NoiseForm.REPEAT), results)
    require_form(DsrlConfig(noise=NoiseForm.BASIS), results)
    require_form(DsrlConfig(), results)


def test_few_episodes_refuse_nothing():
    results = measure_forms(BrittleRollout(), "t", range(3), 8, [FormNoise(NoiseForm.REPEAT)])
    assert not any(r.refused for r in results)


@pytest.mark.parametrize("form", [NoiseForm.FULL, NoiseForm.BASIS])
def test_forms_that_keep_the_prior_draw_unit_noise(form):
    policy = BrittlePolicy()
    noise = FormNoise(form)
    draws = [noise.decide(policy, np.zeros(3, np.float32), 1.0, 7, k)[0] for k in range(400)]
    w = np.stack(draws)
    assert abs(float(w.mean())) < 0.05
    assert float(w.std()) == pytest.approx(1.0, abs=0.03)
