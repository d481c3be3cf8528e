"""PURE: the one function that decides, for one customer or a million, live, in runs, in dry runs and in replays."""

from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent.permission.verdict import Reason
from personalise.policy import Policy
from personalise.steps.personalise.funnel import Funnel

LEFT_ALONE: Final = -1
"""The candidate number of leaving the customer alone, which is always a candidate, at 0."""


def decide(chunk: pa.Table, policy: Policy, at: datetime) -> pa.Table:
    """Decide for each customer of a chunk. No clock, no I/O, no randomness but hashes of ids.

    Args:
        chunk: one row a customer: `customer`; `enrolled`; `permit:<scope>` (a `Reason` number) for each of
            `policy.scopes`; each of `policy.attributes`, null where not permitted or not known; `bucket` (0..9999);
            and for each cap `contacts:<key>` and `ghosts:<key>` (how many lie in the window) with
            `contacts_free:<key>` and `ghosts_free:<key>` (ms, when one more will be allowed).
        policy: k candidates.
        at: the instant to decide at.

    Returns:
        One row a customer, in order: `customer`; `chosen` and `ghost` (candidate number, -1 for none); `propensity`
        (probability in [0, 1] that this policy does what it did); `used` (bit i: `policy.categories[i]` was permitted
        and read); and per candidate, as lists of length k: `stage`, `rule` (a number in `policy.rules`), `observed`,
        `allowed_from` (ms, 0 for none), `priority`, `prior` (a prior stood in for the score).
    """
    funnel = Funnel(chunk, policy, at)
    funnel.identity()
    for row, candidate in enumerate(policy.candidates):
        funnel.hard_stops(row, candidate)
        funnel.eligibility(row, candidate)
        funnel.permission(row, candidate)
        funnel.contact_policy(row, candidate)
        funnel.score(row, candidate)
    chosen, ghost = funnel.arbitrate()
    return pa.table(
        {
            "customer": chunk["customer"],
            "chosen": pa.array(chosen, type=pa.int16()),
            "ghost": pa.array(ghost, type=pa.int16()),
            "propensity": pa.array(_propensity(funnel, chosen, ghost)),
            "used": pa.array(_used(chunk, policy)),
            "stage": _listed(funnel.stage),
            "rule": _listed(funnel.rule),
            "observed": _listed(funnel.observed),
            "allowed_from": _listed(funnel.allowed_from),
            "priority": _listed(funnel.priority),
            "prior": _listed(funnel.prior),
        }
    )


def _propensity(funnel: Funnel, chosen: NDArray[np.int16], ghost: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return how likely the logged action was: only the holdout's hash stands between a customer and the argmax."""
    share = funnel.policy.campaign.holdout.share / 10_000
    likely = np.where(chosen != LEFT_ALONE, 1.0 - share, 1.0)
    return np.where(ghost != LEFT_ALONE, share, likely)


def _used(chunk: pa.Table, policy: Policy) -> NDArray[np.int64]:
    used = np.zeros(chunk.num_rows, dtype=np.int64)
    for bit, category in enumerate(policy.categories):
        permitted = np.asarray(chunk[f"permit:use:{category}:{policy.campaign.purpose}"]) == Reason.PERMIT
        used |= permitted.astype(np.int64) << bit
    return used


def _listed(rows: NDArray[Any]) -> pa.FixedSizeListArray:
    """Return (n_candidates, n_customers) as a column of n_customers lists."""
    flat = np.ascontiguousarray(rows.T).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), rows.shape[0])
