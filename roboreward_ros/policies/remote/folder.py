# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A folder that stands for a policy of another host: where it is, and what it is.

The spec is written down when the folder is made, so that a run knows its policy while the host is
away, and a host that serves another policy one day is refused.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from roboreward_ros.errors import CheckpointError, ConfigError, FormatError
from roboreward_ros.files import write_atomic
from roboreward_ros.policies.remote.dialect import Coding, spec_from_json, spec_to_json
from roboreward_ros.remote.endpoint import Endpoint
from roboreward_ros.types import PolicySpec
from roboreward_ros.types.codec import Fields, JsonObject, from_text, to_text

FILE = "remote_policy.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class RemotePolicyConfig:
    """A policy host.

    Attributes:
        url: wss://HOST:PORT; ws:// only to this machine (a tunnel).
        ca_file: the host's certificate, the only one to trust; "" for the system's authorities. A
            relative path is relative to the folder.
        token_env: environment variable that holds the token.
        token_file: file that holds it, readable by its owner alone; relative as ca_file.
        coding: how images are sent.
        timeout_s: of one question; a decision takes two. A later answer is no answer: the arm
            holds until its next decision.
        connect_s: longest wait for the host at the start, s. More than a minute: a policy_node that
            dies while the host is away is started again until the host is back.
        dead_s: silence after which a connection is given up, s.
    """

    url: str
    ca_file: str = ""
    token_env: str = ""
    token_file: str = ""
    coding: Coding = Coding.RAW
    timeout_s: float = 1.0
    connect_s: float = 75.0
    dead_s: float = 3.0

    def __post_init__(self) -> None:
        for name, value in (("timeout_s", self.timeout_s), ("connect_s", self.connect_s)):
            if not 0.01 <= value <= 600:
                raise ConfigError(f"{name} is out of range", got=value, allowed="0.01..600")
        self.endpoint(Path())

    def endpoint(self, folder: Path) -> Endpoint:
        """Where; paths are looked up in ``folder``. Raises ConfigError."""
        ca_file, token_file = (
            str(folder / Path(path).expanduser()) if path else ""
            for path in (self.ca_file, self.token_file)
        )
        return Endpoint(self.url, ca_file, self.token_env, token_file, dead_s=self.dead_s)


def write_folder(folder: Path, config: RemotePolicyConfig, spec: PolicySpec) -> None:
    """Make the folder, or point it to another host of the same policy.

    Raises:
        CheckpointError: it stands for another policy already.
    """
    if (folder / FILE).is_file() and read_folder(folder)[1] != spec:
        raise CheckpointError(
            f"{folder} stands for another policy",
            got=spec.policy_id,
            allowed=read_folder(folder)[1].policy_id,
            next_step="Choose another folder.",
        )
    values = cast("JsonObject", dataclasses.asdict(config))
    values |= {"coding": config.coding.value, "format": FORMAT, "spec": spec_to_json(spec)}
    write_atomic(folder / FILE, to_text(values) + "\n")


def read_folder(folder: Path) -> tuple[RemotePolicyConfig, PolicySpec]:
    """Where the policy is and what it is, without asking for it.

    Raises:
        CheckpointError: no such folder, damaged, or of a newer format.
    """
    path = folder / FILE
    try:
        fields = Fields(from_text(path.read_bytes(), str(path)), str(path))
        if fields.integer("format") != FORMAT:
            raise FormatError(
                f"{path} is of another format", got=fields.integer("format"), allowed=FORMAT
            )
        config = RemotePolicyConfig(
            fields.text("url"),
            fields.text("ca_file"),
            fields.text("token_env"),
            fields.text("token_file"),
            fields.enum("coding", Coding),
            fields.number("timeout_s"),
            fields.number("connect_s"),
            fields.number("dead_s"),
        )
        return config, spec_from_json(fields.fields("spec"))
    except (OSError, FormatError, ConfigError) as error:
        raise CheckpointError(
            "a remote policy's folder cannot be used",
            got=str(error),
            next_step="Make it again: roboreward policy connect URL --out FOLDER",
        ) from None
