# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest
import torch

from roboreward_ros.dsrl.config import Backup, DsrlConfig
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.errors import ConfigError, LearnerError
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.studies.lowdim.fleet import Fleet
from roboreward_ros.testing.steering_toy import SteeringToy, rubric

TOY = SteeringToy()
CONFIG = DsrlConfig(
    hidden=(16, 16), batch_size=16, ensemble=3, updates_per_episode=5, warmup_episodes=3,
    warmup_updates=12, critic_only_updates=10, capacity=200,
)  # fmt: skip


def prior(features, remaining, seed, chunk):
    return prior_noise(seed, chunk, 4)


def fed(seed: int, episodes: int = 5) -> Learner:
    learner = Learner(CONFIG, TOY.spec, seed)
    for k in range(episodes):
        episode = TOY.run(100 * seed + k, prior)
        learner.observe_episode(episode, rubric(1 + (seed + k) % 5))
    return learner


def test_a_fleet_takes_the_steps_of_its_learners_alone():
    alone, together = [fed(s) for s in range(3)], [fed(s) for s in range(3)]
    fleet = Fleet(together)
    for learner in alone:
        learner.update()
    assert fleet.update() == 12 + 5 + 2 * 5
    for one, other in zip(alone, together, strict=True):
        assert other.owed == 0
        assert other.sac.steps == one.sac.steps
        for name, module in one.sac.modules().items():
            found = other.sac.modules()[name].state_dict()
            for key, value in module.state_dict().items():
                assert torch.allclose(value, found[key], atol=2e-4), f"{name} {key}"


def test_the_learners_actors_are_the_fleets():
    learners = [fed(0), fed(1)]
    fleet = Fleet(learners)
    before = learners[0].actor_snapshot()
    fleet.update()
    after = learners[0].actor_snapshot()
    assert (before.version, after.version) == (0, 1)
    weight = learners[0].sac.actor.head_weight
    assert float(weight.detach().abs().max()) > 0
    assert torch.equal(torch.from_numpy(after.weights["head.weight"]), weight)
    other = learners[1].actor_snapshot().weights["head.weight"]
    assert not torch.equal(torch.from_numpy(other), weight)


def test_it_goes_on_with_the_next_episode():
    learners = [fed(0), fed(1)]
    fleet = Fleet(learners)
    fleet.update()
    for learner in learners:
        learner.observe_episode(TOY.run(7_000 + learner.seed, prior), rubric(3))
    assert fleet.update() == 5
    assert fleet.update() == 0


def test_what_it_does_not_know_is_refused():
    soft = replace(CONFIG, backup=Backup.SOFT)
    with pytest.raises(ConfigError, match="as one"):
        Fleet([Learner(soft, TOY.spec, 0)])
    with pytest.raises(ConfigError, match="as one"):
        Fleet([Learner(CONFIG, TOY.spec, 0), Learner(replace(CONFIG, tau=0.5), TOY.spec, 0)])


def test_learners_with_different_quotas_are_refused():
    with pytest.raises(LearnerError, match="quotas"):
        Fleet([fed(0, 5), fed(1, 4)]).update()
