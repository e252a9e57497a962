# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What bridge_data_v2's configuration of ``gc_ddpm_bc`` says, checked (commit 830fc9e)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.adapters.files import read_json
from roboreward_ros.policies.adapters.schedule import Betas
from roboreward_ros.policies.config import MAX_BLOCKS, check_sizes
from roboreward_ros.policies.normalise import Statistics
from roboreward_ros.types import ACTION_DIM

DESCRIPTION_FILE = "gc_ddpm_bc.json"
FORMAT = 1
STAGES = {
    "resnetv1-18": (2, 2, 2, 2),
    "resnetv1-18-bridge": (2, 2, 2, 2),
    "resnetv1-34": (3, 4, 6, 3),
    "resnetv1-34-bridge": (3, 4, 6, 3),
}
ENCODING_DIM = 512
SCHEDULES = {"cosine": Betas.COSINE, "linear": Betas.LINEAR, "vp": Betas.VP}


@dataclass(frozen=True, slots=True)
class GcDdpmConfig:
    """A goal-conditioned diffusion policy on one camera.

    Attributes:
        image_size: side of its pictures, px.
        encoder: name of the picture encoder.
        act: ``swish`` or ``relu``.
        add_spatial_coordinates: two more input channels with the rows' and columns' places.
        obs_horizon: pictures that one decision sees.
        act_pred_horizon: P.
        time_dim, num_blocks, use_layer_norm: of the denoiser.
        beta_schedule: key of ``SCHEDULES``.
        diffusion_steps: T.
        action: statistics ``[7]``.
    """

    image_size: int
    encoder: str
    act: str
    add_spatial_coordinates: bool
    obs_horizon: int
    act_pred_horizon: int
    time_dim: int
    num_blocks: int
    use_layer_norm: bool
    beta_schedule: str
    diffusion_steps: int
    action: Statistics

    def __post_init__(self) -> None:
        for name, allowed in (
            ("encoder", tuple(STAGES)),
            ("act", ("swish", "relu")),
            ("beta_schedule", tuple(SCHEDULES)),
        ):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name} of gc_ddpm_bc", got=getattr(self, name), allowed=allowed)
        check_sizes(
            "gc_ddpm_bc",
            image_size=self.image_size,
            obs_horizon=self.obs_horizon,
            act_pred_horizon=self.act_pred_horizon,
            time_dim=self.time_dim,
            diffusion_steps=self.diffusion_steps,
        )
        check_sizes("gc_ddpm_bc", most=MAX_BLOCKS, num_blocks=self.num_blocks)
        if self.image_size < 32:
            raise ConfigError("image_size of gc_ddpm_bc", got=self.image_size, allowed=">= 32")
        if len(self.action.mean) != ACTION_DIM:
            raise ConfigError(
                "action statistics of gc_ddpm_bc", got=len(self.action.mean), allowed=ACTION_DIM
            )

    @property
    def feature_dim(self) -> int:
        """F: encodings of every picture with the goal."""
        return self.obs_horizon * ENCODING_DIM


def parse_config(raw: Mapping[str, object], image_size: int) -> GcDdpmConfig:
    """From the configuration that was logged with the training run.

    Raises:
        CheckpointError: another agent, or a form of it that is not supported.
        ConfigError: values out of range.
    """
    if raw.get("agent") != "gc_ddpm_bc":
        raise CheckpointError(
            "the configuration is of another agent",
            got=raw.get("agent"),
            allowed="gc_ddpm_bc",
            next_step="The Gaussian agents of bridge_data_v2 have no noise to steer.",
        )
    try:
        agent, encoder, data = (
            _mapping(raw, name) for name in ("agent_kwargs", "encoder_kwargs", "dataset_kwargs")
        )
        score = _mapping(agent, "score_network_kwargs")
        wanted: dict[str, tuple[object, object]] = {
            "agent_kwargs.early_goal_concat": (agent.get("early_goal_concat", False), True),
            "agent_kwargs.use_proprio": (agent.get("use_proprio", False), False),
            "agent_kwargs.repeat_last_step": (agent.get("repeat_last_step", 0), 0),
            "encoder_kwargs.pooling_method": (encoder.get("pooling_method", "avg"), "avg"),
            "encoder_kwargs.norm": (encoder.get("norm", "group"), "group"),
            "encoder_kwargs.num_filters": (encoder.get("num_filters", 64), 64),
        }
        for name, (got, only) in wanted.items():
            if got != only:
                raise CheckpointError(f"{name} of gc_ddpm_bc", got=got, allowed=only)
        statistics = _mapping(
            _mapping(_mapping(raw, "bridgedata_config"), "action_proprio_metadata"), "action"
        )
        return GcDdpmConfig(
            image_size=image_size,
            encoder=str(raw["encoder"]),
            act=str(encoder.get("act", "relu")),
            add_spatial_coordinates=bool(encoder.get("add_spatial_coordinates", False)),
            obs_horizon=_int(data["obs_horizon"]),
            act_pred_horizon=_int(data["act_pred_horizon"]),
            time_dim=_int(score["time_dim"]),
            num_blocks=_int(score["num_blocks"]),
            use_layer_norm=bool(score["use_layer_norm"]),
            beta_schedule=str(agent.get("beta_schedule", "cosine")),
            diffusion_steps=_int(agent.get("diffusion_steps", 25)),
            action=Statistics(_floats(statistics["mean"]), _floats(statistics["std"])),
        )
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise CheckpointError(
            "configuration of gc_ddpm_bc cannot be read", got=f"{type(error).__name__}: {error}"
        ) from error


def read_config(folder: Path) -> GcDdpmConfig:
    """The configuration of a converted folder.

    Raises:
        CheckpointError: missing, damaged, of another format.
        ConfigError: values out of range.
    """
    document = read_json(folder / DESCRIPTION_FILE)
    if document.get("format") != FORMAT:
        raise CheckpointError(
            f"{DESCRIPTION_FILE} has another format", got=document.get("format"), allowed=FORMAT
        )
    config, size = document.get("config"), document.get("image_size")
    if not isinstance(config, dict) or not isinstance(size, int):
        raise CheckpointError(f"{DESCRIPTION_FILE} is damaged", got=sorted(document))
    return parse_config(config, size)


def _mapping(raw: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = raw[name]
    if not isinstance(value, dict):
        raise TypeError(f"{name} is no mapping")
    return value


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _floats(value: object) -> tuple[float, ...]:
    if not isinstance(value, list):
        raise TypeError("statistics are no list")
    return tuple(float(item) for item in value)
