"""What lies behind rows that decisions left: the chunk that holds the decision, and the policy that decided."""

from dataclasses import dataclass, field
from typing import Any, Final

from consent.audit.findings import Evidence
from consent.base.errors import ByleaveError, DecisionUnknown, LedgerBroken
from consent.base.store import Work
from personalise.runs import log
from personalise.runs.dry_run import load_policy
from personalise.runs.log import Chunk
from personalise.steps.personalise.policy import Policy

_CHUNKS: Final = 32
"""Chunks of decisions kept open."""


@dataclass(slots=True)
class Behind:
    """Chunks, where each customer is in them, and policies, kept while they are needed."""

    evidence: Evidence
    chunks: dict[str, tuple[Chunk, list[str]] | str] = field(default_factory=dict)
    policies: dict[tuple[Any, ...], Policy | str] = field(default_factory=dict)

    def chunk(self, work: Work, identity: str) -> tuple[Chunk, list[str]] | str:
        """Return a chunk and its customers, or why it can't be read."""
        if identity not in self.chunks:
            while len(self.chunks) >= _CHUNKS:
                self.chunks.pop(next(iter(self.chunks)))
            try:
                chunk = log.read(work, identity)
                self.chunks[identity] = chunk, chunk.table["customer"].to_pylist()
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
