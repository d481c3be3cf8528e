"""Whatever is said, in whatever order, early or late: each check, of now and of then, is what the rules say."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from typing_extensions import override

from consent import gate
from consent.base.clock import from_ms, to_ms
from consent.base.errors import NothingToRenew, StatementInvalid
from consent.permission.statement import WHOLE_CUSTOMER, Act
from tests import model
from tests.builders import START

REMEMBER = "remember:purchases"
BASES = {
    REMEMBER: "consent",
    "use:purchases:recommendations": "consent",
    "contact:email:recommendations": "consent",
    "use:responses:measurement": "legitimate_interest",
    "contact:email:service": "contract",
}
SCOPES = tuple(BASES)
ASKED = tuple(scope for scope, basis in BASES.items() if basis == "consent")
RULES = {scope: model.Rule(scope, basis, 1) for scope, basis in BASES.items()}

acts = st.sampled_from([*Act, Act.GRANT, Act.GRANT, Act.WITHDRAW])
chosen = st.sampled_from([SCOPES[:1], SCOPES[1:2], SCOPES[:2], SCOPES[1:3], SCOPES[2:4], SCOPES[3:], ASKED, SCOPES])
lateness = st.sampled_from(
    [timedelta(), timedelta(), timedelta(), timedelta(hours=1), timedelta(days=3), timedelta(days=400)]
)
steps = st.sampled_from([timedelta(milliseconds=1), timedelta(hours=2), timedelta(days=2), timedelta(days=390)])
whose = st.integers(0, 1)


def two_years_after(at):
    try:
        return at.replace(year=at.year + 2)
    except ValueError:  # 29 February
        return at.replace(year=at.year + 2, day=28)


class Recording(RuleBasedStateMachine):
    """Two customers, a clock, and beside the database what they said, in a list."""

    def __init__(self, world):
        super().__init__()
        self.world = world
        self.recorded = {}
        self.people = []

    @initialize()
    def enrol(self):
        self.people = self.world.enrol("X", "Y")
        self.recorded = {who: [] for who in self.people}

    @override
    def teardown(self):
        self.world.check_ledger()
        self.world.store.close()

    # ------------------------------------------------------------------------------------------------- what is known

    def stands(self, who, by=None):
        """Return what stands, or stood by a time: of the statements recorded by then."""
        return model.stands(word for at, word in self.recorded[who] if by is None or at <= by)

    def expected(self, who, scope, now, *, by=None, remembered=False):
        remember = RULES[REMEMBER] if remembered and scope.startswith("use:purchases") else None
        return model.reason(now, self.stands(who, by), RULES[scope], remember)

    def word(self, seq, said):
        """Write a statement down as the rules complete it: two years, and the only notice there is."""
        given = said.act in (Act.GRANT, Act.RENEW)
        return model.Word(
            seq=seq,
            said_at=to_ms(said.said_at),
            act=str(said.act),
            scopes=said.scopes,
            notices=dict.fromkeys(said.scopes, 1),
            ends={scope: to_ms(two_years_after(said.said_at)) for scope in said.scopes if given},
            until=to_ms(said.until) if said.until else None,
        )

    def refusal(self, batch):
        """Return the error that a batch must meet, or None; a batch is judged in order."""
        for _, said in batch:
            if said.act in (Act.GRANT, Act.RENEW) and set(said.scopes) - set(ASKED):
                return StatementInvalid
        told = {who: [word for _, word in self.recorded[who]] for who in self.people}
        for number, (who, said) in enumerate(batch):
            answers = model.stands(told[who]).answers
            if said.act is Act.RENEW and any(
                scope not in answers or answers[scope].status not in ("given", "renewed") for scope in said.scopes
            ):
                return NothingToRenew
            told[who].append(self.word(self.world.size() + number, said))
        return None

    # -------------------------------------------------------------------------------------------------- what happens

    def statement(self, who, act, scopes, late):
        said_at = max(self.world.clock() - late, START - timedelta(days=1_000))
        if act in WHOLE_CUSTOMER:
            until = said_at + timedelta(days=2) if act is Act.PAUSE and len(scopes) > 1 else None
            return self.world.statement(who, act, said_at=said_at, until=until)
        return self.world.statement(who, act, *scopes, said_at=said_at)

    def say(self, batch):
        error, before = self.refusal(batch), self.world.size()
        if error:
            with pytest.raises(error):
                self.world.say(*(said for _, said in batch))
            assert self.world.size() == before
            return
        recorded = self.world.say(*(said for _, said in batch))
        assert [each.seq for each in recorded] == list(range(before, before + len(batch)))
        for seq, (who, said) in enumerate(batch, before):
            self.recorded[who].append((to_ms(self.world.clock()), self.word(seq, said)))

    @rule(who=whose, act=acts, scopes=chosen, late=lateness)
    def one_statement(self, who, act, scopes, late):
        self.say([(self.people[who], self.statement(self.people[who], act, scopes, late))])

    @rule(batch=st.lists(st.tuples(whose, acts, chosen, lateness), min_size=2, max_size=4))
    def many_statements(self, batch):
        said = [(self.people[who], act, scopes, late) for who, act, scopes, late in batch]
        self.say([(who, self.statement(who, act, scopes, late)) for who, act, scopes, late in said])

    @rule(step=steps)
    def time_passes(self, step):
        self.world.clock.advance(seconds=step.total_seconds())

    @rule(share=st.integers(0, 8), before=st.booleans())
    def a_past_time_is_asked_for(self, share, before):
        now = to_ms(self.world.clock())
        moments = sorted({at for said in self.recorded.values() for at, _ in said} | {to_ms(START), now})
        then = moments[share * (len(moments) - 1) // 8] - int(before)
        with self.world.store.read() as work:
            found = {
                (who, scope): gate.check_as_of(
                    self.world.deployment.desk, work, who, scope, at=from_ms(then)
                ).reason.name
                for who in self.people
                for scope in SCOPES
            }
        assert found == {(who, scope): self.expected(who, scope, then, by=then) for who, scope in found}

    @invariant()
    def every_check_is_what_the_rules_say(self):
        if not self.people:
            return
        now, desk = to_ms(self.world.clock()), self.world.deployment.desk
        with self.world.store.live() as work:
            alone = {
                (who, scope, remembered): gate.check(
                    desk, work, who, scope, at=self.world.clock(), remembered=remembered
                ).reason.name
                for who in self.people
                for scope in SCOPES
                for remembered in (False, True)
            }
            many = gate.permits(desk, work, self.people, SCOPES, at=self.world.clock())
        assert alone == {
            (who, scope, remembered): self.expected(who, scope, now, remembered=remembered)
            for who, scope, remembered in alone
        }
        assert [[each == 0 for each in row] for row in many.reasons.tolist()] == [
            [alone[who, scope, True] == "PERMIT" for scope in SCOPES] for who in self.people
        ]


def test_whatever_is_said_each_check_answers_as_the_rules_say(sqlite_worlds):
    run_state_machine_as_test(
        lambda: Recording(sqlite_worlds()),  # type: ignore[arg-type]  # it is only called, and a world comes with it
        settings=settings(
            max_examples=20,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
