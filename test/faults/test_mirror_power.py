# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The power of the learner's host goes after any sync: what it acknowledged to a robot is there."""

from pathlib import Path

from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.mirror import Mirror
from roboreward_ros.episodes.shipping import Shipper
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.verify import verify_episode
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.testing.power import power
from roboreward_ros.types import EndCause, LabelRecord, Provenance, Score, ScoreKind, ScoreScale

RUN = "0123456789abcdef" * 2


def make_run(path: Path) -> None:
    store, ledger = EpisodeStore(path, "w"), Ledger(path, "w")
    score = Score(3.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("s"))
    for index in range(2):
        writer = store.create(make_meta(index))
        record(writer, steps=2)
        writer.commit(EndCause.TIME)
        ledger.append(LabelRecord(-1, f"ep_{index:06d}", score, 0))
    store.close()
    ledger.close()


def test_what_a_learners_host_acknowledged_survives_its_power_cut(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    disk = tmp_path / "disk"
    disk.mkdir()
    acknowledged = []  # after so many syncs: episodes and bytes of the ledger
    with power(disk) as supply:
        mirror = Mirror(disk / "copy", RUN)
        shipper = Shipper(tmp_path / "run", mirror, 6000)
        while shipper.step():
            known = (supply.moments, set(shipper.shipped), shipper._sizes["ledger/ledger.jsonl"])
            if not acknowledged or known[1:] != acknowledged[-1][1:]:
                acknowledged.append(known)
        mirror.close()
        last = supply.moments
        for moment in sorted({*range(acknowledged[0][0], last, 9), *(a[0] for a in acknowledged)}):
            copy = supply.cut(moment, tmp_path / f"cut {moment}") / "copy"
            episodes, size = next(a[1:] for a in reversed(acknowledged) if a[0] <= moment)
            again = Mirror(copy, RUN)
            held = again.held()
            assert episodes <= held.episodes, moment
            assert size <= held.lines["ledger/ledger.jsonl"][0], moment
            assert [d for e in held.episodes for d in verify_episode(copy / "episodes" / e)] == []
            if moment % 2 or moment == last:
                rest = Shipper(tmp_path / "run", again, 6000)
                while rest.step():
                    pass
                assert len(again.held().episodes) == 2
                assert len(Ledger(copy).records()) == 2
            again.close()
