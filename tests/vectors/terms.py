"""The published terms of the Data Privacy Vocabulary, as they lie beside the checkout."""

from functools import cache

from tests.shared import shared


@cache
def terms() -> dict[str, list[str]]:
    """Return each term with those right above it."""
    lines = shared("vectors", "dpv-2.3-terms.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return {row[0]: [each for each in row[1].split(";") if each] for row in rows}


@cache
def broader(term: str) -> frozenset[str]:
    """Return every term above one."""
    above = terms().get(term, [])
    return frozenset(above).union(*(broader(each) for each in above))
