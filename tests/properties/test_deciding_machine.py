"""Whatever happens, in whatever order: each decision, and all that it leaves behind, is what the rules say.

Customers grant, withdraw, pause, wish, move, turn offers down, visit, complain and thank; silence is booked; campaigns
and contact policies are published in versions; live decisions and runs in chunks happen, runs stand still in their
midst and go on later; time moves.
"""

import copy
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from typing_extensions import override

from consent.base.clock import to_ms
from consent.register import households
from personalise import contacts, engine, reservations, shelf, wishes
from personalise.contact_policy.reading import parse_contact_policy
from personalise.goodwill import Entry
from personalise.responses import ignored, outcomes, reported
from personalise.runs import log, run
from personalise.steps.interact.states import Did
from personalise.wishes import Limit, Quiet, Wishes
from tests.builders import toml
from tests.campaigns import TABLES, open_run, publish, willing
from tests.deciding_model import USE, Aside, Person, Shop
from tests.world import World

KEYS: Final = ("spring", "autumn")
CONTACT: Final = tuple(f"contact:{channel}:recommendations" for channel in ("email", "sms", "post"))
MAIL: Final = {"channels": ["email"]}
SALE: Final = {"tags": ["sale"]}
WINDOW: Final = 3
KNOWN: Final = ({"months": 3, "spend": 50.0}, {"months": 14, "spend": 50.0}, {"months": 2, "spend": 4.0})

days = st.sampled_from([1, 3, 30])
limits = st.tuples(st.integers(0, 2), st.sampled_from([2, 30]))
kinds = st.sampled_from([MAIL, SALE, {"families": ["f"]}, {"campaigns": ["spring"]}, {"offers": ["guide"]}])
per = st.sampled_from(["household", "customer"])
homes = st.sampled_from(["", "Elm Street 1", "Oak Street 2"])
channels = st.sampled_from([["email"], ["email", "post"], ["email", "sms", "post"]])


def caps(names: dict[str, Any], more: dict[str, Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    one = st.fixed_dictionaries({"limit": st.integers(0, 3), "days": days, **names}, optional=more)
    return st.lists(one, max_size=2).map(lambda found: [{"key": f"c{spot}", **it} for spot, it in enumerate(found)])


def alone(key: str, **sides: Any) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.fixed_dictionaries({"key": st.just(key), "days": days, **sides}).map(lambda it: [it])


def offer(key: str, family: str) -> st.SearchStrategy[dict[str, Any]]:
    needed: dict[str, Any] = {
        "key": st.just(key), "family": st.just(family), "value": st.sampled_from([1.0, 2.0]),
        "terms": st.sampled_from([{"price": "9"}, {"price": "8"}]), "cost": st.sampled_from([0.0, 0.01]),
    }  # fmt: skip
    more = {
        "validity": st.sampled_from([2, 20]), "grade": st.sampled_from([1, 2]),
        "eligibility": st.just("spend_past_year > 10"), "benefit": st.just(0.005),
        "applicability": st.just("months_since_purchase > 2"), "suitability": st.just("spend_past_year > 10"),
    }  # fmt: skip
    return st.fixed_dictionaries(needed, optional=more)


volumes = st.sampled_from(
    [{"key": "a", "channels": ["email"]}, {"key": "b", "treatments": ["mail", "text"]},
     {"key": "c", "treatments": ["letter"]}, {"key": "d", "channels": ["email", "post"], "treatments": ["mail"]}]
).flatmap(lambda each: st.integers(0, 3).map(lambda limit: {**each, "limit": limit}))  # fmt: skip
campaigns = st.fixed_dictionaries(
    {
        "share": st.sampled_from([0.0, 0.0, 0.4]), "cap": caps({"channels": channels}, {"per": per}),
        "class": st.sampled_from(["marketing"] * 4 + ["service"]),
        "tags": st.sampled_from([[], ["sale"]]), "offer": st.tuples(offer("range", "f"), offer("guide", "f")),
        "scores": st.lists(st.sampled_from(["0.05", "0.04", "0.0", "0.02"]), min_size=3, max_size=3),
        "volume": st.lists(volumes, max_size=2, unique_by=lambda each: each["key"]),
        "goodwill_budget": st.sampled_from([0, 0, 2, 5]),
    }
)  # fmt: skip


def zoned(drawn: dict[str, Any]) -> dict[str, Any]:
    """Leave the hours out where there is no zone to read them in."""
    return drawn if "fallback_zones" in drawn else {key: each for key, each in drawn.items() if key != "hours"}


policies = st.fixed_dictionaries(
    {},
    optional={
        "cap": caps({}, {"channels": channels, "tags": st.just(["sale"]), "offers": st.just(["range"]), "per": per}),
        "exclusion": alone("x", one=kinds, other=kinds),
        "order": alone("o", first=kinds, then=kinds),
        "rest": alone("r"), "holdout": st.just({"share": 0.3, "salt": "company"}),
        "hours": st.fixed_dictionaries(
            {"key": st.just("evenings"), "quiet": st.sampled_from([[{"start": "18:00", "end": "08:00"}],
                                                                   [{"start": "12:30", "end": "24:00"}]])},
            optional={"channels": st.just(["email"])},
        ).map(lambda it: [it]),
        "fallback_zones": st.just(["Asia/Tokyo"]),
        "goodwill": st.fixed_dictionaries(
            {"opening": st.sampled_from([10, 5]), "prices": st.sampled_from([{"email": 1}, {"email": 0.5, "post": 2}])},
            optional={"floor": st.sampled_from([0, 3]), "pressure_days": st.sampled_from([2, 7]),
                      "price_of_one": st.sampled_from([0.001, 0.02]),
                      "ignored": st.sampled_from([0.5, 2]), "opt_out": st.just(1.5),
                      "credits": st.just({"thanks": 1, "purchase": 3})},
        ),
    },
).map(zoned)  # fmt: skip
wanted = st.fixed_dictionaries({}, optional={"*": limits, "email": limits, "post": limits})
nights = st.sampled_from([None, (0, 720), (1_200, 480)])
steps = st.sampled_from(
    [timedelta(milliseconds=1), timedelta(hours=5), timedelta(days=1), timedelta(days=3), timedelta(days=30)]
)
whose = st.integers(0, 4)


class Stopped(Exception):
    """A run's process is gone."""


class Deciding(RuleBasedStateMachine):
    """Five customers, two campaigns, a clock; and beside the database a shop of plain dicts."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.shop = Shop()
        self.people: list[Any] = []
        self.tables: dict[str, dict[str, Any]] = {}
        self.conduct: dict[str, Any] = {}
        self.number = 0
        self.going: dict[str, Any] | None = None

    @initialize(
        drawn=st.tuples(campaigns, campaigns), known=st.lists(st.sampled_from(KNOWN), min_size=5, max_size=5),
        names=st.lists(homes, min_size=5, max_size=5),
    )  # fmt: skip
    def begin(self, drawn: Any, known: Any, names: list[str]) -> None:
        for key, each in zip(KEYS, drawn, strict=True):
            self.publish(key, each)
        self.people = willing(self.world, 5)
        for who, facts in zip(self.people, known, strict=True):
            self.shop.people[who] = Person({*CONTACT, USE}, dict(facts))
            self.world.remember(who, months_since_purchase=facts["months"], spend_past_year=facts["spend"])
        for who in (self.world.ann, self.world.bo):  # Ann allows everything, and nothing is known of her
            granted = {*CONTACT, USE} if who == self.world.ann else set()
            self.shop.people[who] = Person(granted, {"months": None, "spend": None})
        self.move(dict(zip(self.people, names, strict=True)))

    @override
    def teardown(self) -> None:
        self.world.check_ledger()
        self.world.store.close()

    @property
    def now(self) -> int:
        return to_ms(self.world.clock())

    # ---------------------------------------------------------------------------------------------- what is published

    def publish(self, key: str, drawn: Any) -> None:
        self.number += 1
        changed = {
            "key": key, "name": f"Version {self.number}", "class": drawn["class"], "tags": drawn["tags"],
            "holdout": {"share": drawn["share"], "salt": "s"}, "goodwill_budget": drawn["goodwill_budget"],
            "ttl_days": 90,  # what is reserved stays so: of what expires the flows tell
        }  # fmt: skip
        treatments = [
            {**each, "score": score} for each, score in zip(TABLES["treatment"], drawn["scores"], strict=True)
        ]
        more: dict[str, Any] = {"objective": {"window_days": WINDOW, "silence": "no"}}
        more |= {"cap": drawn["cap"], "offer": list(drawn["offer"]), "treatment": treatments}
        if drawn["class"] == "marketing":
            more["volume"] = drawn["volume"]
        publish(self.world, campaign=changed, **more)
        version = self.tables[key]["version"] + 1 if key in self.tables else 1
        self.tables[key] = copy.deepcopy(
            {"campaign": {**TABLES["campaign"], **changed}, "version": version, **more}
        )  # fmt: skip

    @rule(key=st.sampled_from(KEYS), drawn=campaigns)
    def a_version_is_published(self, key: str, drawn: Any) -> None:
        self.publish(key, drawn)

    @rule(drawn=policies)
    def a_contact_policy_is_published(self, drawn: Any) -> None:
        if drawn == self.conduct or not drawn:
            return
        self.conduct = drawn
        desk = self.world.deployment.desk
        with self.world.store.write() as work:
            read = parse_contact_policy(toml(drawn), "toml", desk.catalogues.current(work))
            shelf.publish_contact_policy(desk, work, read, actor="mia", at=self.world.clock())

    # --------------------------------------------------------------------------------------------- what customers say

    @rule(number=whose, scope=st.sampled_from([*CONTACT, USE]), act=st.sampled_from(["grant", "withdraw"]))
    def somebody_allows_or_withdraws(self, number: int, scope: str, act: str) -> None:
        who = self.people[number]
        if self.shop.people[who].paused_until > self.now:
            return
        self.world.say(self.world.statement(who, act, scope))
        granted = self.shop.people[who].granted
        if act == "withdraw" and scope in granted and scope.startswith("contact:"):
            self.shop.opted_out(who, self.conduct)
        (granted.add if act == "grant" else granted.discard)(scope)

    @rule(number=whose, name=homes)
    def somebody_moves(self, number: int, name: str) -> None:
        self.move({self.people[number]: name})

    def move(self, named: dict[Any, str]) -> None:
        with self.world.store.write() as work:
            households.assign(self.world.deployment.desk, work, named, at=self.world.clock())
        self.shop.homes |= named

    @rule(number=whose)
    def somebody_pauses(self, number: int) -> None:
        who, until = self.people[number], self.world.clock() + timedelta(days=2)
        self.world.say(self.world.statement(who, "pause", until=until))
        self.shop.people[who].paused_until = to_ms(until)

    @rule(spot=st.integers(0, 9))
    def somebody_turns_an_offer_down(self, spot: int) -> None:
        made = [one for one in self.shop.contacts if not one.ghost]
        if not made:
            return
        one = made[-1 - spot % len(made)]
        with self.world.store.write() as work:
            assert contacts.turn_down(work, one.customer, one.decision, at=self.world.clock())  # type: ignore[arg-type]  # an id, as the log has it
        one.turned_down = one.turned_down or self.now

    @rule(number=whose, limits=wanted, quiet=nights)
    def somebody_wishes(self, number: int, limits: dict[str, tuple[int, int]], quiet: tuple[int, int] | None) -> None:
        who = self.people[number]
        wish = Wishes(limits={key: Limit(*each) for key, each in limits.items()}, quiet=quiet and Quiet(*quiet))
        with self.world.store.write() as work:
            wishes.say(work, who, wish, channels=("email", "sms", "post"), at=self.world.clock())
        self.shop.people[who].limits, self.shop.people[who].quiet = limits, quiet

    @rule(spot=st.integers(0, 9))
    def an_outcome_comes_in(self, spot: int) -> None:
        if not self.shop.contacts:
            return
        one = self.shop.contacts[-1 - spot % len(self.shop.contacts)]
        person = self.shop.people[one.customer]
        allowed = person.paused_until <= self.now
        told = outcomes.record(self.world.deployment, one.decision, value=True, came_at=self.world.clock())
        assert (told.outcome == "refused") is not allowed
        person.came += [self.now] if allowed else []

    @rule(number=whose, kind=st.sampled_from([Entry.COMPLAINT, Entry.THANKS, Entry.PURCHASE, Entry.ANSWER]))
    def somebody_complains_or_thanks(self, number: int, kind: Entry) -> None:
        self.number += 1
        who = self.people[number]
        reported.report(self.world.deployment, who, kind, actor="mia", reference=f"call {self.number}")
        if kind is Entry.COMPLAINT:
            self.shop.complained(who, self.conduct)
        else:
            self.shop.credited(who, kind, self.conduct)

    @rule(spot=st.integers(0, 9))
    def a_message_is_delivered(self, spot: int) -> None:
        """One that a run had reserved; whether it may still leave is the dispatch gate's, of which the flows tell."""
        waiting = [one for one in self.shop.contacts if one.waits]
        if not waiting:
            return
        one = waiting[spot % len(waiting)]
        with self.world.store.write() as work:
            row = reservations.locked(work, one.customer, one.decision)  # type: ignore[arg-type]  # an id, as the log has it
            at = self.world.clock()
            token = reservations.claim(work, row, position=0, at=at, lease_seconds=60)
            reservations.change(work, row.customer, one.decision, Did.DELIVER, at=at, token=token)
        one.waits, one.delivered, one.handed_out = False, True, self.now

    @rule()
    def silence_is_booked(self) -> None:
        ignored.settle(self.world.deployment, actor="worker")
        self.shop.settle(self.conduct, dict.fromkeys(KEYS, WINDOW), now=self.now)
        self.everything_stands_as_the_model_has_it()

    @rule(step=steps)
    def time_passes(self, step: timedelta) -> None:
        self.world.clock.advance(seconds=step.total_seconds())

    # ------------------------------------------------------------------------------------------------- what is decided

    @rule(number=whose, key=st.sampled_from(KEYS))
    def one_is_decided_for(self, number: int, key: str) -> None:
        who = self.people[number]
        made = engine.decide_one(self.world.deployment, who, campaign=key, actor="mia")
        self.hold(made.id.partition(".")[0], self.tables[key], self.conduct, at=self.now)
        self.everything_stands_as_the_model_has_it()

    @rule(key=st.sampled_from(KEYS), most=st.integers(1, 7), first=st.integers(1, 4))
    def a_run_begins_and_stands_still(self, key: str, most: int, first: int) -> None:
        if self.going:
            return
        identity = open_run(self.world.deployment, key, actor="mia")
        aside = self.shop.rank(self.tables[key], self.conduct, at=self.now, now=self.now)
        self.going = {
            "id": identity, "tables": self.tables[key], "rules": self.conduct, "at": self.now, "most": most, "held": 0,
            "aside": aside,
        }  # fmt: skip
        self.go_on(first)

    @rule(more=st.sampled_from([1, 2, 99]))
    def the_run_goes_on(self, more: int) -> None:
        if self.going:
            self.go_on(more)

    def go_on(self, most_chunks: int) -> None:
        going, left = self.going, [most_chunks]
        assert going is not None

        def progress(_done: int, _total: int) -> None:
            left[0] -= 1
            if not left[0]:
                raise Stopped

        with suppress(Stopped):
            run.advance(self.world.deployment, going["id"], most=going["most"], progress=progress)
            self.going = None
        with self.world.store.read() as work:
            made = log.chunk_ids(work, going["id"])
        for each in made[going["held"] :]:
            self.hold(each, going["tables"], going["rules"], at=going["at"], aside=going["aside"])
        going["held"] = len(made)
        if not self.going:
            self.shop.give_back(going["aside"])
        self.everything_stands_as_the_model_has_it()

    # ----------------------------------------------------------------------------------------------------- what stands

    def hold(self, chunk_id: str, tables: Any, rules: Any, *, at: int, aside: Aside | None = None) -> None:
        """Have the model decide the same, and hold the decisions of a chunk against it."""
        with self.world.store.read() as work:
            chunk = log.read(work, chunk_id)
        names, candidates = chunk.about["rules"], chunk.about["candidates"]
        rows = chunk.table.to_pylist()
        whose = [row["customer"] for row in rows]
        if aside:
            decided = self.shop.chunk(whose, tables, rules, aside, at=at, now=self.now)
        else:
            decided = (self.shop.live(who, tables, rules, at=at, now=self.now) for who in whose)
        for spot, row in enumerate(rows):
            before = len(self.shop.contacts)
            made = next(decided)
            for contact in self.shop.contacts[before:]:
                contact.decision = f"{chunk_id}.{spot}"
            found = (
                candidates[row["chosen"]] if row["chosen"] >= 0 else None,
                candidates[row["ghost"]] if row["ghost"] >= 0 else None,
                {key: names[row[f"rule:{key}"]] for key in candidates},
            )
            assert found == (made.chosen, made.ghost, made.rules)

    def everything_stands_as_the_model_has_it(self) -> None:
        query = (
            "SELECT customer, decision, treatment, reserved_at, status, charge, rejected_at, waited_until FROM contact"
        )
        assert sorted(self.world.rows(query)) == sorted(
            (one.customer, one.decision, one.treatment, one.at,
             "ghost" if one.ghost else "delivered" if one.delivered else "reserved", one.charge, one.turned_down,
             one.settled)
            for one in self.shop.contacts
        )  # fmt: skip
        assert dict(self.world.rows("SELECT customer, balance FROM goodwill")) == {
            who: sum(lines) for who, lines in self.shop.accounts.items()
        }
        lines = self.world.rows("SELECT customer, amount FROM goodwill_entry ORDER BY customer, number")
        booked = sorted(self.shop.accounts.items())
        assert lines == [(who, amount) for who, amounts in booked for amount in amounts]
        counted = self.world.rows("SELECT campaign, version, key, taken FROM quota WHERE taken <> 0")
        assert {tuple(row[:3]): row[3] for row in counted} == {
            row: taken for row, taken in self.shop.taken.items() if taken
        }
        promised = self.world.rows("SELECT customer, family, terms, grade, until, offer FROM commitment")
        assert sorted(promised) == sorted(
            (*key, each["terms"], each["grade"], each["until"], each["offer"])
            for key, each in self.shop.promises.items()
        )


@pytest.mark.timeout(300)
def test_whatever_happens_each_decision_is_what_the_rules_say(worlds):
    few = worlds.dialect == "postgresql"  # a copy of a whole database each time

    class Fresh(Deciding):
        def __init__(self) -> None:
            super().__init__(worlds())

    run_state_machine_as_test(
        Fresh,
        settings=settings(
            max_examples=5 if few else 15,
            stateful_step_count=20 if few else 25,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
