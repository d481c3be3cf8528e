"""What is printed for customers, as tests walk it."""

from collections.abc import Iterator, Mapping


def leaves(value: object) -> Iterator[str]:
    """Walk all strings of a nest of tables."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from leaves(each)
