"""The company's rules about contacts: read from a file, and which of them bind a candidate."""

import pytest

from consent.base.errors import ContactPolicyInvalid
from personalise.contact_policy import windows
from personalise.contact_policy.model import NONE, Cap, ContactPolicy, Exclusion, Matching, Order, Rest, Told
from personalise.contact_policy.reading import DEFAULT, parse_contact_policy, read_contact_policy, read_written
from personalise.contact_policy.windows import Window
from personalise.contact_policy.words import rules
from tests.builders import toml
from tests.campaigns import SHOP

MAIL = Told(
    channel="email", purpose="recommendations", tags=("sale",), campaign="spring", offer="range", family="shoes"
)
EMAIL, PHONE = Matching(channels=("email",)), Matching(channels=("phone",))


def read(**tables):
    return parse_contact_policy(toml(tables), "toml", SHOP, version=3)


def places(**tables):
    with pytest.raises(ContactPolicyInvalid) as refused:
        read(**tables)
    return [(place.where, place.why) for place in refused.value.places]


def binding(policy, told=MAIL, caps=()):
    return list(windows.binding(policy, caps, told))


# ------------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(("text", "form"), [("# nothing", "toml"), ("{}", "json")])
def test_what_somebody_wrote_that_says_nothing_is_refused(text, form):
    assert parse_contact_policy(text, form, SHOP).caps == ()
    with pytest.raises(ContactPolicyInvalid, match="is empty: a policy that holds nothing back says so"):
        read_written(text, form, SHOP)


def test_an_empty_file_has_no_rules():
    found = parse_contact_policy("", "toml", SHOP)
    assert (found.caps, found.exclusions, found.orders, found.rests, found.goodwill) == ((), (), (), (), NONE.goodwill)


def test_the_shipped_policy_can_be_published():
    found = read_contact_policy(DEFAULT, SHOP)
    assert [(cap.key, cap.limit, cap.days, cap.source) for cap in found.caps] == [
        ("any-week", 2, 7, "company"), ("any-month", 5, 30, "company"), ("phone-quarter", 2, 90, "company"),
    ]  # fmt: skip
    assert [(rest.key, rest.days, rest.families) for rest in found.rests] == [("turned-down", 60, ())]
    assert (found.goodwill.opening, found.goodwill.floor, found.goodwill.prices["phone"]) == (100.0, 20.0, 10.0)


def test_all_that_a_policy_says_is_read():
    found = read(
        weight_of_benefit=0.5,
        cap=[{"key": "c", "limit": 1, "days": 2, "channels": ["email"], "purposes": ["recommendations"],
              "tags": ["sale"], "offers": ["range"], "source": "law", "per": "household"}],
        exclusion=[{"key": "x", "days": 3, "one": {"tags": ["sale"]}, "other": {"campaigns": ["care"]}}],
        order=[{"key": "o", "days": 4, "first": {"offers": ["a"]}, "then": {"families": ["shoes"]}}],
        rest=[{"key": "r", "days": 5, "families": ["shoes"]}],
        goodwill={"opening": 50, "floor": 0, "pressure_days": 9, "price_of_one": 0.1, "prices": {"email": 1.5}},
    )  # fmt: skip

    assert (found.version, found.weight_of_benefit) == (3, 0.5)
    assert found.caps == (
        Cap(key="c", limit=1, days=2, channels=("email",), purposes=("recommendations",), tags=("sale",),
            offers=("range",), source="law", per="household"),
    )  # fmt: skip
    one, other = Matching(tags=("sale",)), Matching(campaigns=("care",))
    assert found.exclusions == (Exclusion(key="x", days=3, one=one, other=other),)
    first, then = Matching(offers=("a",)), Matching(families=("shoes",))
    assert found.orders == (Order(key="o", days=4, first=first, then=then),)
    assert found.rests == (Rest(key="r", days=5, families=("shoes",)),)
    priced = found.goodwill
    assert (priced.opening, priced.floor, priced.pressure_days, priced.price_of_one) == (50.0, 0.0, 9, 0.1)
    assert dict(priced.prices) == {"email": 1.5}


@pytest.mark.parametrize(
    ("tables", "wrong"),
    [
        ({"cap": [{"key": "c", "limit": 1, "days": 0}]}, ("cap[0].days", "must be from 1 to 3,650")),
        ({"cap": [{"key": "c", "limit": 1, "days": 1}] * 2}, ("cap[1].key", "cap c is declared twice")),
        ({"cap": [{"key": "c", "limit": 1, "days": 1, "channels": ["fax"]}]},
         ("cap[0].channels", "'fax' is no channel of the catalogue")),
        ({"cap": [{"key": "c", "limit": 1, "days": 1, "purposes": ["fun"]}]},
         ("cap[0].purposes", "'fun' is no purpose of the catalogue")),
        ({"cap": [{"key": "c", "limit": 1, "days": 1, "per": "street"}]},
         ("cap[0].per", "must be one of customer, household")),
        ({"cap": [{"key": "c", "limit": 1, "days": 1, "source": "me"}]},
         ("cap[0].source", "must be one of company, law")),
        ({"exclusion": [{"key": "x", "days": 1, "one": {}, "other": {"tags": ["a"]}}]},
         ("exclusion[0].one", "names nothing: give channels, purposes, tags, campaigns or offers")),
        ({"rest": [{"key": "r"}]}, ("rest[0].days", "is missing: give a whole number")),
        ({"goodwill": {"opening": 10, "floor": 11}}, ("goodwill.floor", "must be from 0 to 10")),
        ({"goodwill": {"prices": {"fax": 1}}}, ("goodwill.prices.fax", "is no channel of the catalogue")),
        ({"goodwill": {"prices": {"email": -1}}}, ("goodwill.prices.email", "must be from 0 to 1000")),
        ({"capp": 1}, ("capp", "is not known here")),
        ({"order": [{"key": "o", "days": 1, "first": {"tags": ["a"]}, "then": {"tags": ["b"], "who": 1}}]},
         ("order[0].then.who", "is not known here")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_place(tables, wrong):
    assert places(**tables) == [wrong]


# ----------------------------------------------------------------------------------------------------- what binds whom


@pytest.mark.parametrize(
    ("names", "holds"),
    [
        ({}, True),
        ({"channels": ("email", "sms")}, True),
        ({"channels": ("sms",)}, False),
        ({"tags": ("care", "sale")}, True),
        ({"tags": ("care",)}, False),
        ({"purposes": ("recommendations",), "offers": ("range",)}, True),
        ({"purposes": ("recommendations",), "offers": ("other",)}, False),
        ({"families": ("shoes",)}, True),
        ({"campaigns": ("autumn",)}, False),
    ],
)
def test_what_is_named_is_anded_and_what_is_not_asks_nothing(names, holds):
    assert Matching(**names).holds(MAIL) is holds


def test_caps_bind_what_they_count_each_by_whose_rule_it_is():
    company = ContactPolicy(
        caps=(
            Cap(key="a", limit=1, days=7, source="company"),
            Cap(key="b", limit=2, days=7, channels=("phone",), source="company"),
            Cap(key="c", limit=4, days=30, tags=("sale",), source="law"),
        )
    )
    own = Cap(key="mail", limit=2, days=30, channels=("email",))
    assert [(each.rule, each.key, each.limit) for each in binding(company, caps=[own])] == [
        ("cap:mail", "mail", 2), ("company:a", "company:a", 1), ("law:c", "law:c", 4),
    ]  # fmt: skip


def test_an_exclusion_counts_the_other_side_whichever_comes_first():
    never = ContactPolicy(exclusions=(Exclusion(key="x", one=EMAIL, other=PHONE, days=5),))
    by_phone = Told(channel="phone", purpose="p", tags=(), campaign="c", offer="o", family="f")
    post = Told(channel="post", purpose="p", tags=(), campaign="c", offer="o", family="f")

    assert binding(never) == [Window(rule="exclusion:x:one", key="exclusion:x:one", counts=PHONE, limit=1, days=5)]
    assert binding(never, by_phone) == [
        Window(rule="exclusion:x:other", key="exclusion:x:other", counts=EMAIL, limit=1, days=5)
    ]
    assert binding(never, post) == []


def test_an_order_asks_for_the_first_and_a_rest_counts_what_was_turned_down():
    policy = ContactPolicy(
        orders=(Order(key="o", first=PHONE, then=EMAIL, days=9),),
        rests=(Rest(key="r", days=60), Rest(key="other", days=60, families=("hats",))),
    )
    shoes = Matching(families=("shoes",))
    assert binding(policy) == [
        Window(rule="rest:r:shoes", key="rest:r:shoes", counts=shoes, limit=1, days=60, of="rejections"),
        Window(rule="order:o", key="order:o", counts=PHONE, limit=1, days=9, needs=True),
    ]


def test_an_empty_file_is_no_policy(tmp_path):
    (tmp_path / "rules.toml").write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(ContactPolicyInvalid, match="is empty: a policy that holds nothing back says so"):
        read_contact_policy(tmp_path / "rules.toml", SHOP)


# ----------------------------------------------------------------------------------------------------------- in words


def test_rules_are_told_in_words():
    night = {"key": "night", "quiet": [{"start": "21:00", "end": "08:00"}], "channels": ["sms"], "source": "Rule 7"}
    lunch = {"key": "lunch", "quiet": [{"days": ["mon", "tue", "wed"], "start": "12:00", "end": "13:00"},
                                       {"days": ["sat", "sun"], "start": "00:00", "end": "24:00"},
                                       {"days": ["mon", "tue", "wed"], "start": "18:00", "end": "20:00"}],
             "regions": ["FR"], "holidays": [{"name": "New Year", "month": 1, "day": 1}]}  # fmt: skip
    found = read(
        cap=[{"key": "c", "limit": 1, "days": 1, "per": "household"}, {"key": "d", "limit": 2, "days": 7}],
        rest=[{"key": "r", "days": 5, "families": ["shoes"], "channels": ["phone"]}, {"key": "s", "days": 1}],
        hours=[night, lunch],
        fallback_zones=["Europe/Paris"],
    )
    assert rules(found) == [
        ("company:c", "at most 1 contact with all of a household in 1 day"),
        ("company:d", "at most 2 contacts in 7 days"),
        ("rest:r", "5 days after a no, for shoes (channels phone)"),
        ("rest:s", "1 day after a no, for every offer family"),
        ("hours:night", "quiet every day 21:00 to 08:00 (channels sms): Rule 7"),
        (
            "hours:lunch",
            (
                "quiet Monday to Wednesday 12:00 to 13:00 and 18:00 to 20:00, Saturday and Sunday all day, "
                "on 1 public holiday all day (in FR)"
            ),
        ),
    ]
