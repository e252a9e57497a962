# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward report RUN``: summary.json, report.html and figures from the folder of a run."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from roboreward_ros.cli import run_config
from roboreward_ros.cli.run_files import (
    git_commit,
    learner_progress,
    read_arms,
    read_stages,
    versions,
)
from roboreward_ros.episodes.views import LabelStatus
from roboreward_ros.errors import FormatError, StoreError
from roboreward_ros.evaluation.agreement import AgreementBook, SourceReport
from roboreward_ros.evaluation.comparison import (
    NamedRun,
    comparison_sections,
    runs_section,
    succeeded,
)
from roboreward_ros.evaluation.gallery import confusion_section, gallery_section
from roboreward_ros.evaluation.html import Picture, Section, render_page, render_sections
from roboreward_ros.evaluation.run_view import EpisodeRow, RunView, reward_mae
from roboreward_ros.evaluation.source_table import source_section
from roboreward_ros.evaluation.success import Arm, ArmResult
from roboreward_ros.evaluation.summary import (
    ArmSummary,
    Gain,
    RunSummary,
    arm_rates,
    read_summary,
    write_summary,
)
from roboreward_ros.files import write_atomic
from roboreward_ros.session.memory import load_memory
from roboreward_ros.stack import StackArguments

PAGE_FILE = "report.html"
LIST_FILE = "index.html"
RUN_FILE = "run.json"
NIGHT_H = 12.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "report",
        help="page and plots of a run",
        description="Writes RUN/report.html; with a second run also a page that compares them. A "
        "folder of runs gets a page with all of them.",
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN", help="folder of a run, or of runs")
    parser.add_argument("other", type=Path, metavar="RUN2", nargs="?", help="a run to compare with")
    parser.add_argument(
        "--morning", action="store_true", help="what happened overnight, faults first, as text too"
    )
    parser.add_argument(
        "--hours", type=float, default=NIGHT_H, help=f"length of the night (default: {NIGHT_H:g})"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write summary and page; prints where they are."""
    if args.morning:
        from roboreward_ros.cli.morning import write_morning

        text, page = write_morning(args.run_dir, args.hours)
        print(f"{text}\n\nreport: {page}")
        return 0
    if args.other is None and (runs := runs_in(args.run_dir)):
        print(f"{len(runs)} runs: {write_list(args.run_dir, runs)}")
        return 0
    summary = write_report(args.run_dir)
    for line in headline(summary):
        print(line)
    print(f"report: {args.run_dir / PAGE_FILE}")
    if args.other is not None:
        print(f"comparison: {write_comparison(args.run_dir, args.other)}")
    return 0


def runs_in(folder: Path) -> list[Path]:
    """The runs directly below a folder that is none itself."""
    if (folder / RUN_FILE).is_file():
        return []
    return sorted(path.parent for path in folder.glob(f"*/{RUN_FILE}"))


def write_list(folder: Path, runs: Sequence[Path]) -> Path:
    """A page with all runs of a folder; their numbers are those of their last reports."""
    rows = []
    for path in runs:
        summary = None
        with contextlib.suppress(FormatError):
            summary = read_summary(path)
        rows.append((path.name, summary, RunView(path).count()))
    section = runs_section(rows)
    return _write(folder / LIST_FILE, render_sections(f"Runs in {folder.name}", "", [section]))


def write_comparison(first: Path, second: Path) -> Path:
    """A page in the first run's folder with both; raises as ``write_report``."""
    from roboreward_ros.evaluation.figures import compare_curves

    runs = [NamedRun(p.name, write_report(p), RunView(p).rows()) for p in (first, second)]
    if runs[0].name == runs[1].name:
        runs = [dataclasses.replace(run, name=f"{run.name} ({k})") for k, run in enumerate(runs, 1)]
    curve = compare_curves({run.name: run.rows for run in runs})
    page = render_sections(
        f"{runs[0].name} and {runs[1].name}", "", comparison_sections(runs[0], runs[1], curve)
    )
    return _write(first / f"compare_{second.name}.html", page)


def _write(path: Path, page: str) -> Path:
    write_atomic(path, page)
    return path


def headline(summary: RunSummary) -> list[str]:
    """What a person wants to know first."""
    counts = f"{summary.episodes} episodes, {summary.labelled} labelled"
    unlabelled = f"{summary.unlabelled} unlabelled ({summary.errors} by errors)"
    lines = [f"{summary.task}: {counts}, {unlabelled}"]
    if summary.gain is not None and summary.final_success is not None:
        rates = {
            "w ~ N(0, I)": summary.base_success,
            "w = 0": summary.zero_noise_success,
            "steered": summary.final_success,
        }
        shown = ", ".join(f"{k} {100 * v:.0f} %" for k, v in rates.items() if v is not None)
        lines.append(f"success on {summary.success_n} held-out layouts: {shown}")
        gain = summary.gain
        interval = f"[{100 * gain.low:+.0f}, {100 * gain.high:+.0f}]"
        lines.append(f"gain over {gain.over}: {100 * gain.value:+.0f} points, 95 % {interval}")
        if looking := summary.without_looking():
            lines.append(f"gain {looking}")
    return lines


def write_report(run_dir: Path) -> RunSummary:
    """Write ``summary.json``, ``report.html`` and the figures; returns the summary.

    Raises:
        StoreError: there is no run.
        FormatError: something of it is damaged.
    """
    if not (run_dir / RUN_FILE).is_file():
        raise StoreError(
            "there is no run",
            got=str(run_dir),
            next_step="Give the folder that was given as run_dir:=, such as runs/demo.",
        )
    view = RunView(run_dir)
    rows = view.rows()
    results = read_arms(run_dir)
    stages = read_stages(run_dir)
    book = AgreementBook(run_dir)
    sources = book.reports()
    summary = with_sources(summarise(run_dir, view.source, rows, results, stages), sources)
    # A page may be written again by later code; the provenance of the numbers stays.
    with contextlib.suppress(FormatError):  # no summary yet, or a damaged one: replaced here
        before = read_summary(run_dir)
        summary = dataclasses.replace(summary, git=before.git, versions=before.versions)
    write_summary(run_dir, summary)
    sections = _sections(run_dir, view, rows, results, summary, stages)
    if sources:
        sections.append(source_section(sources))
    known = book.known()
    said, declined = book.answers(summary.reward_source)
    more = (
        confusion_section(said, declined, known, summary.reward_source),
        gallery_section(view, rows, said, known),
    )
    sections += [section for section in more if section is not None]
    _write(run_dir / PAGE_FILE, render_page(summary, results, sections))
    return summary


def summarise(
    run_dir: Path,
    source: str,
    rows: Sequence[EpisodeRow],
    results: Sequence[ArmResult],
    stages: Mapping[str, float],
) -> RunSummary:
    """The promised numbers from what lies in the run's folder."""
    arguments = StackArguments.from_strings(run_config.load(run_dir))
    idle = load_memory(run_dir).idle
    labelled = sum(row.label is LabelStatus.LABELLED for row in rows)
    abstained = sum(row.label is LabelStatus.ABSTAINED for row in rows)
    there = {result.arm: result for result in results}
    compared = {Arm.BASE, Arm.ZERO, Arm.STEERED} <= set(there)
    actors = sorted((run_dir / "policies").glob("actor_*.safetensors"))
    return RunSummary(
        task=arguments.task,
        seed=arguments.seed,
        episodes=len(rows),
        env_steps=sum(row.n_steps for row in rows),
        **arm_rates(results),
        success_n=there[Arm.STEERED].n if Arm.STEERED in there else 0,
        reward_source=source or arguments.reward,
        reward_mae=reward_mae(rows),
        labelled=labelled,
        unlabelled=len(rows) - labelled,
        abstained=abstained,
        errors=len(rows) - labelled - abstained,
        grad_steps=learner_progress(run_dir).grad_steps,
        wall_s=sum(stages.values()) or idle.total_s(),
        idle=idle,
        policy_version=int(actors[-1].stem.split("_")[1]) if actors else 0,
        git=git_commit(),
        versions=versions(),
        arms={str(result.arm): ArmSummary.of(result) for result in results},
        gain=Gain.of(results) if compared else None,
        abstain_rate={},
    )


def with_sources(summary: RunSummary, sources: Sequence[SourceReport]) -> RunSummary:
    """The summary with what the run's source left out."""
    active = next((report for report in sources if report.name == summary.reward_source), None)
    if active is None:
        return summary
    coverage = active.coverage
    return dataclasses.replace(
        summary,
        reward_coverage=coverage.coverage,
        reward_mae_with_abstained=coverage.mae_with_abstained,
        abstain_rate={
            str(level): declined / count
            for level, (declined, count) in coverage.abstain_rate.items()
        },
    )


def _sections(
    run_dir: Path,
    view: RunView,
    rows: Sequence[EpisodeRow],
    results: Sequence[ArmResult],
    summary: RunSummary,
    stages: Mapping[str, float],
) -> list[Section]:
    from roboreward_ros.evaluation import figures

    def picture(name: str, title: str, png: bytes, caption: str) -> Picture:
        (run_dir / f"{name}.png").write_bytes(png)
        return Picture(title, png, caption)

    sections = []
    if results:
        bars = picture(
            "success", "success of every arm", figures.success_bars(results),
            "Success at the end of the episode by the simulator's truth, at the fixed final actor.",
        )  # fmt: skip
        sections.append(Section("Held-out success", "", [bars]))
    if any(succeeded(row) is not None for row in rows):
        baselines = [result for result in results if result.arm in (Arm.BASE, Arm.ZERO)]
        curve = picture(
            "learning_curve", "learning curve", figures.learning_curve(rows, baselines),
            "Ticks are single episodes: success above, failure below, by the simulator's truth "
            "where there is one, which the learner never sees, else as the labels claim. The band "
            "is the 95 % Wilson interval of the mean.",
        )  # fmt: skip
        sections.append(Section("Learning curve", "", [curve]))
    if rows:
        mae = summary.reward_mae
        text = f"Source: {summary.reward_source}." + (
            f" Mean error against the simulator's rubric score: {mae:.2f} of 4." if mae is not None
            else ""
        )  # fmt: skip
        rewards = picture(
            "rewards", "rewards", figures.reward_curve(rows),
            "One score an episode, given after its end from the stored frames.",
        )  # fmt: skip
        sections.append(Section("Rewards", text, [rewards]))
        strips = _strips(run_dir, view, rows)
        if strips:
            text = "The same frozen policy before and after its noise was steered."
            sections.append(Section("Before and after", text, strips))
    time = picture(
        "time", "where the time went", figures.time_bars(summary.idle, stages),
        "Above: stages of the demo. Below: what the robot did or waited for while it trained.",
    )  # fmt: skip
    sections.append(Section("Where the wall time went", "", [time]))
    return sections


def _strips(run_dir: Path, view: RunView, rows: Sequence[EpisodeRow]) -> list[Picture]:
    """The first failure and the last success, by truth where there is one, else by reward."""
    from roboreward_ros.evaluation.filmstrip import filmstrip, png_bytes

    rows = [row for row in rows if view.has_pictures(row.episode_id)]
    failure = next((row for row in rows if succeeded(row) is False), None)
    success = next((row for row in reversed(rows) if succeeded(row)), None)
    pictures = []
    for name, row in (("failure", failure), ("success_strip", success)):
        if row is None:
            continue
        episode = view.episode(row.episode_id)
        png = png_bytes(filmstrip(episode.frames(), episode.summary.meta.control_hz))
        (run_dir / f"{name}.png").write_bytes(png)
        kind = "failure" if row is failure else "success"
        by = "the plain policy" if row.policy_version == 0 else f"actor {row.policy_version}"
        reward = "unlabelled" if row.reward is None else f"reward {row.reward:g}"
        caption = f"Episode {row.index + 1}, {by}: {kind}, {reward}."
        pictures.append(Picture(kind, png, caption))
    return pictures
