# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``gvl``, ``topreward`` and ``lrm_mix`` over small real models, local and served."""

import dataclasses

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.config import build_config, file_options
from roboreward_ros.rewards.gvl import (
    GvlConfig,
    read_percentages,
    shuffle,
    value_order_correlation,
)
from roboreward_ros.rewards.lrm_mix import LrmMixConfig
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.topreward import TopRewardConfig
from roboreward_ros.rewards.vlm.parsers import OutOfRange, Unreadable
from roboreward_ros.rewards.vlm.prompt import Family
from roboreward_ros.testing.chat_server import MODEL, ChatServer
from roboreward_ros.testing.conformance_reward_source import (
    RewardSourceConformance,
    jpeg,
    make_request,
)
from roboreward_ros.testing.tiny_vlm import make_tiny_adapter, make_tiny_vlm
from roboreward_ros.types import Abstain, AbstainReason, RewardFailure, Score, ScoreKind

HEADS = ("progress", "completion", "contrastive")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="session")
def truthful(tmp_path_factory):
    """A model for which True and False are tokens."""
    folder = tmp_path_factory.mktemp("truthful")
    return make_tiny_vlm(folder, words=("The answer is: True", "The answer is: False"))


@pytest.fixture(scope="session")
def three_adapters(tiny, tmp_path_factory):
    """A folder for each head, each with other weights; one brings a vision tower."""
    base = tiny(Family.QWEN3_VL)
    made = {}
    for seed, head in enumerate(HEADS):
        whole = ("visual",) if head == "progress" else ()
        place = tmp_path_factory.mktemp(head)
        made[head] = str(make_tiny_adapter(place, base, seed=seed + 5, whole=whole))
    return made


def local(folder, **options):
    return {"model": str(folder), "device": "cpu", "offline": True, **options}


def mix_options(tiny, adapters, **options):
    sure = {"max_entropy": 9.0, "max_off_answer_mass": 1.0, "contrastive_readout": "scored"}
    named = {f"{head}_adapter": path for head, path in adapters.items()}
    return local(tiny(Family.QWEN3_VL), **sure, **named, **options)


class TestConformance(RewardSourceConformance):
    @pytest.fixture(params=["gvl", "gvl-api", "top", "top-dense", "mix", "mix-dense"])
    def source(self, request, tiny, backends, truthful, three_adapters):
        kind = request.param
        if kind == "gvl":
            yield build("gvl", local(tiny(Family.QWEN2_5_VL), max_new_tokens=3))
        elif kind == "gvl-api":
            with ChatServer(backends("qwen3_vl")) as server:
                endpoint = {"base_url": server.url, "model": MODEL, "max_tokens": 3}
                yield build("gvl", {"via": "api", "endpoint": endpoint})
        elif kind.startswith("top"):
            yield build("topreward", local(truthful, dense="dense" in kind))
        else:
            options = mix_options(tiny, three_adapters, dense="dense" in kind, every=2)
            yield build("lrm_mix", options)


def warm(name, options):
    source = build(name, options)
    source.warm_up()
    return source


@pytest.fixture
def served():
    with ChatServer() as server:
        endpoint = {"base_url": server.url, "model": MODEL}
        source = warm("gvl", {"via": "api", "endpoint": endpoint, "frames": 5})
        yield source, server
        source.close()


def test_gvl_puts_shuffled_answers_back_in_order(served):
    source, server = served
    request = dataclasses.replace(
        make_request(source), frames=[jpeg(10 + 20 * k) for k in range(9)]
    )
    order = shuffle(4, request)
    assert sorted(order) == [0, 1, 2, 3]
    truth = [20.0, 55.5, 40.0, 90.0]  # of frames 2, 4, 6, 8 in time
    server.texts.append("\n".join(f"Frame {n + 1}: {truth[p]:g}%" for n, p in enumerate(order)))
    outcome = source.score(request)
    assert isinstance(outcome, Score)
    assert outcome.value == pytest.approx(0.9)
    steps = [0, 0, 0.2, 0.2, 0.555, 0.555, 0.4, 0.4, 0.9]
    assert outcome.per_step == pytest.approx(steps)
    parts = server.requests[-1]["messages"][0]["content"]
    assert sum(part["type"] == "image_url" for part in parts) == 5
    assert not source.spec.needs_child_process
    assert build("gvl").spec.needs_child_process


def test_gvl_shows_the_frames_in_the_order_that_it_undoes(tiny, monkeypatch):
    source = warm("gvl", local(tiny(Family.QWEN3_VL), frames=5))
    seen = []

    def ask(parts):
        seen.extend(part.mean() for part in parts if not isinstance(part, str))
        return "\n".join(f"Frame {n}: {level / 2.55:.1f}%" for n, level in enumerate(seen[1:], 1))

    monkeypatch.setattr(source._printer, "ask", ask)
    levels = [5, 250, 30, 120, 200]  # what a frame shows is what it is given
    request = dataclasses.replace(
        make_request(source, steps=4), frames=[jpeg(level) for level in levels]
    )
    outcome = source.score(request)
    assert outcome.per_step[1:] == pytest.approx(np.array(levels[1:]) / 255, abs=0.01)
    assert seen[0] == pytest.approx(5, abs=1)
    source.close()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Frame 1: 10%\nFrame 2: 150%", RewardFailure),
        ("Frame 1: 10%\nFrame 9: 15%", RewardFailure),
        ("Frame 1: 10%", Abstain),
        ("about 40 percent", Abstain),
        ("", Abstain),
    ],
)
def test_gvl_never_fills_in_what_the_model_left_out(served, text, kind):
    source, server = served
    server.texts.append(text)
    outcome = source.score(make_request(source, steps=2))
    assert isinstance(outcome, kind)
    if kind is Abstain:
        assert (outcome.reason, outcome.text) == (AbstainReason.UNPARSABLE, text)


def test_percentages_are_read_strictly():
    assert read_percentages(" **Frame 2**: 7.5%.\n\nframe 1 : 0 %\n", 2) == (0.0, 7.5)
    assert isinstance(read_percentages("Frame 1: 1%\nFrame 1: 2%", 2), Unreadable)
    assert isinstance(read_percentages("Frame 1: 1%\nDone!", 1), Unreadable)
    assert isinstance(read_percentages("Frame 1: -3%", 1), OutOfRange)


def test_value_order_correlation_is_a_rank_correlation():
    assert value_order_correlation([0, 0.1, 0.5, 0.7]) == pytest.approx(1)
    assert value_order_correlation([3, 2, 1]) == pytest.approx(-1)
    assert value_order_correlation([1, 1, 1]) == 0
    from scipy.stats import spearmanr

    values = [0.1, 0.4, 0.4, 0.2, 0.9]
    wanted = spearmanr(values, range(5)).statistic
    assert value_order_correlation(values) == pytest.approx(wanted)


def test_topreward_is_the_mass_of_true(truthful):
    sources = [
        warm("topreward", local(truthful, form=form, chat_template=chat))
        for form, chat in (("mass", False), ("share", False), ("mass", True))
    ]
    mass, share, chat = (source.score(make_request(source, steps=6)) for source in sources)
    assert mass.levels == (0.0, 1.0)
    assert mass.kind is ScoreKind.TOKENS
    assert share.value == pytest.approx(share.probabilities[1])
    assert mass.value == pytest.approx(share.value * (1 - share.off_answer_mass))
    assert chat.value != mass.value
    for source in sources:
        source.close()


def test_topreward_scores_every_prefix_as_if_it_were_the_episode(truthful):
    dense = warm("topreward", local(truthful, dense=True))
    plain = warm("topreward", local(truthful))
    request = dataclasses.replace(
        make_request(dense), frames=[jpeg(25 * (k % 7)) for k in range(10)]
    )
    found = dense.score(request).per_step
    assert len(found) == 10
    for count in (3, 7, 10):
        part = dataclasses.replace(request, frames=request.frames[:count])
        assert found[count - 1] == pytest.approx(plain.score(part).value, abs=1e-6)
    dense.close()
    plain.close()


def test_lrm_mix_is_the_mean_of_the_heads_by_themselves(tiny, three_adapters):
    options = mix_options(tiny, three_adapters, estimate="expected", dense=True, every=2)
    source = warm("lrm_mix", options)
    request = make_request(source, steps=5)
    mixed = source.score(request)
    sure = {"max_entropy": 9.0, "max_off_answer_mass": 1.0, "readout": "scored"}
    shared = {**sure, "estimate": "expected", "dense": True, "every": 2}
    wanted, steps = 0.0, np.zeros(6)
    for head in HEADS:
        path = local(tiny(Family.QWEN3_VL), adapter=three_adapters[head])
        alone = warm(f"lrm_{head}", {**path, **shared})
        outcome = alone.score(request)
        values = np.array([outcome.value, *outcome.per_step])
        values = (values + 1) / 2 if head == "contrastive" else values
        wanted += values[0] / 3
        steps += values[1:] / 3
        alone.close()
    assert mixed.value == pytest.approx(wanted, abs=1e-5)
    assert mixed.per_step == pytest.approx(steps, abs=1e-5)
    assert mixed.provenance.model.count("+") == 3
    again = source.score(request)
    assert dataclasses.replace(again, latency_s=mixed.latency_s) == mixed
    source.close()


def test_lrm_mix_weighs_and_leaves_out_heads(tiny, three_adapters):
    only = {"progress_weight": 0.0, "contrastive_weight": 0.0, "completion_weight": 3.0}
    adapters = {"completion": three_adapters["completion"]}
    source = warm("lrm_mix", mix_options(tiny, adapters, **only))
    alone = warm(
        "lrm_completion",
        local(
            tiny(Family.QWEN3_VL),
            adapter=adapters["completion"],
            max_entropy=9.0,
            max_off_answer_mass=1.0,
        ),
    )
    request = make_request(source)
    outcome = source.score(request)
    assert outcome.value == alone.score(request).value
    assert "progress" not in outcome.text
    source.close()
    alone.close()


def test_lrm_mix_abstains_with_a_head_and_names_it(tiny, three_adapters):
    source = warm("lrm_mix", mix_options(tiny, three_adapters) | {"max_off_answer_mass": 0.0})
    outcome = source.score(make_request(source))
    assert isinstance(outcome, Abstain)
    assert outcome.detail.startswith("progress: ")
    assert outcome.provenance.source == "lrm_mix"
    source.close()


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("lrm_mix", {"adapter": "x"}, "adapter of its own"),
        ("lrm_mix", {"progress_weight": -1.0}, "weights are impossible"),
        ("lrm_mix", dict.fromkeys([f"{h}_weight" for h in HEADS], 0.0), "one above 0"),
        ("gvl", {"frames": 1}, "frames"),
        ("gvl", {"readout": "scored"}, "printed"),
        ("gvl", {"endpoint": {"retries": -1}}, "retries"),
        ("gvl", {"endpoint": {"nonsense": 1}}, "unknown option"),
        ("topreward", {"order": "text_first"}, "order"),
        ("topreward", {"form": "log"}, "form"),
    ],
)
def test_settings_are_checked(name, options, words):
    with pytest.raises(ConfigError, match=words):
        build(name, options)


@pytest.mark.parametrize("name", ["gvl", "topreward", "lrm_mix"])
def test_without_weights_the_error_says_how_to_get_them(name):
    with pytest.raises(RewardSourceError, match=r"'model'.*empty"):
        build(name).warm_up()
    with pytest.raises(RewardSourceError, match="not warm"):
        build(name).score(make_request(build(name)))


def test_a_vocabulary_without_the_words_is_refused(tiny):
    with pytest.raises(RewardSourceError, match="not single tokens"):
        build("topreward", local(tiny(Family.QWEN3_VL))).warm_up()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("gvl", GvlConfig), ("topreward", TopRewardConfig), ("lrm_mix", LrmMixConfig)],
)
def test_the_files_hold_the_defaults(name, kind):
    options = file_options(name)
    assert build_config(kind, options, name) == kind()
    assert set(options) == {field.name for field in dataclasses.fields(kind)}
