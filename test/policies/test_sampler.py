# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.config import SamplerConfig
from roboreward_ros.policies.sampler import DdimSampler, cosine_alpha_bar


def test_the_schedule_falls_from_almost_all_signal_to_almost_none():
    power = cosine_alpha_bar(64)
    assert (power.diff() < 0).all()
    assert power[0] > 0.99
    assert 0 < power[-1] < 1e-4


def test_the_chain_starts_at_the_last_training_step():
    sampler = DdimSampler(SamplerConfig(train_steps=64, sample_steps=8))
    assert sampler.steps == (63, 55, 47, 39, 31, 23, 15, 7)
    assert DdimSampler(SamplerConfig(train_steps=10, sample_steps=10)).steps == tuple(
        range(9, -1, -1)
    )


@pytest.mark.parametrize("prediction", ["v", "eps"])
def test_an_exact_predictor_recovers_a_single_clean_chunk(prediction: str):
    bound = 4.0 if prediction == "eps" else 0.0
    sampler = DdimSampler(SamplerConfig(prediction=prediction, clip_x0=bound))
    clean = torch.tensor([[0.5, -1.0, 2.0]])

    def exact(x: torch.Tensor, step: int) -> torch.Tensor:
        power = sampler.alpha_bar[step]
        eps = (x - power.sqrt() * clean) / (1 - power).sqrt()
        return eps if prediction == "eps" else power.sqrt() * eps - (1 - power).sqrt() * clean

    noise = torch.randn((1, 3), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(sampler.sample(exact, noise), clean, atol=2e-3, rtol=0)


def test_gaussian_data_keep_their_spread():
    """For N(0, s^2) data the exact predictor is linear, and DDIM scales the noise by about s."""
    sampler, spread = DdimSampler(SamplerConfig(sample_steps=64)), 0.3

    def exact(x: torch.Tensor, step: int) -> torch.Tensor:
        power = sampler.alpha_bar[step]
        total = power * spread**2 + 1 - power
        clean = power.sqrt() * spread**2 / total * x
        eps = (1 - power).sqrt() / total * x
        return power.sqrt() * eps - (1 - power).sqrt() * clean

    ones = torch.ones((1, 1))
    assert float(sampler.sample(exact, ones)) == pytest.approx(spread, rel=0.05)
    # No clamp: the map goes on being linear far out.
    assert float(sampler.sample(exact, 10 * ones)) == pytest.approx(10 * spread, rel=0.05)


def test_the_clamp_bounds_the_clean_chunk_only_when_asked():
    def far(x: torch.Tensor, step: int) -> torch.Tensor:
        return torch.full_like(x, -50.0)

    noise = torch.zeros((1, 2))
    assert DdimSampler(SamplerConfig(clip_x0=1.0)).sample(far, noise).abs().max() <= 1.0
    assert DdimSampler(SamplerConfig()).sample(far, noise).abs().max() > 1.0


def test_corruption_and_its_targets_belong_together():
    sampler = DdimSampler(SamplerConfig())
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn((6, 3), generator=generator)
    noise = torch.randn((6, 3), generator=generator)
    steps = torch.tensor([0, 1, 20, 40, 62, 63])
    noisy, velocity = sampler.corrupt(clean, noise, steps)
    power = sampler.alpha_bar[steps].unsqueeze(1)
    torch.testing.assert_close(power.sqrt() * noisy - (1 - power).sqrt() * velocity, clean)
    torch.testing.assert_close((1 - power).sqrt() * noisy + power.sqrt() * velocity, noise)


@pytest.mark.parametrize(
    "options",
    [
        {"sample_steps": 0},
        {"sample_steps": 65},
        {"prediction": "x"},
        {"clip_x0": -1.0},
        {"prediction": "eps"},
    ],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ConfigError):
        SamplerConfig(**options)
