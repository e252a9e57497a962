# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A learner on disk, whole: a run that is stopped and resumed equals one that was not.

One safetensors file, written beside its place and renamed: weights, optimiser moments, replay rows
and generators as tensors, everything else as JSON in its header. No pickle.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from roboreward_ros.dsrl.agent import Agent, UpdateMetrics
from roboreward_ros.dsrl.chunk_decoder import Decode
from roboreward_ros.dsrl.compute import Compute
from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.dsrl.replay import ReplayView, StoredEpisode
from roboreward_ros.dsrl.shaping import Decisions
from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.files import write_atomic
from roboreward_ros.types import (
    EndCause,
    PolicySpec,
    Provenance,
    Score,
    ScoreKind,
    ScoreScale,
)

LEARNER_FORMAT = 3
_ROWS = (
    "features", "remaining", "noise", "known_noise", "actions", "rewards", "masks", "returns",
    "members",
)  # fmt: skip


def save_learner(learner: Learner, path: Path) -> str:
    """Write atomically (temporary file, sync, rename); returns the file's sha256."""
    header = {
        "format": LEARNER_FORMAT,
        "policy_id": learner.spec.policy_id,
        "config": learner.config.to_mapping(),
        "seed": learner.seed,
        "computed_by": computed_by(learner.compute),
        "seen": learner.seen,
        "prints": learner.prints,
        "warm": learner.warm,
        "owed": learner.owed,
        "imitating": learner.imitating,
        "version": learner.version,
        "version_steps": learner.version_steps,
        "steps": learner.sac.steps,
        "last": dataclasses.asdict(learner.last),
        "numpy_rng": learner.rng.bit_generator.state,
        "next_row": learner.replay.next_row,
        "episodes": {
            name: dataclasses.asdict(stored) for name, stored in learner.replay.episodes.items()
        },
    }
    tensors = {**_sac_tensors(learner.sac), **_replay_tensors(learner.replay)}
    data: bytes = save(tensors, {"learner": json.dumps(header)})
    write_atomic(path, data)
    return hashlib.sha256(data).hexdigest()


def computed_by(compute: Compute) -> dict[str, str]:
    """What the last bits of an update depend on besides its inputs."""
    return {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "device": compute.device,
        "precision": str(compute.precision),
        "compile": str(compute.compile),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
    }


def checkpoint_format(path: Path) -> int:
    """Format of a learner checkpoint; 0 where it cannot be read (``load_learner`` says why)."""
    try:
        with safe_open(path, framework="pt") as file:
            return int(_header(file.metadata())["format"])
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError, OSError):
        return 0


def checkpoint_episodes(path: Path) -> tuple[str, ...]:
    """Ids that a learner checkpoint has taken in, in order; none where it cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            return tuple(_header(file.metadata())["seen"])
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError, OSError):
        return ()


def load_learner(
    path: Path,
    spec: PolicySpec,
    compute: Compute | None = None,
    decode: Decode | None = None,
    *,
    exact: bool = True,
) -> Learner:
    """Read a learner back, with the configuration it was saved with.

    Args:
        path: file written by ``save_learner``.
        spec: of the frozen policy of the run.
        compute: how it is to go on.
        decode: of the frozen policy, for algorithms that need it.
        exact: refuse a resume that cannot equal the uninterrupted run to the bit.

    Raises:
        CheckpointError: missing, damaged, newer, of another policy, or not exact and ``exact``.
    """
    if not path.is_file():
        raise CheckpointError("no such learner checkpoint", got=str(path))
    try:
        with safe_open(path, framework="pt") as file:
            header = _header(file.metadata())
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError, OSError) as error:
        raise CheckpointError("not a learner checkpoint", got=f"{path}: {error}") from error
    if header["format"] != LEARNER_FORMAT:
        raise CheckpointError(
            f"learner checkpoint {path} has another format",
            got=header["format"],
            allowed=LEARNER_FORMAT,
        )
    compute = compute or Compute()
    now = computed_by(compute)
    other = {k: (v, now.get(k)) for k, v in header["computed_by"].items() if v != now.get(k)}
    if exact and other:
        raise CheckpointError(
            f"learner checkpoint {path} cannot be resumed exactly",
            got=", ".join(f"{name} {new} now, {old} then" for name, (old, new) in other.items()),
            next_step="Go on as it was saved, or accept a run that differs in its last bits: "
            "exact_resume:=false for learner_node (config/learner_node.yaml).",
        )
    if header.get("policy_id") != spec.policy_id:
        raise CheckpointError(
            f"learner checkpoint {path} steers another policy",
            got=header.get("policy_id"),
            allowed=spec.policy_id,
        )
    try:
        config = DsrlConfig.from_mapping(header["config"])
        learner = Learner(config, spec, header["seed"], compute, decode)
        learner.seen = header["seen"]
        learner.prints = header["prints"]
        learner.warm = header["warm"]
        learner.owed = header["owed"]
        learner.imitating = header.get("imitating", 0)  # where it is missing, none ever waited
        learner.version = header["version"]
        learner.version_steps = header["version_steps"]
        learner.last = UpdateMetrics(**header["last"])
        learner.rng.bit_generator.state = header["numpy_rng"]
        episodes = {name: _episode(value) for name, value in header["episodes"].items()}
        _restore_replay(learner.replay, tensors, episodes, header["next_row"])
        _restore_sac(learner.sac, tensors, header["steps"])
        for copies in learner.copies:
            copies.refresh()
        if bad := learner.sac.not_finite():
            raise ValueError(f"not finite: {', '.join(bad)}")
    except (
        LookupError, TypeError, ValueError, ArithmeticError, AttributeError, AssertionError,
        RuntimeError, ConfigError,
    ) as error:  # fmt: skip
        raise CheckpointError("damaged learner checkpoint", got=f"{path}: {error}") from error
    return learner


def _header(metadata: Mapping[str, str] | None) -> dict[str, Any]:
    """What ``save_learner`` wrote; raises KeyError or ValueError for anything else."""
    header = json.loads((metadata or {})["learner"])
    if not isinstance(header, dict) or type(header["format"]) is not int:
        raise ValueError("its header is none")
    if not isinstance(header.get("computed_by"), dict):
        raise ValueError("it does not say what computed it")
    return header


def _sac_tensors(sac: Agent) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {f"sac.{name}": v.detach() for name, v in sac.vectors().items()}
    tensors["sac.rng"] = sac.rng.get_state()
    for part, module in sac.modules().items():
        tensors |= {f"{part}.{name}": value for name, value in module.state_dict().items()}
    for part, optimizer in sac.optimizers().items():
        for k, slots in optimizer.state_dict()["state"].items():
            tensors |= {f"{part}_optimizer.{k}.{name}": value for name, value in slots.items()}
    return {name: value.clone().contiguous() for name, value in tensors.items()}


def _restore_sac(sac: Agent, tensors: Mapping[str, Tensor], steps: int) -> None:
    sac.steps = steps
    for name, vector in sac.vectors().items():
        vector.data.copy_(tensors[f"sac.{name}"])
    sac.rng.set_state(tensors["sac.rng"])
    for part, module in sac.modules().items():
        prefix = f"{part}."
        module.load_state_dict(
            {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        )
    for part, optimizer in sac.optimizers().items():
        state: dict[int, dict[str, Tensor]] = {}
        prefix = f"{part}_optimizer."
        for name, value in tensors.items():
            if name.startswith(prefix):
                index, slot = name.removeprefix(prefix).split(".", 1)
                state.setdefault(int(index), {})[slot] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _replay_tensors(replay: ReplayView) -> dict[str, Tensor]:
    used = replay.high_water
    tensors = {
        f"replay.{name}": torch.from_numpy(getattr(replay, name)[:used].copy()) for name in _ROWS
    }
    tensors["replay.own"] = torch.from_numpy(replay.trainable_rows())
    tensors["replay.prior"] = torch.from_numpy(replay.trainable_rows(prior=True))
    return tensors


def _restore_replay(
    replay: ReplayView,
    tensors: Mapping[str, Tensor],
    episodes: Mapping[str, StoredEpisode],
    next_row: int,
) -> None:
    for name in _ROWS:
        saved = tensors[f"replay.{name}"].numpy()
        getattr(replay, name)[: len(saved)] = saved
    own: npt.NDArray[np.int64] = tensors["replay.own"].numpy()
    prior: npt.NDArray[np.int64] = tensors["replay.prior"].numpy()
    replay.restore(episodes, own, prior, next_row, len(tensors["replay.features"]))


def _episode(value: dict[str, object]) -> StoredEpisode:
    """A ``StoredEpisode`` from its JSON."""
    decisions = value["decisions"]
    score = value["score"]
    assert isinstance(decisions, dict)
    label: Score | None = None
    if isinstance(score, dict):
        label = Score(
            **{
                **score,
                "scale": ScoreScale(score["scale"]),
                "kind": ScoreKind(score["kind"]),
                "provenance": Provenance(**score["provenance"]),
                "levels": tuple(score["levels"]),
                "probabilities": tuple(score["probabilities"]),
                "per_step": tuple(score["per_step"]),
            }
        )
    return StoredEpisode(
        start=int(str(value["start"])),
        rows=int(str(value["rows"])),
        decisions=Decisions(**{**decisions, "end_cause": EndCause(decisions["end_cause"])}),
        score=label,
        prior=bool(value["prior"]),
    )
