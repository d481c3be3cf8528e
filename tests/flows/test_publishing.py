"""A catalogue is published once, gets its number, its bits and its entry, and is in force from the next entry on."""

import pytest

from consent.base.errors import LedgerBroken, NotFound, StateConflict
from consent.catalogue.reading import DEFAULT, read_catalogue
from consent.ledger import log
from consent.ledger.entry import Kind
from consent.register import customers, publishing
from tests.builders import CATALOGUE, FOUNDED, catalogue, scope_table, toml


def bits(world):
    return dict(world.rows("SELECT scope, bit FROM scope_bit"))


def with_scopes(*tables):
    return catalogue(scope=list(tables))


FIRST = scope_table("remember:purchases", notice="remember-purchases"), scope_table("use:purchases:offers")
ADDED = scope_table("contact:post:offers", order=1)


def test_a_blank_database_has_no_ledger(blank):
    with blank.store.read() as work, pytest.raises(LedgerBroken, match="run `byleave init`"):
        log.head(work)
    assert blank.faults() == []


def test_founding_opens_an_empty_log_named_for_its_half_year(blank):
    with blank.store.write() as work:
        origin = publishing.found(blank.deployment.desk, work, "shop.example", at=blank.clock())

    assert (origin, blank.rows("SELECT id, origin FROM ledger_log"), blank.size()) == (
        "shop.example/consent/2026h2",
        [(1, "shop.example/consent/2026h2")],
        0,
    )
    blank.check_ledger()


def test_the_year_is_halved_after_june(blank):
    desk = blank.deployment.desk
    at = FOUNDED.replace(month=6, day=30)
    with blank.store.write() as work:
        assert publishing.found(desk, work, "shop.example", at=at) == "shop.example/consent/2026h1"


def test_a_deployment_is_founded_once(world):
    with pytest.raises(StateConflict, match="has a ledger already"), world.store.write() as work:
        publishing.found(world.deployment.desk, work, "other.example", at=world.clock())
    world.check_ledger()


@pytest.mark.parametrize("name", ["Shop", "shop example", "", "-shop", "shop\n", "shöp.example", "s" * 120])
def test_a_name_that_no_log_can_have_is_refused_and_nothing_is_founded(blank, name):
    with pytest.raises(StateConflict, match="can't name a log"), blank.store.write() as work:
        publishing.found(blank.deployment.desk, work, name, at=blank.clock())
    assert blank.rows("SELECT * FROM ledger_log") == []


def test_before_the_first_catalogue_everything_says_what_to_run(blank):
    desk = blank.deployment.desk
    with blank.store.write() as work:
        publishing.found(desk, work, "shop.example", at=blank.clock())
        customers.enrol(desk, work, [{"reference": "ANN"}], at=blank.clock())
    with blank.store.read() as work, pytest.raises(NotFound, match="no catalogue is published: run"):
        desk.catalogues.current(work)


def test_the_first_catalogue_is_number_one_and_carried_by_its_own_entry(blank):
    desk = blank.deployment.desk
    with blank.store.write() as work:
        publishing.found(desk, work, "shop.example", at=blank.clock())
    number = blank.publish(with_scopes(*FIRST))

    [(body,), *told] = blank.rows("SELECT body FROM ledger_entry ORDER BY seq")
    assert (number, b'"cv":1' in body, b'"t":"catalogue.published"' in body) == (1, True, True)
    assert [b'"cv":1' in words and b'"t":"notice.published"' in words for (words,) in told] == [True, True]
    assert blank.rows("SELECT version, seq, body FROM catalogue_version") == [(1, 0, with_scopes(*FIRST).body)]
    assert bits(blank) == {"remember:purchases": 0, "use:purchases:offers": 1}
    blank.check_ledger()


def test_each_version_gets_an_entry_and_is_in_force_from_the_next_on(world):
    before = world.grant(world.bo, "use:purchases:recommendations")
    number = world.publish(toml(CATALOGUE))
    after = world.grant(world.bo, "use:purchases:offers")

    said = dict(world.rows("SELECT seq, body FROM ledger_entry"))
    assert (number, after.seq - before.seq) == (2, 3)  # the catalogue, its one new notice, the grant
    assert [
        f'"cv":{version}' in said[seq].decode()
        for seq, version in ((before.seq, 1), (before.seq + 1, 2), (after.seq, 2))
    ] == [
        True,
        True,
        True,
    ]
    world.check_ledger()


def test_the_same_bytes_are_not_published_twice(world):
    size = world.size()
    with pytest.raises(StateConflict, match="version 1 is exactly this file"):
        world.publish(read_catalogue(DEFAULT))
    assert world.size() == size

    numbers = [world.publish(toml(CATALOGUE)), world.publish(read_catalogue(DEFAULT))]
    assert numbers == [2, 3]
    world.check_ledger()


def test_a_bit_is_never_used_again_for_another_scope(world):
    before = bits(world)
    world.publish(with_scopes(*FIRST))
    between = bits(world)
    world.publish(with_scopes(*FIRST, ADDED))
    after = bits(world)

    highest = max(before.values())
    assert between == {**before, "use:purchases:offers": highest + 1}
    assert after == {**between, "contact:post:offers": highest + 2}
    world.check_ledger()


def test_a_scope_that_comes_back_has_its_old_bit_and_what_was_said_of_it(world):
    scope = "use:purchases:recommendations"
    before = world.reason(world.ann, scope)
    world.publish(with_scopes(*FIRST))
    gone = world.reason(world.ann, scope)
    world.publish(read_catalogue(DEFAULT))

    assert (before, gone, world.reason(world.ann, scope)) == ("PERMIT", "UNKNOWN_SCOPE", "PERMIT")
    world.check_ledger()


def test_a_customer_of_before_has_no_record_of_a_scope_that_is_new(world):
    world.publish(with_scopes(*FIRST, ADDED))
    assert [world.reason(world.ann, scope) for scope in ("use:purchases:offers", "contact:post:offers")] == [
        "NO_RECORD"
    ] * 2
    world.grant(world.ann, "contact:post:offers")
    assert world.reason(world.ann, "contact:post:offers") == "PERMIT"
    world.check_ledger()


def test_a_material_notice_asks_again_and_a_minor_one_does_not(world):
    body = DEFAULT.read_text(encoding="utf-8")

    def newer(*, material):
        version = 3 if material else 2
        head = f'key = "use-purchases-recommendations"\nversion = {version}\nmaterial = {str(material).lower()}'
        return f'{body}\n[[notice]]\n{head}\n[notice.wording]\nen = "May we, again?"\nde = "Dürfen wir, noch einmal?"\n'

    scope = "use:purchases:recommendations"
    before = world.reason(world.ann, scope)
    world.publish(newer(material=False))
    minor = world.reason(world.ann, scope)
    world.publish(newer(material=True))
    stale = world.reason(world.ann, scope), world.reason(world.ann, "remember:purchases")
    world.grant(world.ann, scope)

    assert (before, minor, stale, world.reason(world.ann, scope)) == (
        "PERMIT",
        "PERMIT",
        ("NOTICE_STALE", "PERMIT"),
        "PERMIT",
    )
    world.check_ledger()


def test_a_publication_that_is_rolled_back_is_forgotten(world):
    desk = world.deployment.desk

    def publish_and_fail():
        with world.store.write() as work:
            publishing.publish(desk, work, with_scopes(*FIRST), actor="mia", at=world.clock())
            assert set(desk.catalogues.current(work).scopes) == {"remember:purchases", "use:purchases:offers"}
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        publish_and_fail()
    world.publish(with_scopes(*FIRST, ADDED))

    with world.store.read() as work:
        assert len(desk.catalogues.current(work).scopes) == 3
    world.check_ledger()


def test_the_deployments_own_notes_are_entries_too(world):
    with world.store.write() as work:
        said = {"actor": "worker", "status": "passed"}
        noted = publishing.note(world.deployment.desk, work, Kind.AUDIT_COMPLETED, said, at=world.clock())

    assert (noted.seq, world.size()) == (world.size() - 1, noted.seq + 1)
    world.check_ledger()
