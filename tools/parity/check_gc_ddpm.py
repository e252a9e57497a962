# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Holds the gc_ddpm_bc adapter to bridge_data_v2 itself, on weights drawn from the stored layout.

Usage, in an environment with jax, flax, optax, distrax, einops, msgpack and this package, and with
a checkout of rail-berkeley/bridge_data_v2 (commit 830fc9e)::

    python tools/parity/check_gc_ddpm.py CHECKOUT [--write]

Prints the largest differences of encodings and noise; ``--write`` stores the upstream's outputs
and its names and shapes for the tests.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import types
from pathlib import Path

import numpy as np

from roboreward_ros.policies.adapters.gc_ddpm import GcDdpmPolicy, convert
from roboreward_ros.testing.stored_layout import draw, load_layout, observations

LAYOUT = Path(__file__).parents[2] / "test/policies/layouts/gc_ddpm_bc.json"
STEPS = (0, 7, 19)


def upstream(checkout: Path, config, image_size: int):
    """The upstream's agent with fresh weights; packages that import all agents are passed by."""
    import jax

    if not hasattr(jax, "tree_map"):  # gone from newer releases
        jax.tree_map = jax.tree.map
    tensorflow = types.ModuleType("tensorflow")
    tensorflow.Tensor = object  # named in annotations only
    sys.modules["tensorflow"] = tensorflow
    sys.path.insert(0, str(checkout))
    for name in ("jaxrl_m.agents", "jaxrl_m.vision", "jaxrl_m.agents.continuous"):
        shell = types.ModuleType(name)
        shell.__path__ = [str(checkout / name.replace(".", "/"))]
        sys.modules[name] = shell
    from jaxrl_m.agents.continuous.gc_ddpm_bc import GCDDPMBCAgent
    from jaxrl_m.vision.resnet_v1 import resnetv1_configs

    del sys.modules["tensorflow"]
    data = config["dataset_kwargs"]
    side = (image_size, image_size, 3)
    return GCDDPMBCAgent.create(
        rng=jax.random.PRNGKey(0),
        observations={"image": np.zeros((1, data["obs_horizon"], *side), np.uint8)},
        goals={"image": np.zeros((1, *side), np.uint8)},
        actions=np.zeros((1, data["act_pred_horizon"], 7), np.float32),
        encoder_def=resnetv1_configs[config["encoder"]](**config["encoder_kwargs"]),
        **config["agent_kwargs"],
    )


def main() -> int:
    import cv2
    import flax
    import jax

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    layout = load_layout(LAYOUT)
    config, size = layout["config"], layout["image_size"]
    agent = upstream(args.checkout, config, size)

    flat = flax.traverse_util.flatten_dict(agent.state.target_params, sep="/")
    prefix = "modules_actor/"
    shapes = {name.removeprefix(prefix): list(value.shape) for name, value in flat.items()}
    params = flax.traverse_util.unflatten_dict(
        {prefix + name: draw(name, shape, layout["gain"]) for name, shape in shapes.items()},
        sep="/",
    )
    agent = agent.replace(state=agent.state.replace(params=params, target_params=params))

    pictures, proprio = observations(3, size, size)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "checkpoint").write_bytes(flax.serialization.to_bytes(agent))
        (folder / "config.json").write_text(json.dumps(config))
        convert(folder / "checkpoint", folder / "config.json", size, folder)
        cv2.imwrite(str(folder / "goal.png"), pictures[2][..., ::-1])
        (folder / "roboreward.yaml").write_text("goals: {any: goal.png}\n")
        mine = GcDdpmPolicy(folder)
    steps = config["dataset_kwargs"]["obs_horizon"]
    history = np.stack(pictures[:2])[2 - steps :]
    horizon = mine.spec.prediction_horizon
    noise = np.random.default_rng(6).standard_normal((1, horizon, 7)).astype(np.float32)
    features = mine.encode([history], proprio[None, 2 - steps : 2], ["any"])

    observation, goal = {"image": history[None]}, {"image": pictures[2][None]}
    _, captured = agent.state.apply_fn(
        {"params": params},
        (observation, goal),
        noise,
        np.zeros((1, 1)),
        name="actor",
        capture_intermediates=lambda module, _: type(module).__name__ == "GCEncodingWrapper",
        mutable=["intermediates"],
    )
    encoded = np.asarray(jax.tree.leaves(captured)[0])
    print(f"encoding: spread {encoded.std():.3f}, difference {abs(encoded - features).max():.2e}")
    import torch

    predicted = {}
    for step in STEPS:
        theirs = agent.state.apply_fn(
            {"params": params}, (observation, goal), noise, np.full((1, 1), step), name="actor"
        )
        predicted[str(step)] = np.asarray(theirs).reshape(-1)
        ours = mine._network.predict(
            torch.from_numpy(noise).flatten(1), step, torch.from_numpy(features)
        ).numpy()[0]
        off = abs(ours - predicted[str(step)]).max()
        print(f"noise at {step}: spread {predicted[str(step)].std():.3f}, difference {off:.2e}")
    powers = np.asarray(agent.config["alpha_hats"])
    print(f"signal powers: difference {abs(powers - mine._sampler.powers.numpy()).max():.2e}")
    if args.write:
        layout["tensors"] = shapes
        layout["encoded"] = np.round(encoded[0].astype(float), 6).tolist()
        layout["predicted"] = {
            step: np.round(value.astype(float), 6).tolist() for step, value in predicted.items()
        }
        layout["powers"] = np.round(powers.astype(float), 8).tolist()
        LAYOUT.write_text(json.dumps(layout) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
