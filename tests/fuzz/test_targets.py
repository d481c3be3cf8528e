"""What `make fuzz` looks into at length, for a moment: no bytes make a reader raise what it does not own up to."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import BY_NAME, TARGETS, Target, spoilt

SPOILT = 300


@pytest.mark.parametrize("name", BY_NAME)
def test_spoilt_bytes_are_read_or_refused_and_nothing_else(name):
    for raw in (*BY_NAME[name].seeds, *spoilt(BY_NAME[name].seeds, SPOILT, seed=1)):
        BY_NAME[name](raw)


@settings(max_examples=100)
@given(raw=st.binary(max_size=200) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused_and_nothing_else(raw):
    for target in TARGETS:
        target(raw)


def test_a_fault_of_a_reader_is_not_taken_for_a_refusal():
    broken = Target(name="broken", read=lambda raw: raw[99], refuses=ValueError, seeds=(b"",))
    with pytest.raises(IndexError):
        broken(b"short")


def test_whoever_asks_for_a_target_that_is_not_there_is_told_which_there_are():
    ran = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.run", "--seconds", "1", "nonsense"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 2
    assert f"choose from {', '.join(BY_NAME)}" in ran.stderr.replace("'", "")
