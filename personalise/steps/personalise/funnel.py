"""The funnel over one chunk. For each candidate and customer it finds the rule that refused, if one did.

A rule belongs to one stage, so the rule's number says where a candidate left; what was observed follows from the
customer's own columns (reasons and contact counts). Whatever doesn't depend on the candidate is judged once for all
candidates that share it.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from consent.base.clock import to_ms
from consent.permission.verdict import Reason
from personalise.contact_policy.model import THOUSANDTHS
from personalise.contact_policy.windows import Window
from personalise.hours.judging import ALLOWED, judged
from personalise.hours.own import own_rule, own_zone
from personalise.hours.whereabouts import Whereabouts, whereabouts
from personalise.language.columns import Frame, Truth
from personalise.steps.invent import bandit, drawing, response
from personalise.steps.invent.response import numeric
from personalise.steps.personalise.claiming import Claiming
from personalise.steps.personalise.policy import (
    AUDIENCE,
    COMMITMENT,
    GOODWILL,
    HARD_STOP,
    HELD_OUT,
    HELD_OUT_BY_COMPANY,
    HOURS,
    NOT_ENROLLED,
    OUTRANKED,
    UNKNOWN,
    WISH,
    WISHED,
    WORTH_NOTHING,
    Candidate,
    Policy,
)
from personalise.steps.personalise.quotas import Claims
from personalise.steps.personalise.refusals import Mask, Numbering, Refusals, first, zero_unless

_HARD: Final = (Reason.CUSTOMER_ERASED, Reason.SUPPRESSED, Reason.RESTRICTED, Reason.PAUSED, Reason.MINOR)
_IS_HARD: Final = np.isin(np.arange(256), _HARD)
NEVER: Final = np.iinfo(np.int64).max
"""When one more is allowed, in milliseconds, where it never is."""

Floats: TypeAlias = NDArray[np.float64]


class Funnel:
    """What one policy makes of one chunk.

    Arrays have shape (n_customers,), or (n_candidates, n_customers) with the candidates in the policy's order.
    """

    def __init__(self, chunk: pa.Table, policy: Policy, at: datetime, drawn_at: datetime | None = None) -> None:
        """Read the columns that all candidates share; chances are drawn as of `drawn_at`, where that was before."""
        self.policy = policy
        self.chunk = chunk
        self.rows = chunk.num_rows
        self.frame = Frame(chunk, at=at)
        self._at, self._drawn_at = at, drawn_at or at
        self._hours: dict[str, tuple[NDArray[np.int16], NDArray[np.int64]]] = {}
        self._held_out: Mask = self.column("bucket") < policy.share
        company = self.column("company_bucket") if policy.company_share else np.zeros(self.rows)
        self._by_company: Mask = company < policy.company_share
        self.control: Mask = self._held_out | self._by_company
        self._rules = Numbering(policy.rules)
        self._reasons: dict[str, NDArray[np.uint8]] = {scope: self.column(f"permit:{scope}") for scope in policy.scopes}
        self._audience = self.frame.holds(policy.campaign.audience)
        self._everybody = Truth(true=np.ones(self.rows, dtype=np.bool_), false=np.zeros(self.rows, dtype=np.bool_))
        self._contacts: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        self.quotas = Claiming(chunk, policy, self.control)
        self._features = {name: numeric(chunk[name]) for name in policy.model.features} if policy.model else {}

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of the chunk."""
        return np.asarray(self.chunk[name])

    # ----------------------------------------------------------------------------------------------- stages 1 to 4, 6

    def refused(self) -> Refusals:
        """Return the rule that refuses each candidate before arbitration: (n_candidates, n_customers)."""
        refused: Refusals = np.empty((len(self.policy.candidates), self.rows), dtype=self._rules.kind)
        for rows in self.policy.alike:
            candidates = [self.policy.candidates[row] for row in rows]
            permitted = self._permitted(candidates[0].uses)
            audience = self._missing(self._audience, permitted)
            shared = self._shared(candidates[0], audience)
            refused[list(rows)] = np.minimum(self._fitting(candidates, audience, permitted), shared)
        return refused

    def _fitting(self, candidates: Sequence[Candidate], audience: Mask, permitted: Mask) -> Refusals:
        """Return by which of its conditions each candidate's offer is for whom not: (n_candidates, n_customers).

        Whether he is of the audience comes first: where that is unknown, it doesn't matter whom the offer is for.
        """
        refused = np.full((len(candidates), self.rows), self._rules.none, dtype=self._rules.kind)
        for rule in self.policy.fitting:
            conditions = (dict(one.offer.conditions).get(rule) for one in candidates)
            truths = [self.frame.holds(each) if each is not None else self._everybody for each in conditions]
            found = self._rules.by(rule, np.stack([each.false for each in truths]) & ~audience)
            unknown = self._rules.by(UNKNOWN, np.stack([self._missing(each, permitted) for each in truths]))
            refused = np.minimum(refused, np.minimum(found, unknown))
        return refused

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
        contacts = self._held_back(one)[0], self._goodwill(one)
        stages = (self._identity_and_stops(one.contact), audience, self._permission(one), *contacts)
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

    def _nobody(self) -> Refusals:
        return self._rules.by(NOT_ENROLLED, np.zeros(self.rows, dtype=np.bool_))

    def _held_back(self, one: Candidate) -> tuple[Refusals, NDArray[np.int64]]:
        """Stage 6: all rules must hold; the binding one is the one that frees last. Controls' ghosts count too.

        Returns:
            By which rule, and until when (ms); -1 where none refuses.
        """
        refused, latest = self._quiet(one.treatment.channel)
        for each in one.windows:
            count, frees = self.contacts(each)
            refuses = count < each.limit if each.needs else count >= each.limit
            binds = refuses & (frees > latest)
            refused = first(self._rules.by(each.rule, binds), refused, none=self._rules.none)
            latest = np.where(binds, frees, latest)
        return self._unwished(one.treatment.channel, refused, latest)

    def _unwished(
        self, channel: str, refused: Refusals, latest: NDArray[np.int64]
    ) -> tuple[Refusals, NDArray[np.int64]]:
        """Add the customer's own limit on a channel, where it frees later than what binds already."""
        if channel not in self.policy.wished or f"wish:{channel}" not in self.chunk.column_names:
            return refused, latest
        count, frees, limit = (self.by_arm(f"{name}:{channel}") for name in WISHED)
        binds = (limit >= 0) & (count >= limit) & (frees > latest)
        refused = first(self._rules.by(f"{WISH}{channel}", binds), refused, none=self._rules.none)
        return refused, np.where(binds, frees, latest)

    def waits(self) -> tuple[NDArray[np.int64], Refusals]:
        """Return until when (ms) customers have to wait whom only rules about contacts keep from a candidate, for now.

        It is the one that is worth most of those that nothing else refuses and whose rule names a time; controls wait
        by their ghosts too, as long as they would if they were none.

        Returns:
            The time, 0 for who waits for nothing, and the number of the rule in `policy.rules`.
        """
        until, best = np.zeros(self.rows, dtype=np.int64), np.zeros(self.rows)
        by: Refusals = np.zeros(self.rows, dtype=self._rules.kind)
        for one, refused in zip(self.policy.candidates, self.refused(), strict=True):
            held_back, frees = self._held_back(one)
            worth, _ = self.worth(one)
            else_free = (self._goodwill(one) == self._rules.none) & ~self._breaks_word(one)
            only = (held_back != self._rules.none) & (refused == held_back) & (frees < NEVER) & else_free
            better = only & (worth > best)
            best = np.where(better, worth, best)
            until = np.where(better, frees, until)
            by = np.where(better, self._rules.numbers(held_back), by)
        return until, by

    def by_arm(self, name: str) -> NDArray[np.int64]:
        """Return a column: of controls the one for them, ghosts too. Inputs of before have not of all columns one."""
        ghost = f"ghost_{name}"
        if ghost not in self.chunk.column_names:
            return self.column(name)
        return np.where(self.control, self.column(ghost), self.column(name))

    def contacts(self, window: Window) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how many contacts a rule counts, and when one more is allowed (ms); of controls, ghosts too."""
        known = self._contacts.get(window.key)
        if known is None:
            count, ghosts = self.column(f"contacts:{window.key}"), self.column(f"ghosts:{window.key}")
            frees, free_ghosts = self.column(f"contacts_free:{window.key}"), self.column(f"ghosts_free:{window.key}")
            known = np.where(self.control, ghosts, count), np.where(self.control, free_ghosts, frees)
            self._contacts[window.key] = known
        return known

    def _quiet(self, channel: str) -> tuple[Refusals, NDArray[np.int64]]:
        """Return whom the hours refuse, and when they will allow it (ms), -1 where they do now."""
        refused, latest = self._nobody(), np.full(self.rows, -1, dtype=np.int64)
        if self.policy.hours:
            rule, frees = self.hours(channel)
            for number, name in enumerate(self.policy.hours.names):
                refused = np.minimum(refused, self._rules.by(f"{HOURS}{name}", rule == number))
            latest = np.where(rule == ALLOWED, latest, frees)
        return refused, latest

    def hours(self, channel: str) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        """Return which rule of hours is quiet for each customer on a channel, and until when (ms)."""
        if channel not in self._hours and self.policy.hours:
            if not self.policy.hours.rules and not self._own_hours:
                return np.full(self.rows, ALLOWED, dtype=np.int16), np.zeros(self.rows, dtype=np.int64)
            self._hours[channel] = judged(
                self.policy.hours, channel=channel, kind=self.policy.campaign.kind, places=self._places, at=self._at
            )
        return self._hours[channel]

    @cached_property
    def _own_hours(self) -> list[str | None]:
        """Return each customer's own quiet hours; nothing at all, where nobody has any."""
        told = self.chunk["own_hours"] if "own_hours" in self.chunk.column_names else None
        return [] if told is None or told.null_count == self.rows else told.to_pylist()

    @cached_property
    def _places(self) -> list[Whereabouts]:
        """Where each customer may be, by what is known and permitted of it."""
        told = self.policy.contact_policy.zones
        names = (told.zone, told.address, told.telephone, told.country)
        columns = [
            self.chunk[name].to_pylist() if name in self.policy.attributes else [""] * self.rows for name in names
        ]
        quiet = self._own_hours or [None] * self.rows
        return [
            whereabouts(
                zone=zone or "", own_zone=own_zone(own), address=address or "", telephone=telephone or "",
                country=country or "", own=own_rule(own),
            )
            for zone, address, telephone, country, own in zip(*columns, quiet, strict=True)
        ]  # fmt: skip

    # ------------------------------------------------------------------------------------------------------- stage 7

    @cached_property
    def pressure(self) -> NDArray[np.int64]:
        """How many contacts there were lately, on any channel; of controls, ghosts too."""
        return self.by_arm("pressure")

    def charge(self, one: Candidate) -> NDArray[np.int64]:
        """Return what a contact costs in goodwill now, in thousandths of a point."""
        return one.price * (1 + self.pressure)

    def _goodwill(self, one: Candidate) -> Refusals:
        """Stage 7: what is left after the contact must not fall below the floor."""
        floor = self.policy.contact_policy.goodwill.floor
        if not self.policy.charges or floor is None:
            return self._nobody()
        left = self.column("goodwill") - self.charge(one)
        return self._rules.by(GOODWILL, left < round(floor * THOUSANDTHS))

    @cached_property
    def _point(self) -> Floats:
        """What the company gives for one point of goodwill: its price at a full balance, twice that at an empty one."""
        terms = self.policy.contact_policy.goodwill
        opening = terms.opening * THOUSANDTHS
        spent = np.clip((opening - self.column("goodwill")) / opening, 0.0, 1.0)
        price: Floats = terms.price_of_one * (1.0 + spent)
        return price

    # --------------------------------------------------------------------------------------------------- stages 8, 5

    def worth(self, one: Candidate) -> tuple[Floats, Mask]:
        """Return what a candidate is worth, and where its probability is known.

        It is probability × value × lever + w × benefit - cost - λ(balance) × goodwill. The probability is the model's,
        or the rule's. Where it is unknown the model's plain rates stand in for it, or nothing at all for a rule.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            chance, known = self._chance(one)
            gained = chance * one.offer.value * one.treatment.lever
            if self.policy.model is None:
                known = np.isfinite(gained)
                gained = zero_unless(known, gained)
            return self.less_costs(one, gained, ...), known

    def less_costs(self, one: Candidate, gained: Floats, who: Any) -> Floats:  # noqa: ANN401 -- an index, or `...`
        """Return what is left of what is gained from some customers, or from one of them in many ways."""
        gained += self.policy.contact_policy.weight_of_benefit * one.offer.benefit - one.offer.cost
        if self.policy.charges:
            gained -= self._point[who] * (self.charge(one)[who] / THOUSANDTHS)
        return gained

    def chance(self, one: Candidate) -> Floats:
        """Return how likely a candidate brings the outcome (by a model: how much likelier); 0 where that is unknown."""
        with np.errstate(over="ignore", invalid="ignore"):
            chance, known = self._chance(one)
        return zero_unless(known, chance)

    def _chance(self, one: Candidate) -> tuple[Floats, Mask]:
        model = self.policy.model
        if model and model.samples:
            salt = f"{self.policy.campaign.holdout.salt}|{self.policy.campaign.key}"
            names = self.chunk["customer"].to_pylist()
            drawn = bandit.pointed(names, salt=salt, at_ms=to_ms(self._drawn_at), arm=one.key)
            return drawing.drawable(model, one.key)[drawn], np.ones(self.rows, dtype=np.bool_)
        if model:
            more = self.policy.campaign.scorer == "uplift"
            return response.chance(model, one.key, self._features, rows=self.rows, more=more)
        chance = self.frame.value(one.treatment.score).values  # NaN where unknown
        return chance, np.isfinite(chance)

    @property
    def scored_by(self) -> NDArray[np.uint8]:
        """Which of the models scores each customer; as `response.scored_by`."""
        model = self.policy.model
        return response.scored_by(model, self._features, rows=self.rows) if model else np.zeros(0, dtype=np.uint8)

    def open_to(self, refused: Refusals) -> list[Mask]:
        """Return to whom each candidate is open, but for what it is worth and what there is room for."""
        rows = zip(refused == self._rules.none, self.policy.candidates, strict=True)
        return [row & ~self._breaks_word(one) for row, one in rows]

    def arbitrated(self, refused: Refusals, worths: Sequence[Floats]) -> tuple[Refusals, NDArray[np.int16]]:
        """Stages 8 and 9, then 5: the best candidate above zero wins, else leaving alone does; of equals the first.

        Whoever would win but for what the customer was promised leaves at the commitments, and the next best wins; also
        where there is no room for the best.

        Controls went through the whole funnel; what they would have got is theirs as a ghost, and all that came past
        the permissions leaves at the holdout.

        Returns:
            The numbers of the rules that the candidates left by, (n_candidates, n_customers), and the winners' numbers,
            -1 for none.
        """
        best = np.zeros(self.rows)
        place = np.zeros(self.rows, dtype=np.int16)  # the winner's, counted from 1
        pays = np.stack([worth > 0 for worth in worths])
        runs = pays & (refused == self._rules.none)
        broken = np.stack([self._breaks_word(one) for one in self.policy.candidates])
        full = self.quotas.full(runs & ~broken, worths, self._rules)
        contends = runs & ~broken & (full == self._rules.none)
        for row, (contender, worth) in enumerate(zip(contends, worths, strict=True), 1):
            offered = zero_unless(contender, worth)
            better = offered > best
            np.maximum(best, offered, out=best)
            np.maximum(place, better * np.int16(row), out=place)
        won = place == np.arange(1, len(worths) + 1, dtype=np.int16)[:, np.newaxis]
        late = np.minimum(self._rules.by(OUTRANKED, pays & ~won), self._rules.by(WORTH_NOTHING, ~pays))
        if broken.any():
            rows = np.arange(1, len(worths) + 1, dtype=np.int16)[:, np.newaxis]
            worth = np.stack(worths)
            kept_back = runs & broken & ((worth > best) | ((worth == best) & (rows < place)))
            for row, one in enumerate(self.policy.candidates):
                by_word = self._rules.by(f"{COMMITMENT}{one.offer.family}", kept_back[row])
                late[row] = np.where(kept_back[row], by_word, late[row])
        late = np.where(full == self._rules.none, late, full)
        # Rules are numbered in the order of their stages: what is beyond the holdout's came past the permissions.
        left = np.minimum(np.minimum(refused, late), self._rules.by(HELD_OUT, self._held_out))
        if self.policy.company_share:
            left = np.minimum(left, self._rules.by(HELD_OUT_BY_COMPANY, self._by_company))
        return self._rules.numbers(left), place - np.int16(1)

    def claims(self, *, controls: bool) -> Claims:
        """Return what each customer would get if there were room in every quota; of controls only if asked for."""
        worths = [self.worth(one)[0] for one in self.policy.candidates]
        broken = np.stack([self._breaks_word(one) for one in self.policy.candidates])
        runs = (np.stack(worths) > 0) & (self.refused() == self._rules.none) & (controls | ~self.control)
        charges = [self.charge(one) for one in self.policy.candidates] if self.policy.charges else None
        return self.quotas.claims(runs & ~broken, worths, charges)

    def _breaks_word(self, one: Candidate) -> Mask:
        """Stage 9: where other terms of the family were promised, and these are not known to be as good or better."""
        promised = self.chunk[f"committed:{one.offer.family}"]
        if promised.null_count == self.rows:
            return np.zeros(self.rows, dtype=np.bool_)
        other = np.asarray(pc.fill_null(pc.not_equal(promised, one.offer.terms_hash), fill_value=False))
        if one.offer.grade is None:
            return other
        grades = self.chunk[f"committed_grade:{one.offer.family}"]
        better = np.asarray(pc.fill_null(pc.less_equal(grades, one.offer.grade), fill_value=False))
        kept: Mask = other & ~better
        return kept
