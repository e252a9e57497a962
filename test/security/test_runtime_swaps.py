# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What whoever reaches the graph may not ask of a running reward node."""

import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.config import Options
from roboreward_ros.rewards.host import RewardHost
from roboreward_ros.rewards.switch import Refusal, SwitchError, refuse_from_outside, switch


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("os:system", {}),
        ("antigravity:x", {}),
        ("api", {"base_url": "http://elsewhere/v1"}),
        ("api", {"token_env": "SOME_SECRET"}),
        ("gvl", {"endpoint": {"token_env": "SOME_SECRET"}}),
        ("api", {"cost_file": "/etc/cron.d/x"}),
        ("lrm_mix", {"heads": [{"ca_file": "x"}]}),
    ],
)
def test_modules_secrets_and_files_are_not_taken_from_the_graph(
    source: str, options: Options
) -> None:
    with pytest.raises(ConfigError):
        refuse_from_outside(source, options, known=("mine.module:Source",))


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("roboreward", {"model": "/models/mine"}),
        ("mine.module:Source", {"value": 3.0}),
        ("roboreward_ros.rewards.human:ScriptedHumanSource", {}),
    ],
)
def test_known_sources_and_plain_options_pass(source: str, options: Options) -> None:
    refuse_from_outside(source, options, known=("mine.module:Source",))


def test_a_refused_source_is_never_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("roboreward_ros.rewards.switch.find_class", asked.append)
    host = RewardHost("human")
    try:
        with pytest.raises(SwitchError) as refused:
            switch(host, "os:system", "", shadow=False)
    finally:
        host.close()
    assert refused.value.refusal is Refusal.UNKNOWN_SOURCE
    assert asked == []
