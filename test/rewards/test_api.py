# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``api`` against a server in this process that runs a small real model, healthy and failing."""

import dataclasses
import logging

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.api import ApiConfig
from roboreward_ros.rewards.chat import client as client_module
from roboreward_ros.rewards.chat.asking import Conversation
from roboreward_ros.rewards.chat.endpoint import EndpointConfig
from roboreward_ros.rewards.config import build_config, file_options
from roboreward_ros.rewards.guard import Guard
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.worker import ChildSource
from roboreward_ros.testing.chat_server import MODEL, ChatServer, Fault
from roboreward_ros.testing.conformance_reward_source import (
    RewardSourceConformance,
    jpeg,
)
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    RewardFailure,
    RewardRequest,
    Score,
    ScoreKind,
)

TOKEN = "sk-very-secret-0123456789"
SURE = {"max_entropy": 9.0, "max_off_answer_mass": 1.0}
SCORED = {"prefill": True, "logprobs": True, "media": "jpeg_list", "vllm_fields": True}
SCORED |= {"top_logprobs": 700, **SURE}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(client_module.random, "uniform", lambda low, high: 0.01)


@pytest.fixture
def server(backends):
    with ChatServer(backends("qwen3_vl")) as made:
        yield made


@pytest.fixture
def stub():
    """Without a model: for what fails before one is asked, or prints what a test gives it."""
    with ChatServer() as made:
        yield made


@pytest.fixture
def make():
    made = []

    def build_warm(server, **options):
        source = build("api", options_for(server, **options))
        source.warm_up()
        made.append(source)
        return source

    yield build_warm
    for source in made:
        source.close()


def options_for(server, **options):
    return {"base_url": server.url, "model": MODEL, "timeout_s": 60.0, "frame_factor": 16} | options


def episode(steps=12, task="open the drawer", hz=5.0, seed=0):
    rng = np.random.default_rng(seed)
    frames = [jpeg(int(level), 48) for level in rng.integers(0, 256, steps)]
    return RewardRequest("ep_000000", task, frames, [0] * steps, hz)


class TestConformance(RewardSourceConformance):
    @pytest.fixture(
        params=[
            SCORED,
            {"media": "mp4", "max_tokens": 4},
            {"media": "images", "logprobs": True, "max_tokens": 4},
        ],
        ids=["scored", "printed", "printed-with-logprobs"],
    )
    def source(self, request, server):
        return build("api", options_for(server, **request.param))


class TestConformanceOfAChild(RewardSourceConformance):
    @pytest.fixture(scope="class")
    @classmethod
    def child(cls, backends):
        with ChatServer(backends("qwen3_vl")) as server:
            source = ChildSource("api", options_for(server, **SCORED))
            yield source
            source.close()

    @pytest.fixture
    def source(self, child):
        return child

    @pytest.fixture
    def warm(self, child):
        child.warm_up()
        return child


def test_a_served_score_equals_the_local_one(make, server, tiny):
    from roboreward_ros.rewards.vlm.prompt import Family

    local = build(
        "qwen_base",
        {"model": str(tiny(Family.QWEN3_VL)), "device": "cpu", "offline": True, **SURE},
    )
    local.warm_up()
    wanted = local.score(episode())
    found = make(server, **SCORED).score(episode())
    assert isinstance(found, Score)
    assert found.kind is ScoreKind.TOKENS
    assert found.levels == wanted.levels
    assert found.probabilities == pytest.approx(wanted.probabilities, abs=1e-4)
    assert found.off_answer_mass == pytest.approx(wanted.off_answer_mass, abs=1e-4)
    assert found.provenance.frames_hash == wanted.provenance.frames_hash
    assert found.provenance.model == f"{MODEL}@127.0.0.1:{server.port}"
    local.close()


@pytest.mark.parametrize(
    ("media", "kind"), [("mp4", "video_url"), ("jpeg_list", "video_url"), ("images", "image_url")]
)
def test_frames_arrive_in_every_form(make, server, media, kind):
    source = make(server, **{**SCORED, "media": media})
    light, dark = (
        source.score(dataclasses.replace(episode(), frames=[jpeg(level, 48)] * 12))
        for level in (250, 5)
    )
    assert isinstance(light, Score)
    assert light.probabilities != dark.probabilities, "the model sees the frames"
    parts = server.requests[-1]["messages"][0]["content"]
    kinds = [part["type"] for part in parts]
    assert kinds.count(kind) == (4 if media == "images" else 1)
    assert kinds[0] == "text", "text first"
    assert ("mm_processor_kwargs" in server.requests[-1]) == (media != "images")


def test_only_what_the_server_understands_is_sent(make, server):
    source = make(server, media="images", max_tokens=3, extra='{"temperature": null, "seed": 7}')
    source.score(episode())
    body = server.requests[-1]
    assert set(body) == {"model", "messages", "max_tokens", "seed"}
    assert [message["role"] for message in body["messages"]] == ["user"]
    make(server, **{**SCORED, "order": "video_first", "system": "Be strict."}).score(episode())
    body = server.requests[-1]
    roles = [message["role"] for message in body["messages"]]
    assert roles == ["system", "user", "assistant"]
    assert body["continue_final_message"]
    assert body["messages"][1]["content"][0]["type"] == "video_url"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [("ANSWER: 4", Score, 4.0), (" answer: 2.\n", Score, 2.0), ("ANSWER: 50", RewardFailure, None)],
)
def test_printed_answers_are_parsed_strictly(make, stub, text, kind, value):
    stub.texts.append(text)
    outcome = make(stub).score(episode())
    assert isinstance(outcome, kind)
    if isinstance(outcome, Score):
        assert (outcome.value, outcome.kind, outcome.text) == (value, ScoreKind.NONE, text)
    else:
        assert text in outcome.message


def test_an_unparsable_answer_abstains_and_keeps_its_text(make, stub):
    text = "I would say 4 of 5, the drawer is almost open."
    stub.texts.append(text)
    outcome = make(stub).score(episode())
    assert isinstance(outcome, Abstain)
    assert (outcome.reason, outcome.text) == (AbstainReason.UNPARSABLE, text)


@pytest.mark.parametrize(
    "fault", [Fault.TOO_MANY, Fault.BROKEN, Fault.BUSY, Fault.CUT], ids=lambda fault: fault.name
)
def test_what_may_pass_is_tried_again(make, stub, fault):
    source = make(stub)
    stub.faults.extend([fault, fault])
    stub.texts.append("ANSWER: 5")
    assert source.score(episode()).value == 5
    assert len(stub.requests) == 3


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.HTML, "no JSON object.*Please log in.*base_url"),
        (Fault.NOT_A_CHAT, "choices"),
        (Fault.NO_LOGPROBS, "no token probabilities.*logprobs: false"),
    ],
)
def test_what_will_not_pass_fails_at_once(make, server, fault, words):
    source = make(server, **SCORED)
    server.faults.append(fault)
    outcome = Guard(source).score(episode())
    assert isinstance(outcome, RewardFailure)
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(outcome.message.replace("\n", " "))
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.DRIP])
def test_a_slow_endpoint_ends_at_the_deadline_and_says_so(make, stub, fault):
    source = make(stub, timeout_s=1.5)
    stub.faults.extend([fault] * 9)
    with pytest.raises(RewardSourceError, match=r"no answer from 127.*(nothing came|too slowly)"):
        source.score(episode())


def test_an_endpoint_that_is_down_fails_and_is_asked_again_when_it_is_back(make, stub):
    source = make(stub, retries=1)
    port = stub.port
    stub.__exit__()
    outcome = Guard(source).score(episode())
    assert isinstance(outcome, RewardFailure)
    assert "after 2 attempts" in outcome.message
    with ChatServer(port=port) as back:
        back.texts.append("ANSWER: 3")
        assert source.score(episode()).value == 3
    stub._thread = back._thread  # the fixture ends a server that has ended


def test_a_wait_that_the_deadline_does_not_allow_is_not_begun(stub):
    clock = FakeClock()
    talk = Conversation(EndpointConfig(stub.url, MODEL, timeout_s=20.0), clock)
    stub.faults.append(Fault.TOO_MANY)
    stub.retry_after = "3600"
    with pytest.raises(RewardSourceError, match=r"1 attempt.*429"):
        talk.ask([{"type": "text", "text": "?"}], max_tokens=1)
    assert clock.steady == 0
    stub.faults.append(Fault.TOO_MANY)
    stub.retry_after = "7"
    stub.texts.append("ANSWER: 1")
    assert talk.ask([{"type": "text", "text": "?"}], max_tokens=1).text == "ANSWER: 1"
    assert clock.steady == 7e9, "Retry-After goes before our own pause"
    talk.close()


def test_the_token_comes_from_the_environment_and_goes_nowhere(make, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("VLM_TOKEN", TOKEN)
    with ChatServer(token=TOKEN) as server:
        source = make(server, token_env="VLM_TOKEN")
        server.texts.append("ANSWER: 2")
        outcome = source.score(episode())
        assert outcome.value == 2
        server.faults.append(Fault.ECHO)
        with pytest.raises(RewardSourceError, match=r"Bearer \*\*\*") as echoed:
            source.score(episode())
        seen = [caplog.text, repr(outcome), str(echoed.value), repr(server.requests)]
        assert not any(TOKEN in text for text in seen)
        monkeypatch.setenv("VLM_TOKEN", "another")
        with pytest.raises(RewardSourceError, match=r"refuses the token.*VLM_TOKEN"):
            make(server, token_env="VLM_TOKEN")
        monkeypatch.delenv("VLM_TOKEN")
        with pytest.raises(RewardSourceError, match="VLM_TOKEN is empty"):
            make(server, token_env="VLM_TOKEN")
        with pytest.raises(RewardSourceError, match="token_env"):
            make(server)


def test_a_model_that_is_not_offered_is_named(make, stub):
    with pytest.raises(RewardSourceError, match=r"does not offer.*another.*tiny"):
        make(stub, model="another")


def test_cost_is_counted_and_capped(make, stub, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    prices = {"price_in": 1e5, "price_out": 1e5, "cost_cap": 2.0}  # 1.3 a request
    options = {**prices, "cost_file": str(tmp_path / "cost.json")}
    stub.texts.extend(["ANSWER: 1"] * 3)
    source = make(stub, **options)
    source.score(episode())
    assert source.diagnostics()["endpoint"] == "1 requests, 10 + 3 tokens, cost 1.3000 of 2"
    assert "cost 1.3000 of 2" in caplog.text
    source.score(episode())
    again = make(stub, **options)  # a restart does not forget
    for asked in (source, again):
        with pytest.raises(RewardSourceError, match=r"cost cap.*2\.6.*cost_cap 2"):
            asked.score(episode())
    assert len(stub.requests) == 2
    (tmp_path / "cost.json").write_text("nonsense")
    with pytest.raises(RewardSourceError, match="cost_file"):
        make(stub, **options)
    stub.usage = False
    with pytest.raises(RewardSourceError, match="no usage"):
        make(stub, **prices).score(episode())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"base_url": "ftp://host/v1"}, "not a URL"),
        ({"base_url": "http://user:pw@host/v1"}, "more than scheme"),
        ({"base_url": "http://far.example/v1", "token_env": "T"}, "unencrypted"),
        ({"token_env": "sk-123"}, "not the name"),
        ({"cost_cap": 1.0}, "needs prices"),
        ({"prefill": True}, "prefill without logprobs"),
        ({"extra": "[1]"}, "extra"),
        ({"retries": -1}, "retries"),
        ({"media": "gif"}, "media"),
        ({"frame_factor": 0}, "frame_factor"),
    ],
)
def test_settings_are_checked(options, words):
    with pytest.raises(ConfigError, match=words) as refused:
        build("api", options)
    assert "sk-123" not in str(refused.value)
    assert "pw" not in str(refused.value)


def test_without_an_endpoint_the_error_says_what_to_set():
    with pytest.raises(RewardSourceError, match=r"base_url.*serve-a-reward-model"):
        build("api").warm_up()
    with pytest.raises(RewardSourceError, match="not warm"):
        build("api").score(episode())


def test_the_file_holds_the_defaults():
    options = file_options("api")
    assert build_config(ApiConfig, options, "api") == ApiConfig()
    assert set(options) == {field.name for field in dataclasses.fields(ApiConfig)}
