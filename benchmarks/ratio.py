"""How a claim is measured: ours, the limit and the peers in turn, several rounds, medians, one line of ratios.

These machines are shared and noisy. What is compared runs in the same process, in the same minute, turn by turn, so that
a slow minute is slow for all of them; absolute figures are printed to show the order, and are not the claim.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Line:
    """One claim's line: rates in work units a second, and what they have to reach."""

    claim: str
    unit: str
    ours: float
    limit: float
    peers: Mapping[str, float]
    goal: float
    peer_goals: Mapping[str, float]

    @property
    def of_limit(self) -> float:
        """Ours as a share of the limit."""
        return self.ours / self.limit

    @property
    def reached(self) -> bool:
        """Whether every goal is reached."""
        ahead = all(self.ours / self.peers[name] >= goal for name, goal in self.peer_goals.items())
        return ahead and self.of_limit >= self.goal

    def table(self) -> dict[str, object]:
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
            "reached": self.reached,
        }


def measured(
    claim: str,
    unit: str,
    *,
    work: int,
    ours: Callable[[], object],
    limit: Callable[[], object],
    goal: float,
    peers: Mapping[str, tuple[Callable[[], object], int]] | None = None,
    peer_goals: Mapping[str, float] | None = None,
    rounds: int = 7,
) -> Line:
    """Run ours, the limit and each peer in turn and return their median rates.

    Args:
        claim: what is claimed.
        unit: of the work, such as "checks".
        work: how many units one call of `ours` and of `limit` does.
        ours: our side.
        limit: the bare work that nothing can do without.
        goal: the share of the limit to reach.
        peers: name → (call, units it does).
        peer_goals: name → how many times its rate to reach.
        rounds: after one that isn't counted.
    """
    sides: dict[str, tuple[Callable[[], object], int]] = {"ours": (ours, work), "limit": (limit, work), **(peers or {})}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, (call, _) in sides.items():
            began = time.perf_counter()
            call()
            took = time.perf_counter() - began
            if number:
                times[name].append(took)
    rates = {name: units / statistics.median(times[name]) for name, (_, units) in sides.items()}
    return Line(
        claim=claim,
        unit=unit,
        ours=rates.pop("ours"),
        limit=rates.pop("limit"),
        peers=rates,
        goal=goal,
        peer_goals=peer_goals or {},
    )


def show(line: Line) -> None:
    """Print one line for people, and with `--json` the same as data."""
    if "--json" in sys.argv:
        print(json.dumps(line.table()))
        return
    peers = ", ".join(f"{name} {line.ours / rate:.2f} × ({rate:,.0f}/s)" for name, rate in line.peers.items())
    word = "reached" if line.reached else "NOT REACHED"
    print(
        f"{line.claim}: ours {line.ours:,.0f} {line.unit}/s, limit {line.limit:,.0f}/s, "
        f"ours/limit {line.of_limit:.2f} (goal {line.goal:g}), ours/peer {peers or '-'}: {word}"
    )
