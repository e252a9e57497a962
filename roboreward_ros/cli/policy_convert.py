# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward policy convert``: a Flax checkpoint becomes a folder of safetensors, once."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``convert`` to the commands of ``policy``."""
    convert = commands.add_parser(
        "convert", help="make a loadable folder of bridge_data_v2's gc_ddpm_bc checkpoint"
    )
    convert.add_argument("checkpoint", type=Path, help="Flax checkpoint, a msgpack file")
    convert.add_argument("config", type=Path, help="JSON configuration logged with its training")
    convert.add_argument("--out", type=Path, required=True, help="folder to write")
    convert.add_argument(
        "--image-size",
        type=int,
        required=True,
        help="side of the pictures it was trained on, px: 128 or 256 in its name",
    )
    convert.set_defaults(run=run_convert)


def run_convert(args: argparse.Namespace) -> int:
    """Convert and say what is left to do."""
    from roboreward_ros.policies.adapters.gc_ddpm import convert

    config = convert(args.checkpoint, args.config, args.image_size, args.out)
    print(
        f"{args.out}: {config.encoder}, {config.act_pred_horizon} actions a decision, "
        f"{config.diffusion_steps} diffusion steps\n"
        f"Name a goal picture per task in {args.out / 'roboreward.yaml'}:\n"
        "goals:\n  put the mushroom on the cloth: mushroom_on_cloth.png"
    )
    return 0
