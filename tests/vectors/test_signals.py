"""Strings made by the official JavaScript packages are read as the packages themselves read them.

`signals.json` was made by `signals.mjs` with @iabtechlabtcf/core 1.5.21 and @iabgpp/cmpapi 3.2.0; everything in it is
made up.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from consent.base.clock import rfc3339
from consent.signals import gpp, tcf
from consent.signals.bits import Ids
from consent.signals.tcf import Framework, TcString

MADE = json.loads((Path(__file__).parent / "signals.json").read_text())
FRAMEWORKS = {2: Framework.V2_0, 4: Framework.V2_2, 5: Framework.V2_3}
SAID = {True: "Y", False: "N", None: "-"}


def named(vectors):
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


def text(ids: Ids | None) -> str | None:
    """Write ids as the vectors do: "1-5 7"."""
    if ids is None:
        return None
    ranges: list[list[int]] = []
    for each in ids:
        if ranges and ranges[-1][1] == each - 1:
            ranges[-1][1] = each
        else:
            ranges.append([each, each])
    return " ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in ranges)


def told(read: TcString) -> dict[str, Any]:
    """Return a string's fields as the vectors give them."""
    plain = {name: getattr(read, name) for name in TcString.__slots__}
    publisher = read.publisher
    return {
        **{name: text(value) if isinstance(value, Ids) else value for name, value in plain.items()},
        "created": rfc3339(read.created),
        "updated": rfc3339(read.updated),
        "restrictions": {f"{purpose}/{int(kind)}": text(ids) for (purpose, kind), ids in read.restrictions.items()},
        "publisher": publisher
        and {
            "consents": text(publisher.consents),
            "legitimate_interests": text(publisher.legitimate_interests),
            "custom_purposes": publisher.custom_purposes,
            "custom_consents": text(publisher.custom_consents),
            "custom_legitimate_interests": text(publisher.custom_legitimate_interests),
        },
    }


@pytest.mark.parametrize("vector", named(MADE["tcf"]))
def test_a_tc_string_is_read_as_its_makers_read_it(vector):
    read = tcf.read(vector["string"])
    assert told(read) == vector["fields"]
    assert read.framework is FRAMEWORKS[read.policy]
    assert read.legacy is (read.policy < 5 or read.disclosed is None)


@pytest.mark.parametrize("vector", named(MADE["gpp"]))
def test_a_gpp_string_is_read_as_its_makers_read_it(vector):
    read = gpp.read(vector["string"])
    assert list(read.sections) == vector["sections"]
    assert read.unread == ()
    assert (read.tcf and told(read.tcf)) == vector["tcf"]
    fields = dict(vector["fields"])
    usp = fields.pop("uspv1", None)
    said = read.usp and [SAID[part] for part in (read.usp.notice, read.usp.opted_out, read.usp.covered)]
    assert said == (usp and [usp["Notice"], usp["OptOutSale"], usp["LspaCovered"]])
    assert read.us.keys() == fields.keys()
    for name, expected in fields.items():
        assert_section(read.us[name], expected, "without" not in vector["name"])


def assert_section(section, expected, whole):
    """Hold a section of the United States against what the package read in it."""
    answers = {field: value for field, value in expected.items() if "Segment" not in field and field != "Gpc"}
    version = answers.pop("Version", None) or answers.pop("MspaVersion")
    found = {field: list(each) if len(each) > 1 else each[0] for field, each in section.answers.items()}
    if not whole and "SensitiveDataProcessing" not in found:
        answers.pop("SensitiveDataProcessing", None)  # the segment isn't there: the package gives zeros for it
    # A list of one answer is a list with the package in no section, and a number in those that have but one.
    assert (section.version, found) == (version, answers)
    assert section.gpc is (expected.get("Gpc") if whole else None)


def test_every_section_that_is_read_has_vectors():
    read = {section for vector in MADE["gpp"] for section in vector["sections"]}
    assert read == {2, 6, *range(7, 28)}
