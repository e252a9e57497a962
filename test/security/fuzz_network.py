# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What peers and models send, in hostile forms: packets, outcomes, chat replies."""

import json
import math
import struct
from collections.abc import Callable
from pathlib import Path

from fuzz_edits import Target, edited, hostile_json, odd_json
from hypothesis import strategies as st

from roboreward_ros.dsrl.figures import Bulletin
from roboreward_ros.dsrl.fleet_wire import (
    PROTOCOL,
    ActorNews,
    Arm,
    News,
    held_from_json,
    news_from_json,
    news_to_json,
)
from roboreward_ros.episodes.mirror import Mirror
from roboreward_ros.episodes.parcel import Offer
from roboreward_ros.errors import RoboRewardError
from roboreward_ros.remote.packet import Packet, unpack
from roboreward_ros.reward_training.relabel.prompted import PromptedProvider
from roboreward_ros.rewards.chat.reply import distribution, read_reply
from roboreward_ros.rewards.live import LiveFrame
from roboreward_ros.rewards.vlm.parsers import (
    read_completion,
    read_contrast,
    read_progress,
    read_rubric,
)
from roboreward_ros.rewards.wire import (
    Message,
    MessageKind,
    decode_batch,
    decode_frame,
    decode_request,
    encode_batch,
    encode_frame,
    encode_request,
)
from roboreward_ros.types import (
    GroundTruth,
    Provenance,
    RewardRequest,
    Score,
    ScoreKind,
    ScoreScale,
)
from roboreward_ros.types.codec import (
    Fields,
    JsonObject,
    from_text,
    outcome_from_json,
    outcome_to_json,
)

REQUEST = RewardRequest(
    "ep_000000", "open the drawer", [b"\xff\xd8a", b"\xff\xd8b"], [0, 1], 5.0,
    [GroundTruth(0.1, False, 1, "reach")] * 2, 7,
)  # fmt: skip
DECODERS = {
    MessageKind.SCORE: decode_request,
    MessageKind.BATCH: decode_batch,
    MessageKind.PUSH: decode_frame,
}
SCORE = Score(
    4.0, ScoreScale.RUBRIC, ScoreKind.TOKENS, Provenance("s", "m", "c", "f"),
    (1.0, 4.0), (0.2, 0.8), text="ANSWER: 4",
)  # fmt: skip
REPLY = {
    "choices": [
        {
            "message": {"content": "ANSWER: 4"},
            "finish_reason": "stop",
            "logprobs": {
                "content": [
                    {"token": "ANSWER:", "logprob": -0.1, "top_logprobs": []},
                    {
                        "token": " 4",
                        "logprob": -0.2,
                        "top_logprobs": [{"token": " 5", "logprob": -2.0}],
                    },
                ]
            },
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2},
}
ANSWERS = {str(level): float(level) for level in range(1, 6)}


def messages() -> list[Message]:
    frame = LiveFrame("ep_000000", "t", 5.0, 3, b"\xff\xd8")
    return [encode_request(REQUEST), encode_batch([REQUEST, REQUEST]), encode_frame(frame)]


@st.composite
def forged_messages(draw: st.DrawFn) -> Message:
    base = draw(st.sampled_from(messages()))
    fields = draw(odd_json(base.fields))
    body = draw(edited(base.body))
    return Message(base.kind, fields if isinstance(fields, dict) else {}, body)


def read_message(message: Message, folder: Path) -> object:
    return DECODERS[message.kind](message)


def packets() -> st.SearchStrategy[bytes]:
    def framed(header: bytes) -> bytes:
        return struct.pack("<4sII", b"RRW1", len(header), 3) + header + b"abc"

    sound = framed(json.dumps({"kind": "score", "fields": {"a": 1}, "ticket": 3}).encode())
    header = {"kind": "score", "fields": {"a": [1, {"b": "c"}]}, "ticket": 3}
    return st.one_of(hostile_json(header).map(framed), edited(sound))


def read_outcome(data: bytes, folder: Path) -> object:
    return outcome_from_json(from_text(data, "outcome"))


def read_chat(data: bytes, folder: Path) -> object:
    reply = read_reply(from_text(data, "reply"), "host")
    return distribution(reply.positions, ANSWERS, "ANSWER:"), read_rubric(reply.text)


def printed() -> st.SearchStrategy[str]:
    sound = ('ANSWER: 4', '{"completion_progress": 0.5}', '{"task_completed": "yes"}',
             '```json\n{"more_complete_image": "ImageB"}\n```', "{" * 300,
             '{"a":' * 300)  # fmt: skip
    return st.one_of(
        st.sampled_from(sound).flatmap(lambda text: edited(text.encode())),
        hostile_json({"completion_progress": 0.5, "task_completed": "no"}),
    ).map(lambda data: data.decode("utf-8", "surrogateescape"))


def read_printed(text: str, folder: Path) -> object:
    return [read(text) for read in (read_rubric, read_progress, read_completion, read_contrast)]


def rewritten() -> st.SearchStrategy[str]:
    return st.one_of(
        hostile_json({"instruction": "Open the drawer"}).map(
            lambda data: data.decode("utf-8", "surrogateescape")
        ),
        printed(),
    )


def ask_provider(text: str, folder: Path) -> object:
    provider = PromptedProvider(lambda prompt: text, lambda *given: text, "id")
    return provider.rewrite("open the drawer")


HELD = {
    "episodes": ["ep_000000"],
    "lines": {"ledger/ledger.jsonl": [3, "a" * 64]},
    "whole": {"run.json": ""},
}


OFFER = {"episode_id": "ep_000000", "header_sha256": "a" * 64, "files": {"meta.json": 3}}
HELLO = {"name": "left", "run": "a" * 32, "seed": 1, "protocol": PROTOCOL}
NEWS = news_to_json(
    News(
        3,
        Bulletin(
            {"grad_steps": 9, "q_mean": math.nan, "message": "m", "audits_wanted": ["ep_000000"]},
            {"updates_per_s": 0.5},
            None,
            "trouble",
            "warning",
        ),
        ActorNews(2, "a" * 64, "f" * 64, 9, 1000),
        1,
    )
)


def read_offer(values: JsonObject) -> object:
    offer = Offer.from_json(Fields(values, "offer"))
    return offer.negative, offer.total, offer.digest


def read_json(read: Callable[[JsonObject], object]) -> Callable[[bytes, Path], object]:
    return lambda data, folder: read(from_text(data, "packet"))


@st.composite
def mirror_calls(draw: st.DrawFn) -> tuple[str, int, bytes]:
    names = (
        "ledger/ledger.jsonl",
        "run.json",
        "../x",
        "/tmp/x",
        "episodes/../../x",
        "",
        "ledger/\0",
    )
    return (
        draw(st.sampled_from(names)),
        draw(st.sampled_from((0, -1, 1, 2**63, 40))),
        draw(edited(b'{"crc32":"00000000","record":{}}\n')),
    )


def send_to_mirror(call: tuple[str, int, bytes], folder: Path) -> object:
    """Nothing that is sent lands outside of the mirror."""
    before = sorted(folder.parent.glob("x"))
    mirror = Mirror(folder / "mirror", "a" * 32)
    try:
        for send in (lambda: mirror.append(*call), lambda: mirror.replace(call[0], call[2])):
            try:
                send()
            except RoboRewardError:
                continue
    finally:
        mirror.close()
    assert sorted(folder.parent.glob("x")) == before
    assert [p.name for p in folder.iterdir()] == ["mirror"]
    return None


NAMES = (
    "reward messages", "packets", "outcomes", "chat replies", "printed answers",
    "relabelling answers",
    "fleet news", "fleet: held", "fleet: offer", "fleet: hello", "mirror",
)  # fmt: skip


def targets() -> list[Target]:
    return [
        Target(NAMES[0], forged_messages(), read_message),
        Target(NAMES[1], packets(), lambda data, folder: unpack(data)),
        Target(NAMES[2], hostile_json(outcome_to_json(SCORE)), read_outcome),
        Target(NAMES[3], hostile_json(REPLY), read_chat),
        Target(NAMES[4], printed(), read_printed),
        Target(NAMES[5], rewritten(), ask_provider),
        Target(NAMES[6], hostile_json(NEWS), read_json(news_from_json)),
        Target(NAMES[7], hostile_json(HELD), read_json(held_from_json)),
        Target(NAMES[8], hostile_json(OFFER), read_json(read_offer)),
        Target(NAMES[9], hostile_json(HELLO), read_json(lambda v: Arm.of_hello(Packet("arm", v)))),
        Target(NAMES[10], mirror_calls(), send_to_mirror, cost=2),
    ]
