# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Holds the pi0 adapter's network to open-pi-zero itself, on weights drawn from the stored layout.

Usage, in an environment with torch, hydra-core, omegaconf, einops and this package, and with a
checkout of allenzren/open-pi-zero (commit c3df7fb)::

    python tools/parity/check_pi_zero.py CHECKOUT [--write]

Prints the largest difference of the chunks; ``--write`` stores the upstream's chunk and its names
and shapes for the tests.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import torch
import yaml

from roboreward_ros.policies.adapters.files import fit
from roboreward_ros.policies.adapters.pi_zero_config import read_config
from roboreward_ros.policies.adapters.pi_zero_network import PiZero
from roboreward_ros.testing.stored_layout import draw_all, load_layout

LAYOUT = Path(__file__).parents[2] / "test/policies/layouts/open_pi_zero.json"


def upstream(checkout: Path, config):
    """The upstream's model; quantised layers and distributed helpers are not needed here."""
    sys.path.insert(0, str(checkout))
    bits = types.ModuleType("bitsandbytes")
    bits.nn = types.SimpleNamespace(Linear4bit=torch.nn.Linear, Params4bit=object)
    sys.modules.setdefault("bitsandbytes", bits)
    from omegaconf import OmegaConf
    from src.model.vla.pizero import PiZero as Upstream

    model = Upstream(OmegaConf.create(config))
    model.tie_action_proprio_weights()
    return model.eval()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    layout = load_layout(LAYOUT)
    theirs = upstream(args.checkout, layout["config"])
    shapes = {name: list(value.shape) for name, value in theirs.state_dict().items()}
    weights = {k: torch.from_numpy(v) for k, v in draw_all(shapes).items()}
    for name in [name for name in weights if ".proprio." in name]:
        weights[name] = weights[name.replace(".proprio.", ".action.")]
    theirs.load_state_dict(weights)
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "pi_zero.yaml").write_text(yaml.safe_dump(layout["config"]))
        (Path(name) / "pi_zero_statistics.json").write_text(json.dumps(layout["statistics"]))
        config = read_config(Path(name))
    mine = PiZero(config)
    fit(mine, weights, "pi_zero")

    rng = np.random.default_rng(6)
    side = config.image_size
    picture = torch.from_numpy(rng.uniform(-1, 1, (1, 3, side, side)).astype(np.float32))
    proprio = torch.from_numpy(rng.uniform(-1, 1, (1, 7)).astype(np.float32))
    noise = torch.from_numpy(rng.standard_normal((1, config.horizon, 7)).astype(np.float32))
    text = layout["text"]
    padded = [config.image_token] * config.image_tokens + text
    padded += [0] * (config.max_tokens - len(padded))
    ids = torch.tensor([padded])
    drawn, torch.randn = torch.randn, lambda *_, **__: noise.clone()
    try:
        with torch.inference_mode():
            mask, *places = theirs.build_causal_mask_and_position_ids(
                (ids != 0).long(), torch.float32
            )
            prefix_mask, action_mask = theirs.split_full_mask_into_submasks(mask)
            expected = theirs.infer_action(
                ids, picture, prefix_mask, action_mask, *places, proprio[:, None]
            )
    finally:
        torch.randn = drawn
    with torch.inference_mode():
        _, kept = mine.prefix(picture, torch.tensor([text]), proprio)
        got = mine.flow(noise, kept)
    spread, off = float(expected.std()), float((got - expected).abs().max())
    print(f"chunk: spread {spread:.3f}, largest difference {off:.2e}")
    if args.write:
        layout["tensors"] = shapes
        layout["expected"] = np.round(expected[0].numpy().astype(float), 7).tolist()
        LAYOUT.write_text(json.dumps(layout) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
