"""Whatever is said, in whatever order, early or late: each check, of now and of then, is what the rules say."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from typing_extensions import override

from consent import gate
from consent.base.clock import from_ms, to_ms
from consent.base.errors import NothingToRenew, StatementInvalid
from consent.permission.statement import GIVING, WHOLE_CUSTOMER, Act, Method
from consent.permission.verdict import Reason
from consent.register import confirmations, confirming, stopping
from tests import model
from tests.builders import START, scope_table, tables, toml

REMEMBER, USE, MAIL, POST = "remember:purchases", "use:purchases:offers", "contact:email:offers", "contact:post:offers"
INTEREST, PROFILE, SERVICE = "use:replies:service", "use:replies:offers", "contact:email:service"
SCOPE_TABLES = [
    scope_table(REMEMBER, validity="P24M"),
    scope_table(USE, validity="P24M", gpc=True),
    scope_table(MAIL, validity="P6M", double_opt_in=True),
    scope_table(POST, minimum_age=16),
    scope_table(INTEREST, "legitimate_interest"),
    scope_table(PROFILE, "legitimate_interest", gpc=True),
    scope_table(SERVICE, "contract"),
]
BASES = {table["scope"]: table["legal_basis"] for table in SCOPE_TABLES}
SCOPES = tuple(BASES)
ASKED = tuple(scope for scope, basis in BASES.items() if basis == "consent")
MONTHS = {REMEMBER: 24, USE: 24, MAIL: 6}
STRICT: dict[str, dict[str, Any]] = {POST: {"minimum_age": 16}, USE: {"gpc": True}, PROFILE: {"gpc": True}}

acts = st.sampled_from([*Act, Act.GRANT, Act.GRANT, Act.GRANT, Act.WITHDRAW])
chosen = st.sampled_from(
    [(REMEMBER,), (USE,), (REMEMBER, USE), (MAIL,), (POST, MAIL), (INTEREST,), (INTEREST, PROFILE), ASKED,
     (*ASKED, INTEREST, PROFILE), SCOPES]
)  # fmt: skip
lateness = st.sampled_from([timedelta()] * 4 + [timedelta(hours=1), timedelta(days=3), timedelta(days=400)])
methods = st.sampled_from([*[Method.WEB_FORM] * 4, Method.PAPER, Method.IMPORT, Method.SIGNAL])
persons = st.sampled_from([(0, False)] * 4 + [(15, False), (15, True), (0, True), (40, False)])
words = st.tuples(st.integers(0, 1), acts, chosen, lateness, methods, persons)
steps = st.sampled_from(
    [timedelta(milliseconds=1), timedelta(hours=2), timedelta(days=2), timedelta(days=180), timedelta(days=390)]
)
whose = st.integers(0, 1)


def months_after(at, months):
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    for day in (at.day, 30, 29, 28):
        try:
            return at.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise AssertionError


class Recording(RuleBasedStateMachine):
    """Two customers, a clock, and beside the database what they said, in a list."""

    def __init__(self, world):
        super().__init__()
        self.world = world
        self.recorded = {}
        self.people = []
        self.links = []
        self.versions = []

    @initialize()
    def enrol(self):
        self.publish()
        self.people = self.world.enrol("X", "Y")
        self.recorded = {who: [] for who in self.people}

    def publish(self):
        """Publish the wording anew, material each time."""
        number = len(self.versions) + 2  # the first of the shipped catalogue's was to other words
        notices = [
            {"key": "words", "version": each, "material": True, "wording": {"en": f"May we, {each}?"}}
            for each in range(1, number + 1)
        ]
        self.world.publish(toml({**tables(), "notice": notices, "scope": SCOPE_TABLES}))
        self.versions.append((to_ms(self.world.clock()), number))

    @override
    def teardown(self):
        self.world.check_ledger()
        self.world.store.close()

    # ------------------------------------------------------------------------------------------------- what is known

    def stands(self, who, by=None):
        """Return what stands, or stood by a time: of the statements recorded by then."""
        return model.stands(word for at, word in self.recorded[who] if by is None or at <= by)

    def expected(self, who, scope, now, *, by=None, remembered=False, signal=False):
        material = max(number for at, number in self.versions if by is None or at <= by)
        rules = {each: model.Rule(each, BASES[each], material, **STRICT.get(each, {})) for each in (scope, REMEMBER)}
        remember = rules[REMEMBER] if remembered and scope == USE else None
        what = self.stands(who, by)
        if remembered and scope in (INTEREST, PROFILE) and not what.restricted:
            # Nothing in the catalogue lets replies be remembered.
            alone = model.reason(now, what, rules[scope], signal=signal)
            return "REMEMBER_MISSING" if alone == "PERMIT" else alone
        return model.reason(now, what, rules[scope], remember, signal=signal)

    def word(self, seq, said):
        """Write a statement down as the rules complete it."""
        newest = self.versions[-1][1]
        shown = max((number for at, number in self.versions if at <= to_ms(said.said_at)), default=0)
        own = said.method in (Method.WEB_FORM, Method.PAPER)
        grants = said.act in GIVING
        ends = {
            scope: to_ms(months_after(said.said_at, MONTHS[scope]))
            for scope in said.scopes
            if grants and scope in MONTHS
        }
        pending = [MAIL] if said.act is Act.GRANT and MAIL in said.scopes else []
        return model.Word(
            seq=seq,
            said_at=to_ms(said.said_at),
            act=str(said.act),
            scopes=said.scopes,
            notices=dict.fromkeys(said.scopes, shown)
            if shown and said.method not in (Method.SIGNAL, Method.IMPORT)
            else {},
            ends=ends,
            pending=pending,
            until=to_ms(said.until) if said.until else None,
            own=own,
            age=said.age,
            guardian=said.guardian,
            material=dict.fromkeys(pending, newest),
            gains={
                MAIL: (2 if "minimum_age" in STRICT.get(MAIL, {}) else 0)
                | (4 if STRICT.get(MAIL, {}).get("gpc") else 0)
            },
            at_least=said.until is not None and not own,
        )

    def refusal(self, batch):
        """Return the error that a batch must meet, or None; a batch is judged in order."""
        for _, said in batch:
            wrong = {Act.GRANT: {SERVICE}, Act.RENEW: {SERVICE, INTEREST, PROFILE}}.get(said.act, set())
            if wrong & set(said.scopes):
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

    def statement(self, drawn):
        number, act, scopes, late, method, (age, guardian) = drawn
        who = self.people[number]
        said_at = max(self.world.clock() - late, START - timedelta(days=1_000))
        more = {"said_at": said_at, "method": method, "age": age}
        if act in WHOLE_CUSTOMER:
            until = said_at + timedelta(days=2) if act is Act.PAUSE and len(scopes) > 1 else None
            return who, self.world.statement(who, act, **more, until=until)
        if (act is Act.REFUSE and method is Method.SIGNAL) or (act is Act.INVALIDATE and age and len(scopes) == 1):
            return who, self.world.statement(who, act, **more)
        return who, self.world.statement(who, act, *scopes, **more, guardian=guardian and act in GIVING)

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
        self.mailed()

    def note(self, recorded):
        """Take down what the register said in a customer's place, as it stands in the ledger."""
        for one in recorded:
            word = model.word(one.seq, one.statement.record())
            self.recorded[one.customer].append((to_ms(self.world.clock()), word))

    def mailed(self):
        """Take the links out of the mail."""
        with self.world.store.write() as work:
            waiting = confirmations.outgoing(self.world.deployment.desk, work, 100)
            confirmations.handed_over(work, [each.confirmation for each in waiting])
        self.links.extend(waiting)

    @rule(drawn=words)
    def one_statement(self, drawn):
        self.say([self.statement(drawn)])

    @rule(batch=st.lists(words, min_size=2, max_size=4))
    def many_statements(self, batch):
        self.say([self.statement(drawn) for drawn in batch])

    @rule(step=steps)
    def time_passes(self, step):
        self.world.clock.advance(seconds=step.total_seconds())

    @rule()
    def the_wording_changes(self):
        if len(self.versions) < 3:
            self.publish()

    @rule(who=whose)
    def somebody_stops_everything(self, who):
        with self.world.store.write() as work:
            recorded = stopping.stop_all(
                self.world.deployment.desk, work, self.people[who], actor="customer", at=self.world.clock()
            )
        self.note(recorded)
        answers = self.stands(self.people[who]).answers
        assert {scope for scope in SCOPES if scope not in answers} <= {SERVICE}
        assert {answers[scope].status for scope in ASKED} <= {"withdrawn", "refused", "objected"}
        assert {answers[scope].status for scope in (INTEREST, PROFILE)} == {"objected"}

    @rule(which=st.integers(0, 3))
    def somebody_presses_the_button_behind_a_link(self, which):
        if not self.links:
            return
        link = self.links[-1 - which % len(self.links)]
        confirmation, now = link.confirmation, self.world.clock()
        if now >= confirmation.expires_at:
            with pytest.raises(confirmations.ConfirmationUnknown), self.world.store.write() as work:
                confirming.confirm(self.world.deployment.desk, work, link.token, at=now)
            return
        answer = self.stands(confirmation.customer).answers.get(MAIL)
        awaited = answer is not None and answer.pending and answer.position >= confirmation.position
        with self.world.store.write() as work:
            first = not confirmations.find(self.world.deployment.desk, work, link.token, at=now).spent
            recorded = confirming.confirm(self.world.deployment.desk, work, link.token, at=now)
        assert [one.statement.scopes for one in recorded] == ([(MAIL,)] if first and awaited else [])
        self.note(recorded)

    @rule(share=st.integers(0, 8), before=st.booleans())
    def a_past_time_is_asked_for(self, share, before):
        now = to_ms(self.world.clock())
        moments = sorted({at for said in self.recorded.values() for at, _ in said} | {self.versions[0][0], now})
        then = max(moments[share * (len(moments) - 1) // 8] - int(before), self.versions[0][0])
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
        at, desk = self.world.clock(), self.world.deployment.desk
        how = [(remembered, signal) for remembered in (False, True) for signal in (False, True)]
        with self.world.store.live() as work:
            alone = {
                (who, scope, remembered, signal): gate.check(
                    desk, work, who, scope, at=at, remembered=remembered, gpc=signal
                ).reason.name
                for who in self.people
                for scope in SCOPES
                for remembered, signal in how
            }
            together = {
                signal: gate.permits(desk, work, self.people, SCOPES, at=at, gpc=signal).reasons
                for signal in (False, True)
            }
        assert alone == {
            (who, scope, remembered, signal): self.expected(who, scope, to_ms(at), remembered=remembered, signal=signal)
            for who, scope, remembered, signal in alone
        }
        for signal, found in together.items():
            assert [[Reason(cell).name for cell in row] for row in found] == [
                [alone[who, scope, True, signal] for scope in SCOPES] for who in self.people
            ]


def test_whatever_is_said_each_check_answers_as_the_rules_say(worlds):
    """Rules 1 to 3, 5, 7 to 9, 13 and 16 at once, against the model in `tests/model.py`."""
    few = worlds.dialect == "postgresql"  # a copy of a whole database each time

    class Fresh(Recording):
        def __init__(self):
            super().__init__(worlds())

    run_state_machine_as_test(
        Fresh,
        settings=settings(
            max_examples=4 if few else 15,
            stateful_step_count=15 if few else 20,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
