"""A look opens what is kept of one customer: to who began it, once it was recorded why, for a quarter of an hour."""

from datetime import timedelta

import pytest

from consent.base.errors import CustomerUnknown, Invalid, KeyLost, NotAllowed, RequestUnfit
from consent.base.ids import CustomerId
from consent.ledger.position import parts
from consent.register import publishing
from consent.rights import correcting, looking
from consent.rights.looking import GOOD_FOR, Why

CY = "staff:cy"
FACTS = {"main_interest": "garden", "interests": "tea", "spend_past_year": 12.5}


@pytest.fixture
def known(world):
    """Return a world that remembers three facts of Ann."""
    assert world.remember(world.ann, **FACTS).stored == 3
    return world


def begin(world, who=None, why=Why.ACCESS, *, actor=CY, reason="he asked on the phone"):
    with world.store.write() as work:
        return looking.start(
            world.deployment.desk, work, who or world.ann, why, actor=actor, reason=reason, at=world.clock()
        )


def seen(world, look, why=Why.ACCESS, *, actor=CY, customer=""):
    """Return what a look shows in another transaction; None where it shows nothing (any more)."""
    with world.store.read() as work:
        found = looking.under(work, look.id, why, actor=actor, at=world.clock(), customer=customer)
        return found and facts(looking.remembered(world.deployment.desk, work, found))


def facts(remembered):
    return {name: value for each in remembered for name, value in each.attributes.items()}


def kept(world, who):
    with world.store.read() as work:
        return [each.category for each in looking.kept(world.deployment.desk, work, who)]


def test_a_look_is_recorded_and_opens_every_category(known):
    look = begin(known)
    assert seen(known, look) == FACTS
    query = "SELECT id, actor, purpose, categories, customers, customer, reason, position, recipient FROM data_use"
    assert known.rows(query) == [
        (look.id, CY, "right:access", "interests,purchases", 1, known.ann, "he asked on the phone", known.size(), "")
    ]  # fmt: skip


def test_a_look_is_its_beginners_its_customers_and_its_purposes(known):
    look = begin(known)
    assert seen(known, look, customer=known.ann) == FACTS
    assert seen(known, look, actor="staff:mia") is None
    assert seen(known, look, customer=known.bo) is None
    assert seen(known, look, Why.FILE) is None
    with known.store.read() as work:
        for strange in ("", "use_x", "use_" + "0" * 32, "cus_" + "0" * 32):
            assert looking.under(work, strange, Why.ACCESS, actor=CY, at=known.clock()) is None


def test_a_look_is_over_after_a_quarter_of_an_hour(known):
    look = begin(known)
    known.clock.advance(seconds=GOOD_FOR.total_seconds() - 0.001)
    assert seen(known, look) == FACTS
    known.clock.advance(seconds=0.001)
    assert seen(known, look) is None
    known.clock.set(look.at - timedelta(milliseconds=1))
    assert seen(known, look) is None


def test_a_look_shows_what_it_was_recorded_for_and_no_category_that_came_later(known):
    look = begin(known)
    known.remember(known.ann, last_viewed_category="shoes")
    assert seen(known, look) == FACTS
    assert seen(known, begin(known)) == {**FACTS, "last_viewed_category": "shoes"}


def test_a_look_holds_in_its_own_transaction_only(known):
    look = begin(known)
    with known.store.read() as work, pytest.raises(NotAllowed):
        looking.remembered(known.deployment.desk, work, look)


def test_nobody_looks_without_a_reason_nor_at_nobody(known):
    with pytest.raises(Invalid):
        begin(known, reason="")
    with pytest.raises(CustomerUnknown):
        begin(known, CustomerId("cus_" + "0" * 32))
    assert known.rows("SELECT count(*) FROM data_use") == [(0,)]


def test_a_blob_that_was_swapped_does_not_open(known):
    known.grant(known.bo, "remember:interests", "use:interests:recommendations")
    known.remember(known.bo, main_interest="roses")
    swap = (
        "UPDATE memory SET sealed = (SELECT sealed FROM memory WHERE customer = :ann AND category = 'interests') "
        "WHERE customer = :bo"
    )
    known.tamper(swap, ann=known.ann, bo=known.bo)
    with pytest.raises(KeyLost):
        seen(known, begin(known, known.bo))


# ------------------------------------------------------------------------------------------------------- correcting


def correct(world, values, who=None, *, actor="customer", reason="it was wrong"):
    with world.store.write() as work:
        return correcting.correct(
            world.deployment.desk, work, who or world.ann, values, actor=actor, reason=reason, at=world.clock()
        )


def remove(world, *names, who=None):
    with world.store.write() as work:
        return correcting.remove(
            world.deployment.desk, work, who or world.ann, names, actor="customer", reason="not that", at=world.clock()
        )


def noted(world, done):
    with world.store.read() as work:
        return publishing.noted(world.deployment.desk, work, *parts(done.position))


def test_a_fact_is_corrected_and_the_ledger_tells_which_and_not_what(known):
    done = correct(known, {"main_interest": "roses", "interests": "tea"})
    assert done.attributes == ("main_interest",)  # the other was right already
    assert seen(known, begin(known)) == {**FACTS, "main_interest": "roses"}
    told = noted(known, done)
    [(use,)] = known.rows("SELECT id FROM data_use WHERE purpose = 'right:rectification'")
    assert told == {
        "act": "corrected", "actor": "customer", "attributes": ["main_interest"], "customer": known.ann, "use": use,
    }  # fmt: skip
    known.check_ledger()


def test_what_is_right_already_leaves_no_trace_in_the_ledger(known):
    size = known.size()
    assert correct(known, FACTS).position is None
    assert (known.size(), seen(known, begin(known))) == (size, FACTS)


@pytest.mark.parametrize("act", ["pause", "restrict"])
def test_what_is_wrong_is_set_right_though_nothing_may_be_used(known, act):
    known.say(known.statement(known.ann, act))
    assert known.remember(known.ann, main_interest="roses").stored == 0
    correct(known, {"main_interest": "roses"})
    assert seen(known, begin(known))["main_interest"] == "roses"


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"visits_past_month": 3}, ["/visits_past_month"]),  # not remembered: that takes a permission
        ({"shoe_size": 43}, ["/shoe_size"]),
        ({"main_interest": 7, "spend_past_year": "much"}, ["/main_interest", "/spend_past_year"]),
        ({"spend_past_year": float("nan")}, ["/spend_past_year"]),
        ({"main_interest": "a\ud800"}, ["/main_interest"]),
    ],
)
def test_only_what_is_remembered_is_corrected_and_by_what_it_can_be(known, values, wrong):
    with pytest.raises(RequestUnfit) as refused:
        correct(known, values)
    assert [place.where for place in refused.value.places] == wrong
    assert (seen(known, begin(known)), known.rows("SELECT count(*) FROM data_use")) == (FACTS, [(1,)])


def test_a_fact_is_removed_and_the_rest_of_its_category_stays(known):
    done = remove(known, "main_interest")
    assert seen(known, begin(known)) == {"interests": "tea", "spend_past_year": 12.5}
    assert (noted(known, done)["act"], noted(known, done)["attributes"]) == ("removed", ["main_interest"])
    remove(known, "interests")
    assert kept(known, known.ann) == ["purchases"]
    with pytest.raises(RequestUnfit):
        remove(known, "interests")
    known.check_ledger()


def test_a_category_is_removed_whole(known):
    with known.store.write() as work:
        done = correcting.remove_category(
            known.deployment.desk, work, known.ann, "interests", actor="customer", reason="not that", at=known.clock()
        )
    assert (done.attributes, kept(known, known.ann)) == (("interests", "main_interest"), ["purchases"])
    with known.store.write() as work, pytest.raises(RequestUnfit):
        correcting.remove_category(
            known.deployment.desk, work, known.ann, "interests", actor="customer", reason="not that", at=known.clock()
        )
    # What may be remembered stays as it was.
    assert known.remember(known.ann, main_interest="garden").stored == 1
    known.check_ledger()


def test_nobody_corrects_without_a_reason_nor_nobody(known):
    with pytest.raises(Invalid):
        correct(known, {"main_interest": "roses"}, reason="")
    with pytest.raises(CustomerUnknown):
        correct(known, {"main_interest": "roses"}, CustomerId("cus_" + "0" * 32))


def test_no_value_stands_in_clear_where_it_was_corrected(known):
    canary = "canary-eulalia-7431"
    correct(known, {"main_interest": canary})
    remove(known, "main_interest")
    tables = ["ledger_entry", "ledger_payload", "data_use", "memory", "rights_request", "rights_step"]
    stored = [repr(row) for name in tables for row in known.rows(f"SELECT * FROM {name}")]  # noqa: S608 -- our tables
    assert stored != []
    assert [row for row in stored if canary in row] == []
