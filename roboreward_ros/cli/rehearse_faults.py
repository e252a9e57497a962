# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The processes of a rehearsal, with what its faults put around them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from roboreward_ros.cli.supervisor import ChildSpec
from roboreward_ros.errors import StackError
from roboreward_ros.rehearsal.board import FaultBoard
from roboreward_ros.rehearsal.faults import DISK, NETWORK, Fault, FaultKind
from roboreward_ros.rehearsal.latency import write_latencies
from roboreward_ros.remote.endpoint import Endpoint
from roboreward_ros.rewards.config import Option, options_from_json
from roboreward_ros.session.plan import episode_id
from roboreward_ros.stack import Stack
from roboreward_ros.testing import troubled_rewards
from roboreward_ros.testing.faulty_process import command_under_faults
from roboreward_ros.testing.relay import Relay, Wire

Options = dict[str, Option]


def with_wire(stack: Stack, faults: Sequence[Fault], run_dir: Path, opened: ExitStack) -> Stack:
    """The same stack, whose reward source reaches its server over a wire that the faults hold.

    Args:
        stack: of the rehearsal.
        faults: in the order of the fault file.
        run_dir: of the rehearsal.
        opened: ends the wire.

    Raises:
        StackError: there are faults of the network, and no server, or one over https.
    """
    if not any(fault.fault in NETWORK for fault in faults):
        return stack
    source, options = _reward(stack)
    host, port = _server(source, options)
    board = FaultBoard(run_dir)

    def wire() -> Wire:
        held = {kind: size for kind in NETWORK if (size := board.size(kind)) is not None}
        return Wire(
            cut=FaultKind.NETWORK_CUT in held,
            late_s=held.get(FaultKind.NETWORK_LATE, 0.0),
            doubled=FaultKind.NETWORK_DOUBLED in held,
            html=FaultKind.NETWORK_HTML in held,
            flapping=FaultKind.NETWORK_FLAPS in held,
        )

    address = opened.enter_context(Relay(host, port, wire)).address
    if source == "remote":
        return _with_reward(stack, source, {**options, "via": address})
    url = urlsplit(str(options["base_url"]))
    return _with_reward(stack, source, {**options, "base_url": f"http://{address}{url.path}"})


def _server(source: str, options: Options) -> tuple[str, int]:
    if source == "remote" and options.get("url"):
        return Endpoint(str(options["url"]), via=str(options.get("via", ""))).address
    url = urlsplit(str(options.get("base_url", "")))
    if source == "api" and url.scheme == "http" and url.hostname:
        return url.hostname, url.port or 80
    raise StackError(
        "faults of the network need a reward server",
        got=f"reward:={source}",
        allowed="reward:=remote with a url, reward:=api with an http base_url",
        next_step="Leave them out, or take reward_late or stop instead.",
    )


def with_troubled_rewards(
    stack: Stack, seconds: Mapping[str, float], faults: Sequence[Fault], run_dir: Path
) -> Stack:
    """The same stack, whose source is late, or finds no room, for the episodes named.

    Args:
        stack: of the rehearsal.
        seconds: id of a rehearsed episode -> seconds that its reward takes at least.
        faults: in the order of the fault file; those of the reward's memory are put here.
        run_dir: of the rehearsal.

    Raises:
        StackError: the source is a person, who has no GPU.
    """
    source, options = _reward(stack)
    no_room = {
        episode_id(fault.episode): round(fault.size)
        for fault in faults
        if fault.fault is FaultKind.REWARD_MEMORY
    }
    if not seconds and not no_room:
        return stack
    if no_room and source == "human":
        raise StackError(
            f"{FaultKind.REWARD_MEMORY} needs a reward source that is a model",
            got=f"reward:={source}",
            next_step="Leave it out, or give reward:=roboreward, api or another.",
        )
    within: Options = {"source": source, "options": json.dumps(options)}
    within["no_room"] = json.dumps(no_room)
    within["latencies"] = str(write_latencies(run_dir, seconds))
    return _with_reward(stack, troubled_rewards.NAME, within)


def with_faulty_disk(child: ChildSpec, faults: Sequence[Fault], run_dir: Path) -> ChildSpec:
    """The same process, on a disk that fails and is slow where the faults say so."""
    if not any(fault.fault in DISK and fault.node == child.name for fault in faults):
        return child
    return replace(child, command=command_under_faults(child.command, run_dir, child.name))


def _reward(stack: Stack) -> tuple[str, Options]:
    parameters = stack.node("reward_node").parameters
    return str(parameters["source"]), options_from_json(str(parameters["source_options"]))


def _with_reward(stack: Stack, source: str, options: Options) -> Stack:
    own = {"source": source, "source_options": json.dumps(options)}
    nodes = [
        replace(node, parameters={**node.parameters, **own}) if node.name == "reward_node" else node
        for node in stack.nodes
    ]
    return replace(stack, nodes=tuple(nodes))
