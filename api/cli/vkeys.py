"""Verifier keys as arguments: typed as they are, or named by the file that they are kept in."""

from pathlib import Path
from typing import Any

import click
from typing_extensions import override

from consent.ledger.note import NoteRefused, Verifier, verifier_of


class Keys(click.ParamType[tuple[Verifier, ...]]):
    """A verifier key as `byleave ledger vkey` prints it, or a file of such lines."""

    name = "vkey"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Verifier, ...]:
        given = str(value).strip()
        try:
            kept = Path(given).read_text(encoding="utf-8") if "+" not in given and Path(given).is_file() else given
            keys = tuple(verifier_of(line.strip()) for line in kept.splitlines() if line.strip())
        except (NoteRefused, ValueError) as wrong:
            why = wrong.detail if isinstance(wrong, NoteRefused) else "not a text of keys"
            self.fail(f"{why}; `byleave ledger vkey` prints one", param, ctx)
        if not keys:
            self.fail("no key is given; `byleave ledger vkey` prints one", param, ctx)
        return keys


class Key(Keys):
    """Just one of them."""

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Verifier, ...]:
        keys = super().convert(value, param, ctx)
        if len(keys) > 1:
            self.fail("the file has several keys: give one of them", param, ctx)
        return keys
