# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np

from roboreward_ros.dsrl.config import DsrlConfig, NoiseForm, load_profile
from roboreward_ros.dsrl.noise_record import FormVerdict, Place, untrained_actor
from roboreward_ros.studies.noise_gate import measure_forms

TASK = "open the drawer"


@dataclass
class BrittlePolicy:
    """Decodes what it gets; its spec is all that noise needs."""

    spec = SimpleNamespace(prediction_horizon=4)

    def decode(self, features, noise):
        return noise


class BrittleRollout:
    """Succeeds unless all actions of a chunk got the same latent, or none is beyond 0.5."""

    def run_many(self, task, seeds, chooser, max_steps):
        policy, features = BrittlePolicy(), np.zeros(3, np.float32)
        results = []
        for seed in seeds:
            w, _ = chooser.decide(policy, features, 1.0, seed, 0)
            alive = np.abs(np.diff(w, axis=0)).max() > 1e-3 and np.abs(w).max() > 0.5
            results.append(SimpleNamespace(success=bool(alive)))
        return results


def test_each_untrained_actor_is_measured_beside_plain_noise():
    repeat = load_profile("reference_pi0_real")
    cut = replace(repeat, noise=NoiseForm.FULL, magnitude=0.5)
    configs = [repeat, DsrlConfig(noise=NoiseForm.BASIS, basis=3), cut]
    actors = [untrained_actor(config, "p", 4) for config in configs]
    found = measure_forms(BrittleRollout(), TASK, range(12), 8, actors)
    assert [(r.form, r.basis, r.bound, r.successes, r.verdict) for r in found] == [
        (NoiseForm.REPEAT, 0, 2.5, 0, FormVerdict.KILLS),
        (NoiseForm.BASIS, 3, 5.0, 12, FormVerdict.STANDS),
        (NoiseForm.FULL, 0, 0.5, 0, FormVerdict.KILLS),
    ]
    assert {(r.base_successes, r.base_episodes, r.place) for r in found} == {(12, 12, Place.TWIN)}
