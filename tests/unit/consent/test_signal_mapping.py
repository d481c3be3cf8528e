"""A signal says of our scopes what it can, and nothing more."""

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from consent.base.errors import Place
from consent.catalogue.reading import DEFAULT, read_catalogue
from consent.signals import gpp, mapping, tcf, usp
from consent.signals.bits import Ids
from consent.signals.mapping import Says, heard_gpp, heard_tcf, heard_us, heard_usp
from consent.signals.tcf import Publisher, Restriction, TcString
from consent.signals.us import UsSection
from tests.properties.signalling import TABLES, meant

CATALOGUE = read_catalogue(DEFAULT)
USE, REMEMBER, MEASURE, INTERESTS = (
    "use:browsing:recommendations",
    "remember:browsing",
    "use:responses:measurement",
    "remember:interests",
)
YES, NO, OBJECTION = Says.YES, Says.NO, Says.OBJECTION
EVERYTHING = Ids.of(*range(1, 12))
US = Ids.of(7)
DAY = datetime(2026, 11, 20, tzinfo=UTC)


def string(**changes) -> TcString:
    """Return a string of version 2.3 in which vendor 7 was disclosed and everything was agreed to."""
    plain = TcString(
        created=DAY, updated=DAY, cmp=31, cmp_version=2, screen=1, language="DE", vendor_list=120, policy=5,
        service_specific=True, non_standard_texts=False, special_features=Ids.of(1), consents=EVERYTHING,
        legitimate_interests=EVERYTHING, purpose_one_treatment=False, country="DE", vendor_consents=US,
        vendor_legitimate_interests=US, restrictions={}, disclosed=US,
    )  # fmt: skip
    return replace(plain, **changes)


def changed(**tables):
    """Return `TABLES` with parts of `[tcf]` changed."""
    return {**TABLES, "tcf": {**copy.deepcopy(TABLES["tcf"]), **tables}}


def says(read: TcString, tables=TABLES):
    return dict(heard_tcf(meant(CATALOGUE, tables), read).says)


def test_rule_17_an_agreement_is_a_yes_and_a_disclosed_zero_a_no():
    """Rule 17: TCF strings come in as what they say of our scopes."""
    assert says(string()) == {USE: YES, REMEMBER: YES, INTERESTS: YES}
    assert says(string(consents=Ids.of(3))) == {USE: NO, REMEMBER: YES, INTERESTS: YES}
    assert says(string(vendor_consents=Ids())) == {USE: NO, REMEMBER: NO, INTERESTS: NO}
    assert says(string(special_features=Ids())) == {USE: YES, REMEMBER: YES, INTERESTS: NO}


def test_rule_17_what_a_signal_cannot_express_stays_unknown():
    """Rule 17: a vendor that was not shown to him was not asked for, an old string's zero may be silence."""
    assert says(string(disclosed=Ids.of(8))) == {}
    assert says(string(disclosed=Ids.of(8), consents=Ids())) == {}
    old = {"policy": 4, "disclosed": None, "updated": datetime(2025, 5, 1, tzinfo=UTC)}
    assert says(string(**old)) == {USE: YES, REMEMBER: YES, INTERESTS: YES}
    assert says(string(**old, consents=Ids(), legitimate_interests=Ids(), special_features=Ids())) == {}


def test_a_string_that_has_lapsed_says_nothing():
    assert says(string(disclosed=None)) == {}
    assert says(string(policy=4, disclosed=None)) == {}


def test_a_right_to_object_that_was_used_is_an_objection():
    assert says(string(legitimate_interests=Ids.of(7)))[MEASURE] is OBJECTION
    assert says(string(vendor_legitimate_interests=Ids()))[MEASURE] is OBJECTION
    assert MEASURE not in says(string())


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Restriction.NOT_ALLOWED, {REMEMBER: YES, INTERESTS: YES}),
        (Restriction.REQUIRE_LEGITIMATE_INTEREST, {REMEMBER: YES, INTERESTS: YES}),
        (Restriction.REQUIRE_CONSENT, {USE: YES, REMEMBER: YES, INTERESTS: YES}),
    ],
)
def test_a_publishers_restriction_is_not_the_customers_word(kind, expected):
    assert says(string(restrictions={(4, kind): US})) == expected
    assert says(string(restrictions={(4, kind): Ids.of(8)})) == {USE: YES, REMEMBER: YES, INTERESTS: YES}


def test_only_the_platforms_named_are_believed():
    assert says(string(), changed(cmps=[30])) == {}
    assert says(string(), changed(cmps=[30, 31])) == {USE: YES, REMEMBER: YES, INTERESTS: YES}


def test_a_publishers_own_purposes_are_read_where_the_string_has_them():
    tables = changed(role="publisher", custom_purpose=[{"number": 2, "scopes": ["contact:email:newsletter"]}])
    del tables["tcf"]["vendor"]
    own = Publisher(
        consents=Ids.of(3),
        legitimate_interests=Ids(),
        custom_purposes=2,
        custom_consents=Ids.of(2),
        custom_legitimate_interests=Ids(),
    )
    assert says(string(), tables) == {}
    assert says(string(publisher=own), tables) == {
        USE: NO,
        REMEMBER: YES,
        MEASURE: OBJECTION,
        INTERESTS: YES,
        "contact:email:newsletter": YES,
    }
    fewer = replace(own, custom_purposes=1, custom_consents=Ids())
    assert "contact:email:newsletter" not in says(string(publisher=fewer), tables)


def test_a_first_purpose_that_was_not_disclosed_says_nothing():
    tables = changed(purpose=[{"number": 1, "scopes": [REMEMBER]}], special_feature=[])
    assert says(string(), tables) == {REMEMBER: YES}
    assert says(string(consents=Ids(), purpose_one_treatment=True), tables) == {}


def test_a_time_known_to_the_day_is_early_for_a_yes_and_late_for_a_no():
    heard = heard_tcf(meant(CATALOGUE), string())
    assert (heard.earliest, heard.latest) == (DAY, DAY + timedelta(days=1, milliseconds=-1))
    at = DAY + timedelta(hours=9)
    heard = heard_tcf(meant(CATALOGUE), string(updated=at))
    assert (heard.earliest, heard.latest) == (at, at)
    assert heard.source == "TCF 2.3, CMP 31 version 2, screen 1 in DE, vendor list 120, 2026-11-20T09:00:00.000Z"


def section(name="usnat", **answers) -> UsSection:
    return UsSection(name=name, version=2, answers={key: (value,) for key, value in answers.items()}, gpc=None)


def test_an_opt_out_is_a_no_or_an_objection_and_its_absence_no_yes():
    heard = [
        dict(heard_us(meant(CATALOGUE), {"usca": section("usca", SaleOptOut=answer)}).says) for answer in (0, 1, 2)
    ]
    assert heard == [{}, {MEASURE: OBJECTION, "remember:purchases": NO}, {}]


def test_the_strictest_section_counts():
    both = {"usnat": section(SaleOptOut=2), "usca": section("usca", SaleOptOut=1)}
    assert dict(heard_us(meant(CATALOGUE), both).says) == {MEASURE: OBJECTION, "remember:purchases": NO}


@pytest.mark.parametrize(("answer", "expected"), [(0, {}), (1, {INTERESTS: NO}), (2, {INTERESTS: YES})])
def test_a_consent_to_sensitive_data_is_read_by_its_item(answer, expected):
    read = UsSection(name="usnat", version=1, answers={"SensitiveDataProcessing": (0,) * 7 + (answer,)}, gpc=None)
    assert dict(heard_us(meant(CATALOGUE), {"usnat": read}).says) == expected
    assert dict(heard_us(meant(CATALOGUE), {"usca": replace(read, name="usca")}).says) == {}


def test_us_privacy_says_no_to_sale_and_nothing_else():
    heard = [dict(heard_usp(meant(CATALOGUE), usp.read(text)).says) for text in ("1YYN", "1YNN", "1---")]
    assert heard == [{MEASURE: OBJECTION, "remember:purchases": NO}, {}, {}]


def test_rule_8_global_privacy_control_in_a_section_is_heard():
    """Rule 8: the signal counts wherever it comes from."""
    assert [each.gpc for each in heard_gpp(meant(CATALOGUE), gpp.read("DBABBg~BAAAAAAA.YA"))] == [True]
    assert [each.gpc for each in heard_gpp(meant(CATALOGUE), gpp.read("DBABBg~BAAAAAAA.QA"))] == [False]
    assert [each.gpc for each in heard_gpp(meant(CATALOGUE), gpp.read("DBABBg~BAAAAAAA"))] == [False]


def test_a_string_with_nothing_mapped_says_nothing():
    nothing = meant(CATALOGUE, {})
    plain = tcf.read("CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA")
    assert [dict(each.says) for each in (heard_tcf(nothing, plain), heard_usp(nothing, usp.read("1YYN")))] == [{}, {}]


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({"tcf": {"role": "reader"}}, "tcf.role: must be one of vendor, publisher"),
        ({"tcf": {"role": "vendor"}}, "tcf.vendor: is missing: give a whole number"),
        ({"tcf": {"role": "publisher", "vendor": 7}}, "tcf.vendor: is not known here"),
        ({"tcf": {"role": "vendor", "vendor": 7, "custom_purpose": []}}, "tcf.custom_purpose: is not known here"),
        ({"tcf": {"role": "publisher", "cmps": [1]}}, "tcf.cmps: must hold whole numbers from 2 to 4,095 only"),
        ({"tcf": {"role": "publisher", "cmps": [True]}}, "tcf.cmps: must hold whole numbers from 2 to 4,095 only"),
        (
            {"tcf": {"role": "publisher", "purpose": [{"number": 25, "scopes": [USE]}]}},
            "tcf.purpose[0].number: must be from 1 to 24",
        ),
        (
            {"tcf": {"role": "publisher", "purpose": [{"number": 2, "scopes": ["use:browsing:recommendation"]}]}},
            "tcf.purpose[0].scopes: use:browsing:recommendation is not in the catalogue; did you mean " + USE + "?",
        ),
        (
            {"tcf": {"role": "publisher", "purpose": [{"number": 2, "scopes": ["use:purchases:service"]}]}},
            "tcf.purpose[0].scopes: use:purchases:service stands on contract: no such signal speaks of it",
        ),
        ({"us": {"opt_out": [{"field": "Sale", "scopes": [USE]}]}}, None),
        (
            {"us": {"consent": [{"section": "usva", "field": "PersonalDataConsents", "scopes": [USE]}]}},
            "us.consent[0].field: is not in the section usva",
        ),
        (
            {"us": {"consent": [{"section": "usky", "field": "SensitiveDataProcessing", "item": 9, "scopes": [USE]}]}},
            "us.consent[0].item: must be from 1 to 8",
        ),
        (
            {"us": {"consent": [{"section": "usca", "field": "PersonalDataConsents", "scopes": [MEASURE]}]}},
            f"us.consent[0].scopes: {MEASURE} stands on legitimate_interest: no such signal speaks of it",
        ),
        ({"us": {"opt_out": [{"field": "SaleOptOut", "scopes": []}]}}, "us.opt_out[0].scopes: names none"),
        ({"us": {"else": 1}}, "us.else: is not known here"),
    ],
)
def test_a_wrong_mapping_is_refused_at_its_place(tables, expected):
    places: list[Place] = []
    mapping.read_signals(tables, CATALOGUE, places)
    found = [f"{place.where}: {place.why}" for place in places]
    if expected is None:
        assert [place.split(": ")[0] for place in found] == ["us.opt_out[0].field"]
    else:
        assert found == [expected]
