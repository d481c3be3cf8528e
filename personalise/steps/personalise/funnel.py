"""The funnel over one chunk. For each candidate and customer it finds the number of the rule that refused, 0 for none.

A rule belongs to one stage, so the rule's number says where a candidate left; what was observed follows from the
customer's own columns (reasons and contact counts). Whatever doesn't depend on the candidate is judged once for all
candidates that share it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent.permission.verdict import Reason
from personalise.campaigns.model import Cap
from personalise.language.columns import Frame, Truth
from personalise.steps.invent.response import extra, numeric
from personalise.steps.personalise.policy import (
    AUDIENCE,
    ELIGIBILITY,
    HARD_STOP,
    HELD_OUT,
    NEUTRAL,
    NOT_ENROLLED,
    OUTRANKED,
    UNKNOWN,
    WORTH_NOTHING,
    Candidate,
    Policy,
)

Codes = NDArray[np.uint16]
_HARD: Final = (Reason.CUSTOMER_ERASED, Reason.SUPPRESSED, Reason.RESTRICTED, Reason.PAUSED, Reason.MINOR)
_IS_HARD: Final = np.isin(np.arange(256), _HARD)


class Funnel:
    """What one policy makes of one chunk; arrays have shape (n_customers,)."""

    def __init__(self, chunk: pa.Table, policy: Policy, at: datetime) -> None:
        """Read the columns that all candidates share."""
        self.policy = policy
        self.chunk = chunk
        self.rows = chunk.num_rows
        self.number = {name: np.uint16(number) for number, name in enumerate(policy.rules)}
        self.frame = Frame(chunk, at=at)
        self.control: NDArray[np.bool_] = self.column("bucket") < policy.campaign.holdout.share
        self._reasons: dict[str, NDArray[np.uint8]] = {scope: self.column(f"permit:{scope}") for scope in policy.scopes}
        self._audience = self.frame.holds(policy.campaign.audience)
        self._before: dict[str, Codes] = {}
        self._after: dict[tuple[object, ...], Codes] = {}
        self._permitted: dict[tuple[str, ...], NDArray[np.bool_]] = {}
        self._features = {name: numeric(chunk[name]) for name in policy.model.features} if policy.model else {}

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of the chunk."""
        return np.asarray(self.chunk[name])

    def refused(self, candidate: Candidate) -> Codes:
        """Return the rule that refuses a candidate before arbitration, stages 1 to 4 and 6; 0 where none does."""
        permitted = self._all_permitted(candidate.uses)
        condition = candidate.offer.eligibility
        codes = self._stated(self._audience, permitted, AUDIENCE)
        if condition is not None:
            codes = _first(codes, self._stated(self.frame.holds(condition), permitted, ELIGIBILITY))
        return _first(self._identity_and_stops(candidate.contact), codes, self._permission_and_caps(candidate))

    def _all_permitted(self, uses: tuple[str, ...]) -> NDArray[np.bool_]:
        known = self._permitted.get(uses)
        if known is None:
            known = np.ones(self.rows, dtype=np.bool_)
            for scope in uses:
                known &= self._reasons[scope] == Reason.PERMIT
            self._permitted[uses] = known
        return known

    def _stated(self, truth: Truth, permitted: NDArray[np.bool_], rule: str) -> Codes:
        """Stage 3: a condition that is false lets go at once, one that is unknown for want of permission at stage 4.

        Where every category it reads is permitted and the answer still is unknown, the fact itself is missing.
        """
        missing = ~(truth.true | truth.false) & permitted
        return truth.false * self.number[rule] + missing * self.number[UNKNOWN]

    def _identity_and_stops(self, contact: str) -> Codes:
        """Stages 1 and 2: whom nobody enrolled; who is erased, suppressed, restricted, paused, or too young."""
        known = self._before.get(contact)
        if known is None:
            hard = _IS_HARD[self._reasons[contact]] * self.number[HARD_STOP]
            known = _first(~self.column("enrolled") * self.number[NOT_ENROLLED], hard)
            self._before[contact] = known
        return known

    def _permission_and_caps(self, candidate: Candidate) -> Codes:
        """Stages 4 and 6: the channel's contact scope, the use of every category read, then every cap."""
        key = (candidate.contact, candidate.uses, tuple(cap.key for cap in candidate.caps))
        known = self._after.get(key)
        if known is None:
            scopes = (candidate.contact, *candidate.uses)
            denied = [(self._reasons[scope] != Reason.PERMIT) * self.number[f"permission:{scope}"] for scope in scopes]
            known = self._after[key] = _first(*denied, self._capped(candidate.caps))
        return known

    def _capped(self, caps: Sequence[Cap]) -> Codes:
        """Stage 6: all caps must hold; the binding one is the one that frees last. Controls count their ghosts."""
        codes = np.zeros(self.rows, dtype=np.uint16)
        latest = np.full(self.rows, -1, dtype=np.int64)
        for cap in caps:
            count, frees = self.contacts(cap)
            binds = (count >= cap.limit) & (frees > latest)
            codes = np.where(binds, self.number[f"cap:{cap.key}"], codes)
            latest = np.where(binds, frees, latest)
        return codes

    def contacts(self, cap: Cap) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how many contacts count against a cap, and when one more is allowed (ms); of controls, ghosts."""
        count, ghosts = self.column(f"contacts:{cap.key}"), self.column(f"ghosts:{cap.key}")
        frees, free_ghosts = self.column(f"contacts_free:{cap.key}"), self.column(f"ghosts_free:{cap.key}")
        return np.where(self.control, ghosts, count), np.where(self.control, free_ghosts, frees)

    def worth(self, candidate: Candidate) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return what a candidate is worth, probability × value + benefit - cost, and where the probability is known.

        The probability is the model's, or the rule's. Where it is unknown the model's plain rates stand in for it, or
        nothing at all for a rule.
        """
        offer = candidate.offer
        with np.errstate(over="ignore"):
            if self.policy.model:
                chance, known = extra(self.policy.model, candidate.key, self._features, rows=self.rows)
            else:
                values, known = self.frame.value(candidate.treatment.score)
                known = known & np.isfinite(values * offer.value)
                chance = np.where(known, values, NEUTRAL)
            return chance * offer.value + (offer.benefit - offer.cost), known

    def arbitrated(
        self, codes: list[Codes], worths: list[NDArray[np.float64]]
    ) -> tuple[list[Codes], NDArray[np.int16]]:
        """Stage 8, then 5: the best candidate above zero wins, else leaving alone does; of equals the first.

        Controls went through the whole funnel; what they would have got is theirs as a ghost, and all that came past
        the permissions leaves at the holdout.

        Returns:
            The candidates' final codes, and the winner's number, -1 for none.
        """
        best = np.zeros(self.rows)
        winner = np.full(self.rows, -1, dtype=np.int16)
        for row, (code, worth) in enumerate(zip(codes, worths, strict=True)):
            better = (code == 0) & (worth > best)
            np.copyto(best, worth, where=better)
            np.copyto(winner, np.int16(row), where=better)
        holdout = self.number[HELD_OUT]
        final = []
        for row, (code, worth) in enumerate(zip(codes, worths, strict=True)):
            left = code.copy()
            open_still = code == 0
            np.copyto(left, self.number[OUTRANKED], where=open_still & (winner != row))
            np.copyto(left, self.number[WORTH_NOTHING], where=open_still & (worth <= 0))
            # Rules are numbered in the order of their stages: what is beyond the holdout's came past the permissions.
            np.copyto(left, holdout, where=self.control & ((left == 0) | (left > holdout)))
            final.append(left)
        return final, winner


def _first(*codes: Codes) -> Codes:
    """Return, for each customer, the first code that isn't 0."""
    found = codes[-1]
    for code in reversed(codes[:-1]):
        found = np.where(code != 0, code, found)
    return found
