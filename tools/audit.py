# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Audits what is installed in .venv: versions, licences, bill of materials, known vulnerabilities.

Writes build/audit/: sbom.cdx.json (CycloneDX), licences.json, vulnerabilities.json, summary.json.
Exit code 0: nothing found. 1: something was found. 2: nothing was found, but the database of
vulnerabilities did not answer for some packages, so that nobody knows about those.

Usage: python tools/audit.py [--service pypi|osv] [--offline]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import sysconfig
import venv
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "audit"
TOOLS = ROOT / "requirements" / "audit.txt"
OURS = {"roboreward-ros", "pip", "setuptools"}
LIMIT_S = 600.0
STRONG = re.compile(r"\bA?GPL|GNU (Affero )?General Public", re.IGNORECASE)
"""Licences that would bind users of an Apache-2.0 package that ships them; LGPL and MPL do not."""
ACCEPTED = {"docutils": "public domain but for files that are not imported"}
_PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[.*\])?==(\S+)")


@dataclass
class Audit:
    """What was looked at and what was found; each line of ``found`` fails the audit."""

    packages: int = 0
    found: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def code(self) -> int:
        return 1 if self.found else 2 if self.unknown else 0


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> dict[str, metadata.Distribution]:
    """Wheels of this environment; what lies inside a ROS wheel (an egg-info) belongs to that."""
    site = sysconfig.get_paths()["purelib"]
    wheels = (d for d in metadata.distributions(path=[site]) if d.read_text("WHEEL") is not None)
    return {normal(wheel.metadata["Name"]): wheel for wheel in wheels}


def pins() -> dict[str, str]:
    """Versions that the repository asks for, over what .venv was made for."""
    made_for = ROOT / ".venv" / ".made_for"
    jazzy = made_for.is_file() and made_for.read_text().startswith("jazzy")
    found = {}
    for name in ("constraints-jazzy.txt",) if jazzy else ("constraints.txt", "ros.txt"):
        for line in (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines():
            if match := _PIN.match(line):
                found[normal(match[1])] = match[2]
    return found


def check_pins(versions: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """Packages of another version than pinned, or not pinned; a build such as +cpu is the same."""
    lines = []
    for name, version in sorted(versions.items()):
        pin = wanted.get(name)
        if name in OURS:
            continue
        if pin is None:
            lines.append(f"{name} {version} is installed but not pinned")
        elif version.split("+")[0] != pin.split("+")[0]:
            lines.append(f"{name} {version} is installed, {pin} is pinned")
    return lines


def licence_of(about: metadata.PackageMetadata) -> str:
    """As stated: the expression, else the classifiers, else the free text's first line."""
    if expression := about.get("License-Expression"):
        return str(expression)
    classes = [
        str(c).split(" :: ")[-1] for c in about.get_all("Classifier") or [] if "License" in c
    ]
    text = str(about.get("License") or "").strip().splitlines()
    return ", ".join(classes) or (text[0][:80] if text else "")


def check_licences(licences: dict[str, str]) -> list[str]:
    """Packages whose licence is too strong for this one."""
    return [
        f"{name}: licence {licence}"
        for name, licence in sorted(licences.items())
        if STRONG.search(licence) and "LGPL" not in licence and name not in ACCEPTED
    ]


def read_vulnerabilities(answer: str) -> tuple[list[str], list[str]]:
    """Known vulnerabilities and packages nobody knows about, from pip-audit's JSON.

    Raises:
        ValueError: it is none.
    """
    found, unknown = [], []
    for item in json.loads(answer)["dependencies"]:
        name = str(item["name"])
        if "skip_reason" in item:
            unknown.append(name)
        for flaw in item.get("vulns", []):
            fixed = ", ".join(flaw.get("fix_versions", [])) or "no version yet"
            found.append(f"{name} {item['version']}: {flaw['id']}, fixed in {fixed}")
    return found, unknown


def tools() -> Path:
    """The tools' own environment, made anew where its requirements changed."""
    home = OUT / "venv"
    stamp, want = home / ".made_of", hashlib.sha256(TOOLS.read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != want:
        print("installing the tools (requirements/audit.txt)", flush=True)
        venv.create(home, clear=True, with_pip=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "-qq", "--no-deps"]
        subprocess.run([*pip, "-r", str(TOOLS)], check=True, timeout=LIMIT_S)
        stamp.write_text(want)
    return home / "bin"


def write_sbom(programs: Path) -> Path:
    """The bill of materials of this environment."""
    path = OUT / "sbom.cdx.json"
    words = [str(programs / "cyclonedx-py"), "environment", sys.executable]
    words += ["--output-reproducible", "--of", "JSON", "-o", str(path)]
    subprocess.run(words, check=True, timeout=LIMIT_S, stderr=subprocess.DEVNULL)
    return path


def ask_vulnerabilities(programs: Path, service: str, audit: Audit, names: list[str]) -> None:
    """Ask the database; what it does not know is unknown, never good."""
    site = sysconfig.get_paths()["purelib"]
    words = [str(programs / "pip-audit"), "--path", site, "-s", service, "--format", "json"]
    done = subprocess.run(
        [*words, "--progress-spinner", "off", "--timeout", "10"],
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    try:
        found, unknown = read_vulnerabilities(done.stdout)
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        audit.notes.append(f"the database '{service}' did not answer: {reason[:300]}")
        audit.unknown += names
        return
    (OUT / "vulnerabilities.json").write_text(done.stdout)
    audit.found += found
    audit.unknown += [name for name in map(normal, unknown) if name in names]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service", default="pypi", choices=("pypi", "osv"), help="database")
    parser.add_argument("--offline", action="store_true", help="do not ask the database")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    wheels = installed()
    audit = Audit(packages=len(wheels))
    audit.found += check_pins({name: wheel.version for name, wheel in wheels.items()}, pins())
    licences = {name: licence_of(wheel.metadata) for name, wheel in wheels.items()}
    audit.found += check_licences(licences)
    silent = sorted(name for name, licence in licences.items() if not licence)
    audit.notes.append(f"{len(silent)} packages state no licence, most of them ROS wheels")
    (OUT / "licences.json").write_text(json.dumps(licences, indent=1, sort_keys=True) + "\n")
    check = subprocess.run(
        [sys.executable, "-m", "pip", "check"], check=False, capture_output=True, text=True
    )
    audit.found += check.stdout.splitlines() if check.returncode else []
    programs = tools()
    print(f"bill of materials: {write_sbom(programs).relative_to(ROOT)}")
    if options.offline:
        audit.unknown += sorted(wheels)
        audit.notes.append("the database was not asked (--offline)")
    else:
        ask_vulnerabilities(programs, options.service, audit, sorted(wheels))
    (OUT / "summary.json").write_text(json.dumps(asdict(audit), indent=1) + "\n")
    for line in (*audit.notes, *(f"FOUND {line}" for line in audit.found)):
        print(line)
    print(f"{audit.packages} packages: {len(audit.found)} findings")
    if audit.unknown:
        print(
            f"NOT KNOWN for {len(audit.unknown)} of {audit.packages} packages: the database of "
            "vulnerabilities gave no answer. Run it where there is a network (or --service osv)."
        )
    return audit.code


if __name__ == "__main__":
    sys.exit(main())
