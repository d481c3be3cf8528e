"""The holdout: a hash of the id, by the formula of the design, fair and independent from one salt to another."""

import hashlib

import numpy as np
import pytest
from scipy import stats

from personalise.steps.personalise.holdout import buckets

MANY = [f"cus_{number:032x}" for number in range(100_000)]


def by_formula(customer, salt, scope):
    return int(hashlib.sha256(f"{salt}|{scope}|{customer}".encode()).hexdigest()[:8], 16) % 10_000


@pytest.mark.parametrize(
    ("salt", "scope"), [("s", "spring"), ("", "spring"), ("ein Salz|", "sommer-2026"), ("é€", "c")]
)
def test_a_bucket_is_what_the_formula_says(salt, scope):
    some = [*MANY[::997], "", "cus_", "é"]

    assert buckets(some, salt=salt, scope=scope).tolist() == [by_formula(one, salt, scope) for one in some]


def test_a_bucket_depends_on_the_customer_alone_and_not_on_who_else_is_there():
    some = MANY[:500]
    whole = buckets(some, salt="s", scope="c")

    assert [int(buckets([one], salt="s", scope="c")[0]) for one in some] == whole.tolist()
    assert buckets(some[::-1], salt="s", scope="c").tolist() == whole.tolist()[::-1]
    assert buckets([], salt="s", scope="c").tolist() == []


@pytest.mark.parametrize("share", [100, 1_000, 5_000])
def test_the_share_is_met(share):
    held = (buckets(MANY, salt="s", scope="spring") < share).mean()
    expected = share / 10_000

    assert abs(held - expected) < 4 * (expected * (1 - expected) / len(MANY)) ** 0.5


def test_every_bucket_is_as_likely():
    found = np.bincount(buckets(MANY, salt="s", scope="spring") // 100, minlength=100)

    assert stats.chisquare(found).pvalue > 0.001


@pytest.mark.parametrize("other", [{"salt": "t", "scope": "spring"}, {"salt": "s", "scope": "summer"}])
def test_two_holdouts_are_independent(other):
    first = buckets(MANY, salt="s", scope="spring") // 1_000
    second = buckets(MANY, **other) // 1_000
    together = np.zeros((10, 10))
    np.add.at(together, (first, second), 1)

    assert stats.chi2_contingency(together).pvalue > 0.001
