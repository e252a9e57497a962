# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A ROS domain of one's own on this machine, for runs that nobody else should meet."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

from roboreward_ros.errors import StackError

PORT_BASE = 32768  # the tests of ROS itself hold the same port for a domain they use
DOMAINS = range(1, 101)
LAST_DOMAIN = 101  # above, the ports meet those that the kernel hands out


def own_domain() -> int:
    """The domain that ROS_DOMAIN_ID names, 0 where it is not set.

    Raises:
        StackError: it names none.
    """
    text = os.environ.get("ROS_DOMAIN_ID") or "0"
    if not text.isdecimal() or int(text) > LAST_DOMAIN:
        raise StackError(
            "ROS_DOMAIN_ID names no domain",
            got=text,
            allowed=f"0..{LAST_DOMAIN}",
            next_step="Set it anew, or unset it for domain 0.",
        )
    return int(text)


@contextmanager
def free_domain() -> Iterator[dict[str, str]]:
    """Variables that put a process into a domain that is held until the block ends.

    A ROS_DOMAIN_ID of the user is respected.

    Raises:
        StackError: all domains are held, or the user's is none.
    """
    if os.environ.get("ROS_DOMAIN_ID"):
        own_domain()
        yield {}
        return
    for domain in random.SystemRandom().sample(DOMAINS, len(DOMAINS)):
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as lock:
            try:
                lock.bind(("127.0.0.1", PORT_BASE + domain))
            except OSError:
                continue
            yield {"ROS_DOMAIN_ID": str(domain)}
            return
    raise StackError(
        "no ROS domain is free on this machine",
        got=f"ports {PORT_BASE + DOMAINS[0]} to {PORT_BASE + DOMAINS[-1]} are all held",
        next_step="Set ROS_DOMAIN_ID yourself.",
    )
