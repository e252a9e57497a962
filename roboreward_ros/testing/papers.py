# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Certificate, key and token of a host under test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.remote.certificate import make_certificate
from roboreward_ros.remote.secrets import make_token


@dataclass(frozen=True, slots=True)
class Papers:
    """What two ends need to trust each other; paths."""

    certificate: str
    key: str
    token: str


def papers_in(folder: Path, *hosts: str) -> Papers:
    """Make all three in ``folder`` for a host that is asked for under ``hosts``."""
    certificate, key = make_certificate(folder, hosts)
    make_token(folder / "token")
    return Papers(str(certificate), str(key), str(folder / "token"))
