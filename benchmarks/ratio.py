"""How a claim is measured: ours, the limit and the peers in turn, several rounds, medians, one line of ratios.

These machines are shared and noisy. What is compared runs in the same process, in the same minute, turn by turn, so that
a slow minute is slow for all of them; absolute figures are printed to show the order, and are not the claim.
"""

import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Side = tuple[Callable[[], object], int]
"""A call, and how many units of work it does."""

NO_GOAL: Final = 0.0
"""The goal of a line that stands there for information."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One claim's line: rates in work units a second, and what they have to reach.

    `limit` is 0 where there is none to compare with. `figures` are other numbers, by their name and unit, and
    `at_most` what some of them may not exceed. `note` says what a reader has to know to read them right.
    """

    claim: str
    unit: str
    ours: float
    limit: float
    peers: Mapping[str, float]
    goal: float = NO_GOAL
    peer_goals: Mapping[str, float] = field(default_factory=dict)
    least: float = 0.0
    figures: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def of_limit(self) -> float:
        """Ours as a share of the limit."""
        return self.ours / self.limit if self.limit else 0.0

    @property
    def has_goal(self) -> bool:
        """Whether there is anything to reach; else the line is for information."""
        return bool(self.goal or self.peer_goals or self.least or self.at_most)

    @property
    def reached(self) -> bool:
        """Whether every goal is reached."""
        ahead = all(self.ours / self.peers[name] >= goal for name, goal in self.peer_goals.items())
        within = all(self.figures[name] <= most for name, most in self.at_most.items())
        return ahead and within and self.of_limit >= self.goal and self.ours >= self.least

    def table(self) -> dict[str, Any]:
        """Return the line as data."""
        return {
            "claim": self.claim,
            "unit": self.unit,
            "ours": self.ours,
            "limit": self.limit,
            "peers": dict(self.peers),
            "ours/limit": self.of_limit,
            "goal": self.goal,
            "ours/peer": {name: self.ours / rate for name, rate in self.peers.items()},
            "peer_goals": dict(self.peer_goals),
            "least": self.least,
            "figures": dict(self.figures),
            "at_most": dict(self.at_most),
            "note": self.note,
            "reached": self.reached if self.has_goal else None,
        }


def taken(sides: Mapping[str, Side], *, rounds: int) -> dict[str, list[float]]:
    """Run every side in turn and return the seconds that each took, `rounds` of them, after one that isn't counted.

    The order is another in every round, so that nobody always runs when the scheduler takes the processor away.
    """
    times: dict[str, list[float]] = {name: [] for name in sides}
    order = random.Random(len(sides))  # noqa: S311 -- no secret: an order
    for number in range(rounds + 1):
        for name, (call, _) in order.sample(list(sides.items()), len(sides)):
            began = time.perf_counter()
            call()
            took = time.perf_counter() - began
            if number:
                times[name].append(took)
    return times


def rates(sides: Mapping[str, Side], *, rounds: int) -> dict[str, float]:
    """Run every side in turn and return their median rates, in units a second."""
    times = taken(sides, rounds=rounds)
    return {name: units / statistics.median(times[name]) for name, (_, units) in sides.items()}


def measured(
    claim: str,
    unit: str,
    *,
    work: int,
    ours: Callable[[], object],
    limit: Callable[[], object],
    peers: Mapping[str, Side] | None = None,
    rounds: int = 7,
    **goals: Any,  # noqa: ANN401 -- the fields of `Line`: goal, peer_goals, least, figures, at_most, note
) -> Line:
    """Run ours, the limit and each peer in turn and return their median rates.

    Args:
        claim: what is claimed.
        unit: of the work, such as "checks".
        work: how many units one call of `ours` and of `limit` does.
        ours: our side.
        limit: the bare work that nothing can do without.
        peers: name → (call, units it does).
        rounds: after one that isn't counted.
        goals: what to reach, as `Line` names it.
    """
    found = rates({"ours": (ours, work), "limit": (limit, work), **(peers or {})}, rounds=rounds)
    return Line(claim=claim, unit=unit, ours=found.pop("ours"), limit=found.pop("limit"), peers=found, **goals)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of them don't exceed.

    >>> percentile([3.0, 1.0, 2.0, 4.0], 0.5)
    2.0
    """
    ranked = sorted(values)
    return ranked[max(0, -int(-share * len(ranked) // 1) - 1)]


def show(*lines: Line) -> None:
    """Print each line for people; with `--json` the same as data."""
    for line in lines:
        print(json.dumps(line.table()) if "--json" in sys.argv else _sentence(line), flush=True)


def _sentence(line: Line) -> str:
    said = [f"ours {line.ours:,.4g} {line.unit}/s"]
    if line.limit:
        said.append(f"limit {line.limit:,.4g}/s, ours/limit {line.of_limit:.2f}" + _goal(line.goal))
    for name, rate in line.peers.items():
        said.append(f"{name} {rate:,.4g}/s, ours/peer {line.ours / rate:.2f}" + _goal(line.peer_goals.get(name)))
    if line.least:
        said.append(f"goal {line.least:,.4g} {line.unit}/s")
    for name, figure in line.figures.items():
        most = line.at_most.get(name)
        said.append(f"{name} {figure:,.4g}" + (f" (goal <= {most:g})" if most else ""))
    word = ("reached" if line.reached else "NOT REACHED") if line.has_goal else "for information"
    return f"{line.claim}: {'; '.join(said)}: {word}"


def _goal(goal: float | None) -> str:
    return f" (goal {goal:g})" if goal else ""
