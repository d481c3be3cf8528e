"""What lies behind rows that decisions left: the chunk that holds the decision, and the policy that decided."""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from consent.audit.findings import Evidence
from consent.base.errors import ByleaveError, DecisionUnknown, LedgerBroken
from consent.base.ids import CustomerId
from consent.base.store import Work
from personalise.runs import log
from personalise.runs.dry_run import load_policy
from personalise.runs.log import Chunk
from personalise.steps.personalise.policy import Policy

_CHUNKS: Final = 32
"""Chunks of decisions kept open."""


NOBODY: Final = CustomerId("")


class Decided(NamedTuple):
    """One decision: its chunk, which of it, and whose."""

    chunk: Chunk
    spot: int
    customer: CustomerId

    @property
    def alone(self) -> bool:
        """Whether it left its customer alone."""
        return all(self.chunk.table[name][self.spot].as_py() < 0 for name in ("chosen", "ghost"))


@dataclass(slots=True)
class Behind:
    """Chunks of decisions and policies, kept while they are needed."""

    evidence: Evidence
    chunks: dict[str, Chunk | str] = field(default_factory=dict)
    policies: dict[tuple[Any, ...], Policy | str] = field(default_factory=dict)

    def decision(self, work: Work, decision: str) -> "Decided | str":
        """Return the decision of an id, or why it can't be read; one that its chunk doesn't have is nobody's."""
        identity, _, number = decision.partition(".")
        chunk = self._chunk(work, identity)
        if isinstance(chunk, str):
            return chunk
        spot = int(number) if number.isascii() and number.isdecimal() else -1
        return Decided(chunk, spot, chunk.customers[spot] if 0 <= spot < len(chunk.customers) else NOBODY)

    def _chunk(self, work: Work, identity: str) -> Chunk | str:
        if identity not in self.chunks:
            while len(self.chunks) >= _CHUNKS:
                self.chunks.pop(next(iter(self.chunks)))
            try:
                self.chunks[identity] = log.read(work, identity)
            except DecisionUnknown:
                self.chunks[identity] = "no decision is behind it"
            except LedgerBroken as damaged:
                self.chunks[identity] = damaged.detail
        return self.chunks[identity]

    def policy(self, work: Work, chunk: Chunk) -> Policy | str:
        """Return the policy that a chunk was decided by, or why it can't be read."""
        pins = log.pins(chunk.about)
        key = (chunk.campaign, *pins.values())
        if key not in self.policies:
            try:
                self.policies[key] = load_policy(self.evidence, work, chunk.campaign, **pins)[0]
            except ByleaveError as lost:
                self.policies[key] = f"the policy of {chunk.campaign} can't be read: {lost.title}"
        return self.policies[key]
