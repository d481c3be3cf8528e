"""PURE: the one function that decides, for one customer or a million, live, in runs, in dry runs and in replays."""

from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from consent.permission.verdict import Reason
from personalise.steps.personalise import words
from personalise.steps.personalise.funnel import Funnel
from personalise.steps.personalise.likelihood import likelihood
from personalise.steps.personalise.policy import WISHED, Policy

LEFT_ALONE: Final = -1
"""The candidate number of leaving the customer alone, which is always a candidate, at 0."""


def decide(chunk: pa.Table, policy: Policy, at: datetime, drawn_at: datetime | None = None) -> pa.Table:
    """Decide for each customer of a chunk. No clock, no I/O, no randomness but hashes of ids.

    Args:
        chunk: one row a customer, as `personalise.moment` gathers it: `customer`; `enrolled`; `permit:<scope>` (a
            `Reason` number) for each of `policy.scopes`; each of `policy.attributes`, null where not permitted or not
            known; `bucket` (0..9999) and perhaps `company_bucket`; what rules about contacts read, counts and, in ms,
            when one more is allowed; wishes; promises; goodwill, pressure; where quotas end; what wordings read.
        policy: k candidates.
        at: the instant to decide at.
        drawn_at: when chances were drawn, of a decision that is judged again.

    Returns:
        One row a customer, in order: `customer`; `chosen` and `ghost` (candidate number, -1 for none); `propensity`
        (probability in [0, 1] that this policy does what it did); `used` (bit i: `policy.categories[i]` was permitted
        and read). For each candidate `rule:<key>` (the number in `policy.rules` of the rule that refused it, 0 for
        none), `worth:<key>` and `prior:<key>` (a prior stood in for its probability). For each scope
        `permit:<scope>`; where a model has parts `scored_by` (see `response.scored_by`); where rules of hours bind
        `hours:<channel>` (which one is quiet, -1 for none) and `hours_free:<channel>` (ms); for each rule about
        contacts `contacts:<key>` and `free:<key>`; where contacts cost goodwill, `goodwill` and `charge:<key>` of each
        candidate (thousandths); for each family `committed_until:<family>` (ms; 0: nothing is promised); for each quota
        `taken:<key>` and `cut:<key>`, the worth where it ends. Where wordings were rendered, `wording` (1: its own).
    """
    funnel = Funnel(chunk, policy, at, drawn_at)
    worths = [funnel.worth(candidate) for candidate in policy.candidates]
    refused = funnel.refused()
    rules, winner = funnel.arbitrated(refused, [worth for worth, _ in worths])
    chosen, ghost = _apart(winner, funnel.control)
    columns: dict[str, Any] = {
        "customer": chunk["customer"],
        "chosen": chosen,
        "ghost": ghost,
        "propensity": _propensity(funnel, winner) * likelihood(funnel, refused, winner),
        "used": _used(chunk, policy),
    }
    for candidate, rule, (worth, known) in zip(policy.candidates, rules, worths, strict=True):
        columns[f"rule:{candidate.key}"] = rule
        columns[f"worth:{candidate.key}"] = worth
        columns[f"prior:{candidate.key}"] = ~known
    return words.worded(pa.table({**columns, **_observed(chunk, policy, funnel)}), chunk, policy)


def _observed(chunk: pa.Table, policy: Policy, funnel: Funnel) -> dict[str, Any]:
    """Return what the rules saw, for verdicts and audits."""
    columns: dict[str, Any] = {f"permit:{scope}": chunk[f"permit:{scope}"] for scope in policy.scopes}
    if policy.model and policy.model.subsets:
        columns["scored_by"] = funnel.scored_by
    for window in policy.windows:
        columns[f"contacts:{window.key}"], columns[f"free:{window.key}"] = funnel.contacts(window)
    for channel in (each for each in policy.wished if f"wish:{each}" in chunk.column_names):
        columns |= {f"{name}:{channel}": funnel.by_arm(f"{name}:{channel}") for name in WISHED}
    for channel in dict.fromkeys(one.treatment.channel for one in policy.candidates) if policy.hours else ():
        columns[f"hours:{channel}"], columns[f"hours_free:{channel}"] = funnel.hours(channel)
    columns |= _promised(chunk, policy)
    if policy.charges:
        columns["goodwill"] = chunk["goodwill"]
        columns |= {f"charge:{one.key}": funnel.charge(one) for one in policy.candidates}
    for quota in funnel.quotas.judged:
        columns[f"taken:{quota.key}"] = chunk[f"taken:{quota.key}"]
        columns[f"cut:{quota.key}"] = chunk[f"cut_worth:{quota.key}"]
    return columns


def _promised(chunk: pa.Table, policy: Policy) -> dict[str, Any]:
    """Return until when terms stand promised; inputs of before don't tell."""
    names = (f"committed_until:{family}" for family in policy.families)
    return {name: pc.fill_null(chunk[name], 0) for name in names if name in chunk.column_names}


def spent(decided: pa.Table, policy: Policy) -> dict[str, int]:
    """Return what decisions take of each quota: contacts, or thousandths of a point. Ghosts take nothing."""
    chosen = np.asarray(decided["chosen"])
    found = {}
    for quota in policy.quotas:
        mine = {row: one.key for row, one in enumerate(policy.candidates) if one.key in quota.treatments}
        amounts = (
            np.asarray(decided[f"charge:{key}"])[chosen == row].sum() if quota.charged else (chosen == row).sum()
            for row, key in mine.items()
        )
        found[quota.key] = int(sum(amounts))
    return found


def _apart(winner: NDArray[np.int16], control: NDArray[np.bool_]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Return whom each customer's winner goes to: as chosen, or, of controls, as a ghost."""
    place = winner - np.int16(LEFT_ALONE)  # 0 for nobody
    return place * ~control + np.int16(LEFT_ALONE), place * control + np.int16(LEFT_ALONE)


def _propensity(funnel: Funnel, winner: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return how likely the logged action was, given the winner: the holdouts' hashes decide whether he gets it."""
    share = funnel.policy.held_out
    likely = np.array([1.0 - share, share, 1.0, 1.0])
    found: NDArray[np.float64] = likely[funnel.control + 2 * (winner == LEFT_ALONE)]
    return found


def _used(chunk: pa.Table, policy: Policy) -> NDArray[np.int64]:
    used = np.zeros(chunk.num_rows, dtype=np.int64)
    for bit, category in enumerate(policy.categories):
        if category not in policy.deciding:
            continue
        permitted = np.asarray(chunk[f"permit:use:{category}:{policy.campaign.purpose}"]) == Reason.PERMIT
        used |= permitted.astype(np.int64) << bit
    return used
