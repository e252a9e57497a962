# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Holds the Octo adapter's network to octo-pytorch itself, on weights drawn from the stored layout.

Usage, in an environment with torch, transformers, jax, flax, einops and this package, and with a
checkout of emb-ai/octo-pytorch (commit 5ee3e87)::

    python tools/parity/check_octo.py CHECKOUT [--write]

Prints the largest differences of what the head reads off and of the noise it predicts; ``--write``
stores the upstream's own, and its names and shapes, for the tests.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import types
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from roboreward_ros.policies.adapters.files import fit
from roboreward_ros.policies.adapters.octo import _TEXT, _WRIST
from roboreward_ros.policies.adapters.octo_config import CONFIG_FILE, STATISTICS_FILE, read_config
from roboreward_ros.policies.adapters.octo_network import Octo, text_config
from roboreward_ros.testing.stored_layout import draw_all, load_layout
from roboreward_ros.wheels import prepare_torchvision

LAYOUT = Path(__file__).parents[2] / "test/policies/layouts/octo.json"


def upstream(checkout: Path, layout):
    """The upstream's module; what only its JAX half uses of the imports is empty."""
    sys.path.insert(0, str(checkout))
    prepare_torchvision()
    sys.modules.setdefault("distrax", types.ModuleType("distrax"))
    import jax
    import transformers

    jax.random.KeyArray = jax.Array  # the upstream's releases of jax had it
    from octo.model.octo_module_pt import OctoModulePt

    text = transformers.T5Config(**layout["text_config"])
    made = transformers.T5EncoderModel(text)
    with (
        mock.patch.object(transformers.AutoConfig, "from_pretrained", return_value=text),
        mock.patch.object(transformers.T5EncoderModel, "from_pretrained", return_value=made),
    ):
        return OctoModulePt.create(**layout["config"]["model"]).eval()


def inputs(config):
    """Frames ``[2, n, S, S, 3]``, word numbers, their mask, and which observations are there."""
    rng = np.random.default_rng(6)
    side = config.image_size
    frames = rng.integers(0, 256, (2, config.window, side, side, 3), dtype=np.uint8)
    ids = torch.tensor([[5, 9, 1, 0, 0, 0], [7, 3, 2, 8, 1, 0]])[:, : config.words]
    present = torch.tensor([[False, True], [True, True]])
    noise = torch.from_numpy(rng.standard_normal((2, config.horizon * 7)).astype(np.float32))
    return torch.from_numpy(frames), ids, (ids != 0).long(), present, noise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    layout = load_layout(LAYOUT)
    theirs = upstream(args.checkout, json.loads(json.dumps(layout)))
    shapes = {f"module.{name}": list(value.shape) for name, value in theirs.state_dict().items()}
    drawn = {k: torch.from_numpy(v) for k, v in draw_all(shapes).items()}
    embedded = [name for name in drawn if name.endswith("encoder.embed_tokens.weight")]
    for name in embedded:  # one tensor under two names
        drawn[name] = drawn[name.replace("encoder.embed_tokens", "shared")]
    theirs.load_state_dict({k.removeprefix("module."): v for k, v in drawn.items()})
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / CONFIG_FILE).write_text(json.dumps(layout["config"]))
        (Path(name) / STATISTICS_FILE).write_text(json.dumps(layout["statistics"]))
        config = read_config(Path(name))
    weights = {k.removeprefix("module."): v for k, v in drawn.items()}
    weights = {k: v for k, v in weights.items() if not k.startswith(_WRIST)}
    mine = Octo(config, text_config(weights, _TEXT)).eval()
    fit(mine, weights, "octo")

    frames, ids, mask, present, noise = inputs(config)
    step = config.diffusion_steps // 2
    black = torch.zeros_like(frames[:, 0]).permute(0, 3, 1, 2)
    there = torch.ones(len(frames), dtype=torch.bool)
    with torch.inference_mode():
        tasks = {
            "language_instruction": {"input_ids": ids, "attention_mask": mask},
            "image_primary": black,
            "pad_mask_dict": {"language_instruction": there, "image_primary": ~there},
        }
        observations = {"image_primary": frames.permute(0, 1, 4, 2, 3)}
        outputs, _ = theirs(observations, tasks, present, train=False, transformer_only=True)
        read = outputs["readout_action"].tokens.mean(dim=-2)[:, -1]
        times = torch.full((len(frames), config.window, 1), step)
        predicted = theirs.heads["action"](
            outputs, times, noise[:, None].repeat(1, config.window, 1), train=False
        )[:, -1]
        got = mine.octo_transformer(frames, mine.octo_transformer.sentence(ids, mask), present)
        eps = mine.predict(noise, step, got)
    for what, one, other in (("read off", read, got), ("noise", predicted, eps)):
        off = float((one - other).abs().max())
        print(f"{what}: spread {float(one.std()):.3f}, largest difference {off:.2e}")
    if args.write:
        layout["tensors"] = shapes
        layout["read"] = np.round(read.numpy().astype(float), 7).tolist()
        layout["predicted"] = np.round(predicted.numpy().astype(float), 7).tolist()
        LAYOUT.write_text(json.dumps(layout) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
