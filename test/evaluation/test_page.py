# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page needs nothing but itself, shows every number, and its figures draw."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from synthetic import made_results, made_rows, made_summary
from test_summary import PROMISED

from roboreward_ros.errors import ConfigError
from roboreward_ros.evaluation import figures
from roboreward_ros.evaluation.filmstrip import filmstrip, frame_indices, png_bytes
from roboreward_ros.evaluation.html import Picture, Section, render_page
from roboreward_ros.evaluation.run_view import EpisodeRow
from roboreward_ros.evaluation.success import LABELS
from roboreward_ros.types import IdleAccount


def size_of(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        return image.size


@pytest.fixture(scope="module")
def page() -> str:
    rows, results = made_rows(), made_results()
    png = png_bytes(np.zeros((4, 4, 3), np.uint8))
    section = Section("Rewards & more", "text", [Picture("title", png, "a <caption>")])
    return render_page(made_summary(rows, results), results, [section])


def test_every_promised_key_is_on_the_page(page: str) -> None:
    for key in PROMISED:
        assert f"<td>{key}</td>" in page


def test_every_arm_is_on_the_page(page: str) -> None:
    for label in LABELS.values():
        assert label in page


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "http" not in page
    assert "<script" not in page
    assert "@import" not in page
    assert 'src="data:image/png;base64,' in page


def test_text_is_escaped(page: str) -> None:
    assert "open the &lt;drawer&gt;" in page
    assert "<drawer>" not in page
    assert "a &lt;caption&gt;" in page
    assert "Rewards &amp; more" in page


def test_a_run_without_evaluation_has_a_page_too() -> None:
    page = render_page(made_summary(made_rows(), made_results()), [], [])
    assert "Every way to choose the noise" not in page


@pytest.mark.parametrize("rows", [made_rows(), made_rows(1), []])
def test_figures_draw_with_many_one_and_no_episodes(rows: list[EpisodeRow]) -> None:
    results = made_results(20)
    idle = IdleAccount(80.0, 20.0, 5.0, 60.0, 0.0, 1.0)
    for png in (
        figures.learning_curve(rows, results[:2]),
        figures.reward_curve(rows),
        figures.success_bars(results),
        figures.time_bars(idle, {"training": 160.0}),
        figures.time_bars(IdleAccount(), {}),
    ):
        width, height = size_of(png)
        assert width > 800
        assert height > 100


def test_a_rolling_mean_looks_back_only() -> None:
    mean = figures.rolling_mean(np.array([0.0, 1.0, 1.0, 0.0]), 2)
    assert mean.tolist() == [0.0, 0.5, 1.0, 0.5]


def jpeg(grey: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((60, 80, 3), grey, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def test_a_filmstrip_shows_first_and_last_frame_in_order() -> None:
    frames = [jpeg(grey) for grey in range(0, 250, 10)]
    strip = filmstrip(frames, 5.0, count=5, height=90)
    assert strip.shape == (90, 5 * 120 + 4 * 4, 3)
    greys = [int(strip[20, 124 * k + 60, 0]) for k in range(5)]
    assert greys == sorted(greys)
    assert greys[0] == pytest.approx(0, abs=3)
    assert greys[-1] == pytest.approx(240, abs=3)


@pytest.mark.parametrize(
    ("n", "count", "indices"), [(45, 3, [0, 22, 44]), (2, 8, [0, 1]), (9, 1, [8])]
)
def test_frames_are_spread_evenly(n: int, count: int, indices: list[int]) -> None:
    assert frame_indices(n, count) == indices


def test_an_empty_filmstrip_is_refused() -> None:
    with pytest.raises(ConfigError, match="filmstrip"):
        frame_indices(0, 4)
