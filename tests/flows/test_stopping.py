"""Stop everything: one press takes all that was given, and nothing said before it survives it."""

import threading
from datetime import timedelta

import pytest

from consent.base.errors import CustomerUnknown
from consent.base.ids import CustomerId
from consent.catalogue.model import ASKED, SERVICE
from consent.catalogue.reading import DEFAULT
from consent.permission.statement import Method
from consent.register import recording, stopping
from tests.builders import CATALOGUE, toml

USE, MAIL, INTEREST = "use:purchases:recommendations", "contact:email:recommendations", "use:responses:measurement"
SECOND = timedelta(seconds=1)


def stop(world, customer, **how):
    with world.store.write() as work:
        return stopping.stop_all(
            world.deployment.desk, work, customer, **{"actor": "customer", "at": world.clock(), **how}
        )


def reasons(world, customer):
    with world.store.read() as work:
        scopes = world.deployment.desk.catalogues.current(work).in_order
    by_basis: dict[str, set[str]] = {}
    for rule in scopes:
        kind = "asked" if rule.legal_basis in ASKED else "service" if rule.legal_basis in SERVICE else "interest"
        by_basis.setdefault(kind, set()).add(world.reason(customer, rule.scope))
    return by_basis


def test_one_press_stops_all_that_was_given_and_all_that_needed_no_consent_and_no_service(world):
    """Rule 7: an objection stops profiling and marketing on any basis; service messages still go."""
    before = reasons(world, world.ann)
    size = world.size()
    recorded = stop(world, world.ann)

    assert before == {"asked": {"PERMIT"}, "interest": {"PERMIT"}, "service": {"PERMIT"}}
    assert reasons(world, world.ann) == {"asked": {"WITHDRAWN"}, "interest": {"OBJECTED"}, "service": {"PERMIT"}}
    assert [(one.statement.act, one.seq) for one in recorded] == [("withdraw", size), ("object", size + 1)]
    assert {one.statement.said_at for one in recorded} == {world.clock()}
    world.check_ledger()


def test_who_has_said_nothing_can_stop_everything_too(world):
    stop(world, world.bo)
    assert reasons(world, world.bo) == {"asked": {"REFUSED"}, "interest": {"OBJECTED"}, "service": {"PERMIT"}}
    world.check_ledger()


def test_a_grant_said_before_the_stop_and_recorded_after_it_does_not_survive(world):
    """Rule 13: stop-all is atomic: a grant racing with it can't survive it."""
    said_at = world.clock()
    late = [world.statement(world.bo, "grant", scope, said_at=said_at) for scope in (USE, MAIL)]
    world.clock.advance(milliseconds=1)
    stop(world, world.bo)
    world.say(*late)
    stopped = reasons(world, world.bo)
    world.clock.advance(milliseconds=1)
    world.grant(world.bo, USE)

    assert stopped == {"asked": {"REFUSED"}, "interest": {"OBJECTED"}, "service": {"PERMIT"}}
    assert [world.reason(world.bo, scope) for scope in (USE, MAIL)] == ["PERMIT", "REFUSED"]
    world.check_ledger()


def test_a_grant_that_was_objected_to_before_does_not_survive_either(world):
    """Rule 13: an old no that the stop finds is not enough: the grant came after it."""
    world.object(world.bo, USE, INTEREST)
    world.clock.advance(seconds=2)
    late = world.statement(world.bo, "grant", USE, INTEREST, said_at=world.clock() - SECOND)
    stop(world, world.bo)
    world.say(late)

    assert [world.reason(world.bo, scope) for scope in (USE, INTEREST)] == ["REFUSED", "OBJECTED"]
    world.check_ledger()


def test_the_stops_time_is_the_ledgers_own_even_where_its_caller_read_the_clock_earlier(world):
    """Rule 13: whoever waited for the lock stops what was said while he waited."""
    pressed_at = world.clock()
    world.clock.advance(seconds=3)
    world.grant(world.bo, USE)
    recorded = stop(world, world.bo, at=pressed_at)

    assert {one.statement.said_at for one in recorded} == {world.clock()}
    assert world.reason(world.bo, USE) == "WITHDRAWN"


def test_what_left_the_catalogue_is_withdrawn_too_and_does_not_come_back_as_given(world):
    world.publish(toml(CATALOGUE))
    stop(world, world.ann)
    world.publish(DEFAULT.read_text(encoding="utf-8") + "\n")

    assert reasons(world, world.ann)["asked"] == {"WITHDRAWN"}
    world.check_ledger()


def test_what_was_remembered_goes_with_the_stop(world):
    world.remember(world.ann, spend_past_year=12.5, main_interest="tea", country="AT")
    stop(world, world.ann)
    kept = world.rows("SELECT category FROM memory WHERE customer = :who", who=world.ann)
    assert kept == [("identity",)]


def test_the_same_key_stops_once(world):
    """Rule 14: the same idempotency key twice gives one event and the same answer."""
    first = stop(world, world.ann, idempotency_key="k", request=b"x", method=Method.PHONE)
    size = world.size()
    again = stop(world, world.ann, idempotency_key="k", request=b"x", method=Method.PHONE)

    assert ([one.seq for one in again], world.size()) == ([one.seq for one in first], size)
    assert {one.repeated for one in again} == {True}


def test_who_is_not_enrolled_has_nothing_to_stop(world):
    with pytest.raises(CustomerUnknown):
        stop(world, CustomerId("cus_" + "0" * 32))


@pytest.mark.parametrize("rounds", [12])
def test_grants_racing_with_a_stop_never_survive_it(world, rounds):
    """Rule 13: really at once, from several threads: what was said before the stop is gone whoever comes first."""
    survived = []
    for number in range(rounds):
        [customer] = world.enrol(f"RACE {number}")
        said_at = world.clock()
        world.clock.advance(seconds=1)
        start = threading.Barrier(4)
        failed: list[Exception] = []

        def grant(scope, customer=customer, said_at=said_at, start=start, failed=failed):
            try:
                start.wait()
                with world.store.write() as work:
                    said = world.statement(customer, "grant", scope, said_at=said_at)
                    recording.record(world.deployment.desk, work, [said], actor="customer", at=world.clock())
            except Exception as error:  # noqa: BLE001 -- handed to the test
                failed.append(error)

        threads = [threading.Thread(target=grant, args=(scope,)) for scope in (USE, MAIL, USE)]
        for thread in threads:
            thread.start()
        start.wait()
        stop(world, customer)
        for thread in threads:
            thread.join()
        assert failed == []
        survived += [scope for scope in (USE, MAIL) if world.reason(customer, scope) == "PERMIT"]
    assert survived == []
    world.check_ledger()


def test_pauses_and_restrictions_at_once_with_other_words_lose_none_of_them(world):
    """Each is one statement under the customer's lock: none overwrites another, and the row is their fold."""
    acts = ["pause", "restrict", "grant", "withdraw", "object", "refuse"]
    start, failed = threading.Barrier(len(acts)), []

    def say(act):
        scopes = () if act in ("pause", "restrict") else (USE,)
        try:
            start.wait()
            with world.store.write() as work:
                said = world.statement(world.bo, act, *scopes)
                recording.record(world.deployment.desk, work, [said], actor="customer", at=world.clock())
        except Exception as error:  # noqa: BLE001 -- handed to the test
            failed.append(error)

    threads = [threading.Thread(target=say, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    [(states, paused, counter)] = world.rows(
        "SELECT states, paused_until, counter FROM standing WHERE customer = :who", who=world.bo
    )
    assert (states, paused, counter) == (4, 2**63 - 1, len(acts))
    assert world.reason(world.bo, USE) == "RESTRICTED"
    world.check_ledger()


def test_what_is_kept_for_a_contract_is_not_forgotten_by_a_no_that_changes_nothing(world):
    """Rule 7: service goes on: what an order needs isn't the customer's to take back, so it isn't deleted either."""
    world.publish(toml(CATALOGUE))
    world.remember(world.bo, country="AT")
    world.withdraw(world.bo, "remember:place")
    assert world.reason(world.bo, "remember:place") == "PERMIT"
    assert world.recall([world.bo], ["country"], purpose="service") == [{"country": "AT"}]
    world.check_ledger()


def test_rule_13_nothing_said_before_survives_it_in_scopes_that_were_out_of_the_catalogue_then(world):
    """Not a yes on paper that is typed in once they are back, nor what needs no yes."""
    world.publish(toml(CATALOGUE))
    world.clock.advance(seconds=1)
    before = world.clock()
    out = ("contact:post:offers", "use:replies:service", "remember:replies")
    world.clock.advance(days=1)
    world.publish(toml({**CATALOGUE, "scope": [each for each in CATALOGUE["scope"] if each["scope"] not in out]}))
    world.clock.advance(days=1)
    stop(world, world.bo)
    world.clock.advance(days=1)
    world.publish(toml(CATALOGUE) + "\n# They are back.\n")
    world.grant(world.bo, out[0], said_at=before, method=Method.PAPER)

    assert [world.reason(world.bo, scope) for scope in out[:2]] == ["OBJECTED", "OBJECTED"]
    world.check_ledger()
