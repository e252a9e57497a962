# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How fast does the learner update, and how much does its replay hold, next to stable-baselines3?

python bench/learner_speed.py [--json OUT] [--rounds N] [--compile]

Both sides take the same batch of 256, layer sizes, LayerNorm behind every layer, activation and
number of threads, and train critics, actor and temperature in every step. Each round runs all of
them in turns, and a ratio is the median over rounds, so that other load hits both. Time is CPU time
of the process: what a loaded machine takes away is counted for neither. stable-baselines3 has no
DSRL-NA: those rows stand next to the same SAC, with a second critic and the frozen policy's
decoding on top.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import numpy as np
import stable_baselines3
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.logger import configure
from stable_baselines3.common.policies import ContinuousCritic
from stable_baselines3.common.torch_layers import create_mlp
from stable_baselines3.sac.policies import Actor, SACPolicy
from torch import nn

from roboreward_ros.dsrl.agent import Batch
from roboreward_ros.dsrl.compute import Compute, Precision, bf16_path
from roboreward_ros.dsrl.config import Combine, CriticForm, DsrlConfig
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.dsrl.replay import ReplayView
from roboreward_ros.policies.diffusion import load_policy
from roboreward_ros.types import ACTION_DIM, PolicySpec

BATCH = 256
ROWS = 5_000
NETS = (((128, 128, 128), 10), ((2048, 2048, 2048), 2))
GOALS = {("sac", 128): 1.5, ("sac", 2048): 3.0}


# stable-baselines3, with a LayerNorm behind every layer.


def _trunk(inputs: int, outputs: int, net_arch: list[int]) -> nn.Sequential:
    layers = create_mlp(inputs, outputs, net_arch, nn.SiLU, post_linear_modules=[nn.LayerNorm])
    return nn.Sequential(*layers)


class NormActor(Actor):
    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.latent_pi = _trunk(self.features_dim, -1, self.net_arch)


class NormCritic(ContinuousCritic):
    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        inputs = kwargs["features_dim"] + kwargs["action_space"].shape[0]
        for k in range(kwargs["n_critics"]):
            self.q_networks[k] = _trunk(inputs, 1, kwargs["net_arch"])
            setattr(self, f"qf{k}", self.q_networks[k])


class NormPolicy(SACPolicy):
    def make_actor(self, features_extractor=None):
        kwargs = self._update_features_extractor(self.actor_kwargs, features_extractor)
        return NormActor(**kwargs).to(self.device)

    def make_critic(self, features_extractor=None):
        kwargs = self._update_features_extractor(self.critic_kwargs, features_extractor)
        return NormCritic(**kwargs).to(self.device)


class Spaces(gymnasium.Env):
    """Only the spaces count: nothing is played."""

    def __init__(self, state_dim: int, noise_dim: int) -> None:
        self.observation_space = gymnasium.spaces.Box(-5, 5, (state_dim,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1, 1, (noise_dim,), np.float32)


def sb3(spec: PolicySpec, hidden: tuple[int, ...], critics: int, device: str) -> SAC:
    """A filled SAC, ready to train."""
    env = Spaces(spec.feature_dim + 1, spec.prediction_horizon * ACTION_DIM)
    model = SAC(
        NormPolicy,
        env,
        batch_size=BATCH,
        buffer_size=ROWS,
        device=device,
        policy_kwargs={"net_arch": list(hidden), "n_critics": critics},
    )
    rng, buffer = np.random.default_rng(0), model.replay_buffer
    for values in (buffer.observations, buffer.next_observations):
        values[:] = rng.normal(size=values.shape)
    buffer.actions[:] = rng.uniform(-1, 1, size=buffer.actions.shape)
    buffer.rewards[:] = rng.random(size=buffer.rewards.shape)
    buffer.full = True
    model.set_logger(configure(None, []))
    return model


# Ours.


def fill(replay: ReplayView, rows: int) -> None:
    """``rows`` transitions that mean nothing."""
    rng = np.random.default_rng(0)
    for values in (replay.features, replay.noise, replay.actions):
        if values.shape[1]:
            values[:rows] = rng.standard_normal((rows, values.shape[1]), dtype=np.float32)
    replay.rewards[:rows] = rng.random(rows)
    replay.returns[:rows] = np.nan
    replay.masks[:rows] = 1
    replay.known_noise[:rows] = True
    replay.members[:rows] = True
    replay.restore({}, np.arange(rows), np.arange(0), 0, rows)


def ours(
    algo: str, spec: PolicySpec, decode, hidden: tuple[int, ...], critics: int, compute: Compute
) -> Learner:
    """A filled learner that trains its actor in every step, ready to update."""
    config = DsrlConfig(
        critic=CriticForm.ALIASED if algo == "na" else CriticForm.LATENT,
        hidden=hidden,
        ensemble=critics,
        batch_size=BATCH,
        capacity=ROWS,
        critic_only_updates=0,
        tau=0.005,
        target_combine=Combine.MIN,
        actor_combine=Combine.MIN,
        monte_carlo=0.0,
        bounded=False,
    )
    learner = Learner(config, spec, 0, compute, decode)
    fill(learner.replay, ROWS)
    return learner


# Measuring.


@dataclass
class Contender:
    """Something that updates; ``seconds`` of one update, one entry a round."""

    name: str
    run: Callable[[int], None]
    seconds: list[float]


def race(contenders: Iterable[Contender], steps: int, rounds: int) -> None:
    """Every round all of them in turns; the first call of each only warms up."""
    contenders = list(contenders)
    for contender in contenders:
        contender.run(max(2, steps // 4))
    for _ in range(rounds):
        for contender in contenders:
            start = time.process_time()
            contender.run(steps)
            contender.seconds.append((time.process_time() - start) / steps)


def speed_rows(options: argparse.Namespace) -> list[dict[str, object]]:
    policy = load_policy("demo")
    spec, decode = policy.spec, policy.decode
    rows: list[dict[str, object]] = []
    for hidden, critics in NETS:
        if options.net and hidden[0] != options.net:
            continue
        steps, rounds = (
            (16, options.rounds) if hidden[0] < 512 else (2, max(3, options.rounds // 2))
        )
        model = sb3(spec, hidden, critics, options.device)
        theirs = Contender("sb3", lambda n, m=model: m.train(n, BATCH), [])
        contenders, keys = [theirs], []
        for algo in ("sac", "na"):
            for precision in (Precision.FP32, Precision.BF16):
                if precision is Precision.BF16 and not bf16_path():
                    continue  # said in the head of the file: bf16 ""
                compute = Compute(options.device, precision, options.compile)
                learner = ours(algo, spec, decode, hidden, critics, compute)

                def run(n: int, learner: Learner = learner) -> None:
                    learner.sac.update(learner.replay, learner.rng, n)

                contenders.append(Contender(f"{algo} {precision}", run, []))
                keys.append((algo, precision))
        race(contenders, steps, rounds)
        common = {"net": f"{hidden[0]}x{len(hidden)}", "critics": critics, "device": options.device}
        their_s = statistics.median(theirs.seconds)
        rows.append(
            {"algo": "sb3_sac", **common, "dtype": "fp32", "ours_sps": None}
            | {"sb3_sps": 1 / their_s, "ratio": 1.0, "rounds": rounds}
        )
        for (algo, precision), contender in zip(keys, contenders[1:], strict=True):
            ratios = [t / o for t, o in zip(theirs.seconds, contender.seconds, strict=True)]
            rows.append(
                {"algo": algo, **common, "dtype": str(precision)}
                | {"ours_sps": 1 / statistics.median(contender.seconds), "sb3_sps": 1 / their_s}
                | {"ratio": statistics.median(ratios), "ratio_range": [min(ratios), max(ratios)]}
                | {"goal": GOALS.get((algo, hidden[0])), "rounds": rounds}
            )
            print(_line(rows[-1]), flush=True)
    return rows


def _line(row: dict[str, object]) -> str:
    low, high = row["ratio_range"]
    goal = f", goal {row['goal']}" if row["goal"] else ""
    return (
        f"{row['algo']:>3} {row['net']:>7} x{row['critics']:<2} {row['dtype']} {row['device']}: "
        f"{row['ours_sps']:7.1f} steps/s, SB3 {row['sb3_sps']:6.1f}, "
        f"ratio {row['ratio']:.2f} ({low:.2f}-{high:.2f}{goal})"
    )


def memory_row(spec: PolicySpec) -> dict[str, object]:
    """Bytes of 100 000 chunk transitions."""
    count, noise = 100_000, spec.prediction_horizon * ACTION_DIM
    mine = {}
    for name, chunk in (("latent", 0), ("aliased", spec.chunk_size * ACTION_DIM)):
        replay = ReplayView(DsrlConfig(capacity=count), spec.feature_dim, noise, chunk)
        mine[name] = replay.nbytes
    env = Spaces(spec.feature_dim + 1, noise)
    theirs = ReplayBuffer(count, env.observation_space, env.action_space)
    arrays = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
    total = sum(getattr(theirs, name).nbytes for name in arrays)
    return {
        "transitions": count,
        "state_dim": spec.feature_dim + 1,
        "ours_mb": mine["latent"] / 1e6,
        "ours_with_chunks_mb": mine["aliased"] / 1e6,
        "sb3_mb": total / 1e6,
        "ratio": total / mine["latent"],
    }


def sampling_rows(spec: PolicySpec) -> list[dict[str, object]]:
    """Microseconds to draw and normalise a batch, from a small and a large replay."""
    rows = []
    for count in (10_000, 1_000_000):
        config = DsrlConfig(capacity=count, batch_size=BATCH)
        learner = Learner(config, spec)
        fill(learner.replay, count)
        rng, states = np.random.default_rng(0), learner.sac.states(learner.replay)
        taken = []
        for _ in range(400):
            start = time.process_time()
            Batch.of(learner.replay, states, learner.replay.sample(rng, BATCH))
            taken.append(time.process_time() - start)
        rows.append({"transitions": count, "batch_us": 1e6 * statistics.median(taken)})
    return rows


def cpu_model() -> str:
    """The processor's name and family, where Linux tells them."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    keys = ("model name", "cpu family", "model\t")
    found = [next((x.split(":", 1)[1].strip() for x in lines if x.startswith(k)), "") for k in keys]
    return ", ".join(filter(None, found)) or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--device", default="cpu", choices=["cpu"], help="of both sides")
    parser.add_argument("--rounds", type=int, default=12, help="turns; wide nets take half")
    parser.add_argument("--net", type=int, default=0, help="only this width")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="torch.compile our networks")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    spec = load_policy("demo").spec
    result = {
        "bf16": bf16_path(),
        "cpu": cpu_model(),
        "threads": options.threads,
        "compiled": options.compile,
        "load_average_1min_at_start": os.getloadavg()[0],
        "clock": "CPU time of the process",
        "versions": {
            "torch": torch.__version__,
            "stable_baselines3": stable_baselines3.__version__,
        },
        "replay_memory": memory_row(spec),
        "replay_sampling": sampling_rows(spec),
    }
    print(json.dumps(result, indent=1))
    result["rows"] = speed_rows(options)
    result["load_average_1min_at_end"] = os.getloadavg()[0]
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
