# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What LeRobot's ``config.json`` of a diffusion policy says, checked (layout of lerobot 0.4.4).

Entries that this module does not know are refused: a newer release may mean another network by
the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.adapters.files import read_json
from roboreward_ros.policies.adapters.resnet import BACKBONES
from roboreward_ros.policies.adapters.schedule import Betas, Predicts
from roboreward_ros.policies.config import check_sizes
from roboreward_ros.types import ACTION_DIM, PROPRIO_DIM

CONFIG_FILE = "config.json"
NORMALISATIONS = ("IDENTITY", "MEAN_STD", "MIN_MAX", "QUANTILES", "QUANTILE10")
PADDED_STATE = PROPRIO_DIM + 1
_OF_TRAINING = {
    "type", "device", "use_amp", "use_peft", "push_to_hub", "repo_id", "private", "tags",
    "license", "pretrained_path", "drop_n_last_frames", "crop_is_random",
    "pretrained_backbone_weights", "compile_model", "compile_mode", "do_mask_loss_for_padding",
    "optimizer_lr", "optimizer_betas", "optimizer_eps", "optimizer_weight_decay",
    "scheduler_name", "scheduler_warmup_steps",
}  # fmt: skip
_OF_LAYOUT = {
    "n_obs_steps", "input_features", "output_features", "normalization_mapping",
    "use_separate_rgb_encoder_per_camera", "crop_ratio",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LeRobotDiffusionConfig:
    """A diffusion policy of one camera that is fit for the arm.

    Attributes:
        image_key: feature of the camera.
        image_shape: height and width of its pictures, px.
        state_dim: 7 (BridgeData), or 8 with a zero before the gripper.
        normalisation: mode of VISUAL, STATE and ACTION.
        n_obs_steps: observations that one decision sees.
        horizon: actions that are generated, the first n_obs_steps - 1 of them in the past.
        n_action_steps: actions that are executed.
        vision_backbone, use_group_norm, spatial_softmax_num_keypoints, down_dims, kernel_size,
            n_groups, diffusion_step_embed_dim, use_film_scale_modulation: of the networks.
        resize_shape, crop_shape: height and width, px; None: not done.
        noise_scheduler_type: DDPM or DDIM, as it was evaluated by its makers.
        num_train_timesteps, beta_schedule, beta_start, beta_end, prediction_type: of the schedule.
        clip_sample, clip_sample_range: bound on the predicted clean chunk, normalised units.
        num_inference_steps: 0: not given.
    """

    image_key: str
    image_shape: tuple[int, int]
    state_dim: int
    normalisation: Mapping[str, str]
    n_obs_steps: int = 2
    horizon: int = 16
    n_action_steps: int = 8
    vision_backbone: str = "resnet18"
    use_group_norm: bool = True
    spatial_softmax_num_keypoints: int = 32
    down_dims: tuple[int, ...] = (512, 1024, 2048)
    kernel_size: int = 5
    n_groups: int = 8
    diffusion_step_embed_dim: int = 128
    use_film_scale_modulation: bool = True
    resize_shape: tuple[int, int] | None = None
    crop_shape: tuple[int, int] | None = None
    noise_scheduler_type: str = "DDPM"
    num_train_timesteps: int = 100
    beta_schedule: str = "squaredcos_cap_v2"
    beta_start: float = 0.0001
    beta_end: float = 0.02
    prediction_type: str = "epsilon"
    clip_sample: bool = True
    clip_sample_range: float = 1.0
    num_inference_steps: int = 0

    def __post_init__(self) -> None:
        choices = {
            "vision_backbone": BACKBONES,
            "noise_scheduler_type": ("DDPM", "DDIM"),
            "beta_schedule": (Betas.COSINE, Betas.LINEAR, Betas.SCALED_LINEAR),
            "prediction_type": tuple(Predicts),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(
                    f"{name} of {CONFIG_FILE}", got=getattr(self, name), allowed=allowed
                )
        check_sizes(
            CONFIG_FILE,
            n_obs_steps=self.n_obs_steps,
            horizon=self.horizon,
            spatial_softmax_num_keypoints=self.spatial_softmax_num_keypoints,
            kernel_size=self.kernel_size,
            n_groups=self.n_groups,
            diffusion_step_embed_dim=self.diffusion_step_embed_dim,
            num_train_timesteps=self.num_train_timesteps,
            **{f"down_dims[{level}]": size for level, size in enumerate(self.down_dims)},
        )
        if not self.down_dims:
            raise ConfigError(f"down_dims of {CONFIG_FILE}", got="none", allowed="one or more")
        if self.state_dim not in (PROPRIO_DIM, PADDED_STATE):
            raise ConfigError(
                f"state of {CONFIG_FILE}",
                got=f"{self.state_dim} numbers",
                allowed=f"{PROPRIO_DIM} (x y z roll pitch yaw gripper), or {PADDED_STATE} with a "
                "zero before the gripper",
            )
        if not 1 <= self.n_action_steps <= self.horizon - self.n_obs_steps + 1:
            raise ConfigError(
                f"n_action_steps of {CONFIG_FILE}",
                got=self.n_action_steps,
                allowed=f"1..{self.horizon - self.n_obs_steps + 1}",
            )
        if self.horizon % 2 ** len(self.down_dims):
            raise ConfigError(
                f"horizon of {CONFIG_FILE}",
                got=self.horizon,
                allowed=f"multiples of {2 ** len(self.down_dims)}",
            )
        for name in ("image_shape", "resize_shape", "crop_shape"):
            height, width = getattr(self, name) or self.image_shape
            check_sizes(f"{CONFIG_FILE}.{name}", height=height, width=width)
        inside = self.resize_shape or self.image_shape
        if self.crop_shape and any(
            c > have for c, have in zip(self.crop_shape, inside, strict=True)
        ):
            raise ConfigError(
                f"crop_shape of {CONFIG_FILE}", got=self.crop_shape, allowed=f"up to {inside}"
            )

    @property
    def feature_dim(self) -> int:
        """F: state and keypoints of every observation."""
        return (self.state_dim + 2 * self.spatial_softmax_num_keypoints) * self.n_obs_steps

    @property
    def network_shape(self) -> tuple[int, int]:
        """Height and width that the backbone sees, px."""
        return self.crop_shape or self.resize_shape or self.image_shape


def read_config(folder: Path) -> LeRobotDiffusionConfig:
    """Read and check ``config.json``.

    Raises:
        CheckpointError: a policy that the arm cannot run, entries of another release.
        ConfigError: values out of range.
    """
    raw = read_json(folder / CONFIG_FILE)
    if raw.get("type", "diffusion") != "diffusion":
        raise CheckpointError(
            "a LeRobot policy of this type cannot be steered here",
            got=raw["type"],
            allowed="diffusion",
        )
    own = set(LeRobotDiffusionConfig.__dataclass_fields__)
    own -= {"image_key", "image_shape", "state_dim", "normalisation"}
    unknown = set(raw) - own - _OF_TRAINING - _OF_LAYOUT
    if unknown:
        raise CheckpointError(
            f"{CONFIG_FILE} has entries of another release",
            got=sorted(unknown),
            next_step="Save the policy with lerobot 0.4.",
        )
    try:
        image_key, image_shape, state_dim = _inputs(raw["input_features"])
        _output(raw["output_features"])
        if raw.get("num_inference_steps") is None:
            raw["num_inference_steps"] = 0
        given = {name: _plain(name, raw[name]) for name in own & set(raw)}
        if given.get("resize_shape") and raw.get("crop_ratio", 1.0) == 1.0:
            given["crop_shape"] = None
        return LeRobotDiffusionConfig(
            image_key=image_key,
            image_shape=image_shape,
            state_dim=state_dim,
            normalisation=_normalisation(raw.get("normalization_mapping")),
            **given,  # type: ignore[arg-type]
        )
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise CheckpointError(
            f"{CONFIG_FILE} cannot be read", got=f"{type(error).__name__}: {error}"
        ) from error


def _plain(name: str, value: object) -> object:
    """The value of a field, of its default's type; a whole number is a number too."""
    if isinstance(value, list):
        value = tuple(value)
    default = LeRobotDiffusionConfig.__dataclass_fields__[name].default
    kinds = (float, int) if isinstance(default, float) else (type(default),)
    if default is not None and type(value) not in kinds:
        raise TypeError(f"{name} is {value!r}")
    return value


def _features(raw: object) -> dict[str, tuple[str, tuple[int, ...]]]:
    if not isinstance(raw, dict):
        raise TypeError("features are no mapping")
    return {
        str(key): (str(item["type"]), tuple(int(side) for side in item["shape"]))
        for key, item in raw.items()
    }


def _inputs(raw: object) -> tuple[str, tuple[int, int], int]:
    found = _features(raw)
    images = {key: shape for key, (kind, shape) in found.items() if kind == "VISUAL"}
    states = {key: shape for key, (kind, shape) in found.items() if kind == "STATE"}
    if len(images) != 1 or set(states) != {"observation.state"} or len(found) != 2:
        raise CheckpointError(
            "the policy needs other observations than the arm gives",
            got=sorted(found),
            allowed="one camera and observation.state",
            next_step="Train with one camera and without an environment state.",
        )
    (key, shape), (state,) = next(iter(images.items())), states["observation.state"]
    if len(shape) != 3 or shape[0] != 3:
        raise CheckpointError("pictures of the policy", got=shape, allowed="(3, height, width)")
    return key, (shape[1], shape[2]), state


def _output(raw: object) -> None:
    found = _features(raw)
    if found != {"action": ("ACTION", (ACTION_DIM,))}:
        raise CheckpointError(
            "the policy acts in another space than the arm",
            got=found,
            allowed=f"action [{ACTION_DIM}]: dx dy dz droll dpitch dyaw gripper",
        )


def _normalisation(raw: object) -> dict[str, str]:
    modes = {"VISUAL": "MEAN_STD", "STATE": "MIN_MAX", "ACTION": "MIN_MAX"}
    if raw is not None:
        if not isinstance(raw, dict):
            raise TypeError("normalization_mapping is no mapping")
        modes |= {"VISUAL": "IDENTITY", "STATE": "IDENTITY", "ACTION": "IDENTITY"}
        modes |= {str(kind): str(mode) for kind, mode in raw.items()}
    if not set(modes.values()) <= set(NORMALISATIONS):
        raise ConfigError(
            f"normalization_mapping of {CONFIG_FILE}", got=modes, allowed=NORMALISATIONS
        )
    return modes
