# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: found, pinned, checked and loaded without running anybody's code."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.shipped import shipped_folder
from roboreward_ros.rewards.vlm.processors import Patching, read_patching
from roboreward_ros.rewards.vlm.prompt import Family
from roboreward_ros.rewards.vlm.settings import Dtype, WeightsConfig
from roboreward_ros.wheels import prepare_torchvision

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(/[\w.-]+)*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PATTERNS = ("*.json", "*.safetensors", "*.txt", "*.jinja")
_BLOCK, _STRIDE = 1 << 16, 1 << 24


@dataclass(frozen=True, slots=True)
class Weights:
    """A loaded model with all that is needed to ask it.

    Attributes:
        model: the network, adapter included, in evaluation mode.
        tokenizer: its tokenizer.
        family: architecture.
        patching: of its vision tower.
        identity: id or folder name, revision or fingerprint, adapter likewise.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    family: Family
    patching: Patching
    identity: str


def locate(name: str, revision: str, offline: bool) -> Path:
    """The folder behind a shipped model's short name, a path or a Hub id.

    Raises:
        RewardSourceError: not there, not pinned, or not reachable.
    """
    folder = shipped_folder(name) or Path(name).expanduser()
    if folder.is_dir():
        return folder
    if not _HUB_ID.fullmatch(name):
        raise RewardSourceError(
            "there is no such folder of weights", got=name, allowed="a folder, or owner/name"
        )
    if not _COMMIT.fullmatch(revision):
        raise RewardSourceError(
            f"the revision of {name} is not pinned",
            got=revision,
            allowed="a full commit hash (40 hexadecimal digits)",
            next_step="Take it from the model's list of commits and set the option.",
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    owner, repo, *inner = name.split("/")
    patterns = ["/".join([*inner, pattern]) for pattern in _PATTERNS]
    try:
        found = snapshot_download(
            f"{owner}/{repo}",
            revision=revision,
            allow_patterns=patterns,
            local_files_only=offline,
        )
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        raise RewardSourceError(
            f"{name} cannot be had",
            got=f"{type(error).__name__}: {error}",
            next_step=f"Run `hf download {owner}/{repo} --revision {revision}` where there is a "
            "network, or give a folder.",
        ) from None
    return Path(found).joinpath(*inner)


def fingerprint(folder: Path) -> str:
    """Twelve hexadecimal digits over the weight files; large ones are read in samples."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name}:{size}".encode())
        with path.open("rb") as file:
            for start in range(0, size, _BLOCK if size <= _STRIDE else _STRIDE):
                file.seek(start)
                digest.update(file.read(_BLOCK))
    return digest.hexdigest()[:12]


def read_json(folder: Path, name: str) -> dict[str, object]:
    """A JSON object of a checkpoint folder; raises RewardSourceError."""
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, OverflowError, RecursionError) as error:
        raise RewardSourceError(f"{folder} has no readable {name}", got=str(error)) from None
    if not isinstance(content, dict):
        raise RewardSourceError(f"{folder / name} is not an object", got=type(content).__name__)
    return content


def read_family(config: dict[str, object], folder: Path) -> Family:
    """The architecture that a config.json names; raises RewardSourceError for another."""
    kind = config.get("model_type")
    if kind not in list(Family):
        raise RewardSourceError(
            f"{folder} holds another kind of model", got=kind, allowed=tuple(Family)
        )
    return Family(str(kind))


def require_safetensors(folder: Path) -> None:
    """Raises RewardSourceError where weights are missing or in a format that can run code."""
    if not any(folder.glob("*.safetensors")):
        others = sorted(path.name for path in folder.glob("*.bin"))
        raise RewardSourceError(
            f"{folder} holds no safetensors weights",
            got=others or "none",
            allowed="*.safetensors (pickled weights are never loaded)",
        )


def place(config: WeightsConfig) -> tuple[torch.device, torch.dtype]:
    """Device and dtype; raises RewardSourceError for a device that is not there."""
    name = config.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise RewardSourceError(
            "unknown device", got=config.device, allowed="auto, cpu, cuda, cuda:N"
        ) from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RewardSourceError(
            "torch sees no CUDA device",
            got=config.device,
            next_step="Use device: cpu, or install a torch that fits the driver.",
        )
    match config.dtype:
        case Dtype.FLOAT32:
            return device, torch.float32
        case Dtype.BFLOAT16:
            return device, torch.bfloat16
        case Dtype.AUTO:
            return device, torch.float32 if device.type == "cpu" else torch.bfloat16


def load(config: WeightsConfig) -> Weights:
    """Load a model, and its adapter if there is one.

    Raises:
        RewardSourceError: anything missing, foreign, unpinned or damaged, with the remedy.
    """
    device, dtype = place(config)
    folder = locate(config.model, config.revision, config.offline)
    settings = read_json(folder, "config.json")
    family = read_family(settings, folder)
    require_safetensors(folder)
    prepare_torchvision()
    import transformers

    transformers.utils.logging.disable_progress_bar()  # it would draw over ours

    names = {
        Family.QWEN3_VL: "Qwen3VLForConditionalGeneration",
        Family.QWEN2_5_VL: "Qwen2_5_VLForConditionalGeneration",
    }
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
        model = getattr(transformers, names[family]).from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=dtype,
            attn_implementation="sdpa",
        )
    except Exception as error:  # the library raises whatever its parsers raise
        raise RewardSourceError(
            f"{folder} cannot be loaded", got=f"{type(error).__name__}: {error}"
        ) from None
    identity = identity_of(config.model, config.revision, folder)
    if config.adapter:
        from roboreward_ros.rewards.vlm.adapter import attach

        adapter = locate(config.adapter, config.adapter_revision, config.offline)
        model = attach(model, adapter)
        identity += "+" + identity_of(config.adapter, config.adapter_revision, adapter)
    vision = settings.get("vision_config")
    patching = read_patching(folder, vision if isinstance(vision, dict) else {}, family)
    model = model.to(device).eval().requires_grad_(False)
    return Weights(model, tokenizer, family, patching, identity)


def identity_of(name: str, revision: str, folder: Path) -> str:
    """Hub id and commit, or a folder's name and what its files hold, whatever was configured."""
    if shipped_folder(name) or Path(name).expanduser().is_dir():
        return f"{folder.resolve().name}@{fingerprint(folder)}"
    return f"{name}@{revision}"
