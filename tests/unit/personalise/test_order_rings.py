"""Orders in a ring: what could never come is refused, and what only looks like it is not."""

import json

import pytest

from consent.base.errors import ContactPolicyInvalid
from personalise.contact_policy.reading import parse_contact_policy, read_written
from tests.campaigns import SHOP

SELF = "waits for itself: it is among what `then` holds back, so the first would never come"
MAIL, CALL, EITHER = {"channels": ["email"]}, {"channels": ["phone"]}, {"channels": ["email", "phone"]}


def written(*pairs):
    orders = [{"key": f"o{spot}", "days": 30, "first": first, "then": then} for spot, (first, then) in enumerate(pairs)]
    return json.dumps({"order": orders})


def wrong(*pairs):
    with pytest.raises(ContactPolicyInvalid) as refused:
        read_written(written(*pairs), "json", SHOP)
    return [tuple(place) for place in refused.value.places]


def by_way_of(*keys):
    return f"waits for itself by way of {', '.join(keys)}: in that ring the first would never come"


def test_what_waits_for_itself_is_refused():
    assert wrong((MAIL, MAIL)) == [("order[0].first", SELF)]
    assert wrong(({**MAIL, "purposes": ["recommendations"]}, MAIL)) == [("order[0].first", SELF)]


def test_two_that_wait_for_each_other_are_both_named():
    assert wrong((MAIL, CALL), (CALL, MAIL)) == [
        ("order[0].first", by_way_of("o1")), ("order[1].first", by_way_of("o0")),
    ]  # fmt: skip


def test_a_ring_of_three_is_told_from_what_only_leads_to_it():
    a, b, c, d = ({"tags": [tag]} for tag in "abcd")
    assert wrong((a, b), (b, c), (c, a), (a, d)) == [
        ("order[0].first", by_way_of("o2", "o1")),
        ("order[1].first", by_way_of("o0", "o2")),
        ("order[2].first", by_way_of("o1", "o0")),
    ]


@pytest.mark.parametrize("pairs", [
    [(MAIL, CALL)],
    [(EITHER, MAIL)],
    [(MAIL, CALL), ({"tags": ["a"]}, MAIL)],
    [({"purposes": ["recommendations"]}, MAIL)],
    [({**MAIL, "campaigns": ["welcome"]}, MAIL)],
    [({**MAIL, "purposes": ["service"]}, MAIL)],
])  # fmt: skip
def test_what_can_come_is_taken(pairs):
    assert len(read_written(written(*pairs), "json", SHOP).orders) == len(pairs)


def test_what_was_published_with_a_ring_is_still_read():
    assert len(parse_contact_policy(written((MAIL, MAIL)), "json", SHOP, version=3).orders) == 1
