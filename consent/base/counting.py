"""Counts with their nouns, in English."""


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun.

    >>> counted(1, "customer"), counted(3200, "customer"), counted(2, "entry", "entries")
    ('1 customer', '3,200 customers', '2 entries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
