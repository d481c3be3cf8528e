"""Verify a log from its stored bytes alone: every entry, every node, the head, every checkpoint, every payload.

Nothing is taken from a projection, and nothing is repaired. The log is walked in aligned chunks of 2^13 entries up to
the size that it has at the start, each chunk in a short read transaction of its own, so that appends go on meanwhile.
What a tampered log can't hide from: entries are held against their leaf hashes, these against the stored tree, this
against the checkpoints, whose signatures need a key that is not in the database. (What was cut off after the newest
checkpoint, only somebody who remembers it can show.)
"""

from binascii import b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.base.clock import rfc3339
from consent.base.database import Hot, arranged
from consent.base.errors import Invalid, LedgerBroken
from consent.base.store import Store, Work
from consent.ledger import checkpoint, merkle, note
from consent.ledger.leaves import Edge, Form, Leaves, form_of, judged
from consent.ledger.merkle import EMPTY_ROOT, HASH_BYTES, Frontier, node_hash
from consent.tables import (
    CatalogueVersionRow,
    LedgerCheckpointRow,
    LedgerEntryRow,
    LedgerHeadRow,
    LedgerLogRow,
    LedgerNodeRow,
    LedgerPayloadRow,
)

CHUNK: Final = 1 << 13
MOST_NAMED: Final = 100
"""How many wrong spots are named; a log that has more is no more broken for it."""

TABLES: Final = (
    "ledger_entry", "ledger_node", "ledger_head", "ledger_checkpoint", "ledger_payload", "catalogue_version",
)  # fmt: skip

_entry: Final = LedgerEntryRow.__table__
_node: Final = LedgerNodeRow.__table__
_signed: Final = LedgerCheckpointRow.__table__
_payload: Final = LedgerPayloadRow.__table__
