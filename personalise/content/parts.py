"""A template as whoever judges its words sees it: texts one after the other, and choices between texts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

FACT: Final = "…"
"""Stands for whatever is put out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of several wordings stands here; or, unless it is `certain`, none of them. A loop's stands several times."""

    branches: tuple["Parts", ...]
    certain: bool
    times: int = 1


Parts: TypeAlias = tuple[str | Choice, ...]


def always(parts: Parts, says: Callable[[str], bool]) -> bool:
    """Say whether a template says something whatever is known of the customer.

    >>> either = Choice(branches=(("Reply STOP.",), ("STOP ends it.",)), certain=True)
    >>> always(("Hello. ", either), lambda text: "STOP" in text)
    True
    >>> always(("Hello. ", Choice(branches=either.branches, certain=False)), lambda text: "STOP" in text)
    False
    """
    return any(
        says(part) if isinstance(part, str) else part.certain and all(always(branch, says) for branch in part.branches)
        for part in parts
    )


def whole(parts: Parts) -> str:
    """Return all that a template may say, one wording after the other.

    >>> whole(("Hello ", Choice(branches=(("Vera",), ("you",)), certain=True), "."))
    'Hello Verayou.'
    """
    return "".join(_whole(parts))


def _whole(parts: Parts) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
        else:
            for branch in part.branches:
                yield from _whole(branch)


def longest(parts: Parts, size: Callable[[str], int] = len) -> int:
    """Return how long a template is at most: in signs, or by another `size`; what it puts out counts as one sign.

    >>> longest(("Hello ", Choice(branches=(("Vera",), ("you",)), certain=True), "."))
    11
    """
    return sum(
        size(part)
        if isinstance(part, str)
        else part.times * max((longest(branch, size) for branch in part.branches), default=0)
        for part in parts
    )


def joined(parts: Sequence[str | Choice]) -> Parts:
    """Return the parts with texts that follow each other put together."""
    found: list[str | Choice] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(part, str) and isinstance(last, str):
            found[-1] = last + part
        else:
            found.append(part)
    return tuple(found)
