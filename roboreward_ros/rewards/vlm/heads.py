# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several adapters over one base model: loaded once, switched between questions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from roboreward_ros.rewards.vlm.adapter import attach
from roboreward_ros.rewards.vlm.backend import Backend
from roboreward_ros.rewards.vlm.settings import WeightsConfig
from roboreward_ros.rewards.vlm.weights import identity_of, load, locate


class Heads:
    """A base model under several names, one of them in force. Used from one thread.

    Args:
        backends: by name; all share the base model's weights.
        adapted: names with an adapter of their own; the others ask the base model.
    """

    def __init__(self, backends: Mapping[str, Backend], adapted: frozenset[str]) -> None:
        self._backends = dict(backends)
        self._adapted = adapted

    @property
    def identity(self) -> str:
        """All models, for provenance."""
        return ", ".join(backend.weights.identity for backend in self._backends.values())

    def use(self, name: str) -> Backend:
        """The backend of a head, its adapter in force until another one is used."""
        backend = self._backends[name]
        if self._adapted:
            model = backend.weights.model
            if name in self._adapted:
                model.base_model.enable_adapter_layers()
                model.set_adapter(name, inference_mode=True)
            else:
                model.base_model.disable_adapter_layers()
        return backend


def load_heads(config: WeightsConfig, adapters: Mapping[str, tuple[str, str]]) -> Heads:
    """Load a base model and adapters, by name: (folder or Hub id, revision), "" for none.

    Raises:
        RewardSourceError: anything missing, foreign, unpinned or damaged, with the remedy.
    """
    base = load(config)
    model, device = base.model, base.model.device
    identities: dict[str, str] = {}
    for name, (adapter, revision) in adapters.items():
        identities[name] = base.identity
        if adapter:
            folder = locate(adapter, revision, config.offline)
            model = attach(model, folder, name)
            identities[name] += "+" + identity_of(adapter, revision, folder)
    model = model.to(device).eval().requires_grad_(False)
    backends = {
        name: Backend(dataclasses.replace(base, model=model, identity=identity))
        for name, identity in identities.items()
    }
    return Heads(backends, frozenset(name for name in adapters if adapters[name][0]))
