"""Signals: what is wrong with a string is named by its place, and nothing of it is quoted."""

import base64

import pytest

from consent.base.errors import SignalInvalid
from consent.signals import bits, gpc, gpp, tcf, us, usp
from consent.signals.bits import Bits, Ids
from consent.signals.tcf import Framework

# The example string of the framework's own implementation: TCF 2.0, core only, everything refused.
PLAIN = "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"


def written(*parts: tuple[int, int]) -> str:
    """Write (value, width) pairs as base64url, padded with zeros to whole signs."""
    digits = "".join(f"{value:0{width}b}" for value, width in parts)
    digits += "0" * (-len(digits) % 24)
    raw = int(digits, 2).to_bytes(len(digits) // 8)
    return base64.urlsafe_b64encode(raw).decode()


CORE = (
    ("version", 2, 6), ("created", 16_000_000_000, 36), ("updated", 16_000_000_000, 36), ("cmp", 31, 12),
    ("cmp version", 1, 12), ("screen", 1, 6), ("language 1", 4, 6), ("language 2", 13, 6), ("list", 120, 12),
    ("policy", 5, 6), ("specific", 1, 1), ("texts", 0, 1), ("features", 0, 12), ("consents", 0, 24),
    ("interests", 0, 24), ("one", 0, 1), ("country 1", 3, 6), ("country 2", 4, 6), ("greatest", 0, 16),
    ("ranged", 0, 1), ("greatest interest", 0, 16), ("interest ranged", 0, 1), ("restrictions", 0, 12),
)  # fmt: skip


def core(*more: tuple[int, int], **changes: int) -> str:
    """Write a core with some fields changed (`cmp_version` for "cmp version"), and bits after it."""
    changed = {name.replace("_", " "): value for name, value in changes.items()}
    return written(*((changed.get(name, value), width) for name, value, width in CORE), *more)


def why(read, text) -> list[str]:
    """Say why a string is refused."""
    with pytest.raises(SignalInvalid) as error:
        read(text)
    return [f"{place.where}: {place.why}" for place in error.value.places]


def test_an_old_string_is_read_and_marked():
    read = tcf.read(PLAIN)
    assert (read.framework, read.legacy, read.lapsed, read.disclosed) == (Framework.V2_0, True, False, None)


def test_a_string_of_the_newest_version_without_the_vendors_disclosed_has_lapsed():
    assert [tcf.read(core(policy=policy)).lapsed for policy in (2, 4, 5)] == [False, False, True]
    march = 17_723_232_000  # tenths of seconds: 1 March 2026
    assert [tcf.read(core(policy=4, updated=march - back)).lapsed for back in (0, 1)] == [True, False]
    assert tcf.read(core() + "." + written((1, 3), (3, 16), (0, 1), (0b101, 3))).lapsed is False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "core: is empty"),
        (".", "core: is empty"),
        (PLAIN + ".", "segment 2: is empty"),
        (PLAIN[:20], "core, vendor list version: the string ends too early, bits missing: 12"),
        (PLAIN[:4] + "=" + PLAIN[5:], "core: character 5 is none of base64url (A-Z, a-z, 0-9, - and _)"),
        (PLAIN[:4] + "+" + PLAIN[5:], "core: character 5 is none of base64url (A-Z, a-z, 0-9, - and _)"),
        (" " + PLAIN, "core: character 1 is none of base64url (A-Z, a-z, 0-9, - and _)"),
        (PLAIN + "\n", "core: character 45 is none of base64url (A-Z, a-z, 0-9, - and _)"),
        ("C" + "é" * 50, "core: character 2 is none of base64url (A-Z, a-z, 0-9, - and _)"),
        ("BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA", "core, version: is 1: such strings have not been valid since 2020"),
        ("D" + PLAIN[1:], "core, version: is 3, where 2 is the only one in use"),
        (core(language_1=26), "core, consent language: is not two letters"),
        (core(updated=2**36 - 1), None),
        (PLAIN + "A" * 40, "core: has bits after its last field: 245"),
        (PLAIN + "_", "core: has bits after its last field: 11"),
        (core() + "." + written((0, 3)), "segment 2, type: is none of the framework's"),
        (core() + "." + written((7, 3)), "segment 2, type: is none of the framework's"),
        (core() + 2 * ("." + written((1, 3), (0, 17))), "vendors disclosed: stands twice"),
        (
            core() + "." + written((1, 3), (9, 16), (0, 1)),
            "vendors disclosed, vendors: the string ends too early, bits missing: 5",
        ),
        (core() + 20 * ".A", "segment 2, type: is none of the framework's"),
        (
            core((0, 8), restrictions=1),
            "core, publisher restrictions: number 1 is of no purpose, or of a kind that isn't defined",
        ),
        ("A" * 100_001, "TC string: has more than 100,000 characters"),
    ],
)  # fmt: skip
def test_a_broken_tc_string_is_refused_at_its_place(text, expected):
    if expected is None:
        assert tcf.read(text).framework is Framework.V2_3
    else:
        assert why(tcf.read, text) == [expected]


@pytest.mark.parametrize(
    ("ranges", "greatest", "expected"),
    [
        (((1, 1), (3, 16), (5, 16)), 5, [3, 4, 5]),
        (((0, 1), (3, 16)), 5, [3]),
        (((1, 1), (5, 16), (3, 16)), 5, "range 1 runs from 5 to 3, where 1 to 5 is possible"),
        (((1, 1), (3, 16), (6, 16)), 5, "range 1 runs from 3 to 6, where 1 to 5 is possible"),
        (((0, 1), (0, 16)), 5, "range 1 runs from 0 to 0, where 1 to 5 is possible"),
        (((1, 1), (0, 16), (65535, 16)), 65535, "range 1 runs from 0 to 65535, where 1 to 65535 is possible"),
        (((1, 1), (1, 16), (65535, 16)), 65535, list(range(1, 65536))),
    ],
)
def test_ranges_of_vendors_are_read_or_refused(ranges, greatest, expected):
    segment = written((1, 3), (greatest, 16), (1, 1), (1, 12), *ranges)
    if isinstance(expected, list):
        assert list(tcf.read(f"{core()}.{segment}").disclosed or ()) == expected
    else:
        assert why(tcf.read, f"{core()}.{segment}") == [f"vendors disclosed, vendors: {expected}"]


def test_the_longest_string_of_the_worst_ranges_is_read_in_a_moment():
    ranges = [part for number in range(4095) for part in ((1, 1), (1, 16), (65535, 16))]
    read = tcf.read(f"{core()}.{written((1, 3), (65535, 16), (1, 1), (4095, 12), *ranges)}")
    assert len(read.disclosed or ()) == 65535


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "header: is empty"),
        (PLAIN, "header, type: is not that of a GPP string, which begins with D"),
        ("DCABM~x", "header, version: is 2, where 1 is the only one known here"),
        ("DBABM", "header: names 1 sections, but 0 follow"),
        ("DBABM~" + PLAIN + "~1YNN", "header: names 1 sections, but 2 follow"),
        ("DBABM~", "core: is empty"),
        ("DBABM~1YNN", "core, version: is 53, where 2 is the only one in use"),
        ("DBABM~" + PLAIN[:20], "core, vendor list version: the string ends too early, bits missing: 12"),
        ("DBACNY~" + PLAIN + "~1YXN", "US Privacy: is not of the form 1YNN: the version, then three times Y, N or -"),
        ("DB", "header, sections: the string ends too early, bits missing: 12"),
        ("DBAB", "header, sections: the string ends too early, bits missing: 1"),
        ("DBABA", "header, sections: the string ends within a number in Fibonacci coding"),
        ("DBABAAAAAAAA", "header, sections: is beyond any id in Fibonacci coding"),
        ("DBABL_~x", "header: has bits after its last field: 6"),
        ("DBABLA~B", "usnat, SharingNotice: the string ends too early, bits missing: 2"),
        ("DBABLA~DAAAAAAAAAAA", "usnat, Version: is 3, which is not known here"),
        ("DBABLA~CwAAAAAAAAAA", "usnat, SharingNotice: is 3, where 0, 1 and 2 are possible"),
        ("DBABLA~CAAAAAAAAABA.AA", "usnat, second segment, type: is not that of Global Privacy Control"),
        ("DBABLA~CAAAAAAAAABA.YA.YA", "usnat: has more segments than such a section can have"),
        ("DBABzw~BAAAAAAB.YA", None),
        ("D" * 100_001, "GPP string: has more than 100,000 characters"),
    ],
)
def test_a_broken_gpp_string_is_refused_at_its_place(text, expected):
    if expected is not None:
        assert why(gpp.read, text) == [expected]


def test_the_examples_of_the_specification_are_read():
    assert gpp.read(f"DBABM~{PLAIN}").sections == (2,)
    assert gpp.read(f"DBACNY~{PLAIN}~1YNN").sections == (2, 6)
    canadian = gpp.read("DBABjw~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN")
    assert (canadian.sections, canadian.unread, canadian.usp) == ((5, 6), (5,), usp.read("1YNN"))


@pytest.mark.parametrize("text", ["", "1", "1YN", "1YNNN", "2YNN", "1yXn", "\uff11YNN", "1YN ", "1YNN\n"])
def test_a_us_privacy_string_of_another_form_is_refused(text):
    assert why(usp.read, text) == ["US Privacy: is not of the form 1YNN: the version, then three times Y, N or -"]


def test_no_error_quotes_the_string():
    secret = "Csecret-words"
    for read in (tcf.read, gpp.read, usp.read):
        assert "secret" not in " ".join(why(read, secret))


def test_rule_8_only_a_one_in_the_header_asks():
    """Rule 8: `Sec-GPC: 1` asks; its absence, or any other value, says nothing."""
    assert [gpc.asked(value) for value in ("1", "0", None, "yes", "1.0", "11", "")] == [True, *[False] * 6]


def test_ids_are_a_set():
    found = Ids.of(1, 7, 65_535)
    assert ([0 in found, 7 in found, 8 in found], list(found), len(found)) == ([False, True, False], [1, 7, 65535], 3)


def test_an_answer_that_a_section_does_not_have_is_not_applicable():
    section = us.read(8, "BAAAAAAA.YA")
    assert [section.of("SaleOptOut"), section.of("SaleOptOut", 2), section.of("Unheard")] == [0, 0, 0]


def test_bits_are_read_to_their_end():
    reader = Bits("_w", "here")
    assert [reader.whole(6, "a"), reader.flag("b"), reader.flag("c")] == [63, True, True]
    reader.end()
    assert bits.LONGEST == 100_000
