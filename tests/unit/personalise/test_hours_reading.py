"""A file of hours: what it may say, and how everything that is wrong in it is named at once."""

import json
from typing import Any

import pytest

from consent.base.errors import Invalid, Place
from consent.base.form import Form
from personalise.hours.holidays import Fixed, Movable, Weekday
from personalise.hours.model import HoursRule, LegalCap, LegalRest
from personalise.hours.reading import hours_rule, read_pack
from tests.hours import spans

RULE: dict[str, Any] = {
    "key": "evenings",
    "classes": ["marketing", "service"],
    "channels": ["phone"],
    "regions": ["FR", "US-TX"],
    "quiet": [{"days": ["mon", "sun"], "start": "20:30", "end": "10:00"}, {"start": "12:00", "end": "24:00"}],
    "holidays": [
        {"name": "Christmas Day", "month": 12, "day": 25},
        {"name": "Easter Monday", "easter": 1},
        {"name": "Thanksgiving Day", "month": 11, "weekday": "thu", "nth": 4},
    ],
    "source": "the law, paragraph 1",
    "link": "https://law.example/1",
}
LIMIT: dict[str, Any] = {
    "channels": ["phone"],
    "days": 30,
    "source": "the law, paragraph 2",
    "link": "https://law.example/2",
}
PACK: dict[str, Any] = {
    "pack": {"key": "there", "title": "There", "version": 3, "regions": ["FR"]},
    "hours": [RULE],
    "cap": [{"key": "few", "limit": 4, **LIMIT}],
    "rest": [{"key": "refused", **LIMIT, "regions": ["RE"]}],
}


def read(changes, binding="law", channels=None):
    """Return the rule with these entries (None: left out), and the places noted, as (where, why)."""
    places: list[Place] = []
    table = {key: value for key, value in {**RULE, **changes}.items() if value is not None}
    form = Form(table, "hours[0]", places)
    rule = hours_rule(form, binding=binding, version=3, regions=("BE",), channels=channels)
    return rule, [(place.where.removeprefix("hours[0]."), place.why) for place in places]


def written(tmp_path, tables):
    path = tmp_path / "pack.json"
    path.write_text(json.dumps(tables))
    return path


def wrong_pack(tmp_path, **changes):
    with pytest.raises(Invalid) as refused:
        read_pack(written(tmp_path, {**PACK, **changes}))
    return [tuple(place) for place in refused.value.places]


# --------------------------------------------------------------------------------------------------------- what is read


def test_a_rule_is_read_whole():
    rule, places = read({})

    assert places == []
    assert rule == HoursRule(
        key="evenings",
        binding="law",
        version=3,
        quiet=(*spans(20.5, 10, days=[0, 6]), *spans(12, 24)),
        classes=("marketing", "service"),
        channels=("phone",),
        regions=("FR", "US-TX"),
        holidays=(
            Fixed(name="Christmas Day", month=12, day=25),
            Movable(name="Easter Monday", easter=1),
            Weekday(name="Thanksgiving Day", month=11, weekday=3, nth=4),
        ),
        source="the law, paragraph 1",
        link="https://law.example/1",
    )


def test_what_is_left_out_is_wide():
    rule, places = read(
        dict.fromkeys(("classes", "channels", "regions", "holidays", "source", "link")), binding="company"
    )

    assert places == []
    assert (rule.classes, rule.channels, rule.regions, rule.holidays) == (("marketing",), (), ("BE",), ())
    assert (rule.binding, rule.source, rule.link) == ("company", "", "")


def test_midnight_ends_a_day_however_it_is_written():
    (rule, _), (other, places) = (read({"quiet": [{"start": "22:00", "end": end}]}) for end in ("24:00", "00:00"))

    assert places == []
    assert rule.quiet == other.quiet == spans(22, 24)


def test_a_pack_is_read_whole(tmp_path):
    pack = read_pack(written(tmp_path, PACK))

    limits: dict[str, Any] = {"classes": ("marketing",), "channels": ("phone",), "days": 30}
    limits |= {"source": "the law, paragraph 2", "link": "https://law.example/2"}
    assert (pack.key, pack.title, pack.version, pack.regions) == ("there", "There", 3, ("FR",))
    assert pack.hours == (read({})[0],)
    assert pack.caps == (LegalCap(key="few", limit=4, regions=("FR",), **limits),)
    assert pack.rests == (LegalRest(key="refused", regions=("RE",), **limits),)
    assert pack.channels == {"phone"}


# -------------------------------------------------------------------------------------------------- what is not taken


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"key": "own_hours"}, [("key", "own_hours is what the customer's own rule is called")]),
        ({"key": "Own Hours"}, [("key", "must be a short name: a-z, then a-z, 0-9, - or _, at most 63 signs")]),
        ({"classes": ["legal"]}, [("classes", "must be of marketing, service: a legal message is never held up")]),
        ({"classes": []}, [("classes", "name at least one, or leave it out")]),
        ({"classes": ["service", "service"]}, [("classes", "names one twice")]),
        ({"channels": []}, [("channels", "name at least one, or leave it out")]),
        ({"channels": "phone"}, [("channels", "must be a list of texts")]),
        ({"regions": []}, [("regions", "name at least one, or leave it out")]),
        ({"regions": ["UK"]}, [("regions", "'UK' is no country (ISO 3166-1: FR), nor a part of one (US-TX)")]),
        ({"regions": ["fr"]}, [("regions", "'fr' is no country (ISO 3166-1: FR), nor a part of one (US-TX)")]),
        ({"regions": ["US-"]}, [("regions", "'US-' is no country (ISO 3166-1: FR), nor a part of one (US-TX)")]),
        ({"regions": ["US-TQ"]}, [("regions", "'US-TQ' is no part of the United States")]),
        ({"quiet": None, "holidays": None}, [("quiet", "name a span or a holiday: this rule is never quiet")]),
        (
            {"quiet": [{"start": "20:00"}], "holidays": None},
            [("quiet[0].end", "is missing: give text")],
        ),
        ({"source": None}, [("source", "is missing: give text")]),
        ({"link": None}, [("link", "is missing: give text")]),
        ({"link": "http://law.example"}, [("link", "must begin with https://")]),
        ({"note": "x"}, [("note", "is not known here")]),
    ],
)
def test_a_rule_that_is_wrong_names_the_place(changes, places):
    assert read(changes)[1] == places


@pytest.mark.parametrize(
    ("span", "places"),
    [
        ({"start": "20:00"}, [("end", "is missing: give text")]),
        ({"start": "20", "end": "25:00"}, [
            ("start", "must be a time of day, 00:00 to 24:00"), ("end", "must be a time of day, 00:00 to 24:00"),
        ]),
        ({"start": "\uff12\uff10:00", "end": "21:00"}, [("start", "must be a time of day, 00:00 to 24:00")]),
        ({"start": "24:00", "end": "08:00"}, [("start", "must be before 24:00: name the next day, from 00:00")]),
        ({"start": "08:00", "end": "08:00"}, [("end", "is the start: the whole day is 00:00 to 24:00")]),
        ({"start": "00:00", "end": "00:00"}, [("end", "is the start: the whole day is 00:00 to 24:00")]),
        ({"days": ["monday"], "start": "08:00", "end": "09:00"}, [
            ("days", "must be of mon, tue, wed, thu, fri, sat, sun"),
        ]),
        ({"days": [], "start": "08:00", "end": "09:00"}, [("days", "name at least one, or leave it out")]),
        ({"start": "08:00", "end": "09:00", "zone": "CET"}, [("zone", "is not known here")]),
    ],
)  # fmt: skip
def test_a_span_that_is_wrong_names_the_place(span, places):
    assert read({"quiet": [{"start": "01:00", "end": "02:00"}, span]})[1] == [
        (f"quiet[1].{where}", why) for where, why in places
    ]


@pytest.mark.parametrize(
    ("holiday", "places"),
    [
        ({"month": 1, "day": 1}, [("name", "is missing: give text")]),
        ({"name": "x"}, [("month", "is missing: give a whole number"), ("day", "is missing: give a whole number")]),
        ({"name": "x", "month": 13, "day": 1}, [("month", "must be from 1 to 12")]),
        ({"name": "x", "month": 4, "day": 31}, [("day", "must be a day of that month in every year")]),
        ({"name": "x", "month": 2, "day": 29}, [("day", "must be a day of that month in every year")]),
        ({"name": "x", "month": 11, "weekday": "thu", "nth": "last"}, [("nth", "must be a whole number")]),
        ({"name": "x", "easter": 100}, [("easter", "must be from -80 to 80")]),
        ({"name": "x", "easter": 1, "month": 1, "day": 1}, [
            ("day", "is not known here"), ("month", "is not known here"),
        ]),
        ({"name": "x", "month": 11, "weekday": "thu"}, [("nth", "is missing: give a whole number")]),
        ({"name": "x", "month": 11, "weekday": "thu", "nth": 0}, [("nth", "must be 1 to 5, or -1 for the last")]),
        ({"name": "x", "month": 11, "weekday": "Thursday", "nth": 4}, [
            ("weekday", "must be one of mon, tue, wed, thu, fri, sat, sun"),
        ]),
    ],
)  # fmt: skip
def test_a_holiday_that_is_wrong_names_the_place(holiday, places):
    assert read({"holidays": [holiday]})[1] == [(f"holidays[0].{where}", why) for where, why in places]


def test_channels_are_those_of_the_catalogue_where_it_is_known():
    assert read({"channels": ["phone", "telex"]}, channels=("phone", "sms"))[1] == [
        ("channels", "'telex' is no channel of the catalogue")
    ]


def test_a_company_s_rule_needs_no_source():
    assert read({"source": None, "link": None}, binding="company")[1] == []


def test_a_pack_names_everything_that_is_wrong_in_it_at_once(tmp_path):
    assert wrong_pack(
        tmp_path,
        pack={"key": "there", "version": 0, "regions": ["XX"], "note": "x"},
        hours=[{**RULE, "key": "few", "classes": ["legal"]}],
        rest=[{**LIMIT, "key": "refused", "days": 0}],
        more=1,
    ) == [
        ("pack.version", "must be from 1 to 1,000,000"),
        ("pack.regions", "'XX' is no country (ISO 3166-1: FR), nor a part of one (US-TX)"),
        ("hours[0].classes", "must be of marketing, service: a legal message is never held up"),
        ("rest[0].days", "must be from 1 to 3,650"),
        ("pack.title", "is missing: give text"),
        ("pack", "a key stands twice among its hours, caps and rests"),
        ("pack.note", "is not known here"),
        ("more", "is not known here"),
    ]


def test_a_pack_without_a_rule_or_a_region_is_refused(tmp_path):
    assert wrong_pack(tmp_path, hours=[]) == [("hours", "needs at least 1")]
    assert wrong_pack(tmp_path, pack={**PACK["pack"], "regions": []}) == [("pack.regions", "name at least one")]


def test_a_file_that_is_no_toml_is_refused(tmp_path):
    (tmp_path / "pack.toml").write_text("pack = [")
    with pytest.raises(Invalid, match="is not valid TOML: end of the file"):
        read_pack(tmp_path / "pack.toml")
    with pytest.raises(Invalid, match="can't be read"):
        read_pack(tmp_path / "none.toml")
