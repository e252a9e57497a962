# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tokens and private keys: from a file or the environment, never from an argument or into a log."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import stat
from pathlib import Path

from roboreward_ros.errors import ConfigError
from roboreward_ros.files import make_folder, sync_directory

MIN_TOKEN = 16
"""Characters that a token must have at least."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")


def check_token_place(token_env: str, token_file: str) -> None:
    """Raises ConfigError unless at most one is set and the first is a variable's name."""
    if token_env and token_file:
        raise ConfigError("two places for one token", allowed="token_env or token_file")
    if token_env and not _VARIABLE.fullmatch(token_env):
        raise ConfigError(  # the value is not repeated: it may be the token itself
            "token_env is not the name of an environment variable",
            allowed="a name such as ROBOREWARD_TOKEN, never the token",
        )


def read_token(token_env: str, token_file: str) -> str:
    """The token; "" where neither place is named.

    Raises:
        ConfigError: unset, unreadable, readable by others, too short, or no token. Never says
            what was found.
    """
    check_token_place(token_env, token_file)
    if not token_env and not token_file:
        return ""
    if token_file:
        where = token_file
        text = read_private(Path(token_file).expanduser()).decode("utf-8", "replace").strip()
    else:
        where = f"environment variable {token_env}"
        text = os.environ.get(token_env, "").strip()
    if not text:
        raise ConfigError(
            "there is no token",
            got=f"{where} is empty",
            next_step="Make one with: roboreward serve token FILE",
        )
    if len(text) < MIN_TOKEN or not _TOKEN.fullmatch(text):
        raise ConfigError(
            f"what {where} holds is no token",
            allowed=f"{MIN_TOKEN} or more of letters, digits and . _ ~ + / = -",
            next_step="Make one with: roboreward serve token FILE",
        )
    return text


def read_private(path: Path) -> bytes:
    """A file that nobody else may read; raises ConfigError."""
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read", got=error.strerror) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"{path} can be read by others",
            got=oct(stat.S_IMODE(mode)),
            allowed="0o600",
            next_step=f"chmod 600 {path}",
        )
    return data


def write_private(path: Path, data: bytes) -> None:
    """Make a file that only its owner can read; raises ConfigError where one is already."""
    make_folder(path.parent)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be made", got=error.strerror, next_step="Choose another name."
        ) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)


def make_token(path: Path) -> None:
    """Write a fresh token of 256 bits; raises ConfigError where the file exists."""
    write_private(path, f"{secrets.token_urlsafe(32)}\n".encode())


def is_loopback(host: str) -> bool:
    """Whether an address or name can only mean this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
