"""How a claim is measured: ours, the limit and the peers in turn, many rounds, one line of ratios.

These machines are shared and noisy. What is compared runs in the same minute, turn by turn. A ratio is taken within
each round, of turns that ran next to each other, and the median of those is the claim: a slow second is slow for
both. Rates are medians too; they are printed to show the order, and are not the claim.
"""

import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Side = tuple[Callable[[], object], int]
"""A call, and how many units of work it does."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One claim's line: rates in work units a second, and what they have to reach. A line without a goal informs.

    `unit` is empty where only figures are told, `limit` is 0 where there is none. `figures` are other numbers by their
    name and unit; `at_most` says what some of them may not exceed.
    """

    claim: str
    unit: str = ""
    ours: float = 0.0
    limit: float = 0.0
    of_limit: float = 0.0
    peers: Mapping[str, float] = field(default_factory=dict)
    of_peers: Mapping[str, float] = field(default_factory=dict)
    goal: float = 0.0
    peer_goals: Mapping[str, float] = field(default_factory=dict)
    least: float = 0.0
    figures: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)

    @property
    def reached(self) -> bool | None:
        """Whether every goal is reached; None where there is nothing to reach."""
        if not (self.goal or self.peer_goals or self.least or self.at_most):
            return None
        ahead = all(self.of_peers[name] >= goal for name, goal in self.peer_goals.items())
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
            "ours/peer": dict(self.of_peers),
            "peer_goals": dict(self.peer_goals),
            "least": self.least,
            "figures": dict(self.figures),
            "at_most": dict(self.at_most),
            "reached": self.reached,
        }


class Rounds:
    """What each side took in each round."""

    def __init__(self, sides: Mapping[str, Side], *, rounds: int) -> None:
        """Run every side in turn, `rounds` times, after a round that isn't counted.

        The order is another in every round, so that nobody always runs when the scheduler takes the processor away.
        """
        self._units = {name: units for name, (_, units) in sides.items()}
        self._times: dict[str, list[float]] = {name: [] for name in sides}
        order = random.Random(len(sides))  # noqa: S311 -- no secret: an order
        for number in range(rounds + 1):
            for name, (call, _) in order.sample(list(sides.items()), len(sides)):
                began = time.perf_counter()
                call()
                took = time.perf_counter() - began
                if number:
                    self._times[name].append(took)

    def rate(self, name: str) -> float:
        """Return a side's median rate, in units a second."""
        return self._units[name] / statistics.median(self._times[name])

    def ratio(self, name: str, other: str) -> float:
        """Return how many times the rate of `other` a side has: the median over the rounds."""
        shares = (theirs / ours for ours, theirs in zip(self._times[name], self._times[other], strict=True))
        return self._units[name] / self._units[other] * statistics.median(shares)

    def line(
        self,
        claim: str,
        unit: str,
        *,
        ours: str = "ours",
        limit: str = "limit",
        peers: Iterable[str] = (),
        **goals: Any,  # noqa: ANN401 -- the fields of `Line`
    ) -> Line:
        """Return the line that holds one side against the others."""
        return Line(
            claim=claim,
            unit=unit,
            ours=self.rate(ours),
            limit=self.rate(limit),
            of_limit=self.ratio(ours, limit),
            peers={name: self.rate(name) for name in peers},
            of_peers={name: self.ratio(ours, name) for name in peers},
            **goals,
        )


def measured(
    claim: str,
    unit: str,
    *,
    work: int,
    ours: Callable[[], object],
    limit: Callable[[], object],
    peers: Mapping[str, Side] | None = None,
    rounds: int = 7,
    **goals: Any,  # noqa: ANN401 -- the fields of `Line`
) -> Line:
    """Run ours, the limit and each peer in turn and return the line.

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
    others = peers or {}
    found = Rounds({"ours": (ours, work), "limit": (limit, work), **others}, rounds=rounds)
    return found.line(claim, unit, peers=others, **goals)


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
        print(json.dumps(line.table()) if "--json" in sys.argv else sentence(line), flush=True)


def sentence(line: Line) -> str:
    """Return a line as people read it."""
    said = [f"ours {line.ours:,.4g} {line.unit}/s"] if line.unit else []
    if line.limit:
        said.append(f"limit {line.limit:,.4g}/s, ours/limit {line.of_limit:.2f}{_goal(line.goal)}")
    for name, rate in line.peers.items():
        said.append(f"{name} {rate:,.4g}/s, ours/peer {line.of_peers[name]:.2f}{_goal(line.peer_goals.get(name))}")
    if line.least:
        said.append(f"goal {line.least:,.4g} {line.unit}/s")
    for name, figure in line.figures.items():
        most = line.at_most.get(name)
        said.append(f"{name} {figure:,.4g}" + (f" (goal <= {most:g})" if most else ""))
    word = {None: "for information", True: "reached", False: "NOT REACHED"}[line.reached]
    return f"{line.claim}: {'; '.join(said)}: {word}"


def _goal(goal: float | None) -> str:
    return f" (goal {goal:g})" if goal else ""
