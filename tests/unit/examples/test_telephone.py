"""The telephone example: on made-up calls by hand, on the real ones where they are at hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from consent.base.errors import ImportInvalid
from examples.telephone.run import told
from tests.shared import shared

SCRIPT = Path(__file__).parents[3] / "examples" / "telephone" / "run.py"


def file(folder: Path, *rows: tuple[int | str, str]) -> Path:
    path = folder / "calls.csv"
    path.write_text("campaign,y\n" + "".join(f"{calls},{answer}\n" for calls, answer in rows))
    return path


def test_calls_are_counted_and_caps_weighed(tmp_path: Path):
    found = told(file(tmp_path, (1, "yes"), (1, "no"), (2, "yes"), (4, "no"), (5, "yes"), (8, "no"), (12, "no")))

    assert (found["customers"], found["calls"], found["successes"]) == (7, 33, 3)
    assert [(each["call"], each["made"], each["successes"]) for each in found["by_call"]] == [
        ("1", 7, 1), ("2", 5, 1), ("3", 4, 0), ("4", 4, 0), ("5", 3, 1), ("6", 2, 0), ("7", 2, 0), ("8", 2, 0),
        ("9", 1, 0), ("10", 1, 0), ("11 and more", 2, 0),
    ]  # fmt: skip
    assert found["caps"] == [
        {"cap": 3, "customers_spared": 4, "calls_saved": 17, "share_of_calls_saved": 17 / 33,
         "successes_lost_at_most": 1, "share_of_successes_lost_at_most": 1 / 3, "calls_saved_per_success_lost": 17.0},
        {"cap": 6, "customers_spared": 2, "calls_saved": 8, "share_of_calls_saved": 8 / 33,
         "successes_lost_at_most": 0, "share_of_successes_lost_at_most": 0.0, "calls_saved_per_success_lost": None},
    ]  # fmt: skip
    assert found["observational"].startswith("Observational")


def test_without_calls_nothing_is_counted(tmp_path: Path):
    found = told(file(tmp_path))

    assert (found["customers"], found["by_call"], found["caps"][0]["share_of_calls_saved"]) == (0, [], None)


@pytest.mark.parametrize("row", [("0", "yes"), ("-1", "no"), ("many", "no"), ("", "no"), ("²", "no"), ("1", "perhaps")])
def test_what_is_not_of_the_form_is_refused(tmp_path: Path, row: tuple[str, str]):
    with pytest.raises(ImportInvalid):
        told(file(tmp_path, (1, "yes"), row))


def test_on_the_real_calls_later_ones_bring_less():
    real = shared("data", "bank_calls.csv")
    ran = subprocess.run([sys.executable, SCRIPT, "--data", real], capture_output=True, text=True, check=True)
    found = json.loads(ran.stdout)

    assert (found["customers"], found["calls"], found["successes"]) == (22_495, 61_420, 2_541)
    rates = [each["rate"] for each in found["by_call"]]
    assert rates[0] > rates[1] > rates[5] > rates[-1]
    assert [(each["cap"], each["successes_lost_at_most"]) for each in found["caps"]] == [(3, 324), (6, 71)]
    assert found["caps"][1]["share_of_calls_saved"] > 0.1
