"""The record of processing: what is declared, what was done, and where the two contradict each other."""

import re
from datetime import timedelta

import pytest

from consent import uses
from consent.catalogue.model import LegalBasis
from consent.ledger import log
from consent.rights import access_log, differing, looking, processing
from consent.rights.access_log import Chosen
from consent.rights.differing import NEVER_USED, UNDECLARED_PURPOSE, UNDECLARED_RECIPIENT, UNDECLARED_USE
from consent.rights.looking import Why
from consent.uses import Use
from personalise import engine, held
from tests.campaigns import fill, publish

NO_HOLDOUT = {"holdout": {"share": 0.0, "salt": "s"}}
RECOMMEND = "recommendations"


def record(world, **more):
    with world.store.read() as work:
        return processing.record(world.deployment.desk, work, at=world.clock(), contacted=held.contacted, **more)


def differences(world, **more):
    with world.store.read() as work:
        found = differing.differences(world.deployment.desk, work, at=world.clock(), **more)
        return [(one.kind, one.subject) for one in found]


def activity(world, key, **more):
    return next(each for each in record(world, **more).activities if each.key == key)


def used(world, purpose, *categories, customers=1, **more):
    """Record a use, as whoever reads data does."""
    use = Use(actor="staff:mia", purpose=purpose, reason="a test", **more)
    with world.store.write() as work:
        at = log.head(work).position
        return uses.record(work, use, categories=categories, customers=customers, position=at, at=world.clock())


def without(world, pattern):
    """Publish the catalogue in force without what a pattern matches."""
    with world.store.read() as work:
        body = world.deployment.desk.catalogues.current(work).body
    less = re.sub(pattern, "", body, flags=re.MULTILINE | re.DOTALL)
    assert less != body
    return world.publish(less)


# ------------------------------------------------------------------------------------------------------- the record


def test_the_record_declares_what_the_catalogue_declares(world):
    made = record(world)
    assert (made.controller, made.catalogue, made.published_at) == ("A shop", 1, world.clock() - timedelta(days=1))
    assert [each.key for each in made.activities] == [
        "service", "recommendations", "newsletter", "measurement", "answering",
    ]  # fmt: skip
    service = activity(world, "service")
    assert [(each.title, each.kept_for) for each in service.recipients] == [
        ("The courier who delivers your order", "P3M")
    ]
    assert [(each.category, each.basis, each.kept_for) for each in service.data] == [
        ("identity", LegalBasis.CONTRACT, "P36M"), ("preferences", LegalBasis.CONTRACT, "P36M"),
        ("purchases", LegalBasis.CONTRACT, "P24M"),
    ]  # fmt: skip
    assert (service.bases, service.marketing, service.terms) == (
        (LegalBasis.CONTRACT,), False, ("dpv:RequestedServiceProvision", "dpv:CustomerCare"),
    )  # fmt: skip
    assert [each.term for each in made.measures][:2] == ["dpv:EncryptionAtRest", "dpv:CryptographicKeyManagement"]


def test_the_record_tells_what_was_really_done(world):
    fill(world, 5)
    key = publish(world, campaign=NO_HOLDOUT)
    world.remember(world.ann, main_interest="garden", months_since_purchase=3, spend_past_year=50.0, purchases_count=7)
    engine.decide_one(world.deployment, world.ann, campaign=key, actor="key:k")
    done = activity(world, RECOMMEND).done
    assert (done.uses, done.customers, done.categories, done.reached) == (1, 1, ("interests", "purchases"), 1)
    assert done.first_at == done.last_at == world.clock()
    assert activity(world, "newsletter").done == processing.Done()
    assert differences(world) == []


def test_what_rights_take_is_an_activity_of_its_own(world):
    with world.store.write() as work:
        looking.start(world.deployment.desk, work, world.ann, Why.FILE, actor="staff:cy", reason="x", at=world.clock())
    answering = activity(world, "answering")
    assert (answering.done.uses, answering.bases) == (1, (LegalBasis.LEGAL_OBLIGATION,))
    assert differences(world) == []


def test_the_record_looks_back_no_further_than_asked(world):
    used(world, RECOMMEND, "purchases")
    world.clock.advance(days=31)
    assert (activity(world, RECOMMEND, days=31).done.uses, activity(world, RECOMMEND, days=30).done.uses) == (1, 0)


def test_measures_of_the_deployment_stand_beside_those_of_the_code(world):
    mine = processing.Measure(title="A witness", term="dpv:SecurityMethod", what="Cosigns every checkpoint.")
    assert record(world, measures=[mine]).measures == (*processing.MEASURES, mine)


# ------------------------------------------------------------------------------------------------------ differences


def test_a_use_for_what_nobody_declared_is_a_difference(world):
    used(world, RECOMMEND, "purchases")
    assert differences(world) == []
    used(world, "profiling", "purchases")
    used(world, "")
    assert differences(world) == [(UNDECLARED_PURPOSE, "(none)"), (UNDECLARED_PURPOSE, "profiling")]


def test_a_use_of_a_category_that_is_not_declared_for_the_purpose_is_a_difference(world):
    used(world, RECOMMEND, "purchases", "responses")
    assert differences(world) == [(UNDECLARED_USE, "use:responses:recommendations")]


def test_a_use_that_read_of_nobody_is_none(world):
    used(world, RECOMMEND, "responses", customers=0)
    assert differences(world) == []


def test_a_use_is_held_against_the_catalogue_of_its_own_time(world):
    used(world, RECOMMEND, "browsing")
    assert without(world, r'^\[\[scope\]\]\nscope = "use:browsing:recommendations".*?\n\n') == 2
    assert differences(world) == []  # it was declared then
    used(world, RECOMMEND, "browsing")
    [one] = differences(world)
    assert one == (UNDECLARED_USE, "use:browsing:recommendations")


def test_a_purpose_that_is_no_longer_declared_is_a_difference(world):
    used(world, "newsletter", "interests")
    without(world, r'^\[\[purpose\]\]\nkey = "newsletter".*?\n\n|^\[\[scope\]\]\nscope = "[a-z:]+:newsletter".*?\n\n')
    assert differences(world) == []
    used(world, "newsletter", "interests")
    assert differences(world) == [(UNDECLARED_PURPOSE, "newsletter")]


def test_a_recipient_that_is_not_declared_is_a_difference(world):
    used(world, "service", "identity", recipient="courier")
    assert differences(world) == []
    used(world, "service", "identity", recipient="broker")
    assert differences(world) == [(UNDECLARED_RECIPIENT, "share:broker:service")]


def test_a_difference_is_told_once_with_how_often_and_since_when(world):
    for _ in range(3):
        used(world, RECOMMEND, "responses")
        world.clock.advance(days=1)
    with world.store.read() as work:
        [one] = differing.differences(world.deployment.desk, work, at=world.clock())
    assert one.why == (
        "data of responses were used for recommendations, which isn't declared: "
        "3 uses under catalogue 1, the last on 2026-11-23"
    )


def test_a_purpose_that_is_asked_for_and_never_used_is_a_difference(world):
    world.clock.advance(days=30)
    used(world, RECOMMEND, "purchases")
    used(world, "service", "identity")
    idle = [(NEVER_USED, "newsletter"), (NEVER_USED, "measurement")]
    assert differences(world, days=30) == idle
    assert differences(world, days=32) == []  # declared for 31 days
    world.clock.advance(days=1)
    used(world, "measurement", "responses")
    assert differences(world, days=30) == idle[:1]


def test_a_purpose_is_declared_anew_when_it_comes_back(world):
    world.clock.advance(days=100)
    body = read(world)
    without(world, r'^\[\[purpose\]\]\nkey = "newsletter".*?\n\n|^\[\[scope\]\]\nscope = "[a-z:]+:newsletter".*?\n\n')
    world.clock.advance(days=100)
    world.publish(body)
    world.clock.advance(days=29)
    assert (NEVER_USED, "newsletter") not in differences(world, days=30)
    world.clock.advance(days=2)
    assert (NEVER_USED, "newsletter") in differences(world, days=30)


def read(world):
    with world.store.read() as work:
        return world.deployment.desk.catalogues.current(work).body


def test_a_purpose_that_customers_are_only_reached_for_counts_by_its_contacts(world):
    only_mail = r'^\[\[scope\]\]\nscope = "use:interests:newsletter".*?\n\n'
    without(world, only_mail)
    world.clock.advance(days=40)
    assert (NEVER_USED, "newsletter") not in differences(world, days=30)  # not known, so not judged
    assert (NEVER_USED, "newsletter") in differences(world, days=30, contacted=held.contacted)
    reached = {("email", "newsletter"): 1}
    assert (NEVER_USED, "newsletter") not in differences(world, days=30, contacted=lambda _work, _since: reached)


# -------------------------------------------------------------------------------------------------------- access log


def uses_of(world, most=100, **chosen):
    found, cursor = [], ""
    while True:
        with world.store.read() as work:
            page, cursor = access_log.listed(work, Chosen(**chosen), cursor=cursor, most=most)
        found += page
        if not cursor:
            return found


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_the_access_log_walks_every_use_once_the_newest_first(world, most):
    made = []
    for number in range(5):
        made.append(used(world, RECOMMEND, "purchases", customer=world.ann))
        world.clock.advance(seconds=number % 2)
    assert sorted(each.id for each in uses_of(world, most)) == sorted(made)
    listed = uses_of(world, most)
    assert [each.at for each in listed] == sorted((each.at for each in listed), reverse=True)


def test_the_access_log_is_filtered(world):
    mine = used(world, RECOMMEND, "purchases", customer=world.ann)
    bos = used(world, "service", "identity", "preferences", customer=world.bo, recipient="courier")
    with world.store.write() as work:
        decided = Use(actor="key:k", purpose=RECOMMEND, decision="dec_1.0", customer=world.ann)
        chosen = uses.record(work, decided, categories=(), customers=1, position=3, at=world.clock())
    assert [each.id for each in uses_of(world, customer=world.bo)] == [bos]
    assert [each.id for each in uses_of(world, actor="key:k")] == [chosen]
    assert {each.id for each in uses_of(world, purpose=RECOMMEND)} == {mine, chosen}
    assert {each.id for each in uses_of(world, reasoned=True)} == {mine, bos}
    [one] = uses_of(world, customer=world.bo)
    assert (one.categories, one.recipient, one.position) == (("identity", "preferences"), "courier", None)
