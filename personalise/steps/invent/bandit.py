"""Thompson sampling without a coin: a posterior per arm as a table of equally likely values, and a hash that points in.

The chance of an arm is Beta(1 + outcomes, 1 + rows without). Its table holds the middles of `DRAWS` shares of equal
probability, in billionths, and is kept with the model: nobody who decides or replays works it out again. Which value
counts for a customer is the hash of salt, campaign, customer, instant and arm. So what an arm was worth when it was
drawn is one of `DRAWS` known values, and how likely an action was is a finite sum.

Source: Thompson (1933), "On the likelihood that one unknown probability exceeds another".
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

Floats: TypeAlias = NDArray[np.float64]

DRAWS: Final = 512
UNIT: Final = 1_000_000_000
_BITS: Final = 9


def posterior(outcomes: int, rows: int) -> tuple[int, ...]:
    """Return the table of an arm: `DRAWS` chances in billionths, rising.

    >>> table = posterior(0, 0)
    >>> table[0] == UNIT // (2 * DRAWS), table[-1] + table[0] == UNIT
    (True, True)
    """
    middles = (np.arange(DRAWS) + 0.5) / DRAWS
    found = np.rint(beta.ppf(middles, 1 + outcomes, 1 + rows - outcomes) * UNIT)
    return tuple(int(value) for value in found)


def expected(outcomes: int, rows: int) -> float:
    """Return the posterior's mean: (1 + outcomes) / (2 + rows)."""
    return (1 + outcomes) / (2 + rows)


def pointed(customers: Sequence[str], *, salt: str, at_ms: int, arm: str) -> NDArray[np.int64]:
    """Return which value of its table counts for each customer: the first bits of a hash.

    Args:
        customers: ids.
        salt: of the campaign, with its key.
        at_ms: the instant of the decision; in a run, the run's.
        arm: the treatment's key.

    Returns:
        Shape (n_customers,), of 0..`DRAWS`-1.
    """
    start = hashlib.sha256(f"thompson|{salt}|{at_ms}|{arm}|".encode())
    found = np.empty(len(customers), dtype=np.int64)
    for spot, customer in enumerate(customers):  # a loop over customers: there is no hash of columns
        digest = start.copy()
        digest.update(customer.encode())
        found[spot] = int.from_bytes(digest.digest()[:2]) >> (16 - _BITS)
    return found


def winning(worths: Sequence[Floats]) -> list[float]:
    """Return how likely each of several candidates wins, and, last, that none does: all together 1.

    A candidate wins that is worth more than 0, more than each one before it, and no less than each one after it.

    Args:
        worths: what each is worth by each value of its table, rising, each of shape (`DRAWS`,).

    >>> winning([np.full(DRAWS, -1.0), np.linspace(-1.0, 1.0, DRAWS)])
    [0.0, 0.5, 0.5]
    """
    found = []
    for spot, worth in enumerate(worths):
        beaten = np.where(worth > 0, 1.0, 0.0)
        for other, against in enumerate(worths):
            if other != spot:
                side: Literal["left", "right"] = "left" if other < spot else "right"
                beaten = beaten * (np.searchsorted(against, worth, side=side) / DRAWS)
        found.append(math.fsum(beaten) / DRAWS)
    none = 1.0
    for worth in worths:
        none *= float(np.searchsorted(worth, 0.0, side="right")) / DRAWS
    return [*found, none]
