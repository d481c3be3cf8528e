"""Tables of a file, read by form: the value as it stands, or its place and why."""

from datetime import UTC, date, datetime

import pytest

from consent.base.errors import CampaignInvalid, Invalid
from consent.base.form import Form, read_table, read_text


def asked(table, method, key="a", **how):
    """Return the value that one method gives, and the places it noted."""
    form = Form(table, "top", [])
    value = getattr(form, method)(key, **how)
    return value, [tuple(place) for place in form.places]


@pytest.mark.parametrize(
    ("method", "how", "given", "read"),
    [
        ("text", {}, "word", "word"),
        ("text", {}, "two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("key", {}, "email-2_x", "email-2_x"),
        ("number", {"low": 0, "high": 2}, 2, 2.0),
        ("number", {"low": 0, "high": 2}, 0.5, 0.5),
        ("integer", {"low": 0, "high": 2}, 2, 2),
        ("flag", {}, True, True),
        ("flag", {}, False, False),
        ("choice", {"allowed": ("x", "y")}, "y", "y"),
        ("day", {}, date(2026, 12, 31), date(2026, 12, 31)),
        ("day", {}, "2026-12-31", date(2026, 12, 31)),
        ("texts", {}, ["x", "y"], ("x", "y")),
        ("texts", {}, [], ()),
        ("table", {}, {"x": 1}, {"x": 1}),
    ],
)
def test_a_value_of_the_form_is_read_as_it_stands(method, how, given, read):
    assert asked({"a": given}, method, **how) == (read, [])


@pytest.mark.parametrize(
    ("method", "how", "given", "why"),
    [
        ("text", {}, 1, "must be text"),
        ("text", {}, "", "must have 1 to 2,000 characters"),
        ("text", {}, " \n", "must have 1 to 2,000 characters"),
        ("text", {"longest": 3}, "four", "must have 1 to 3 characters"),
        ("text", {}, "a\x00b", "has a control character"),
        ("text", {}, "a\x1b[31mb", "has a control character"),
        ("key", {}, "E-mail", "must be a short name: a-z, then a-z, 0-9, - or _, at most 63 signs"),
        ("key", {}, "a" * 64, "must be a short name: a-z, then a-z, 0-9, - or _, at most 63 signs"),
        ("key", {}, "a\n", "must be a short name: a-z, then a-z, 0-9, - or _, at most 63 signs"),
        ("number", {"low": 0, "high": 2}, "1", "must be a number"),
        ("number", {"low": 0, "high": 2}, True, "must be a number"),
        ("number", {"low": 0, "high": 2}, 2.1, "must be from 0 to 2"),
        ("number", {"low": 0, "high": 2}, float("nan"), "must be from 0 to 2"),
        ("number", {"low": 0, "high": 2}, float("inf"), "must be from 0 to 2"),
        ("integer", {"low": 0, "high": 2_000}, 1.0, "must be a whole number"),
        ("integer", {"low": 0, "high": 2_000}, True, "must be a whole number"),
        ("integer", {"low": 0, "high": 2_000}, 2_001, "must be from 0 to 2,000"),
        ("flag", {}, 1, "must be true or false"),
        ("flag", {}, "on", "must be true or false"),
        ("choice", {"allowed": ("x", "y")}, "z", "must be one of x, y"),
        ("choice", {"allowed": ("x", "y")}, ["x"], "must be one of x, y"),
        ("day", {}, "31.12.2026", "must be a date like 2026-12-31"),
        ("day", {}, "2026-02-30", "must be a date like 2026-12-31"),
        ("day", {}, datetime(2026, 12, 31, tzinfo=UTC), "must be a date without a time"),
        ("day", {}, 20261231, "must be a date like 2026-12-31"),
        ("texts", {}, "x", "must be a list of texts"),
        ("texts", {}, ["x", 1], "must hold texts only"),
        ("table", {}, [], "must be a table"),
    ],
)
def test_a_value_of_another_form_is_named_with_its_place(method, how, given, why):
    assert asked({"a": given}, method, **how)[1] == [("top.a", why)]


@pytest.mark.parametrize(
    ("method", "how", "why"),
    [
        ("text", {}, "is missing: give text"),
        ("key", {}, "is missing: give a short name"),
        ("number", {"low": 0, "high": 2}, "is missing: give a number"),
        ("integer", {"low": 0, "high": 2}, "is missing: give a whole number"),
        ("flag", {}, "is missing: give true or false"),
        ("choice", {"allowed": ("x", "y")}, "is missing: give one of x, y"),
        ("day", {}, "is missing: give a date like 2026-12-31"),
        ("texts", {}, "is missing: give a list of texts"),
        ("table", {"required": True}, "is missing: give a table"),
    ],
)
def test_a_value_that_must_be_there_and_is_not_is_named(method, how, why):
    assert asked({}, method, **how)[1] == [("top.a", why)]


@pytest.mark.parametrize(
    ("method", "how", "default"),
    [
        ("text", {}, ""),
        ("key", {}, ""),
        ("number", {"low": 1, "high": 2}, 0.0),
        ("integer", {"low": 1, "high": 2}, 0),
        ("flag", {}, True),
        ("choice", {"allowed": ("x", "y")}, "x"),
        ("texts", {}, ("x",)),
    ],
)
def test_a_value_that_may_be_left_out_is_its_default(method, how, default):
    assert asked({}, method, default=default, **how) == (default, [])


def test_a_form_within_a_form_names_the_whole_path():
    form = Form({"inner": {"b": 1}, "list": [{"c": 1}, "x"]}, "", [])
    form.form("inner").text("b")
    for item in form.forms("list", least=3):
        item.text("c")

    assert [tuple(place) for place in form.places] == [
        ("inner.b", "must be text"),
        ("list", "needs at least 3"),
        ("list[0].c", "must be text"),
        ("list[1]", "must be a table"),
    ]


def test_only_keys_that_nobody_asked_for_are_unknown():
    form = Form({"a": "x", "z": 1, "b" * 200: 2}, "", [])
    form.text("a")
    form.unknown()

    assert [tuple(place) for place in form.places] == [("b" * 80, "is not known here"), ("z", "is not known here")]


@pytest.mark.parametrize(
    ("name", "raw", "places"),
    [
        ("x.json", b'{"a": 1, "a": 2}', [("/a", "stands twice in one object")]),
        ("x.json", b'{"a": }', [("line 1, column 7", "Expecting value")]),
        ("x.json", b"[]", []),
        ("x.toml", b"a = 1\na = 2\n", [("line 2, column 6", "a key stands twice")]),
        ("x.toml", b"a = {b = 1, b = 2}\n", [("line 1, column 18", "a key stands twice")]),
        ("x.toml", b"[a]\n[a]\n", [("line 2, column 3", "a table stands twice")]),
        ("x.toml", b"a = [", [("end of the file", "Invalid value")]),
        ("x.toml", b"a = " + b"[" * 100_000, []),
        ("x.toml", b"a = 1\nb = \xff\n", [("line 2", "byte that is not UTF-8")]),
        ("x.json", b"\n\n\xff", [("line 3", "byte that is not UTF-8")]),
    ],
)
def test_a_file_that_is_no_table_is_refused_as_the_kind_asked_for(tmp_path, name, raw, places):
    (tmp_path / name).write_bytes(raw)

    with pytest.raises(CampaignInvalid) as refused:
        read_table(tmp_path / name, CampaignInvalid)

    assert [tuple(place) for place in refused.value.places] == places


def test_a_file_is_read_with_its_text(tmp_path):
    (tmp_path / "x.toml").write_text('a = "é"\n', encoding="utf-8")
    assert read_table(tmp_path / "x.toml", Invalid) == ({"a": "é"}, 'a = "é"\n')
    assert read_text(b'{"a": 1}', "x", Invalid, as_json=True) == ({"a": 1}, '{"a": 1}')


@pytest.mark.parametrize(("text", "as_json"), [('a = "é"\n', False), ('{"a": "é"}', True)])
def test_a_byte_order_mark_is_no_part_of_a_file(text, as_json):
    read = read_text(text.encode("utf-8-sig"), "file", Invalid, as_json=as_json)
    assert read == read_text(text.encode(), "file", Invalid, as_json=as_json) == ({"a": "é"}, text)
