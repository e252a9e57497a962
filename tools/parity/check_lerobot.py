# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Holds the LeRobot adapter to lerobot itself, on weights drawn from the stored layout.

Usage, in an environment that has lerobot 0.4.4 and this package::

    python tools/parity/check_lerobot.py [--write]

Prints the largest differences; ``--write`` stores lerobot's own outputs for the tests.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import torch

from roboreward_ros.policies.adapters.lerobot import LeRobotPolicy
from roboreward_ros.testing.stored_layout import load_layout, observations, write_lerobot
from roboreward_ros.wheels import prepare_torchvision

LAYOUT = Path(__file__).parents[2] / "test/policies/layouts/lerobot_diffusion.json"


def upstream_policy(folder: Path):
    """The upstream's own loader; its package imports every policy, so only this one is taken."""
    prepare_torchvision()
    spec = importlib.util.find_spec("lerobot")
    shell = types.ModuleType("lerobot.policies")
    shell.__path__ = [str(Path(spec.submodule_search_locations[0]) / "policies")]
    sys.modules["lerobot.policies"] = shell
    from lerobot.policies.diffusion import processor_diffusion  # noqa: F401  registers the steps
    from lerobot.policies.diffusion.modeling_diffusion import DiffusionPolicy
    from lerobot.processor import PolicyProcessorPipeline
    from lerobot.processor.converters import (
        policy_action_to_transition,
        transition_to_policy_action,
    )

    policy = DiffusionPolicy.from_pretrained(folder, local_files_only=True)
    before = PolicyProcessorPipeline.from_pretrained(folder, "policy_preprocessor.json")
    after = PolicyProcessorPipeline.from_pretrained(
        folder,
        "policy_postprocessor.json",
        to_transition=policy_action_to_transition,
        to_output=transition_to_policy_action,
    )
    return policy.eval(), before, after


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    layout = load_layout(LAYOUT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_lerobot(layout, folder)
        mine = LeRobotPolicy(folder)
        spec = mine.spec
        policy, before, after = upstream_policy(folder)
    key, (_, height, width) = next(
        (key, item["shape"])
        for key, item in layout["files"]["config.json"]["input_features"].items()
        if item["type"] == "VISUAL"
    )
    pictures, proprio = observations(2, height, width)
    shape = (1, spec.prediction_horizon, 7)
    noise = np.random.default_rng(6).standard_normal(shape).astype(np.float32)
    past = spec.observation_steps - 1
    policy.reset()
    actions = []
    with torch.inference_mode():
        # The first picture, then the second: the decision is taken at the second.
        for picture, state in zip(pictures, proprio, strict=True):
            frame = before(
                {
                    key: torch.from_numpy(picture).permute(2, 0, 1).to(torch.float32) / 255,
                    "observation.state": torch.from_numpy(state.astype(np.float32)),
                }
            )
            policy._queues["action"].clear()
            actions.append(policy.select_action(frame, noise=torch.from_numpy(noise)))
        rest = [*policy._queues["action"]]
        expected = torch.stack([after(a)[0] for a in [actions[-1], *rest]]).numpy()
    features = mine.encode([np.stack(pictures)], proprio[None], ["any"])
    got = mine.decode(features, np.roll(noise, -past, axis=1))[0, : len(expected)]
    print(
        f"actions: spread {expected.std():.3f}, largest difference {abs(got - expected).max():.2e}"
    )
    if write:
        layout["expected"] = np.round(expected.astype(float), 7).tolist()
        LAYOUT.write_text(json.dumps(layout, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
