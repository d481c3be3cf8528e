"""Malformed input at every route that takes a body: a 4xx that names the place, and nothing stored."""

import json
import re

import pytest

from api.rest.contract import contract_of

STATEMENTS = "/api/v1/statements"
BATCH = "/api/v1/statements:batch"
CHECK = "/api/v1/permissions:check"
CUSTOMERS = "/api/v1/customers"
DECISIONS = "/api/v1/decisions"
POSTS = (STATEMENTS, BATCH, CHECK, CUSTOMERS, DECISIONS)
BOM = "\N{BYTE ORDER MARK}"

UNREADABLE = [
    pytest.param(b"", {"place": "line 1, column 1", "detail": "Expecting value"}, id="empty"),
    pytest.param(b'{"a": 1', {"place": "line 1, column 8", "detail": "Expecting ',' delimiter"}, id="cut-off"),
    pytest.param(b'{"a": 1} {}', {"place": "line 1, column 10", "detail": "Extra data"}, id="two-values"),
    pytest.param(b"{'a': 1}", {"place": "line 1, column 2",
                 "detail": "Expecting property name enclosed in double quotes"}, id="not-quite-json"),
    pytest.param(b'{"a": "x\\u0000"}', {"pointer": "/a", "detail": "has a NUL character"}, id="nul-escaped"),
    pytest.param(b'{"a": "x\x00"}', {"place": "line 1, column 9", "detail": "Invalid control character at"}, id="nul"),
    pytest.param(b'{"a~/b": "\\ud800"}', {"pointer": "/a~0~1b", "detail": "has half a surrogate pair"}, id="surrogate"),
    pytest.param(b'{"\\udc00": 1}', {"pointer": "", "detail": "has half a surrogate pair"}, id="surrogate-key"),
    pytest.param(b'{"a": 1, "a": 2}', {"pointer": "/a", "detail": "stands twice in one object"}, id="twice"),
    pytest.param(b'{"a": {"b": [1, {"c": 1, "c": 2}]}}', {"pointer": "/a/b/1/c",
                 "detail": "stands twice in one object"}, id="twice-inside"),
    pytest.param(b'{"a": 9007199254740993}', {"pointer": "/a",
                 "detail": "is beyond \u00b1(2^53 \u2212 1), where JSON readers start to round"}, id="2^53+1"),
    pytest.param(b'{"a": [NaN]}', {"pointer": "/a/0", "detail": "NaN is not a number in JSON"}, id="nan"),
    pytest.param(b'{"a": -Infinity}', {"pointer": "/a", "detail": "-Infinity is not a number in JSON"}, id="infinity"),
    pytest.param(b'{"a": 1e999}', {"pointer": "/a", "detail": "is too large a number"}, id="1e999"),
    pytest.param(b'{"a": ' + b"9" * 5_000 + b"}", {"pointer": "", "detail": "has a number with too many digits"},
                 id="5000-digits"),
    pytest.param(b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}", {"pointer": "/a" + "/0" * 32,
                 "detail": "is nested deeper than 32"}, id="deep"),
    pytest.param(b"[" * 100_000, {"pointer": "", "detail": "is nested deeper than 32"}, id="bottomless"),
    pytest.param('{"a": "\u00fc"}'.encode("latin-1"), {"place": "byte 7", "detail": "is not UTF-8"}, id="latin-1"),
    pytest.param(b'{"a": "\xed\xa0\x80"}', {"place": "byte 7", "detail": "is not UTF-8"}, id="surrogate-in-bytes"),
    pytest.param(b'{"a": "\xc0\xaf"}', {"place": "byte 7", "detail": "is not UTF-8"}, id="overlong"),
    pytest.param('{"a": 1}'.encode("utf-16"), {"place": "byte 0", "detail": "is not UTF-8"}, id="utf-16"),
    pytest.param(f'{BOM}{{"a": 1}}'.encode(), {"place": "line 1, column 1",
                 "detail": "Unexpected UTF-8 BOM (decode using utf-8-sig)"}, id="byte-order-mark"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "error"), UNREADABLE)
def test_what_is_no_json_is_refused_with_the_place(shop, stored, data, error):
    before = stored()
    answers = [shop.raw(path, data) for path in POSTS]

    assert [(each.status_code, each.mimetype) for each in answers] == [(400, "application/problem+json")] * len(POSTS)
    assert [each.get_json()["errors"] for each in answers] == [[error]] * len(POSTS)
    assert stored() == before


@pytest.mark.parametrize("data", [b"[]", b"null", b"1", b'"text"', b"true"])
def test_a_body_is_one_object(shop, stored, data):
    before = stored()
    answers = [shop.raw(path, data) for path in POSTS]

    assert [each.status_code for each in answers] == [400] * len(POSTS)
    assert [each.get_json()["errors"] for each in answers] == [[{"pointer": "", "detail": "must be an object"}]] * len(
        POSTS
    )
    assert stored() == before


@pytest.mark.parametrize(("content_type", "headers"), [
    ("text/plain", {}),
    ("application/x-www-form-urlencoded", {}),
    ("multipart/form-data; boundary=x", {}),
    ("application/xml", {}),
    ("", {}),
    ("application/json; charset=latin-1", {}),
    ("application/json; charset=utf-16", {}),
    ("application/json", {"Content-Encoding": "gzip"}),
])  # fmt: skip
def test_another_kind_of_body_is_refused(shop, stored, content_type, headers):
    before = stored()
    answers = [shop.raw(path, b"{}", content_type, headers=headers) for path in POSTS]

    assert [(each.status_code, each.get_json()["code"]) for each in answers] == [(415, "unsupported_media_type")] * len(
        POSTS
    )
    assert stored() == before


def test_a_body_may_say_that_it_is_utf_8(shop):
    data = json.dumps({"reference": "Zoë"}, ensure_ascii=False).encode()
    assert shop.raw(CUSTOMERS, data, "application/json; charset=UTF-8").status_code == 200


def test_a_body_that_is_too_large_is_not_read(shop, stored):
    before = stored()
    announced = [shop.raw(path, b"{}", environ_overrides={"CONTENT_LENGTH": "100000000"}) for path in POSTS]
    sent = [shop.raw(path, b'{"a": "' + b"x" * 1_048_576 + b'"}') for path in POSTS]

    answers = [(each.status_code, each.get_json()["code"]) for each in (*announced, *sent)]
    assert answers == [(413, "too_large")] * 2 * len(POSTS)
    assert stored() == before


UNANNOUNCED = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
"""What a server says of a body whose length nobody announced."""

MOST = 1_048_576


def test_a_body_of_no_announced_length_is_never_cut_off(shop, stored):
    before = stored()
    whole = b'{"reference": "Zo"}'
    padded = [whole.ljust(MOST) + more for more in (b" ", b"rubbish", b" " * 3 * MOST)]
    answers = [shop.raw(path, each, environ_overrides=UNANNOUNCED) for path in POSTS for each in padded]
    assert [(each.status_code, each.get_json()["code"]) for each in answers] == [(413, "too_large")] * len(answers)
    assert stored() == before

    assert shop.raw(CUSTOMERS, whole.ljust(MOST), environ_overrides=UNANNOUNCED).status_code == 200


@pytest.mark.parametrize("data", [b" " + b"x" * 9, b"{}" + b" " * MOST, b"{}" + b" " * 100 + b"x"])
def test_of_a_body_where_none_is_expected_all_is_read(shop, app, stored, data):
    before = stored()
    method, path = next(bodiless(app))
    answers = [
        shop.call(method, path, data=data, headers={"Content-Type": "application/json"}, environ_overrides=more)
        for more in ({}, UNANNOUNCED)
    ]
    assert {each.status_code for each in answers} <= {400, 413}
    assert stored() == before


def bodiless(app):
    """Walk the routes that change something and take no body, with something in each place of their paths."""
    for rule in app.url_map.iter_rules():
        promised = contract_of(app.view_functions[rule.endpoint])
        for method in sorted((rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}):
            if promised and not promised.body:
                yield method, re.sub("<[^>]*>", "x", rule.rule)


@pytest.mark.parametrize("data", [b'{"check": "zzz"}', b"[]", b"x", b'{"a": "' + b"x" * 500_000 + b'"}'])
def test_a_body_where_none_is_expected_is_refused(shop, app, stored, data):
    before = stored()
    answers = {
        (method, path): shop.call(method, path, data=data, headers={"Content-Type": "application/json"})
        for method, path in bodiless(app)
    }
    told = {each: (answer.status_code, answer.get_json()["code"]) for each, answer in answers.items()}

    assert ("POST", "/api/v1/audits") in told
    allowed = {each for each, (status, _) in told.items() if status != 403}  # what no key may
    assert {each: told[each] for each in allowed} == dict.fromkeys(allowed, (400, "request_invalid"))
    assert answers["POST", "/api/v1/audits"].get_json()["errors"] == [
        {"pointer": "", "detail": "there is nothing to say here: send no body"}
    ]
    assert stored() == before


@pytest.mark.parametrize("data", [b"", b"{}", b" {}\n"])
def test_a_body_that_says_nothing_is_none(shop, data):
    assert shop.raw("/api/v1/audits", data).status_code == 202


def statement(who, **more):
    return {"customer": who, "act": "grant", "method": "web_form", "scopes": ["remember:purchases"], **more}


WHOLE = "must be a whole number from 1 to 65,535"
FLAG = "must be true or false"
WORDS = "must be one of request, grant, refuse, withdraw, object, renew, invalidate, pause, resume, restrict, lift"

MISSHAPEN = [
    ({"notice_version": 1.9}, "/notice_version", WHOLE),
    ({"notice_version": 1.0}, "/notice_version", WHOLE),
    ({"notice_version": "1"}, "/notice_version", WHOLE),
    ({"notice_version": "\N{FULLWIDTH DIGIT ONE}"}, "/notice_version", WHOLE),
    ({"notice_version": True}, "/notice_version", WHOLE),
    ({"notice_version": 0}, "/notice_version", WHOLE),
    ({"notice_version": 65_536}, "/notice_version", WHOLE),
    ({"notice_version": None}, "/notice_version", "must not be null"),
    ({"customer": "ANN"}, "/customer", "is not a customer's id"),
    ({"customer": "cus_" + "G" * 32}, "/customer", "is not a customer's id"),
    ({"customer": "cus_" + "0" * 31 + "\n"}, "/customer", "is not a customer's id"),
    ({"customer": 1}, "/customer", "must be text"),
    ({"act": "grab"}, "/act", WORDS),
    ({"act": "GRANT"}, "/act", WORDS),
    ({"act": ["grant"]}, "/act", "must be text"),
    ({"scopes": "remember:purchases"}, "/scopes", "must be a list"),
    ({"scopes": {"0": "remember:purchases"}}, "/scopes", "must be a list"),
    ({"scopes": ["remember:purchases", "Remember:purchases"]}, "/scopes/1", "is not a scope"),
    ({"scopes": ["remember:purchases\n"]}, "/scopes/0", "is not a scope"),
    ({"scopes": [None]}, "/scopes/0", "must not be null"),
    ({"scopes": ["remember:purchases"] * 201}, "/scopes", "must have at most 200 items"),
    ({"said_at": "2026-11-21"}, "/said_at", "'2026-11-21' is not a time; write it like 2026-11-21T17:00:00Z"),
    ({"said_at": "2026-11-21T09:00:00"}, "/said_at",
     "'2026-11-21T09:00:00' is not a time; write it like 2026-11-21T17:00:00Z"),
    ({"said_at": 1_795_255_200}, "/said_at", "must be a time like 2026-11-21T17:00:00Z"),
    ({"said_at": "2026-02-30T09:00:00Z"}, "/said_at",
     "'2026-02-30T09:00:00Z' is not on the calendar: day is out of range for month"),
    ({"language": "english please"}, "/language", "is not a language tag"),
    ({"evidence": "line\nbreak"}, "/evidence", "has a control character"),
    ({"evidence": "e\N{COMBINING ACUTE ACCENT}"}, "/evidence", "is not in Unicode's composed form (NFC)"),
    ({"evidence": "x" * 2_001}, "/evidence", "must have 1 to 2,000 characters"),
    ({"seq": 7}, "/seq", "is not known here"),
    ({"actor": "me"}, "/actor", "is not known here"),
    ({"recorded_at": "2026-11-21T09:00:00Z"}, "/recorded_at", "is not known here"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "pointer", "detail"), MISSHAPEN)
def test_a_statement_of_the_wrong_form_is_refused_at_its_place(shop, sqlite_world, stored, change, pointer, detail):
    good, bad = statement(sqlite_world.bo), statement(sqlite_world.bo, **change)
    before = stored()

    one = shop.post(STATEMENTS, bad, key="one")
    many = shop.post(BATCH, {"statements": [good, good, bad]}, key="many")

    assert (one.status_code, many.status_code) == (400, 400)
    assert one.get_json()["errors"] == [{"pointer": pointer, "detail": detail}]
    assert many.get_json()["errors"] == [{"pointer": f"/statements/2{pointer}", "detail": detail}]
    assert stored() == before
    assert shop.post(STATEMENTS, good, key="one").status_code == 201


@pytest.mark.parametrize("flag", ["on", "true", 1, 0, "", None, []])
def test_a_flag_is_true_or_false(shop, sqlite_world, flag):
    asked = {"customer": sqlite_world.ann, "scope": "use:purchases:recommendations"}
    answer = shop.post(CHECK, {"checks": [asked, {**asked, "remembered": flag}]})

    detail = "must not be null" if flag is None else FLAG
    assert answer.status_code == 400
    assert answer.get_json()["errors"] == [{"pointer": "/checks/1/remembered", "detail": detail}]


@pytest.mark.parametrize(("path", "body", "errors"), [
    (STATEMENTS, {}, [("/act", "is missing"), ("/customer", "is missing"), ("/method", "is missing")]),
    (BATCH, {}, [("/statements", "is missing")]),
    (BATCH, {"statements": []}, [("/statements", "must have 1 to 1,000 items")]),
    (BATCH, {"statements": [{}] * 1_001}, [("/statements", "must have at most 1,000 items")]),
    (BATCH, {"statements": [1, None]}, [("/statements/0", "must be an object"), ("/statements/1", "must not be null")]),
    (BATCH, {"statements": [{"~/": 1}]}, [
        ("/statements/0/act", "is missing"), ("/statements/0/customer", "is missing"),
        ("/statements/0/method", "is missing"), ("/statements/0/~0~1", "is not known here"),
    ]),
    (CHECK, {"checks": [], "as_of": "now"}, [
        ("/as_of", "'now' is not a time; write it like 2026-11-21T17:00:00Z"),
        ("/checks", "must have 1 to 1,000 items"),
    ]),
    (CHECK, {"checks": [{"customer": "x", "scope": ""}]}, [
        ("/checks/0/customer", "is not a customer's id"), ("/checks/0/scope", "is not a scope"),
    ]),
    (DECISIONS, {"customer": 1, "campaign": "No key", "channel": None}, [
        ("/campaign", "is not a campaign's key"), ("/channel", "must not be null"), ("/customer", "must be text"),
    ]),
    (CUSTOMERS, {"addresses": []}, [("/addresses", "must be an object")]),
    (CUSTOMERS, {"reference": 7}, [("/reference", "must be text")]),
])  # fmt: skip
def test_all_that_is_wrong_is_named_at_once(shop, stored, path, body, errors):
    before = stored()
    answer = shop.post(path, body, key="one")

    assert answer.status_code == 400
    assert sorted((each["pointer"], each["detail"]) for each in answer.get_json()["errors"]) == sorted(errors)
    assert stored() == before


def test_a_flood_of_errors_is_cut_at_a_hundred(shop):
    answer = shop.post(CUSTOMERS, {f"key{number}": 1 for number in range(500)})
    assert (answer.status_code, len(answer.get_json()["errors"])) == (400, 100)


def test_a_name_out_of_bounds_is_not_echoed_whole(shop):
    answer = shop.post(CUSTOMERS, json.loads('{"' + "k" * 5_000 + '": 1}'))
    assert answer.get_json()["errors"] == [{"pointer": "/" + "k" * 80, "detail": "is not known here"}]
