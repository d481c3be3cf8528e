"""The check `witness`: somebody else remembers the ledger, and remembers it as it is."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa

from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.clock import rfc3339
from consent.base.database import table_of
from consent.base.store import Work
from consent.ledger import held
from consent.register import alarms
from consent.tables import CosignatureRow, LedgerCheckpointRow

KEY: Final = "witness"
WITHIN: Final = timedelta(hours=1)
"""How long a checkpoint may go without its witness's signature."""
_UNHEARD: Final = (
    "the settings name a witness, and no checkpoint here bears its signature: it never signed one, or what it signed "
    "was deleted; let it sign the newest anew (`byleave ledger cosign`), which it refuses where the ledger lost entries"
)

_signed: Final = table_of(LedgerCheckpointRow)
_cosigned: Final = table_of(CosignatureRow)


def witness(evidence: Evidence) -> Iterator[Yielded]:
    """Look for what the witness contradicts, and for checkpoints that it has not signed for too long.

    The witness keeps its own memory of the log: a log that lost entries, or that goes on from others, is one that it
    refuses. That a checkpoint was cosigned and says something else now, the check `checkpoints` finds. Where the
    settings name a witness and nothing here bears its signature, nothing was judged: that is a gap. Where they name
    none, there is nobody to ask; then only whoever keeps a checkpoint can show that the log was rolled back.
    """
    with evidence.store.read() as work:
        standing = alarms.standing(work)
        heard = work.connection.execute(sa.select(sa.func.count()).select_from(_cosigned)).scalar_one()
        waiting = _uncosigned(work) if heard or alarms.newest(work, most=1) else None
    for alarm in standing:
        severity = Severity.CRITICAL if alarm.kind in held.HOLDING else Severity.HIGH
        why = f"since {rfc3339(alarm.noticed_at)}: {alarm.why}"
        yield Finding(check=KEY, severity=severity, subject=f"{alarm.kind} {alarm.log}", why=why)
    if waiting is not None and evidence.at - waiting.signed_at > WITHIN:
        why = f"the checkpoint at size {waiting.size} waits for its witness since {rfc3339(waiting.signed_at)}"
        yield Finding(check=KEY, severity=Severity.HIGH, subject=f"uncosigned {waiting.log}", why=why)
    if evidence.witnessed and not heard:
        yield Gap(check=KEY, why=_UNHEARD)
    yield Judged(heard)


def _uncosigned(work: Work) -> Any:  # noqa: ANN401 -- a Core row
    """Return the oldest checkpoint behind the last one that the witness signed; None where it signed the newest."""
    last = (
        sa.select(_cosigned.c.log, _cosigned.c.size)
        .order_by(_cosigned.c.log.desc(), _cosigned.c.size.desc())
        .limit(1)
        .subquery()
    )
    behind = sa.or_(
        ~sa.exists().select_from(last),
        sa.tuple_(_signed.c.log, _signed.c.size)
        > sa.tuple_(sa.select(last.c.log).scalar_subquery(), sa.select(last.c.size).scalar_subquery()),
    )
    query = sa.select(_signed.c.log, _signed.c.size, _signed.c.signed_at).where(behind)
    return work.connection.execute(query.order_by(_signed.c.log, _signed.c.size).limit(1)).first()
