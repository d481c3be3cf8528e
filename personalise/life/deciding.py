"""Whether programs get decisions from a campaign: it may do no more than that, and be live all the same."""

from typing import Final

import sqlalchemy as sa

from consent.base.database import table_of
from consent.base.store import Work
from consent.ledger.position import position
from personalise import deferrals
from personalise.life.events import Standing
from personalise.runs import log
from personalise.runs.log import Chunk
from personalise.tables import DecisionChunkRow, DeferralRow

_chunk, _deferral = table_of(DecisionChunkRow), table_of(DeferralRow)
_LENGTH: Final = len("dec_") + 32
"""Signs of a chunk's id, of which a decision's begins."""


def last(work: Work, stands: Standing) -> Chunk | None:
    """Return the last decisions that somebody asked a campaign for; None where there are none, or they were stopped.

    What was decided again of a run, or for whoever asked before, is none of them.
    """
    mine = sa.select(_chunk.c.id).where(_chunk.c.campaign == stands.key, _chunk.c.run == "")
    again = sa.select(sa.func.substr(_deferral.c.again, 1, _LENGTH)).where(
        _deferral.c.campaign == stands.key, _deferral.c.state == deferrals.State.DECIDED
    )
    asked = mine.where(_chunk.c.id.not_in(again)).order_by(_chunk.c.log.desc(), _chunk.c.seq.desc()).limit(1)
    found = work.connection.execute(asked).scalar()
    if found is None:
        return None
    chunk = log.read(work, found)
    over = stands.halts.stopped(chunk.about["version"], position(chunk.log, chunk.seq))
    return None if over else chunk
