"""Counts that add up: every customer is chosen for, or leaves at exactly one stage."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent.permission.verdict import Reason
from personalise.contact_policy.model import THOUSANDTHS
from personalise.decide import LEFT_ALONE, spent
from personalise.steps.personalise.policy import HARD_STOP, HELD_OUT, HELD_OUT_BY_COMPANY, Policy, stage_of
from personalise.steps.personalise.quotas import BUDGET
from personalise.steps.personalise.stages import LEAVING, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Those of a chunk who aren't addressed: where each leaves, and why. Each (n_left,)."""

    spots: NDArray[np.int64]
    """Their places in the chunk."""
    rules: NDArray[Any]
    """The number of the rule that the furthest of his candidates left by."""
    reasons: NDArray[np.int64]
    """Of a refusal that has a reason behind it, the reason's number; else 0."""
    ghosts: NDArray[np.bool_]
    """Who was held out, and would otherwise have been addressed."""


def left(decided: pa.Table, policy: Policy) -> Left:
    """Return who of a chunk isn't addressed, and why not."""
    spots = np.flatnonzero(np.asarray(decided["chosen"]) == LEFT_ALONE)
    rules = np.column_stack([np.asarray(decided[f"rule:{one.key}"])[spots] for one in policy.candidates])
    furthest = policy.stage_of[rules].argmax(axis=1)
    ends = rules[np.arange(len(spots)), furthest]
    reasons = _observed(decided, policy, spots, ends=ends, furthest=furthest)
    return Left(
        spots=spots, rules=ends, reasons=reasons, ghosts=np.asarray(decided["ghost"])[spots] != LEFT_ALONE
    )  # fmt: skip


def _observed(
    decided: pa.Table, policy: Policy, spots: NDArray[np.int64], *, ends: NDArray[Any], furthest: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the reason of each refusal that has one: of a permission, or of a hard stop."""
    seen = np.zeros(len(spots), dtype=np.int64)
    for number, rule in enumerate(policy.rules):
        if rule.startswith("permission:"):
            reasons = np.asarray(decided[rule.replace("permission:", "permit:", 1)])[spots]
            seen = np.where(ends == number, reasons, seen)
    for row, one in enumerate(policy.candidates):
        stopped = (ends == policy.rules.index(HARD_STOP)) & (furthest == row)
        seen = np.where(stopped, np.asarray(decided[f"permit:{one.contact}"])[spots], seen)
    return seen


def reason_of(policy: Policy, rule: int, reason: int) -> str:
    """Return how counts name why somebody isn't addressed: the rule, and the reason behind it where it has one."""
    name = policy.rules[rule]
    return f"{name} {Reason(reason).name}" if reason else name


@dataclass(slots=True)
class Counts:
    """How many customers ended where. The stages' counts and the chosen ones' add up to `customers`.

    A customer leaves at the furthest stage that any of his candidates reached: what would have to change there.
    """

    customers: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    chosen: Counter[str] = field(default_factory=Counter)
    quotas: Counter[str] = field(default_factory=Counter)
    """What was taken of each quota: contacts, or thousandths of a point."""
    ghosts: Counter[str] = field(default_factory=Counter)
    """How many of those held out would otherwise have been addressed, by whose holdout it was."""
    deferred: int = 0
    """How many of those who left are held back for now alone, and decided about again; `add` doesn't know."""

    @property
    def left_alone(self) -> int:
        """How many customers were left alone because nothing was worth it to them: those who left at arbitration."""
        return self.stages[Stage.ARBITRATION.name.lower()]

    @property
    def holdout(self) -> int:
        """How many customers were held out, by the campaign or the company: those who left at that stage.

        Among them are some whom a cap, or nothing being worth it, would have kept from a contact all the same.
        """
        return self.stages[Stage.HOLDOUT.name.lower()]

    @property
    def arm(self) -> int:
        """How many customers the campaign held out and would otherwise have addressed: an arm of its results."""
        return self.ghosts[HELD_OUT]

    @property
    def most_first(self) -> list[tuple[str, int]]:
        """For what reasons how many customers left, the most first; of as many by name, in whatever order they came."""
        return sorted(self.reasons.items(), key=lambda each: (-each[1], each[0]))

    def add(self, decided: pa.Table, policy: Policy) -> None:
        """Count a chunk."""
        chosen = np.asarray(decided["chosen"])
        self.customers += len(chosen)
        for number, count in zip(*np.unique(chosen[chosen != LEFT_ALONE], return_counts=True), strict=True):
            self.chosen[policy.candidates[number].key] += int(count)
        self.quotas.update(spent(decided, policy))
        gone = left(decided, policy)
        rule, count = np.unique(gone.rules[gone.ghosts], return_counts=True)
        self.ghosts.update({policy.rules[each]: int(many) for each, many in zip(rule, count, strict=True)})
        for (rule, reason), count in zip(
            *np.unique(np.column_stack([gone.rules, gone.reasons]), axis=0, return_counts=True), strict=True
        ):
            self.stages[stage_of(policy.rules[rule]).name.lower()] += int(count)
            self.reasons[reason_of(policy, rule, reason)] += int(count)

    def include(self, other: "Counts") -> None:
        """Add what was counted of other customers."""
        self.customers += other.customers
        self.deferred += other.deferred
        for name in ("stages", "reasons", "chosen", "quotas", "ghosts"):
            getattr(self, name).update(getattr(other, name))

    def as_json(self) -> dict[str, object]:
        """Return the counts as the faces show them; a stage that nobody left at stands with 0."""
        stages = {stage.name.lower(): self.stages[stage.name.lower()] for stage in LEAVING}
        return {
            "customers": self.customers,
            "stages": stages,
            "chosen": dict(sorted(self.chosen.items())),
            "left_alone": self.left_alone,
            "holdout": self.holdout,
            "ghosts": self.arm,
            "company_ghosts": self.ghosts[HELD_OUT_BY_COMPANY],
            "deferred": self.deferred,
            "reasons": dict(self.most_first),
            "quotas": self.taken(),
        }

    def taken(self) -> dict[str, int | float]:
        """Return what was taken of each quota: contacts, or points of goodwill."""
        whole = sorted(self.quotas.items())
        return {key: amount / THOUSANDTHS if key == BUDGET else amount for key, amount in whole}

    def stored(self) -> str:
        """Return the counts as text for a run's row."""
        return json.dumps(
            {
                "customers": self.customers, "stages": self.stages, "reasons": self.reasons, "chosen": self.chosen,
                "deferred": self.deferred, "quotas": self.quotas, "ghosts": self.ghosts,
            }
        )  # fmt: skip


def from_stored(text: str) -> Counts:
    """Return the counts that `Counts.stored` wrote."""
    table = json.loads(text)
    return Counts(
        customers=table["customers"],
        stages=Counter(table["stages"]),
        reasons=Counter(table["reasons"]),
        chosen=Counter(table["chosen"]),
        quotas=Counter(table.get("quotas", {})),  # counts of before there were any have none
        ghosts=Counter(table.get("ghosts", {})),  # likewise
        deferred=table.get("deferred", 0),  # runs of before had none
    )
