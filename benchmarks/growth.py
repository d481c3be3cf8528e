"""How cost grows: checks, appends and proofs stay flat, verification and runs are linear, a run's memory is flat.

Deployments of 10,000 and 100,000 customers (a million with `--long`), each of whom said something once, are
measured in turn. The exponent is the slope of log(cost) over log(size): 0 is flat, 1 is linear; what grows with the
logarithm, as a proof does, has about 0.1 between these sizes.
"""

import argparse
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from itertools import count, cycle

import numpy as np

from benchmarks.ledgers import NOW, Made, grant, scratch, withdrawal
from benchmarks.ratio import Line, Rounds, show
from benchmarks.run import carried_out_apart, filled, with_campaign
from benchmarks.verify import verified
from consent import gate
from consent.ledger import log
from consent.register import proving, recording

SIZES = (10_000, 100_000)
FLAT, LINEAR = 0.2, 1.15
TURN = 50


def exponent(costs: Mapping[int, float]) -> float:
    """Return the slope of log(cost) over log(size).

    >>> round(exponent({10: 1.0, 100: 10.0, 1_000: 100.0}), 6)
    1.0
    """
    slope, _ = np.polyfit(np.log(list(costs)), np.log(list(costs.values())), 1)
    return float(slope)


def checking(made: Made) -> Callable[[], None]:
    """Return a turn of checks."""
    whose = cycle(np.random.default_rng(1).permutation(len(made.customers)).tolist())
    desk, scope = made.deployment.desk, made.asked[1]

    def turn() -> None:
        with made.deployment.store.live() as work:
            for _ in range(TURN):
                gate.check(desk, work, made.customers[next(whose)], scope, at=NOW)

    return turn


def appending(made: Made) -> Callable[[], None]:
    """Return a turn of single appends."""
    numbers, desk, store = count(), made.deployment.desk, made.deployment.store
    asked = made.asked

    def turn() -> None:
        for _ in range(TURN // 10):
            number = next(numbers)
            say = withdrawal if number % 2 else grant
            with store.write() as work:
                recording.record(
                    desk, work, [say(made.customers[number // 2 % len(made.customers)], [asked[1]])], actor="a", at=NOW
                )

    return turn


def proving_inclusion(made: Made, size: int) -> Callable[[], None]:
    """Return a turn of inclusion proofs."""
    places = cycle(np.random.default_rng(4).integers(0, size, 500).tolist())

    def turn() -> None:
        with made.deployment.store.read() as work:
            for _ in range(TURN):
                proving.inclusion(work, next(places))

    return turn


def length(made: Made) -> int:
    """Return how many entries the ledger has, under a checkpoint signed now."""
    with made.deployment.store.write() as work:
        proving.sign_checkpoint(made.deployment.desk, work, at=NOW)
        return log.head(work).size


def line(name: str, costs: Mapping[int, float], unit: str, *, most: float) -> Line:
    """Return what a cost grows like."""
    figures = {f"at {size:,}, {unit}": cost for size, cost in costs.items()}
    return Line(
        claim=f"growth of {name}",
        figures={**figures, "exponent": exponent(costs)},
        at_most={"exponent": most},
    )


def grown_lines(sizes: tuple[int, ...]) -> list[Line]:
    """Build a deployment of each size, and measure them in turn."""
    with ExitStack() as stack:
        of = {size: with_campaign(filled(stack.enter_context(scratch()), size)) for size in sizes}
        lengths = {size: length(made) for size, made in of.items()}

        def seconds(turn: Callable[[int], Callable[[], object]], rounds: int) -> dict[int, float]:
            """Return the median seconds of a turn at each size."""
            found = Rounds({str(size): (turn(size), 1) for size in sizes}, rounds=rounds)
            return {size: 1 / found.rate(str(size)) for size in sizes}

        def verifying(size: int) -> Callable[[], object]:
            return lambda: verified(of[size].deployment.store.url, 0, lengths[size])

        check = seconds(lambda size: checking(of[size]), 100)
        proof = seconds(lambda size: proving_inclusion(of[size], lengths[size]), 50)
        verify = seconds(verifying, 7)
        runs = {size: carried_out_apart(of[size].path) for size in sizes}
        append = seconds(lambda size: appending(of[size]), 50)
        for made in of.values():
            made.deployment.store.close()
    return [
        line("checks", {size: each / TURN * 1e6 for size, each in check.items()}, "µs", most=FLAT),
        line("inclusion proofs", {size: each / TURN * 1e6 for size, each in proof.items()}, "µs", most=FLAT),
        line("appends", {size: each / (TURN // 10) * 1e6 for size, each in append.items()}, "µs", most=FLAT),
        line("verification", {size: each * 1e3 for size, each in verify.items()}, "ms", most=LINEAR),
        line("runs", {size: each.seconds for size, each in runs.items()}, "s", most=LINEAR),
        line("a run's memory", {size: each.megabytes for size, each in runs.items()}, "MB", most=FLAT),
    ]


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--long", action="store_true", help="a million customers as well")
    given.add_argument("--json", action="store_true")
    asked = given.parse_args()
    show(*grown_lines((*SIZES, 1_000_000) if asked.long else SIZES))


if __name__ == "__main__":
    main()
