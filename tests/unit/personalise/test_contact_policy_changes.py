"""What changes from one version of a contact policy to another: told rule by rule, with nothing left out."""

import json
from dataclasses import fields
from typing import Any, Final

import pytest

from personalise.contact_policy.changes import Change, changes
from personalise.contact_policy.model import NONE, ContactPolicy
from personalise.contact_policy.reading import DEFAULT, parse_contact_policy, read_contact_policy
from tests.campaigns import SHOP

WEEK = {"key": "week", "limit": 2, "days": 7}
WHOLE: Final[dict[str, Any]] = {
    "weight_of_benefit": 0.5,
    "cap": [WEEK],
    "exclusion": [{"key": "x", "days": 3, "one": {"tags": ["sale"]}, "other": {"campaigns": ["care"]}}],
    "order": [{"key": "o", "days": 4, "first": {"offers": ["a"]}, "then": {"families": ["shoes"]}}],
    "rest": [{"key": "r", "days": 5, "families": ["shoes"]}],
    "hours": [{"key": "night", "quiet": [{"days": ["mon"], "start": "21:00", "end": "08:00"}]}],
    "zones": {"country": "country"},
    "holdout": {"share": 0.02, "salt": "2026"},
    "goodwill": {"opening": 50, "floor": 0, "pressure_days": 9, "ignored": 1, "opt_out": 2, "price_of_one": 0.1,
                 "prices": {"email": 1.5}, "credits": {"answer": 2}},
    "fallback_zones": ["Europe/Paris"],
}  # fmt: skip


def read(*, version=1, **tables):
    return parse_contact_policy(json.dumps(tables), "json", SHOP, version=version)


def changed(before, after):
    return [(each.rule, each.was, each.asks) for each in changes(before, after)]


def without(name):
    return {key: value for key, value in WHOLE.items() if key != name}


def test_rules_that_are_new_that_differ_and_that_went_are_told():
    before = read(cap=[WEEK, {"key": "month", "limit": 5, "days": 30}])
    after = read(cap=[{**WEEK, "limit": 1}, {"key": "day", "limit": 1, "days": 1}])
    assert changes(before, after) == [
        Change(rule="company:week", was="at most 2 contacts in 7 days", asks="at most 1 contact in 7 days"),
        Change(rule="company:day", was=None, asks="at most 1 contact in 1 day"),
        Change(rule="company:month", was="at most 5 contacts in 30 days", asks=None),
    ]


def test_what_is_written_otherwise_and_asks_the_same_changes_nothing():
    assert changes(read_contact_policy(DEFAULT, SHOP), read_contact_policy(DEFAULT, SHOP)) == []
    assert changes(read(cap=[WEEK]), read(cap=[dict(reversed(WEEK.items()))])) == []
    assert changes(read(**WHOLE), read(**WHOLE, version=2)) == []


def test_from_none_at_all_everything_is_new_and_to_it_everything_gone():
    new = changes(NONE, read(**WHOLE))
    gone = changes(read(**WHOLE), NONE)
    weight = "weight_of_benefit"
    assert {each.rule for each in new if each.was is not None} == {weight}
    assert [each.rule for each in new if each.rule != weight] == [each.rule for each in gone if each.rule != weight]
    assert all(each.asks is None for each in gone if each.rule != weight)


@pytest.mark.parametrize("name", sorted(WHOLE.keys() - {"fallback_zones"}))
def test_no_table_of_the_file_can_go_unnoticed(name):
    assert changed(read(**WHOLE), read(**without(name))) != []


@pytest.mark.parametrize(
    ("name", "other", "rule"),
    [
        ("weight_of_benefit", 2, "weight_of_benefit"),
        ("fallback_zones", ["Europe/Rome"], "zones:fallback"),
        ("hours", [{"key": "night", "quiet": [{"days": ["mon"], "start": "21:00", "end": "08:30"}]}], "hours:night"),
        ("rest", [{"key": "r", "days": 5, "families": ["shoes"], "channels": ["sms"]}], "rest:r"),
        *[("goodwill", {**WHOLE["goodwill"], key: 7}, f"goodwill:{key}")
          for key in ("opening", "floor", "pressure_days", "ignored", "opt_out", "price_of_one")],
        ("goodwill", {**WHOLE["goodwill"], "prices": {"email": 2}}, "goodwill:price of email"),
        ("goodwill", {**WHOLE["goodwill"], "credits": {"answer": 3}}, "goodwill:credit for answer"),
    ],
)  # fmt: skip
def test_each_term_that_differs_is_told_by_its_name(name, other, rule):
    [(told, was, asks)] = changed(read(**WHOLE), read(**{**WHOLE, name: other}))
    assert (told, None in (was, asks), was != asks) == (rule, False, True)


def test_a_holdout_drawn_anew_is_told_though_it_is_as_large():
    [(rule, was, asks)] = changed(read(**WHOLE), read(**{**WHOLE, "holdout": {"share": 0.02, "salt": "2027"}}))
    assert (rule, asks) == ("holdout", f"{was}; drawn anew by another salt: other customers than before")


def test_hours_that_bind_other_messages_are_told_though_the_words_are_the_same():
    night = {**WHOLE["hours"][0], "classes": ["marketing", "service"]}
    [(rule, was, asks)] = changed(read(**WHOLE), read(**{**WHOLE, "hours": [night]}))
    assert (rule, asks.startswith(f"{was}; ")) == ("hours:night", True)


def test_every_field_of_a_policy_is_compared():
    """A field that is added to policies has to be added here, and to what is compared."""
    compared = {"caps", "exclusions", "orders", "rests", "hours", "zones", "goodwill", "holdout", "weight_of_benefit"}
    assert {each.name for each in fields(ContactPolicy)} - {"version", "body", "format"} == compared
