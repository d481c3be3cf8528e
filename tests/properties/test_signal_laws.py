"""Whatever a string is, it is read or refused with one clear error: in a moment, and with no other exception."""

import json
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from consent.base.errors import SignalInvalid
from consent.catalogue.reading import DEFAULT, read_catalogue
from consent.signals import gpp, mapping, tcf, usp
from consent.signals.bits import Bits, Ids
from tests.properties import signalling

MADE = json.loads((Path(__file__).parents[1] / "vectors" / "signals.json").read_text())
STRINGS = [vector["string"] for kind in ("tcf", "gpp") for vector in MADE[kind]]
SIGNS = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~=+/ \n\x00é")
CUT = st.tuples(st.sampled_from(STRINGS), st.integers(0, 2_000), st.integers(0, 2_000), st.text(SIGNS, max_size=6))
TEXTS = st.one_of(
    st.text(max_size=200),
    st.text(SIGNS, max_size=200),
    CUT.map(lambda cut: cut[0][: cut[1]] + cut[3] + cut[0][cut[2] :]),
    CUT.map(lambda cut: cut[0][: cut[1] % (len(cut[0]) + 1)] + cut[3] + cut[0][cut[1] % (len(cut[0]) + 1) + 1 :]),
)
CATALOGUE = read_catalogue(DEFAULT)
MEANT = signalling.meant(CATALOGUE)


@settings(max_examples=600)
@given(text=TEXTS)
def test_any_text_is_read_or_refused_by_its_place(text):
    for read in (tcf.read, gpp.read, usp.read):
        refused = refusal(read, text)
        assert refused is None or [bool(place.where and place.why) for place in refused.places] == [True]


def refusal(read: Callable[[str], object], text: str) -> SignalInvalid | None:
    """Return why a text is refused; any other exception fails the test."""
    try:
        read(text)
    except SignalInvalid as refused:
        return refused
    return None


@settings(max_examples=300)
@given(text=TEXTS)
def test_what_is_read_says_only_what_the_mapping_names(text):
    try:
        heard = mapping.heard_gpp(MEANT, gpp.read(text))
    except SignalInvalid:
        return
    for each in heard:
        assert each.says.keys() <= MEANT.bases.keys()
        assert (each.earliest is None) == (each.latest is None)


@given(
    vendors=st.sets(st.integers(1, 65_535), max_size=300),
    other=st.sampled_from(["field", "ranges"]),
)
def test_a_set_of_vendors_is_the_same_written_as_a_field_or_as_ranges(vendors, other):
    written = signalling.vendor_field(vendors) if other == "field" else signalling.vendor_ranges(vendors)
    assert set(Bits(written, "vendors").vendors("ids")) == vendors


@given(numbers=st.sets(st.integers(1, 5_000), max_size=60))
def test_section_ids_are_the_same_in_fibonacci_ranges(numbers):
    assert set(Bits(signalling.fibonacci_ranges(numbers), "header").fibonacci_ranges("ids")) == numbers


@given(ids=st.sets(st.integers(1, 65_535), max_size=50))
def test_ids_hold_what_was_put_in(ids):
    held = Ids.of(*ids)
    assert (list(held), len(held), bool(held)) == (sorted(ids), len(ids), bool(ids))
