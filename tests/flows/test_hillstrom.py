"""The main job on a file of the Hillstrom experiment's form: here one made up, the real one where it is at hand."""

import csv
import random
from pathlib import Path
from typing import Any

import pytest

from consent.base.errors import ImportInvalid
from examples.hillstrom.run import proven, walk
from tests.shared import shared

COLUMNS = (
    "customer_id", "recency", "history_segment", "history", "mens", "womens", "zip_code", "newbie", "channel",
    "segment", "visit", "conversion", "spend",
)  # fmt: skip
KEYS = [
    "customers", "import", "dry_run", "run", "effects", "withdrawn", "next_day", "at_night", "second_run", "third_time",
    "goodwill", "audit", "ledger", "seconds", "peak_memory_mb",
]  # fmt: skip


def made_up(folder: Path, customers: int, seed: int) -> Path:
    """Write a file of the experiment's form; who he is says nothing of what he does."""
    drawn = random.Random(seed)  # noqa: S311 -- test data
    path = folder / "customers.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for number in range(customers):
            mens, visit = drawn.randint(0, 1), drawn.randint(0, 1)
            area, channel = (
                drawn.choice(("Urban", "Surburban", "Rural")),
                drawn.choice(("Web", "Phone", "Multichannel")),
            )
            segment = drawn.choice(("Mens E-Mail", "Womens E-Mail", "No E-Mail"))
            rows.writerow(
                (f"T{number:06}", drawn.randint(1, 12), "1) $0 - $100", drawn.randint(30, 900), mens, 1 - mens, area,
                 drawn.randint(0, 1), channel, segment, visit, 0, 0)
            )  # fmt: skip
    return path


def sample(folder: Path, customers: int) -> Path:
    """Write the first customers of the real file."""
    with shared("data", "hillstrom.csv").open() as file:
        lines = [line for line, _ in zip(file, range(customers + 1), strict=False)]
    path = folder / "real.csv"
    path.write_text("".join(lines))
    return path


def ended(counts: dict[str, Any]) -> int:
    return int(sum(counts["stages"].values()) + sum(counts["chosen"].values()))


@pytest.mark.parametrize("seed", [1, 2])
def test_the_main_job_is_proven_on_a_file_that_nobody_has_seen(tmp_path, seed):
    told = walk(made_up(tmp_path, 700, seed), seed, tmp_path)

    assert proven(told)
    assert list(told) == KEYS
    looks = ("dry_run", "run", "next_day", "at_night", "second_run", "third_time")
    assert [ended(told[name]) for name in looks] == [700] * len(looks)
    assert told["dry_run"]["stages"] == told["run"]["stages"]
    assert (told["withdrawn"], told["ledger"]["checked"], told["ledger"]["first_bad"]) == (
        70,
        told["ledger"]["size"],
        None,
    )


def test_the_real_experiment_is_measured_and_nobody_is_addressed_who_withdrew(tmp_path):
    told = walk(sample(tmp_path, 2_000), 7, tmp_path)

    assert proven(told)
    assert sorted(told["effects"]["against_none"]) == ["mens-mail", "womens-mail"]
    assert told["second_run"]["addressed"] < told["run"]["addressed"]


def test_caps_quiet_hours_and_goodwill_hold_back_whoever_could_have_been_addressed(tmp_path):
    told = walk(made_up(tmp_path, 700, 3), 3, tmp_path)

    willing = told["second_run"]["addressed"]
    assert willing > 50
    for look, rule in (("next_day", "company:any-week"), ("at_night", "hours:nights"), ("third_time", "goodwill")):
        assert (told[look]["chosen"], told[look]["reasons"][rule]) == ({}, willing)
    assert told["goodwill"] == {
        "accounts_drawn_upon": told["run"]["addressed"],
        "spent": float(told["run"]["addressed"] + told["second_run"]["addressed"]),
        "lowest": 2.0,
    }


def test_a_file_of_another_form_is_refused_with_its_place(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("name,age\nAnn,30\n")

    with pytest.raises(ImportInvalid) as refused:
        walk(path, 7, tmp_path)

    assert "other.csv" in refused.value.detail
    assert [tuple(place) for place in refused.value.places] == [("line 1", "has no column customer_id")]
