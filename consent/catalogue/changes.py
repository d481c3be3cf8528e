"""PURE: what sets one catalogue apart from another: its scopes, and all else that it declares."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, Final, NamedTuple

from consent.catalogue.model import Attribute, Catalogue


def difference(old: Catalogue | None, new: Catalogue) -> dict[str, list[str]]:
    """Return which scopes a new catalogue adds, drops, and changes in a way that matters.

    A scope `asks_again` when its notice has a newer material version than the consents that stand.
    """
    before = old.scopes if old else {}
    kept = before.keys() & new.scopes.keys()
    return {
        "added": sorted(new.scopes.keys() - before.keys()),
        "removed": sorted(before.keys() - new.scopes.keys()),
        "changed": sorted(
            scope for scope in kept if replace(new.scopes[scope], bit=before[scope].bit) != before[scope]
        ),
        "asks_again": sorted(s for s in kept if new.scopes[s].material_since > before[s].material_since > 0),
    }


class Redeclared(NamedTuple):
    """Something besides scopes that one catalogue declares and another doesn't, or declares differently."""

    kind: str
    """The table of the file that it stands in: `purpose`, `category` and so on."""
    key: str
    part: str
    """What of it differs; empty where one of the two doesn't declare it."""
    old: str
    """What it was, in words; empty where nothing was said."""
    new: str


_TABLES: Final = ("controller", "purpose", "category", "channel", "recipient", "notice")


def redeclared(old: Catalogue, new: Catalogue) -> list[Redeclared]:
    """Return what a new catalogue declares differently besides its scopes, in the order of the file's tables."""
    return [changed for kind in _TABLES for changed in _changed(kind, _declared(old, kind), _declared(new, kind))]


def _declared(catalogue: Catalogue, kind: str) -> dict[str, dict[str, str]]:
    """Return all that is declared of a kind: by its key, its parts in words."""
    declared: dict[str, Mapping[Any, Any]] = {
        "controller": {"": catalogue.controller},
        "purpose": catalogue.purposes,
        "category": catalogue.categories,
        "channel": catalogue.channels,
        "recipient": catalogue.recipients,
        "notice": {f"{key}, version {version}": notice for (key, version), notice in catalogue.notices.items()},
    }
    return {
        str(key): {part.name: _worded(getattr(one, part.name)) for part in fields(one) if part.name != "key"}
        for key, one in declared[kind].items()
    }


def _worded(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {each}" for key, each in sorted(value.items()))
    if isinstance(value, tuple):
        return ", ".join(f"{one.name} ({one.type})" if isinstance(one, Attribute) else str(one) for one in value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _changed(
    kind: str, old: Mapping[str, Mapping[str, str]], new: Mapping[str, Mapping[str, str]]
) -> Iterator[Redeclared]:
    for key in dict.fromkeys([*old, *new]):
        if key not in old or key not in new:
            yield Redeclared(kind, key, "", "declared" * (key in old), "declared" * (key in new))
            continue
        for part, was in old[key].items():
            if was != new[key][part]:
                yield Redeclared(kind, key, part, was, new[key][part])
