"""Nodes of the stored tree, many of them with one query."""

import json
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from consent.base.database import Hot, table_of
from consent.base.store import Work
from consent.ledger.merkle import Position
from consent.tables import LedgerEntryRow, LedgerNodeRow

_entry = table_of(LedgerEntryRow)
_node = table_of(LedgerNodeRow)


def _at_positions(dialect: str) -> sa.Select[tuple[int, int, bytes]]:
    """Select nodes and leaves by a JSON list of `[level, index]`: one parameter, and one way to each by its key.

    The hashes are subqueries, not joined: then no planner comes to walk the whole tree past a short list.
    """
    positions = sa.bindparam("positions", type_=sa.Text())
    level: sa.ColumnElement[Any]
    idx: sa.ColumnElement[Any]
    if dialect == "postgresql":
        wanted = sa.func.json_array_elements(sa.cast(positions, sa.JSON)).table_valued("value")
        level, idx = (sa.cast(wanted.c.value.op("->>")(sa.literal_column(part)), sa.BigInteger) for part in "01")
    else:
        wanted = sa.func.json_each(positions).table_valued("value")
        level, idx = (sa.func.json_extract(wanted.c.value, sa.literal_column(f"'$[{part}]'")) for part in "01")
    of_log = sa.bindparam("log", type_=sa.BigInteger())
    node = sa.select(_node.c.hash).where(_node.c.log == of_log, _node.c.level == level, _node.c.idx == idx)
    leaf = sa.select(_entry.c.leaf).where(_entry.c.log == of_log, _entry.c.seq == idx)
    hashed = sa.case(
        (level > 0, node.correlate(wanted).scalar_subquery()), else_=leaf.correlate(wanted).scalar_subquery()
    )
    return sa.select(level, idx, hashed).select_from(wanted)


_NODES: Final = Hot(_at_positions, "log", "positions")


def nodes_at(work: Work, log: int, positions: Sequence[Position]) -> dict[Position, bytes]:
    """Return the hashes of perfect subtrees, with one query; level 0 are the leaves."""
    rows = work.run(_NODES, log, json.dumps(positions)).fetchall()
    return {(level, idx): bytes(hashed) for level, idx, hashed in rows if hashed is not None}
