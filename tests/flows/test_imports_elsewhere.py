"""What other systems export comes in with its mapping: the examples in examples/imports, and what they show."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent.base.clock import parse_time
from consent.base.errors import CustomerUnknown, ImportInvalid
from consent.imports.formats import detected
from consent.imports.mapping import parse_mapping, read_mapping
from consent.imports.passes import Options
from consent.imports.statements import bring_in_statements
from consent.permission.statement import Act
from consent.register import customers, history
from tests.flows.test_imports import everything, mapped

EXAMPLES = Path(__file__).parents[2] / "examples" / "imports"
NEWSLETTER = "contact:email:newsletter"


def example(world, name, **how):
    """Bring in an example; files with JSON in them end so."""
    source = next(path for path in (EXAMPLES / f"{name}.csv", EXAMPLES / f"{name}.json") if path.exists())
    with world.store.read() as work:
        mapping = read_mapping(EXAMPLES / f"{name}.toml", world.deployment.desk.catalogues.current(work))
    return bring_in_statements(world.deployment, source, mapping, Options(actor=world.mia, **how))


def who(world, name, kind="email"):
    with world.store.read() as work:
        return customers.find(world.deployment.desk, work, name, kind=kind)


def said_by(world, name, kind="email"):
    """What somebody has said, oldest first: act, scopes, time, method, evidence."""
    with world.store.read() as work:
        found = history.of_customer(world.deployment.desk, work, who(world, name, kind))
    statements = sorted((each.statement for each in found), key=lambda statement: statement.said_at)
    return [
        (str(one.act), one.scopes, one.said_at, str(one.method), one.evidence.partition(";")[0]) for one in statements
    ]


def counts(made):
    return made.rows, made.new, made.recorded, made.unknown, made.silent


def test_rule_10_listmonk_subscribers_without_evidence_are_unknown_and_blocklisted_ones_left_alone(world):
    """Rule 10: rows without evidence become `unknown`."""
    assert counts(example(world, "listmonk")) == (3, 2, 1, 1, 1)
    assert world.reason(who(world, "ada@example.com"), NEWSLETTER) == "NO_RECORD"
    assert said_by(world, "ben@example.com") == [
        (
            "withdraw",
            (NEWSLETTER, "contact:email:recommendations"),
            parse_time("2025-01-20T07:00:31.5Z"),
            "import",
            "",
        )
    ]
    world.check_ledger()


def test_mailchimp_contacts_count_with_the_time_and_address_of_their_opt_in(world):
    assert counts(example(world, "mailchimp_subscribed")) == (3, 3, 2, 1, 0)
    reasons = [world.reason(who(world, f"{name}@example.com"), NEWSLETTER) for name in ("dora", "emil", "fay")]
    assert reasons == ["PERMIT" if days_valid(world) else "EXPIRED"] * 2 + ["NO_RECORD"]
    [dora] = said_by(world, "dora@example.com")
    assert dora == (
        "grant",
        (NEWSLETTER,),
        parse_time("2024-02-03T10:13:40Z"),
        "confirmation",
        "Mailchimp 9000001: asked 2024-02-03 10:11:12 from 192.0.2.10, confirmed 2024-02-03 10:13:40 from 192.0.2.10",
    )
    world.check_ledger()


def days_valid(world):
    """Whether a newsletter consent of 2023 still stands under the shipped catalogue."""
    with world.store.read() as work:
        rule = world.deployment.desk.catalogues.current(work).scopes[NEWSLETTER]
    return rule.validity is None or rule.validity.after(parse_time("2023-11-30T18:00:01Z")) > world.clock()


def test_a_row_may_say_several_things(world):
    made = example(world, "mailchimp_unsubscribed")
    assert counts(made) == (2, 2, 3, 0, 0)
    assert made.acts == {Act.GRANT: 1, Act.WITHDRAW: 2}
    assert [each[0] for each in said_by(world, "gus@example.com")] == ["grant", "withdraw"]
    assert world.reason(who(world, "gus@example.com"), NEWSLETTER) == "WITHDRAWN"
    world.check_ledger()


def test_onetrust_data_subjects_come_in_purpose_by_purpose(world):
    made = example(world, "onetrust")
    assert counts(made) == (5, 2, 3, 0, 2)
    assert [each[:2] for each in said_by(world, "ines@example.com")] == [
        ("withdraw", ("remember:purchases", "use:purchases:recommendations")),
        ("grant", (NEWSLETTER,)),
    ]
    assert said_by(world, "ines@example.com")[1][4] == "OneTrust receipt r-100, purpose p-1 version 2"
    assert world.reason(who(world, "jon@example.com"), NEWSLETTER) == "REFUSED"
    world.check_ledger()


def test_rule_17_signals_come_in_as_what_they_say_and_no_more(world):
    """Rules 10 and 17: a yes without evidence is unknown, a no needs none, what isn't expressed stays unknown."""
    made = example(world, "signals")
    assert (made.rows, made.unknown, made.silent) == (6, 1, 1)
    use = "use:browsing:recommendations"
    assert world.reason(who(world, "M100", "reference"), use) == "PERMIT"
    assert world.reason(who(world, "M101", "reference"), use) == "REFUSED"
    assert world.reason(who(world, "M102", "reference"), use) == "NO_RECORD"
    with pytest.raises(CustomerUnknown):
        who(world, "M103", "reference")  # nothing was said: nothing of him is kept
    assert [each[:2] for each in said_by(world, "M101", "reference")] == [
        ("refuse", ("remember:browsing", use)),
        ("object", ("use:responses:measurement",)),
    ]
    # Said on a day: at its end, but not after it was heard.
    assert {each[2] for each in said_by(world, "M101", "reference")} == {parse_time("2026-11-02T18:25:00Z")}
    assert said_by(world, "M100", "reference")[0][2:] == (
        parse_time("2026-11-02T00:00:00Z"),
        "signal",
        "consent platform's record cmp-7f31",
    )
    world.check_ledger()


def test_rule_8_a_gpc_header_comes_in_as_a_refusal_of_no_one_scope(world):
    """Rule 8: `Sec-GPC: 1` is recorded."""
    example(world, "signals")
    assert [each[:2] for each in said_by(world, "M105", "reference")] == [("refuse", ())]
    assert [each[:2] for each in said_by(world, "M104", "reference")] == [
        ("refuse", ("use:browsing:recommendations",)),
        ("object", ("use:responses:measurement",)),
        ("refuse", ()),
    ]
    world.check_ledger()


@pytest.mark.parametrize("name", ["listmonk", "mailchimp_subscribed", "mailchimp_unsubscribed", "onetrust", "signals"])
def test_every_example_comes_in_once_and_its_dry_run_says_what_it_will_do(world, name):
    dry = example(world, name, dry_run=True)
    made = example(world, name)
    again = example(world, name)
    assert counts(dry) == counts(made)
    assert (again.new, again.recorded, again.repeated) == (0, 0, made.recorded)
    world.check_ledger()


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("listmonk.csv", "listmonk"),
        ("mailchimp_subscribed.csv", "mailchimp"),
        ("mailchimp_unsubscribed.csv", "mailchimp"),
        ("onetrust.json", "onetrust"),
        ("signals.csv", "csv"),
    ],
)
def test_a_format_is_detected_only_by_what_the_file_shows(name, written):
    assert detected(EXAMPLES / name) == written


# ---------------------------------------------------------------------------------------------------- what is refused

STATUSES = """
format = "listmonk"
[identities]
email = "email"
[[statement]]
when = { status = ["blocklisted"] }
act = { value = "withdraw" }
scopes = { value = "contact:email:newsletter" }
said_at = { column = "updated_at", form = "go" }
"""
HEADER = "uuid,email,name,attributes,status,created_at,updated_at\n"


def refused(world, tmp_path, mapping, text, name="file.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with world.store.read() as work:
        read = parse_mapping(mapping, world.deployment.desk.catalogues.current(work))
    with pytest.raises(ImportInvalid) as error:
        bring_in_statements(world.deployment, path, read, Options(actor="mia"))
    return [f"{place.where}: {place.why}" for place in error.value.places]


def test_a_row_of_which_the_mapping_does_not_speak_is_refused(sqlite_world, tmp_path):
    text = HEADER + "u,a@x.example,n,{},confirmed,,2024-01-01 00:00:00 +0000 UTC\n"
    assert refused(sqlite_world, tmp_path, STATUSES, text) == [
        "line 2: is none of those that the mapping speaks of: no `when` holds, nor `silent`"
    ]


@pytest.mark.parametrize(
    "time",
    ["2024-01-01", "2024-01-01 00:00:00", "2024-13-01 00:00:00 +0000 UTC", "2024-01-01 00:00:00 +9999 UTC", "now"],
)
def test_a_time_of_another_form_is_refused(sqlite_world, tmp_path, time):
    text = HEADER + f"u,a@x.example,n,{{}},blocklisted,,{time}\n"
    [place] = refused(sqlite_world, tmp_path, STATUSES, text)
    assert place.startswith("line 2, column updated_at: ")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "record 1: the file is not JSON: it begins neither with { nor with ["),
        (b"id,name\n", "record 1: the file is not JSON: it begins neither with { nor with ["),
        (b'{"content": []}', "record 1: there is no record in the file"),
        (b'{"content": [', "record 1: the file ends within a list"),
        (b'{"content": [{"Identifier": "a', "record 1: the file ends within a list"),
        (b'{"content": [7]}', "record 1: is no object"),
        (b'{"content": [{"Identifier": "a@x.example", "Purposes": {}}]}', "record 1: has no list at Purposes"),
        (b'{"content": [{"a": 1, "a": 2}]}', "record 1: /a stands twice in one object"),
        (b'{"content": [{"a": NaN}]}', "record 1: /a NaN is not a number in JSON"),
        (b'{"content": [{"a": 9007199254740993}]}', None),
        (b'{"content": [{"a": "\xff"}]}', "record 1: byte 7 is not UTF-8"),
        (b'{"content": [{"a": "\\u0000"}]}', "record 1: /a has a NUL character"),
        (b'{"content": [{"a": "\\ud800"}]}', "record 1: /a has half a surrogate pair"),
        (b'{"content": [' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"]}", None),
        (b'{"content": [{"a": "' + b"x" * 1_500_000 + b'"}]}', "record 1: has more than 1,000,000 bytes"),
    ],
)
def test_broken_json_is_refused_at_its_record(sqlite_world, tmp_path, raw, expected):
    mapping = (EXAMPLES / "onetrust.toml").read_text(encoding="utf-8")
    before = sqlite_world.size()
    places = refused(sqlite_world, tmp_path, mapping, raw, "file.json")
    assert sqlite_world.size() == before
    if expected is None:
        assert places[0].startswith("record 1: /a")
    else:
        assert places[0] == expected


def test_a_path_that_no_record_has_is_a_mistake_of_the_mapping(sqlite_world, tmp_path):
    mapping = (EXAMPLES / "onetrust.toml").read_text(encoding="utf-8").replace("LastReceiptId", "LastReceipt")
    raw = (EXAMPLES / "onetrust.json").read_bytes()
    assert refused(sqlite_world, tmp_path, mapping, raw, "file.json") == [
        "record 2, column Purposes.LastReceipt: is in no record of the file"
    ]


def test_a_broken_signal_is_named_by_its_line_column_segment_and_field(sqlite_world, tmp_path):
    mapping = (EXAMPLES / "signals.toml").read_text(encoding="utf-8")
    rows = "customer,tc_string,gpp_string,sec_gpc,received_at,consent_record\n"
    rows += "A,CQtDjkAQtDjkAAfAEBEN,,,2026-11-02T18:20:00Z,x\n"
    rows += "B,,DBABLA~DA,,2026-11-02T18:20:00Z,x\nC,,,1,2026-11-30T00:00:00Z,x\nD,,,1,,x\nE,,,1,soon,x\n"
    rows += "F,CQtDjkAQtDjkAAfAEBENB4FgAPAAAAMAAACYADkIADkIAAAA.IADkIAAA,,,2026-11-01T18:20:00Z,x\n"
    assert refused(sqlite_world, tmp_path, mapping, rows) == [
        "line 2, column tc_string: core, vendor list version: the string ends too early, bits missing: 12",
        "line 3, column gpp_string: usnat, Version: is 3, which is not known here",
        "line 4, column received_at: is later than now, 2026-11-21T10:00:00.000Z",
        "line 5, column received_at: is empty",
        "line 6, column received_at: 'soon' is not a time like 2026-11-21T17:00:00Z",
        "line 7, column received_at: is before the time at which the string says that it was made",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("format", 'format = "csv" #'), []),
        (('value = "withdraw"', 'value = "leave"'), ["statement[0].act.value: 'leave' is none of "]),
        (("newsletter", "newsletters"), ["statement[0].scopes.value: contact:email:newsletters is not in the catalog"]),
        (('form = "go"', 'form = "iso"'), ["statement[0].said_at.form: must be one of rfc3339, plain, go"]),
        (('form = "go"', 'form = "plain"'), ["statement[0].said_at.zone: is missing: give text"]),
        (
            ('form = "go"', 'form = "plain", zone = "Vienna"'),
            ["statement[0].said_at.zone: is not a time zone like UTC or Europe/Vienna"],
        ),
        (("[[statement]]", '[[statement]]\nevidence = { text = "all" }'), ["statement[0].evidence.text: names no col"]),
        (('status = ["blocklisted"]', 'status = "blocked"'), ["statement[0].when.status: must be one of known"]),
        (('act = { value = "withdraw" }', ""), ["statement[0].act: is missing: name its column"]),
    ],
)  # fmt: skip
def test_a_wrong_mapping_is_refused_at_its_place(sqlite_world, change, expected):
    text = STATUSES.replace(*change)
    with sqlite_world.store.read() as work:
        catalogue = sqlite_world.deployment.desk.catalogues.current(work)
    found = []
    try:
        parse_mapping(text, catalogue)
    except ImportInvalid as refused:
        found = [f"{place.where}: {place.why}" for place in refused.places]
    assert [place[: len(why)] for place, why in zip(found, expected, strict=True)] == expected


def test_a_format_that_is_asked_for_must_be_the_mappings(sqlite_world):
    with sqlite_world.store.read() as work:
        catalogue = sqlite_world.deployment.desk.catalogues.current(work)
    assert parse_mapping(STATUSES, catalogue, written="listmonk").format.name == "listmonk"
    assert parse_mapping(STATUSES.replace("format", "#"), catalogue, written="listmonk").format.name == "listmonk"
    with pytest.raises(ImportInvalid) as refused:
        parse_mapping(STATUSES, catalogue, written="mailchimp")
    assert [tuple(place) for place in refused.value.places] == [
        ("format", "is listmonk, but the file is of the format mailchimp")
    ]


# ------------------------------------------------------------------------------------------------ whatever comes in

JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("2024-01-01T00:00:00")
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["content", "Purposes", "Identifier", "Name", "Status", "ConsentDate", "a.b", ""]), inner
        ),
    ),
    max_leaves=12,
)
ONETRUST = (EXAMPLES / "onetrust.json").read_bytes()
DOCUMENTS = st.one_of(
    st.binary(max_size=200),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.builds(
        lambda first, last, between: ONETRUST[:first] + between + ONETRUST[last:],
        st.integers(0, len(ONETRUST)),
        st.integers(0, len(ONETRUST)),
        st.binary(max_size=4),
    ),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=DOCUMENTS, partly=st.booleans())
def test_any_json_comes_in_whole_or_is_refused_with_nothing_stored(sqlite_world, tmp_path, raw, partly):
    path = tmp_path / "subjects.json"
    path.write_bytes(raw)
    mapping = mapped(sqlite_world, (EXAMPLES / "onetrust.toml").read_text(encoding="utf-8"))
    before = everything(sqlite_world)
    try:
        made = bring_in_statements(sqlite_world.deployment, path, mapping, Options(actor="mia", partly=partly))
    except ImportInvalid:
        assert everything(sqlite_world) == before
    else:
        after = everything(sqlite_world)
        assert after["ledger_entry"][0][0] == before["ledger_entry"][0][0] + made.recorded + 1


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(
        st.tuples(
            st.sampled_from(["A", "B", ""]),
            st.sampled_from(["", "CQtDjkAQtDjkAAfAEBENB4FgAPAAAAMAAACYADkIADkIAAAA.IADkIAAA", "C", "DBABM", "x" * 40]),
            st.sampled_from(["", "DBABLA~CAQBAAAAAABA.YA", "DBABLA~CAQB", "DBAA", "1YNN", "\x7f"]),
            st.sampled_from(["", "1", "0", "1, 1"]),
            st.sampled_from(["2026-11-02T18:20:00Z", "2026-10-01T00:00:00Z", "", "2027-01-01T00:00:00Z"]),
            st.sampled_from(["", "r"]),
        ),
        max_size=4,
    ),
    partly=st.booleans(),
)
def test_any_signals_come_in_whole_or_are_refused_with_nothing_stored(sqlite_world, tmp_path, lines, partly):
    path = tmp_path / "signals.csv"
    header = "customer,tc_string,gpp_string,sec_gpc,received_at,consent_record\n"
    rows = "".join(",".join(f'"{cell}"' for cell in line) + "\n" for line in lines)
    path.write_text(header + rows, encoding="utf-8")
    mapping = mapped(sqlite_world, (EXAMPLES / "signals.toml").read_text(encoding="utf-8"))
    before = everything(sqlite_world)
    try:
        made = bring_in_statements(sqlite_world.deployment, path, mapping, Options(actor="mia", partly=partly))
    except ImportInvalid:
        assert everything(sqlite_world) == before
    else:
        after = everything(sqlite_world)
        assert after["ledger_entry"][0][0] == before["ledger_entry"][0][0] + made.recorded + 1
