"""Counts that add up: every customer is chosen for, or leaves at exactly one stage."""

import json
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from consent.permission.verdict import Reason
from personalise.decide import LEFT_ALONE
from personalise.policy import Policy
from personalise.steps.personalise.stages import LEAVING, Stage


@dataclass(slots=True)
class Counts:
    """How many customers ended where. The stages' counts and the chosen ones' add up to `customers`.

    A customer leaves at the furthest stage that any of his candidates reached: what would have to change there.
    """

    customers: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    chosen: Counter[str] = field(default_factory=Counter)

    @property
    def left_alone(self) -> int:
        """How many customers were left alone because nothing was worth it to them: those who left at arbitration."""
        return self.stages[Stage.ARBITRATION.name.lower()]

    @property
    def holdout(self) -> int:
        """How many customers were held out: those who left at that stage."""
        return self.stages[Stage.HOLDOUT.name.lower()]

    def add(self, decided: pa.Table, policy: Policy) -> None:
        """Count a chunk."""
        chosen = np.asarray(decided["chosen"])
        width = len(policy.candidates)
        stages, rules, observed = (
            decided[name].combine_chunks().flatten().to_numpy().reshape(-1, width)
            for name in ("stage", "rule", "observed")
        )
        self.customers += len(chosen)
        for number, count in zip(*np.unique(chosen[chosen != LEFT_ALONE], return_counts=True), strict=True):
            self.chosen[policy.candidates[number].key] += int(count)
        left = np.flatnonzero(chosen == LEFT_ALONE)
        furthest = stages[left].argmax(axis=1)
        ends = np.column_stack([array[left, furthest].astype(np.int64) for array in (stages, rules, observed)])
        for (stage, rule, seen), count in zip(*np.unique(ends, axis=0, return_counts=True), strict=True):
            self.stages[Stage(stage).name.lower()] += int(count)
            self.reasons[_named(policy.rules[rule], Stage(stage), int(seen))] += int(count)

    def as_json(self) -> dict[str, object]:
        """Return the counts as the faces show them; a stage that nobody left at stands with 0."""
        stages = {stage.name.lower(): self.stages[stage.name.lower()] for stage in LEAVING}
        return {
            "customers": self.customers,
            "stages": stages,
            "chosen": dict(sorted(self.chosen.items())),
            "left_alone": self.left_alone,
            "holdout": self.holdout,
            "reasons": dict(self.reasons.most_common()),
        }

    def stored(self) -> str:
        """Return the counts as text for a run's row."""
        return json.dumps({"customers": self.customers, "stages": self.stages, "reasons": self.reasons, "chosen": self.chosen})


def from_stored(text: str) -> Counts:
    """Return the counts that `Counts.stored` wrote."""
    table = json.loads(text)
    return Counts(
        customers=table["customers"],
        stages=Counter(table["stages"]),
        reasons=Counter(table["reasons"]),
        chosen=Counter(table["chosen"]),
    )


def _named(rule: str, stage: Stage, observed: int) -> str:
    """Return a reason's name: the rule, and for a permission why it doesn't stand."""
    name = f"{stage.name.lower()} {rule}"
    return f"{name} {Reason(observed).name}" if rule.startswith("permission:") else name
