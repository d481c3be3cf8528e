"""Carry a run on: one step after the other, in as many processes as there are, on as many machines.

Each takes chunks that nobody is at. A chunk locks its customers, decides, reserves, and only at its end locks the run's
row and then the ledger's head, for as long as it takes to write there: until then nobody waits for anybody.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from consent.base.errors import LedgerBroken
from consent.base.ids import RunId
from consent.base.store import Work
from consent.deployment import Deployment
from consent.register import customers
from consent.uses import Use
from personalise import quotas, reservations
from personalise.runs import chunk, log, plan, ranking, stands
from personalise.runs.chunk import Carried
from personalise.runs.counts import Counts
from personalise.runs.dry_run import CHUNK, Progress, load_policy
from personalise.runs.plan import Part
from personalise.runs.stands import RUNNING, STOPPED
from personalise.steps.personalise.policy import Policy

Closing = Callable[[Work], None]
"""Called in the transaction in which nobody is left to decide for."""


_OBJECTS: Final = 50_000
"""Made since it last looked, before the collector looks at the youngest again."""


class Step(Enum):
    """What came of one step of a run."""

    READIED = "readied"
    """Some customers were ranked, or some chunks planned."""
    DECIDED = "decided"
    """A chunk was decided, or is to be tried again: what it could count on has changed meanwhile."""
    ELSEWHERE = "elsewhere"
    """Others are at all that is left."""
    EXHAUSTED = "exhausted"
    """Nothing is left."""
    OVER = "over"
    """The run is not running (any more)."""


class _Undone(Exception):
    """A chunk was decided in vain: its transaction is rolled back."""


@dataclass(slots=True, kw_only=True)
class Carrier:
    """Carries one run on in one process.

    Attributes:
        deployment: where it runs.
        run: its id.
        most: customers in a chunk that is planned from now on. What is decided doesn't depend on it.
        tell: called after each chunk with how many customers are done, and how many there were at the start.
        closing: what is to be done when nobody is left; else it is left to others.
    """

    deployment: Deployment
    run: RunId
    most: int = CHUNK
    tell: Progress | None = None
    closing: Closing | None = None
    _policy: Policy | None = None
    _order: ranking.Pass | None = None

    def prepare(self) -> Step:
        """Rank some customers, where the run has to, or plan some chunks.

        Raises:
            RunUnknown: no run by that id.
            LedgerBroken: what its policy was made of has changed since it started.
        """
        with self.deployment.store.write() as work:
            row = stands.of(work, self.run)
            return self._prepare(work, row)

    def step(self, number: int | None = None) -> Step:
        """Decide one chunk: the next that nobody is at, or the one of a number; where none is planned, `prepare`.

        Raises:
            RunUnknown, LedgerBroken: as `prepare` says.
        """
        try:
            with self.deployment.store.write() as work:
                row = stands.of(work, self.run)
                in_turn = self._its_policy(work, row).shared
                part = plan.take(work, self.run, number, in_turn=in_turn) if row.state == RUNNING else None
                if part is None:
                    return self._prepare(work, row) if number is None else self._of_others(work, row, number)
                with _collecting_seldom():
                    done = self._decide(work, row, part)
        except _Undone:
            return Step.DECIDED
        if self.tell:
            self.tell(done, row.total)
        return Step.DECIDED

    @property
    def in_turn(self) -> bool:
        """Whether chunks have to be decided one after the other: members of a household are reached in their order."""
        return self._policy is not None and self._policy.shared

    def _of_others(self, work: Work, row: Any, number: int) -> Step:  # noqa: ANN401 -- a row of run
        if row.state != RUNNING:
            return Step.OVER
        return Step.ELSEWHERE if number in plan.left(work, self.run) else Step.EXHAUSTED

    def _prepare(self, work: Work, row: Any) -> Step:  # noqa: ANN401 -- a row of run
        policy = self._its_policy(work, row)
        row = stands.locked(work, self.run)
        if row.state != RUNNING:
            if row.state == STOPPED:
                plan.drop(work, self.run)  # those that somebody was at when it was stopped
            return Step.OVER
        return self._rank(work, row, policy) if policy.quotas and not row.quotas else self._plan(work, row)

    def _rank(self, work: Work, row: Any, policy: Policy) -> Step:  # noqa: ANN401 -- a row of run
        """Rank the next customers; once there are no more, set aside what the run will give out."""
        now = self.deployment.clock()
        if self._order is None and reservations.sweep(work, now, self.most):  # what they had taken is there again
            return Step.READIED
        order = self._order = self._order or ranking.Pass(policy=policy, use=_use(row, policy), at=row.at)
        if order.step(self.deployment.desk, work, most=self.most, now=now):
            stands.update(work, self.run, beat_at=now)
            return Step.READIED
        room = order.room(work)
        quotas.take(work, row.campaign, {each: room.left[each.key] for each in policy.quotas})
        stands.update(work, self.run, beat_at=now, quotas=ranking.stored(room, policy))
        return Step.READIED

    def _plan(self, work: Work, row: Any) -> Step:  # noqa: ANN401 -- a row of run
        planned = plan.more(work, self.run, row.after, row.chunk, most=self.most)
        if planned:
            stands.update(work, self.run, after=planned[-1].last, chunk=row.chunk + len(planned))
            return Step.READIED
        if plan.left(work, self.run):
            return Step.ELSEWHERE
        if self.closing:
            self.closing(work)
        return Step.EXHAUSTED

    def _decide(self, work: Work, stood: Any, part: Part) -> int:  # noqa: ANN401 -- a row of run
        """Decide a chunk that was taken, and return how many customers of the run are done.

        Raises:
            _Undone: the run was paused or stopped meanwhile; or of what it has set aside others took so much that the
                chunk has to be decided anew.
        """
        deployment, policy = self.deployment, self._its_policy(work, stood)
        began = deployment.clock()
        ids = customers.between(work, part.after, part.last)
        counts, spent, unlogged = Counts(), dict[str, int](), None
        if ids:
            chunk.locked(work, ids, at=began)
            made = chunk.decided(
                deployment.desk, work, ids, policy, use=_use(stood, policy), at=stood.at, now=began,
                room=ranking.from_stored(stood.quotas),
            )  # fmt: skip
            unlogged, deferred = chunk.kept(
                deployment.desk, work, made, policy, chunk_id=chunk.chunk_id(self.run, part.number), run=self.run,
                number=part.number, at=stood.at, carried=Carried(),
            )  # fmt: skip
            counts.add(made.table, policy)
            counts.deferred = deferred
            spent = dict(made.spent)
        # From here on no other chunk of this run ends before this one.
        row = stands.locked(work, self.run)
        room = ranking.from_stored(row.quotas)
        # What fits into what is left now would have been decided alike had it been known before.
        if row.state != RUNNING or any(amount > room.left[key] for key, amount in spent.items()):
            raise _Undone
        room.spend(spent)
        ended = deployment.clock()
        stands.count(work, row, counts, began=began, ended=ended, quotas=ranking.stored(room, policy))
        plan.done(work, self.run, part)
        if unlogged:
            log.write(deployment.desk, work, unlogged, at=ended)
        return int(row.done) + len(ids)

    def _its_policy(self, work: Work, row: Any) -> Policy:  # noqa: ANN401 -- a row of run
        if self._policy is None:
            policy, _ = load_policy(self.deployment, work, row.campaign, **stands.run_of(row).pins)
            if policy.digest != bytes(row.policy):
                msg = "the policy of this run is no longer what it started with, though all its parts are insert-only"
                raise LedgerBroken(msg)
            self._policy = policy
        return self._policy


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Let the collector of cycles look seldom: the hundred thousand objects of a chunk go by themselves.

    Else it walks the whole heap again and again, for about a tenth of a chunk's time.
    """
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _use(row: Any, policy: Policy) -> Use:  # noqa: ANN401 -- a row of run
    return Use(actor=row.asked_by, purpose=policy.campaign.purpose, decision=row.id)
