"""Privacy signals in the rows of a file: what each string says in the company's scopes, as statements.

A yes counts only with evidence of the customer's own act (the consent platform's record of it), like any row that
gives more; a no needs none. A yes is said at the earliest time that the string can mean, a no at the latest.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from consent.base.clock import rfc3339
from consent.base.errors import SignalInvalid
from consent.base.ids import Scope
from consent.imports.cells import ColumnReader, instant, text, whole
from consent.imports.faults import Faults
from consent.imports.mapping import FileMapping
from consent.imports.rows import Chunk
from consent.permission.statement import Act, Method
from consent.signals import gpc, gpp, tcf, usp
from consent.signals.mapping import Heard, Says, SignalMapping, heard_gpp, heard_tcf, heard_usp

Told: TypeAlias = tuple[Act, tuple[Scope, ...], datetime, Method, None, str | None, int | None, None]
"""The parts of a row, in their order."""

LAST_NOTICE: Final = 65_535
"""The highest version that a notice can have."""

_ACTS: Final = {Says.YES: Act.GRANT, Says.NO: Act.REFUSE, Says.OBJECTION: Act.OBJECT}
_HEARD: Final[Mapping[str, Callable[[SignalMapping, str], list[Heard]]]] = {
    "tcf": lambda mapping, string: [heard_tcf(mapping, tcf.read(string))],
    "gpp": lambda mapping, string: heard_gpp(mapping, gpp.read(string)),
    "usp": lambda mapping, string: [heard_usp(mapping, usp.read(string))],
    "gpc": lambda _mapping, header: [Heard(source=gpc.EVIDENCE, gpc=gpc.asked(header))],
}


def said(heard: Sequence[Heard], received: datetime, evidence: str | None, notice: int | None) -> Iterator[Told]:
    """Walk what signals say, as the parts of statements.

    Args:
        heard: what each says.
        received: when they came in.
        evidence: of the customer's own act; None where there is none.
        notice: the version of our own wording that was shown beside; None where none was.
    """
    for each in heard:
        for what, act in _ACTS.items():
            scopes = tuple(sorted(scope for scope, word in each.says.items() if word is what))
            early = act is Act.GRANT
            at = min(received, (each.earliest if early else each.latest) or received)
            proof = None if evidence is None and early else "; ".join(filter(None, (evidence, each.source)))
            if scopes:
                yield act, scopes, at, Method.SIGNAL, None, proof, notice, None
    if any(each.gpc for each in heard):
        yield Act.REFUSE, (), received, Method.SIGNAL, None, gpc.EVIDENCE, None, None


class Hearing:
    """Reads the signals of a chunk."""

    def __init__(self, mapping: FileMapping, *, at: datetime) -> None:
        """Take the mapping, and the time after which nothing can have been received."""
        assert mapping.signal is not None  # noqa: S101 -- for the type checker: whoever calls has looked
        assert mapping.meaning is not None  # noqa: S101 -- as above
        self._meaning = mapping.meaning
        self._at = at
        parts = mapping.signal.parts
        self._strings = {part: ColumnReader(parts[part], text) for part in _HEARD if part in parts}
        self._received = ColumnReader(parts["received_at"], instant(parts["received_at"]))
        self._evidence = ColumnReader(parts["evidence"], text, quiet=True) if "evidence" in parts else None
        versions = whole(1, LAST_NOTICE)
        self._notice = ColumnReader(parts["notice_version"], versions) if "notice_version" in parts else None

    def said(self, chunk: Chunk, faults: Faults) -> list[tuple[int, Told]]:
        """Return what each row says, by its number in the chunk; what can't be read is noted."""
        nothing: list[Any] = [None] * len(chunk.rows)
        received = self._received.values(chunk, faults)
        evidence = self._evidence.values(chunk, faults) if self._evidence else nothing
        notices = self._notice.values(chunk, faults) if self._notice else nothing
        strings = {part: reader.values(chunk, faults) for part, reader in self._strings.items()}
        found: list[tuple[int, Told]] = []
        for spot, at in enumerate(received):
            line = chunk.lines[spot]
            if at is None or at > self._at:
                self._no_time(at, chunk, spot, faults)
                continue
            heard = [
                each
                for part, cells in strings.items()
                if (cell := cells[spot])
                for each in self._heard(part, str(cell), line, faults)
            ]
            if any(each.earliest and each.earliest > at for each in heard):
                faults.cell(line, self._received.name, "is before the time at which the string says that it was made")
                continue
            found.extend((spot, told) for told in said(heard, at, evidence[spot], notices[spot]))
        return found

    def _no_time(self, at: datetime | None, chunk: Chunk, spot: int, faults: Faults) -> None:
        if at is not None:
            faults.cell(chunk.lines[spot], self._received.name, f"is later than now, {rfc3339(self._at)}")
        elif not self._received.cells(chunk)[spot].strip():
            faults.cell(chunk.lines[spot], self._received.name, "is empty")

    def _heard(self, part: str, string: str, line: int, faults: Faults) -> list[Heard]:
        try:
            return _HEARD[part](self._meaning, string.strip())
        except SignalInvalid as refused:
            for place in refused.places:
                faults.cell(line, self._strings[part].name, f"{place.where}: {place.why}")
            return []
