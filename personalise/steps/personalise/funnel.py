"""The funnel over one chunk. For each candidate and customer it finds the rule that refused, if one did.

A rule belongs to one stage, so the rule's number says where a candidate left; what was observed follows from the
customer's own columns (reasons and contact counts). Whatever doesn't depend on the candidate is judged once for all
candidates that share it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

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
    NOT_ENROLLED,
    OUTRANKED,
    UNKNOWN,
    WORTH_NOTHING,
    Candidate,
    Policy,
)
from personalise.steps.personalise.refusals import Mask, Numbering, Refusals, first, zero_unless

_HARD: Final = (Reason.CUSTOMER_ERASED, Reason.SUPPRESSED, Reason.RESTRICTED, Reason.PAUSED, Reason.MINOR)
_IS_HARD: Final = np.isin(np.arange(256), _HARD)

Floats: TypeAlias = NDArray[np.float64]


class Funnel:
    """What one policy makes of one chunk.

    Arrays have shape (n_customers,), or (n_candidates, n_customers) with the candidates in the policy's order.
    """

    def __init__(self, chunk: pa.Table, policy: Policy, at: datetime) -> None:
        """Read the columns that all candidates share."""
        self.policy = policy
        self.chunk = chunk
        self.rows = chunk.num_rows
        self.frame = Frame(chunk, at=at)
        self.control: Mask = self.column("bucket") < policy.campaign.holdout.share
        self._rules = Numbering(policy.rules)
        self._reasons: dict[str, NDArray[np.uint8]] = {scope: self.column(f"permit:{scope}") for scope in policy.scopes}
        self._audience = self.frame.holds(policy.campaign.audience)
        self._everybody = Truth(true=np.ones(self.rows, dtype=np.bool_), false=np.zeros(self.rows, dtype=np.bool_))
        self._contacts: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        self._features = {name: numeric(chunk[name]) for name in policy.model.features} if policy.model else {}

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of the chunk."""
        return np.asarray(self.chunk[name])

    # ----------------------------------------------------------------------------------------------- stages 1 to 4, 6

    def refused(self) -> Refusals:
        """Return the rule that refuses each candidate before arbitration: (n_candidates, n_customers)."""
        refused: Refusals = np.empty((len(self.policy.candidates), self.rows), dtype=self._rules.kind)
        for rows in _alike(self.policy.candidates):
            candidates = [self.policy.candidates[row] for row in rows]
            permitted = self._permitted(candidates[0].uses)
            audience = self._missing(self._audience, permitted)
            eligible = self._eligible(candidates)
            # Whether he is of the audience comes first: where that is unknown, it doesn't matter whom the offer is for.
            not_for_him = self._rules.by(ELIGIBILITY, eligible.false & ~audience)
            unknown = self._rules.by(UNKNOWN, self._missing(eligible, permitted))
            shared = self._shared(candidates[0], audience)
            refused[rows] = np.minimum(np.minimum(not_for_him, unknown), shared)
        return refused

    def _eligible(self, candidates: Sequence[Candidate]) -> Truth:
        """Return for whom each candidate's offer is, and for whom it isn't: (n_candidates, n_customers)."""
        conditions = [one.offer.eligibility for one in candidates]
        truths = [self.frame.holds(each) if each is not None else self._everybody for each in conditions]
        return Truth(true=np.stack([each.true for each in truths]), false=np.stack([each.false for each in truths]))

    @staticmethod
    def _missing(truth: Truth, permitted: Mask) -> Mask:
        """Where every category it reads is permitted and the answer still is unknown, the fact itself is missing.

        A condition that is unknown for want of permission leaves no mark here, but at stage 4.
        """
        return permitted & ~(truth.true | truth.false)

    def _permitted(self, uses: tuple[str, ...]) -> Mask:
        permitted = np.ones(self.rows, dtype=np.bool_)
        for scope in uses:
            permitted &= self._reasons[scope] == Reason.PERMIT
        return permitted

    def _shared(self, one: Candidate, missing: Mask) -> Refusals:
        """All of these stages but the offer's own condition: the same for all candidates that are alike."""
        audience = np.minimum(self._rules.by(AUDIENCE, self._audience.false), self._rules.by(UNKNOWN, missing))
        stages = (self._identity_and_stops(one.contact), audience, self._permission(one), self._capped(one.caps))
        return first(*stages, none=self._rules.none)

    def _identity_and_stops(self, contact: str) -> Refusals:
        """Stages 1 and 2: whom nobody enrolled; who is erased, suppressed, restricted, paused, or too young."""
        stopped = self._rules.by(HARD_STOP, _IS_HARD[self._reasons[contact]])
        return np.minimum(self._rules.by(NOT_ENROLLED, ~self.column("enrolled")), stopped)

    def _permission(self, one: Candidate) -> Refusals:
        """Stage 4: the channel's contact scope, then the use of every category read."""
        scopes = (one.contact, *one.uses)
        denied = [self._rules.by(f"permission:{scope}", self._reasons[scope] != Reason.PERMIT) for scope in scopes]
        return first(*denied, none=self._rules.none)

    def _capped(self, caps: Sequence[Cap]) -> Refusals:
        """Stage 6: all caps must hold; the binding one is the one that frees last. Controls count their ghosts."""
        refused = self._rules.by(NOT_ENROLLED, np.zeros(self.rows, dtype=np.bool_))  # nobody, so far
        latest = np.full(self.rows, -1, dtype=np.int64)
        for cap in caps:
            count, frees = self.contacts(cap)
            binds = (count >= cap.limit) & (frees > latest)
            refused = first(self._rules.by(f"cap:{cap.key}", binds), refused, none=self._rules.none)
            latest = np.where(binds, frees, latest)
        return refused

    def contacts(self, cap: Cap) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how many contacts count against a cap, and when one more is allowed (ms); of controls, ghosts."""
        known = self._contacts.get(cap.key)
        if known is None:
            count, ghosts = self.column(f"contacts:{cap.key}"), self.column(f"ghosts:{cap.key}")
            frees, free_ghosts = self.column(f"contacts_free:{cap.key}"), self.column(f"ghosts_free:{cap.key}")
            known = np.where(self.control, ghosts, count), np.where(self.control, free_ghosts, frees)
            self._contacts[cap.key] = known
        return known

    # --------------------------------------------------------------------------------------------------- stages 8, 5

    def worth(self, one: Candidate) -> tuple[Floats, Mask]:
        """Return what a candidate is worth, probability × value + benefit - cost, and where the probability is known.

        The probability is the model's, or the rule's. Where it is unknown the model's plain rates stand in for it, or
        nothing at all for a rule.
        """
        offer = one.offer
        with np.errstate(over="ignore", invalid="ignore"):
            if self.policy.model:
                chance, known = extra(self.policy.model, one.key, self._features, rows=self.rows)
                gained = chance * offer.value
            else:
                gained = self.frame.value(one.treatment.score).values * offer.value  # NaN where unknown
                known = np.isfinite(gained)
                gained = zero_unless(known, gained)
            gained += offer.benefit - offer.cost
            return gained, known

    def arbitrated(self, refused: Refusals, worths: Sequence[Floats]) -> tuple[Refusals, NDArray[np.int16]]:
        """Stage 8, then 5: the best candidate above zero wins, else leaving alone does; of equals the first.

        Controls went through the whole funnel; what they would have got is theirs as a ghost, and all that came past
        the permissions leaves at the holdout.

        Returns:
            The numbers of the rules that the candidates left by, (n_candidates, n_customers), and the winners' numbers,
            -1 for none.
        """
        best = np.zeros(self.rows)
        place = np.zeros(self.rows, dtype=np.int16)  # the winner's, counted from 1
        pays = np.stack([worth > 0 for worth in worths])
        contends = pays & (refused == self._rules.none)
        for row, (contender, worth) in enumerate(zip(contends, worths, strict=True), 1):
            offered = zero_unless(contender, worth)
            better = offered > best
            np.maximum(best, offered, out=best)
            np.maximum(place, better * np.int16(row), out=place)
        won = place == np.arange(1, len(worths) + 1, dtype=np.int16)[:, np.newaxis]
        late = np.minimum(self._rules.by(OUTRANKED, pays & ~won), self._rules.by(WORTH_NOTHING, ~pays))
        # Rules are numbered in the order of their stages: what is beyond the holdout's came past the permissions.
        left = np.minimum(np.minimum(refused, late), self._rules.by(HELD_OUT, self.control))
        return self._rules.numbers(left), place - np.int16(1)


def _alike(candidates: Sequence[Candidate]) -> list[list[int]]:
    """Return the places of candidates in groups of one channel, one use, and the same caps."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for row, one in enumerate(candidates):
        groups.setdefault((one.contact, one.uses, one.caps), []).append(row)
    return list(groups.values())
