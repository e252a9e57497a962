# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes what can be computed, so that it cannot fall behind: docs/reference from the code, and
the figures that the demo shows beside its own from bench/results.

Usage: python tools/make_docs.py [--check]    (--check only compares; exit 1 when a page is old)
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import sys
from pathlib import Path
from types import ModuleType

from roboreward_ros.ros.params import HostConfig
from roboreward_ros.session.diagram import edges, mermaid, verb_table
from roboreward_ros.session.events import KEYS
from roboreward_ros.stack import StackArguments
from roboreward_ros.studies import demo_comparison

ROOT = Path(__file__).resolve().parent.parent
NOTE = "<!-- Written by `make docs` from the code; edit there. -->\n\n"
PRECEDENCE = """\
For `ros2 launch roboreward_ros dsrl_widowx.launch.py` and `roboreward launch dsrl_widowx` alike.
Precedence: class default < `config/<node>.yaml` < profile < `run.json` of a resumed run < launch
argument < runtime parameter.
"""
TABLE = ["| parameter | default | meaning |", "|---|---|---|"]


def cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def launch_arguments() -> str:
    lines = [
        "# Launch arguments of `dsrl_widowx`\n",
        PRECEDENCE,
        "| argument | default | meaning |",
        "|---|---|---|",
    ]
    for item in dataclasses.fields(StackArguments):
        default = str(item.default).lower() if isinstance(item.default, bool) else item.default
        lines.append(f"| `{item.name}:=` | `{default or ''}` | {cell(item.metadata['help'])} |")
    return "\n".join(lines) + "\n"


def config_of(module: ModuleType) -> type[HostConfig]:
    """The configuration class that a node's module defines."""
    (found,) = {
        item
        for item in vars(module).values()
        if isinstance(item, type)
        and issubclass(item, HostConfig)
        and item.__module__ == module.__name__
    }
    return found


def parameters() -> str:
    lines = ["# Parameters of the nodes\n", "Defaults of `config/<node>.yaml`.\n"]
    for path in sorted((ROOT / "roboreward_ros" / "nodes").glob("*_node.py")):
        module = importlib.import_module(f"roboreward_ros.nodes.{path.stem}")
        summary = (module.__doc__ or "").strip().splitlines()[0]
        lines += [f"## {path.stem}\n", f"{summary}\n", *TABLE]
        for item in dataclasses.fields(config_of(module)):
            text = item.metadata.get("help", "")
            lines.append(f"| `{item.name}` | `{item.default}` | {cell(text)} |")
        lines.append("")
    return "\n".join(lines)


def interfaces() -> str:
    lines = ["# Messages, services and actions\n"]
    for kind in ("msg", "srv", "action"):
        for path in sorted((ROOT / kind).glob(f"*.{kind}")):
            lines += [f"## {kind}/{path.stem}\n", "```", path.read_text().rstrip(), "```\n"]
    return "\n".join(lines)


def session() -> str:
    lines = [
        "# The session's states\n",
        "What `session_node` does, found by letting the state machine live through whatever can",
        "happen (`roboreward_ros/session/diagram.py`). An episode that is not saved keeps its",
        "index and seed and is run again.\n",
        "```mermaid",
        mermaid(edges()),
        "```\n",
        "Which verb is possible in which phase; the others are refused by name:\n",
        *verb_table(),
        "",
        "Keys of every console:\n",
        "| key | verb | meaning |",
        "|---|---|---|",
        *(f"| `{key}` | `{verb}` | {cell(text)} |" for key, (verb, text) in KEYS.items()),
        "| `1` to `5` | `label` | how far it got |",
    ]
    return "\n".join(lines) + "\n"


PAGES = {
    "session-states.md": session,
    "launch-arguments.md": launch_arguments,
    "parameters.md": parameters,
    "interfaces.md": interfaces,
}


def written() -> dict[Path, str]:
    """Everything that is written, by file."""
    pages = {ROOT / "docs" / "reference" / name: NOTE + text() for name, text in PAGES.items()}
    return pages | {demo_comparison.KEPT: demo_comparison.dump(ROOT / "bench" / "results")}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    old = []
    for path, text in written().items():
        name = str(path.relative_to(ROOT))
        if check:
            if not path.is_file() or path.read_text() != text:
                old.append(name)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {name}")
    if old:
        print(f"out of date: {', '.join(old)}; run `make docs` and commit them")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
