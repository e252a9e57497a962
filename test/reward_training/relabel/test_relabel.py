# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Relabelling: what comes out of one video; a kill or a second worker changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from scripted_provider import ScriptedProvider

from roboreward_ros.errors import ConfigError, FormatError, RewardSourceError, StoreError
from roboreward_ros.reward_training.relabel.catalogue import Catalogue, Shard
from roboreward_ros.reward_training.relabel.constraints import (
    Situation,
    paraphrase_violations,
    violations,
)
from roboreward_ros.reward_training.relabel.episode import RelabelConfig, relabel
from roboreward_ros.reward_training.relabel.examples import Kind, SourceVideo
from roboreward_ros.reward_training.relabel.journal import Journals
from roboreward_ros.reward_training.relabel.output import write_layout
from roboreward_ros.reward_training.relabel.pipeline import (
    most_questions,
    relabelled,
    run,
    write_manifest,
)
from roboreward_ros.reward_training.relabel.prompted import PromptedProvider
from roboreward_ros.reward_training.relabel.provider import Verdict
from roboreward_ros.testing.grey_video import write_video

CONFIG = RelabelConfig(paraphrases=1)


def video(number=0, reward=5, path="v.mp4"):
    sha = hashlib.sha256(str(number).encode()).hexdigest()
    return SourceVideo(f"v{number}", "bridge", Path(path), sha, "Put the red cup on it", reward)


def one(tmp_path, provider, config=CONFIG, source=None):
    source = source or video()
    with Journals(tmp_path / "journal", provider.identity).open(source.id) as journal:
        return relabel(source, provider, journal, config)


def test_a_success_gives_a_ladder_clips_and_other_wordings(tmp_path):
    found = one(tmp_path, ScriptedProvider())
    by_kind = {kind: [e for e in found.examples if e.kind == kind] for kind in Kind}
    assert [e.reward for e in by_kind[Kind.ORIGINAL]] == [5]
    assert [e.reward for e in by_kind[Kind.COUNTERFACTUAL]] == [1, 2, 3, 4]
    # 0.75 was scored below 0.5: a success does not become worse, so it is refused
    assert [(e.end, e.reward) for e in by_kind[Kind.CLIP]] == [(0.25, 1), (0.5, 3)]
    assert "clip 0.75: score 2 after 3" in found.refused
    originals = {e.id: e for e in found.examples if e.kind != Kind.PARAPHRASE}
    assert len(by_kind[Kind.PARAPHRASE]) == len(originals)
    for example in by_kind[Kind.PARAPHRASE]:
        parent = originals[example.parent]
        assert (example.reward, example.end) == (parent.reward, parent.end)
    assert all(e.parent == by_kind[Kind.ORIGINAL][0].id for e in by_kind[Kind.COUNTERFACTUAL])


def test_a_failure_is_only_said_in_other_words(tmp_path):
    provider = ScriptedProvider()
    found = one(tmp_path, provider, source=video(reward=2))
    assert [e.kind for e in found.examples] == [Kind.ORIGINAL, Kind.PARAPHRASE]
    assert provider.asked == ["rewrite", "paraphrase"]


def test_a_draft_that_breaks_a_rule_or_is_not_confirmed_is_written_anew(tmp_path):
    bad, doubted, good = "the cup is a failure", "lift the red cup left", "lift the red cup"
    provider = ScriptedProvider(drafts={3: [bad, doubted, good]}, verdicts={doubted: False})
    found = one(tmp_path, provider)
    written = [e for e in found.examples if e.kind == Kind.COUNTERFACTUAL and e.reward == 3]
    assert [(e.task, e.attempt) for e in written] == [(good, 2)]
    assert any("not with a verb" in reason for reason in found.refused)


def test_a_rung_without_an_acceptable_draft_is_given_up(tmp_path):
    provider = ScriptedProvider(drafts={4: ["score the cup"]})
    found = one(tmp_path, provider, RelabelConfig(attempts=2, paraphrases=0))
    assert 4 not in [e.reward for e in found.examples if e.kind == Kind.COUNTERFACTUAL]
    assert provider.asked.count("write 4") == 2


@pytest.mark.parametrize(
    ("text", "score", "named"),
    [
        ("lift the red cup", 1, ""),
        ("", 1, "empty"),
        ("The cup should be lifted", 1, "not with a verb"),
        ("lift the tasse \u00e0 caf\u00e9", 1, "ASCII"),
        ("lift " + "very " * 30 + "high", 1, "words"),
        ("lift the cup in the video", 1, "speaks of video"),
        ("lift the plate", 3, "does not name the red cup"),
        ("Put red cup on it!", 2, "same as another"),
    ],
)
def test_code_checks_what_code_can_check(text, score, named):
    found = violations(text, Situation(score, "red cup", ["put the red cup on it"]))
    assert (not found) if not named else any(named in phrase for phrase in found)


def test_a_paraphrase_keeps_numbers_and_sides():
    assert not paraphrase_violations("set the cup on the left", "put the cup to the left", [])
    assert paraphrase_violations("set the cup on the right", "put the cup to the left", [])
    assert paraphrase_violations("lift both cups", "lift the cup", [])


def manifest(tmp_path, name, provider, videos, **more):
    with Catalogue(videos) as catalogue:
        outcome = run(catalogue, provider, tmp_path / name, CONFIG, **more)
        found = relabelled(catalogue, provider, tmp_path / name, CONFIG)
        return write_manifest(found, tmp_path / f"{name}.jsonl"), outcome


def test_stopping_at_any_question_changes_nothing_in_the_end(tmp_path):
    videos = [video(k) for k in range(2)]
    whole, _ = manifest(tmp_path, "whole", ScriptedProvider(), videos)
    questions = 0
    for stop in range(0, 40, 7):
        provider = ScriptedProvider(fail_at=stop)
        try:
            manifest(tmp_path, "often", provider, videos)
        except RewardSourceError:
            questions += len(provider.asked)
        else:
            break
    last = ScriptedProvider()
    again, outcome = manifest(tmp_path, "often", last, videos)
    assert again == whole
    assert outcome.asked == len(last.asked)
    full = ScriptedProvider()
    manifest(tmp_path, "counted", full, videos)
    assert questions + len(last.asked) <= len(full.asked)  # nothing was asked twice
    with Catalogue(videos) as catalogue:
        assert len(full.asked) <= most_questions(catalogue, CONFIG)


WORKER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[4:]
from test_relabel import CONFIG, Catalogue, ScriptedProvider, Shard, run, video
shard = Shard(int(sys.argv[2]), int(sys.argv[3]))
print("begun", flush=True)
with Catalogue([video(k) for k in range(5)]) as videos:
    run(videos, ScriptedProvider(), Path(sys.argv[1]), CONFIG, shard)
"""


def worker(folder, shard="0", count="1"):
    """A process that relabels five videos; it has begun when this returns."""
    words = [sys.executable, "-c", WORKER, str(folder), shard, count, str(Path(__file__).parent)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    return child


def test_two_workers_at_once_give_the_same_manifest_as_one(tmp_path):
    videos = [video(k) for k in range(5)]
    whole, _ = manifest(tmp_path, "one", ScriptedProvider(), videos)
    children = [worker(tmp_path / "two", str(k), "2") for k in range(2)]
    assert [child.wait() for child in children] == [0, 0]
    # One run over the whole now finds every answer there.
    both, outcome = manifest(tmp_path, "two", ScriptedProvider(), videos)
    assert (both, outcome.asked) == (whole, 0)


def test_shards_part_the_videos_and_one_worker_has_a_shard(tmp_path):
    with Catalogue([video(k) for k in range(9)]) as videos:
        parts = [[v.id for v in videos.videos(Shard(k, 3))] for k in range(3)]
        assert sorted(key for part in parts for key in part) == [f"v{k}" for k in range(9)]
        assert [videos.count(Shard(k, 3)) for k in range(3)] == [len(part) for part in parts]
        with pytest.raises(ConfigError, match="shard"):
            Shard(3, 3)

        class Second(ScriptedProvider):
            def rewrite(self, task):
                with pytest.raises(StoreError, match="another process"):
                    run(videos, ScriptedProvider(), tmp_path / "j", CONFIG)
                return task

        run(videos, Second(), tmp_path / "j", CONFIG)


def test_a_kill_in_the_middle_of_a_line_loses_that_answer_only(tmp_path):
    videos = [video()]
    whole, _ = manifest(tmp_path, "j", ScriptedProvider(), videos)
    file = next((tmp_path / "j").glob("*/*.jsonl"))
    file.write_bytes(file.read_bytes()[:-15])
    again, outcome = manifest(tmp_path, "j", ScriptedProvider(), videos)
    assert (again, outcome.asked) == (whole, 1)


def test_a_real_kill_and_a_second_run_give_the_same_manifest(tmp_path):
    whole, _ = manifest(tmp_path, "whole", ScriptedProvider(), [video(k) for k in range(5)])
    child = worker(tmp_path / "killed")
    while child.poll() is None and len(list((tmp_path / "killed").glob("*/*.jsonl"))) < 2:
        os.sched_yield()
    child.send_signal(signal.SIGKILL)
    child.wait()
    again, _ = manifest(tmp_path, "killed", ScriptedProvider(), [video(k) for k in range(5)])
    assert again == whole


def test_another_providers_answers_are_not_mixed_in(tmp_path):
    one(tmp_path, ScriptedProvider())
    with pytest.raises(FormatError, match="another provider"):
        Journals(tmp_path / "journal", "somebody else").open("v0")
    (tmp_path / "journal" / "answers-000.jsonl").write_text("")
    with pytest.raises(FormatError, match="format 1"):
        Journals(tmp_path / "journal", "scripted")


def test_failed_videos_are_named_when_asked_for(tmp_path):
    class Never(ScriptedProvider):
        def rewrite(self, task):
            raise RewardSourceError("down")

    again, outcome = manifest(tmp_path, "j", Never(), [video()], keep_going=True)
    assert (outcome.examples, len(outcome.failed)) == (0, 1)
    assert "v0" in outcome.failed[0]
    assert again == hashlib.sha256(b"").hexdigest()
    with pytest.raises(ConfigError, match="share an id"):
        Catalogue([video(), video()])


def test_the_layout_keeps_a_video_on_one_side_and_cuts_clips(tmp_path):
    path = write_video(tmp_path / "v.mp4", 12, fps=5)
    videos = [video(k, path=path) for k in range(3)]
    with Catalogue(videos) as catalogue:
        outcome = run(catalogue, ScriptedProvider(), tmp_path / "j", CONFIG)
        for _ in range(2):
            found = relabelled(catalogue, ScriptedProvider(), tmp_path / "j", CONFIG)
            rows = write_layout(found, tmp_path / "out", "scripted")
    assert sum(rows.values()) == outcome.examples
    sides = {}
    for split in rows:
        for line in (tmp_path / "out" / split / "metadata.jsonl").read_text().splitlines():
            row = json.loads(line)
            assert (tmp_path / "out" / split / row["file_name"]).is_file()
            sides.setdefault(row["video_sha256"], set()).add(split)
    assert all(len(splits) == 1 for splits in sides.values())
    from roboreward_ros.episodes.exchange.video import probe

    clips = list((tmp_path / "out").rglob("*end_0250*.mp4"))
    assert clips
    assert probe(clips[0]).frames == 3
    assert "scripted" in (tmp_path / "out" / "README.md").read_text()


def test_only_one_answer_a_video_is_in_memory_and_reasons_are_bounded(tmp_path, monkeypatch):
    """Refusals that a model words anew each time are counted by their stage in the end."""
    from roboreward_ros.reward_training.relabel import pipeline

    monkeypatch.setattr(pipeline, "_REASONS", 2)

    class Wordy(ScriptedProvider):
        def validate(self, video, task, score, end):
            return Verdict(False, f"{video.id} does not show {task} at {end}")

    _, outcome = manifest(tmp_path, "j", Wordy(), [video(k) for k in range(4)])
    assert sum(outcome.refused.values()) > 20
    assert len(outcome.refused) < 12
    assert any(reason.endswith(": other reasons") for reason in outcome.refused)


def test_a_model_that_babbles_is_an_error_and_a_fenced_object_is_not():
    replies = iter(["sure!", '```json\n{"instruction": "lift the cup"}\n```', "no", "no"])
    provider = PromptedProvider(lambda _: next(replies), lambda *_: "", "model")
    assert provider.rewrite("lift cup") == "lift the cup"
    with pytest.raises(RewardSourceError, match="not the JSON"):
        provider.rewrite("lift cup")
    wrong = PromptedProvider(lambda _: "", lambda *_: '{"fits": "yes", "reason": ""}', "model")
    with pytest.raises(RewardSourceError, match="neither true nor false"):
        wrong.validate(video(), "lift", 3, 1.0)


@pytest.mark.parametrize("ends", [(0.5, 0.25), (0.0,), (1.0,), (0.5, 0.5)])
def test_clip_ends_out_of_order_or_range_are_refused(ends):
    with pytest.raises(ConfigError, match="clip_ends"):
        RelabelConfig(clip_ends=ends)


def test_the_estimate_counts_only_what_was_asked_now(tmp_path):
    class Priced(ScriptedProvider):
        @property
        def spent(self):
            return 0.5 * len(self.asked)

    videos = [video(k, reward=2) for k in range(4)]  # two questions each
    with Catalogue(videos) as catalogue:
        with pytest.raises(RewardSourceError):
            run(catalogue, Priced(fail_at=2), tmp_path / "j", CONFIG)
        seen = []
        run(catalogue, Priced(), tmp_path / "j", CONFIG, on_progress=seen.append)
    assert [progress.left_cost for progress in seen] == [0.0, 2.0, 1.0, 0.0]
    assert seen[0].left_s == 0.0
    assert seen[1].left_s > 0
