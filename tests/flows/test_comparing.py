"""Two policies over the same customers: what changes, what it costs, and that nothing is kept."""

import pytest

from consent.base.errors import CampaignUnknown, ContactPolicyUnknown
from personalise import shelf
from personalise.campaigns.model import LEAVE_ALONE
from personalise.contact_policy.reading import parse_contact_policy
from personalise.runs import comparing, dry_run
from personalise.runs.comparing import Named
from tests.builders import toml
from tests.campaigns import TABLES, fill, publish, willing
from tests.flows.test_runs import everything

MANY = 120
MAIL_ONLY = {"treatment": TABLES["treatment"][:1], "cap": []}
FREE = {"campaign": {"holdout": {"share": 0, "salt": "s"}}, **MAIL_ONLY}


def rule(world, **tables):
    """Publish a contact policy."""
    with world.store.write() as work:
        read = parse_contact_policy(toml(tables), "toml", world.deployment.desk.catalogues.current(work))
        return shelf.publish_contact_policy(world.deployment.desk, work, read, actor="mia", at=world.clock())


def compare(world, a, b, **how):
    return comparing.compare(world.deployment, a, b, actor="mia", **how)


SPRING = Named(campaign="spring")


@pytest.fixture
def shop(world):
    fill(world, MANY)
    publish(world)
    return world


def test_comparing_keeps_nothing_but_the_record_of_the_uses(shop):
    publish(shop, **MAIL_ONLY)
    before = everything(shop, but=("data_use",))
    told = []
    compare(shop, Named(campaign="spring", version=1), SPRING, most=50, progress=lambda *how: told.append(how))

    assert everything(shop, but=("data_use",)) == before
    reasons = [reason for (reason,) in shop.rows("SELECT reason FROM data_use ORDER BY reason")]
    assert reasons == [f"comparing spring@{version} under contact policy 0" for version in (1, 1, 1, 2, 2, 2)]
    assert told == [(50, 122), (100, 122), (122, 122)]
    shop.check_ledger()


def test_each_side_is_what_its_dry_run_foresees(shop):
    first = dry_run.dry_run(shop.deployment, "spring", actor="mia", most=37).totals
    publish(shop, **FREE)
    second = dry_run.dry_run(shop.deployment, "spring", actor="mia", most=37).totals
    found = compare(shop, Named(campaign="spring", version=1), Named(campaign="spring", version=2), most=37)

    assert (found.table.a, found.table.b) == (first, second)
    assert (found.a.version, found.b.version) == (1, 2)
    assert sum(found.table.moves.values()) == MANY + 2


def test_a_campaign_against_itself_changes_nobody_and_does_not_depend_on_chunks(shop):
    whole, parts = compare(shop, SPRING, SPRING).table, compare(shop, SPRING, SPRING, most=7).table

    assert whole.changed == parts.changed == 0
    assert whole.moves == parts.moves
    assert whole.a.counts.chosen.total() > 0
    assert parts.a.outcomes == pytest.approx(whole.a.outcomes)


def test_whoever_is_lost_is_counted_by_where_he_is_lost(world):
    publish(world, **FREE)
    willing(world, 5)
    publish(world, **{**FREE, "campaign": {**FREE["campaign"], "audience": "months_since_purchase > 12"}})
    found = compare(world, Named(campaign="spring", version=1), SPRING).table.as_json()

    assert [move for move in found["moves"] if move["from"] == "mail"] == [
        {"from": "mail", "to": LEAVE_ALONE, "customers": 5}
    ]
    assert (found["changed"], found["gain"]["customers"]) == (5, 0)
    assert found["lose"]["customers"] == found["lose"]["stages"]["eligibility"] == 5
    assert found["lose"]["reasons"] == {"audience": 5}


def test_expected_outcomes_value_and_contacts_are_those_of_whom_it_chooses(world):
    publish(world, **FREE)
    willing(world, 4)
    one = compare(world, SPRING, SPRING).table.a.as_json()

    # A mail to each of four: 5 in a hundred visit, a visit is worth 1, a mail costs 0.01.
    assert one["contacts"] == {"email": 4}
    assert one["expected_outcomes"] == pytest.approx(4 * 0.05)
    assert one["expected_value"] == one["worth"] == pytest.approx(4 * (0.05 - 0.01))
    assert (one["goodwill"], one["below_floor"]) == (None, None)


def test_under_another_contact_policy_it_is_seen_who_is_pushed_below_the_floor(world):
    publish(world, **FREE)
    willing(world, 3)
    assert rule(world, goodwill={"opening": 10, "floor": 8, "prices": {"email": 3}}) == 1
    assert rule(world, goodwill={"opening": 10, "floor": 5, "prices": {"email": 3}}) == 2
    first, second, none = (Named(campaign="spring", contact_policy=number) for number in (1, 2, 0))
    tight, loose = compare(world, first, second).table, compare(world, none, first).table

    assert [side["goodwill"] for side in (tight.as_json()["a"], tight.as_json()["b"])] == [0, 9]
    assert tight.gain.reasons == {"goodwill": 3}
    assert (tight.a.below_floor, tight.b.below_floor) == (0, 0)
    assert (loose.as_json()["a"]["goodwill"], loose.a.below_floor) == (9, 3)
    assert (loose.as_json()["b"]["goodwill"], loose.b.below_floor) == (0, 0)
    assert loose.lose.reasons == {"goodwill": 3}


def test_what_was_never_published_cannot_be_compared(world):
    publish(world)
    for other in (Named(campaign="summer"), Named(campaign="spring", version=2)):
        with pytest.raises(CampaignUnknown):
            compare(world, SPRING, other)
    with pytest.raises(ContactPolicyUnknown):
        compare(world, SPRING, Named(campaign="spring", contact_policy=7))
