# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Records and commits short episodes until it is killed; prints what it acknowledged."""

import sys

from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.types import EndCause

store = EpisodeStore(sys.argv[1], "w")
index = len(store)


def say(what):
    sys.stdout.write(f"{what} {index}\n")
    sys.stdout.flush()


while True:
    writer = store.create(make_meta(index))
    say("recording")
    record(writer, steps=3)
    say("committing")
    writer.commit(EndCause.TIME)
    say("committed")
    index += 1
