# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lives once for each line of its input: records and commits short episodes until it is killed.

Each life says its process id and what it acknowledges; its end is said too.
"""

import os
import sys

from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.types import EndCause


def say(what: str, number: int) -> None:
    sys.stdout.write(f"{what} {number}\n")
    sys.stdout.flush()


def live() -> None:
    say("life", os.getpid())
    store = EpisodeStore(sys.argv[1], "w")
    index = len(store)
    while True:
        writer = store.create(make_meta(index))
        say("recording", index)
        record(writer, steps=3)
        say("committing", index)
        writer.commit(EndCause.TIME)
        say("committed", index)
        index += 1


for _ in sys.stdin:
    if (child := os.fork()) == 0:  # what is imported is imported once
        live()
    os.waitpid(child, 0)
    say("dead", child)
