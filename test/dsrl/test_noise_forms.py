# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.config import Acting, Combine, DsrlConfig, NoiseForm
from roboreward_ros.dsrl.noise_forms import NoiseMap
from roboreward_ros.dsrl.sac import Sac
from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.noise import prior_noise

P, F = 8, 6
MAPS = [NoiseMap(NoiseForm.FULL, P), NoiseMap(NoiseForm.REPEAT, P), NoiseMap(NoiseForm.BASIS, P, 3)]


def normal(seed: int, *shape: int):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("noise_map", MAPS, ids=lambda m: str(m.form))
def test_noise_gives_its_latent_back(noise_map: NoiseMap):
    z, w0 = normal(0, 50, noise_map.latent_dim), normal(1, 50, P * 7)
    w = noise_map.noise(z, w0)
    assert w.shape == (50, P * 7)
    np.testing.assert_allclose(noise_map.latents(w), z, atol=2e-6)
    assert noise_map.fits(w).all()


@pytest.mark.parametrize("noise_map", [m for m in MAPS if m.preserves_prior], ids=lambda m: m.form)
def test_prior_latents_give_prior_noise(noise_map: NoiseMap):
    """Two-sample test against draws of the base policy, with every pair of latents uncorrelated."""
    n = 1500
    w = noise_map.noise(normal(2, n, noise_map.latent_dim), normal(3, n, P * 7))
    base = np.stack([prior_noise(s, 0, P).reshape(-1) for s in range(n)])
    assert stats.ks_2samp(w.ravel(), base.ravel()).pvalue > 0.01
    assert min(stats.kstest(c, "norm").pvalue for c in w.T) > 0.01 / (P * 7)
    assert np.abs(np.corrcoef(w.T) - np.eye(P * 7)).max() < 5 / np.sqrt(n)


def test_repeated_noise_is_standard_normal_each_but_one_vector():
    noise_map = MAPS[1]
    w = noise_map.noise(normal(4, 2000, 7)).reshape(2000, P, 7)
    assert stats.kstest(w[:, 0].ravel(), "norm").pvalue > 0.01
    np.testing.assert_array_equal(w, np.repeat(w[:, :1], P, axis=1))
    assert not noise_map.preserves_prior
    assert not noise_map.fits(normal(5, 4, P * 7)).any()


@given(st.integers(1, P), st.integers(0, 2**16))
def test_the_basis_steers_slow_shapes_and_leaves_the_rest(k: int, seed: int):
    noise_map = NoiseMap(NoiseForm.BASIS, P, k)
    rows = noise_map.rows()
    np.testing.assert_allclose(rows @ rows.T, np.eye(7 * k), atol=1e-6)
    w0 = normal(seed, 1, P * 7)
    w = noise_map.noise(noise_map.latents(w0), w0)
    np.testing.assert_allclose(w, w0, atol=1e-5)  # its own latent changes nothing
    slow = rows[:7].reshape(7, P, 7)
    np.testing.assert_allclose(slow, np.repeat(slow[:, :1], P, axis=1), atol=1e-7)


def test_a_basis_longer_than_the_chunk_is_refused():
    with pytest.raises(ConfigError, match="basis"):
        NoiseMap(NoiseForm.BASIS, 4, 5)


@pytest.mark.parametrize("form", list(NoiseForm))
def test_torch_and_numpy_map_alike(form: NoiseForm):
    sac = Sac(DsrlConfig(noise=form, basis=3, hidden=(8,)), F, P * 7, 0)
    z = normal(6, 9, sac.noise_map.latent_dim)
    w = sac.noise(torch.from_numpy(z))
    np.testing.assert_allclose(sac.latents(w).numpy(), z, atol=2e-6)
    np.testing.assert_allclose(sac.noise_map.latents(w.numpy()), z, atol=2e-6)


@pytest.mark.parametrize("form", [NoiseForm.FULL, NoiseForm.BASIS])
def test_an_untrained_actor_of_a_form_answers_the_prior(form: NoiseForm):
    actor = Sac(DsrlConfig(noise=form, hidden=(8,)), F, P * 7, 0).snapshot(1, "policy")
    w0 = normal(7, P, 7)
    np.testing.assert_allclose(actor.choose(normal(8, F), 0.5, w0), w0, atol=1e-5)


def test_best_of_n_takes_the_critics_favourite_of_the_priors_draws():
    config = DsrlConfig(
        acting=Acting.BEST_OF_PRIOR, candidates=16, hidden=(8,), actor_combine=Combine.MEAN
    )
    sac = Sac(config, F, P * 7, 0)
    actor = SteeringActor(**_fields(sac.snapshot(2, "policy")))
    features = normal(9, F)
    z, w = actor.draw(features, 0.5, 3, 4)
    assert z.shape == w.shape == (16, P * 7)
    state = torch.from_numpy(np.append(features, np.float32(0.0)))[None].expand(16, -1)
    q = sac.critic(torch.cat([state, torch.from_numpy(z)], dim=1)).mean(dim=0)
    np.testing.assert_allclose(actor.values(features, 0.5, z), q.detach().numpy(), atol=1e-5)
    best = actor.steer(features, 0.5, 3, 4)
    np.testing.assert_array_equal(best.reshape(-1), w[int(q.argmax())])
    single = replace(actor, candidates=1, weights={})
    assert not np.array_equal(single.steer(features, 0.5, 3, 4), best)


def _fields(actor: SteeringActor) -> dict:
    return {name: getattr(actor, name) for name in actor.__dataclass_fields__}
