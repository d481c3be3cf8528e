"""The funnel over one chunk: arrays of shape (n_candidates, n_customers), and stages that fill them in order."""

from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent.permission.verdict import Reason
from personalise.policy import NEUTRAL, Candidate, Policy
from personalise.steps.invent.columns import Frame
from personalise.steps.invent.response import extra, numeric
from personalise.steps.personalise.stages import Stage

_HARD: Final = (Reason.CUSTOMER_ERASED, Reason.SUPPRESSED, Reason.RESTRICTED, Reason.PAUSED, Reason.MINOR)
_IS_HARD: Final = np.isin(np.arange(256), _HARD)
_NEVER: Final = -np.inf


class Funnel:
    """What is known of each candidate for each customer so far; `stage` 0 means: still in."""

    def __init__(self, chunk: pa.Table, policy: Policy, at: datetime) -> None:
        """Lay the arrays out for `chunk`, all candidates in."""
        shape = (len(policy.candidates), chunk.num_rows)
        self.policy = policy
        self.chunk = chunk
        self.frame = Frame(chunk, at=at)
        self.rules = {name: number for number, name in enumerate(policy.rules)}
        self.stage = np.zeros(shape, dtype=np.uint8)
        self.rule = np.zeros(shape, dtype=np.uint16)
        self.observed = np.zeros(shape, dtype=np.int32)
        self.allowed_from = np.zeros(shape, dtype=np.int64)
        self.priority = np.full(shape, np.nan)
        self.prior = np.zeros(shape, dtype=np.bool_)
        self.control = self._column("bucket") < policy.campaign.holdout.share
        self._features = {name: numeric(chunk[name]) for name in policy.model.features} if policy.model else {}

    def _column(self, name: str) -> NDArray[Any]:
        return np.asarray(self.chunk[name])

    def _leave(self, row: int, who: NDArray[np.bool_], stage: Stage, rule: str, observed: NDArray[Any] | None = None) -> None:
        """Let candidate `row` leave for the customers `who`, where it is still in."""
        who = who & (self.stage[row] == Stage.CHOSEN)
        self.stage[row][who] = stage
        self.rule[row][who] = self.rules[rule]
        if observed is not None:
            self.observed[row][who] = observed[who]

    def identity(self) -> None:
        """Stage 1: customers whom nobody enrolled leave."""
        unknown = ~self._column("enrolled")
        for row in range(len(self.stage)):
            self._leave(row, unknown, Stage.IDENTITY, "not_enrolled")

    def hard_stops(self, row: int, candidate: Candidate) -> None:
        """Stage 2: erased, suppressed, restricted, paused customers and minors leave."""
        reasons = self._column(f"permit:{candidate.contact}")
        self._leave(row, _IS_HARD[reasons], Stage.HARD_STOPS, f"permission:{candidate.contact}", reasons)

    def eligibility(self, row: int, candidate: Candidate) -> None:
        """Stage 3: a condition that is false lets go at once; one that is unknown for want of permission, later.

        Where every category it reads is permitted and the answer still is unknown, the fact itself is missing.
        """
        permitted = np.ones(self.stage.shape[1], dtype=np.bool_)
        for scope in candidate.uses:
            permitted &= self._column(f"permit:{scope}") == Reason.PERMIT
        asked = (("audience", self.policy.campaign.audience), ("eligibility", candidate.offer.eligibility))
        for name, condition in asked:
            if condition is not None:
                truth = self.frame.holds(condition)
                self._leave(row, truth.false, Stage.ELIGIBILITY, name)
                self._leave(row, ~truth.true & permitted, Stage.ELIGIBILITY, "unknown")

    def permission(self, row: int, candidate: Candidate) -> None:
        """Stage 4: the channel's contact scope, then the use of every category that anything reads."""
        for scope in (candidate.contact, *candidate.uses):
            reasons = self._column(f"permit:{scope}")
            self._leave(row, reasons != Reason.PERMIT, Stage.PERMISSION, f"permission:{scope}", reasons)

    def contact_policy(self, row: int, candidate: Candidate) -> None:
        """Stage 6: every cap of the channel must hold; the binding one is the one that frees last.

        Controls count their ghost contacts against a cap of their own.
        """
        for cap in candidate.caps:
            count = np.where(self.control, self._column(f"ghosts:{cap.key}"), self._column(f"contacts:{cap.key}"))
            frees = np.where(self.control, self._column(f"ghosts_free:{cap.key}"), self._column(f"contacts_free:{cap.key}"))
            over = count >= cap.limit
            binds = over & (self.stage[row] == Stage.CONTACT_POLICY) & (frees > self.allowed_from[row])
            self.rule[row][binds] = self.rules[f"cap:{cap.key}"]
            self.observed[row][binds] = count[binds]
            fresh = over & (self.stage[row] == Stage.CHOSEN)
            self._leave(row, over, Stage.CONTACT_POLICY, f"cap:{cap.key}", count)
            self.allowed_from[row][fresh | binds] = frees[fresh | binds]

    def score(self, row: int, candidate: Candidate) -> None:
        """Work out what a candidate is worth: probability × value + benefit - cost.

        The probability is the model's, or the rule's. Where it is unknown the model's plain rates stand in for it, or
        nothing at all for a rule; `prior` says so.
        """
        if self.policy.model:
            chance = extra(self.policy.model, candidate.key, self._features)
            known = np.ones(self.stage.shape[1], dtype=np.bool_)
            for _, there in self._features.values():
                known &= there
        else:
            values, known = self.frame.value(candidate.treatment.score)
            chance = np.where(known, values, NEUTRAL)
        offer = candidate.offer
        self.priority[row] = chance * offer.value + offer.benefit - offer.cost
        self.prior[row] = ~known

    def arbitrate(self) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """Stage 8, then 5: the best candidate above zero wins, else leaving alone does; controls get a ghost of it.

        Returns:
            (chosen, ghost): candidate numbers, -1 for none; shape (n_customers,) each. Of equals the first wins.
        """
        inside = self.stage == Stage.CHOSEN
        worth = np.where(inside, self.priority, _NEVER)
        winner = worth.argmax(axis=0).astype(np.int16)
        best = np.where(worth.max(axis=0) > 0, winner, np.int16(-1))
        for row in range(len(self.stage)):
            self._leave(row, ~(worth[row] > 0), Stage.ARBITRATION, "worth_nothing")
            self._leave(row, best != row, Stage.ARBITRATION, "outranked")
        held = self.control & ((self.stage == Stage.CHOSEN) | (self.stage > Stage.HOLDOUT))
        self.stage[held] = Stage.HOLDOUT
        self.rule[held] = self.rules["holdout"]
        nobody = np.int16(-1)
        return np.where(self.control, nobody, best), np.where(self.control, best, nobody)
