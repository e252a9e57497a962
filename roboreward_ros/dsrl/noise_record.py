# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What was measured of noise that is not the prior's: how often the policy succeeds under it.

Where the first actor of a profile draws N(0, I) it is the base policy and nothing need be known
(``DsrlConfig.starts_as_prior``). Repeated or cut noise is another policy; many fail under it, and
no learner brings that back. Results lie beside the policy, ``noise_forms.json``, or in ``runs/``
where the policy's folder takes no files; either is read.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.config import DsrlConfig, NoiseForm
from roboreward_ros.dsrl.noise_forms import NoiseMap
from roboreward_ros.episodes.codec import Fields, from_text
from roboreward_ros.errors import FormatError, LearnerError
from roboreward_ros.files import write_atomic
from roboreward_ros.session.canary import kills

RECORD_FORMAT = 1
NAME = "noise_forms.json"
ELSEWHERE = Path("runs")


class Place(StrEnum):
    """Where episodes ran."""

    TWIN = "twin"
    ARM = "arm"


class FormVerdict(StrEnum):
    """What a measurement says of a form."""

    STANDS = "stands"
    KILLS = "kills"  # less than half of the base's success, beyond doubt
    OPEN = "open"  # it looks like that, or nothing succeeded, and the episodes are too few to tell


def untrained_actor(config: DsrlConfig, policy_id: str, horizon: int) -> SteeringActor:
    """Draws what a profile's actor draws before its first update: its form, cut at its bound.

    Args:
        config: of the learner.
        policy_id: of the frozen policy.
        horizon: its prediction horizon P.

    Raises:
        ConfigError: the noise basis does not fit the horizon.
    """
    NoiseMap(config.noise, horizon, config.basis)
    return dataclasses.replace(
        SteeringActor.prior(policy_id, horizon),
        version=1,
        form=config.noise,
        basis=config.basis,
        noise_bound=config.latent_bound,
    )


@dataclass(frozen=True, slots=True)
class FormResult:
    """Base success under plain noise and under a form.

    Attributes:
        policy_id: of the frozen policy.
        task: the sentence.
        form: of the noise.
        basis: K of ``NoiseForm.BASIS``; 0 for other forms.
        bound: largest latent.
        place: where it was measured.
        successes, episodes: under the form.
        base_successes, base_episodes: under plain noise, same layouts or scenes.

    Raises:
        FormatError: more successes than episodes, or fewer than none.
    """

    policy_id: str
    task: str
    form: NoiseForm
    basis: int
    bound: float
    place: Place
    successes: int
    episodes: int
    base_successes: int
    base_episodes: int

    def __post_init__(self) -> None:
        counts = (self.successes, self.episodes, self.base_successes, self.base_episodes)
        if not (0 <= counts[0] <= counts[1] and 0 <= counts[2] <= counts[3]):
            raise FormatError("impossible counts of a noise form", got=counts)

    @classmethod
    def of(
        cls, actor: SteeringActor, task: str, place: Place, mine: tuple[int, int],
        base: tuple[int, int],
    ) -> FormResult:  # fmt: skip
        """Of an untrained actor; ``mine`` and ``base`` are successes and episodes."""
        basis = actor.basis if actor.form is NoiseForm.BASIS else 0
        key = (actor.policy_id, task, actor.form, basis, actor.noise_bound, place)
        return cls(*key, *mine, *base)

    @property
    def key(self) -> tuple[str, str, NoiseForm, int, float, Place]:
        """What it is about; a newer result of the same key replaces an older one."""
        return (self.policy_id, self.task, self.form, self.basis, self.bound, self.place)

    @property
    def verdict(self) -> FormVerdict:
        """See ``FormVerdict``; each refusal is wrong with probability 0.05 at most."""
        mine, base = (self.successes, self.episodes), (self.base_successes, self.base_episodes)
        if kills(mine, base):
            return FormVerdict.KILLS
        half = self.base_successes * self.episodes / max(2 * self.base_episodes, 1)
        return FormVerdict.STANDS if 0 < self.successes >= half else FormVerdict.OPEN

    @property
    def what(self) -> str:
        """Which noise, for people."""
        rows = f" {self.basis}" if self.basis else ""
        return f"noise '{self.form}{rows}' with latents up to {self.bound:g}"

    @property
    def numbers(self) -> str:
        """For people."""
        return (
            f"{self.successes}/{self.episodes} successes against {self.base_successes}/"
            f"{self.base_episodes} of plain noise, on the {self.place}"
        )


def read_results(path: Path) -> list[FormResult]:
    """Results of one file; none where there is no file.

    Raises:
        FormatError: it is damaged, or was written by a newer version.
    """
    if not path.is_file():
        return []
    what = str(path)
    fields = Fields(from_text(path.read_bytes(), what), what)
    if fields.integer("format") > RECORD_FORMAT:
        raise FormatError(
            f"{path} was written by a newer version",
            got=fields.integer("format"),
            allowed=f"format <= {RECORD_FORMAT}",
            next_step="Upgrade roboreward_ros, or remove the file and measure again.",
        )
    return [
        FormResult(
            row.text("policy_id"), row.text("task"), row.enum("form", NoiseForm),
            row.integer("basis"), row.number("bound"), row.enum("place", Place),
            row.integer("successes"), row.integer("episodes"),
            row.integer("base_successes"), row.integer("base_episodes"),
        )
        for row in fields.objects("results")
    ]  # fmt: skip


def keep_results(policy: str, results: Sequence[FormResult]) -> Path:
    """Add results to the policy's record; returns the file.

    Args:
        policy: folder of the policy, or ``demo``, whose folder is the package's.
        results: replace older ones of the same key.

    Raises:
        FormatError: the record that is there cannot be read.
        OSError: neither place takes a file.
    """
    *own, elsewhere = _places(policy)
    for path in own:
        try:
            return _merge(path, results)
        except OSError:
            continue  # a read-only folder, such as a download cache
    return _merge(elsewhere, results)


def _places(policy: str) -> list[Path]:
    own = [] if policy in ("", "demo") else [Path(policy).expanduser() / NAME]
    return [*own, ELSEWHERE / NAME]


def _merge(path: Path, results: Sequence[FormResult]) -> Path:
    kept = {result.key: result for result in (*read_results(path), *results)}
    rows = [dataclasses.asdict(result) for result in kept.values()]
    write_atomic(path, json.dumps({"format": RECORD_FORMAT, "results": rows}, indent=1) + "\n")
    return path


def require_form(
    config: DsrlConfig, profile: str, policy: str, policy_id: str, task: str, place: Place
) -> None:
    """Refuse a profile whose first actor is another policy than the base until that is measured.

    Args:
        config: of the profile.
        profile: its name, for the commands that the error names; "" where it is not known.
        policy: folder of the frozen policy, or ``demo``.
        policy_id: its identity.
        task: the sentence.
        place: where it will run; a measurement there counts before one elsewhere.

    Raises:
        LearnerError: nothing was measured, too little, or the form kills the base policy.
        FormatError: a record cannot be read.
    """
    if config.starts_as_prior:
        return
    actor = untrained_actor(config, policy_id, config.basis)  # any horizon that the basis fits
    mine = FormResult.of(actor, task, place, (0, 0), (0, 0))
    known = {result.key: result for path in _places(policy) for result in read_results(path)}
    keys = [dataclasses.replace(mine, place=it).key for it in (place, *Place)]
    found = next((known[key] for key in keys if key in known), None)
    given = f"--profile {profile or 'PROFILE'} --policy {policy or 'FOLDER'} --task '{task}'"
    measure = (
        f"Measure it on the twin: roboreward study noise {given}; or on the arm, blinded: "
        f"roboreward policy eval --robot {given} --out FOLDER. profile:=widowx and noise_aliased "
        "need no measurement."
    )
    if found is None:
        raise LearnerError(
            f"{mine.what} is not the prior's, and nobody measured what the policy does under it",
            got=f"no result for '{task}' in {' or '.join(map(str, _places(policy)))}",
            next_step=measure,
        )
    require_result(found, f"With more --episodes: {measure}")


def require_result(found: FormResult, measure: str) -> None:
    """Refuse noise under which the policy does not survive.

    Args:
        found: the measurement.
        measure: what to do where it cannot tell.

    Raises:
        LearnerError: the noise kills the base policy, or the episodes are too few to tell.
    """
    if found.verdict is FormVerdict.KILLS:
        raise LearnerError(
            f"{found.what} kills the frozen policy before anything is learnt",
            got=found.numbers,
            allowed="at least half of plain noise's",
            next_step="Take a profile with noise: full or basis and actor: residual.",
        )
    if found.verdict is FormVerdict.OPEN:
        raise LearnerError(
            f"{found.what}: too few episodes to tell whether the policy survives it",
            got=found.numbers,
            next_step=measure,
        )
