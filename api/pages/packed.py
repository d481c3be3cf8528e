"""PURE: evidence packs in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from api.pages import present
from consent.audit.packs.about import About, Subject
from consent.audit.packs.shelf import Pack, Stage

KINDS: Final = {
    str(Subject.CUSTOMER): "One customer",
    str(Subject.PERIOD): "A period",
    str(Subject.AUDIT): "One audit",
}
_STAGES: Final[Mapping[Stage, tuple[str, str]]] = {
    Stage.QUEUED: ("running", "Is being made"),
    Stage.READY: ("finished", "Ready"),
    Stage.FAILED: ("stopped", "Could not be made"),
    Stage.EXPIRED: ("never", "No longer kept"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PackLine:
    """A pack, as pages show it."""

    id: str
    about: str
    mark: str
    stage: str
    ready: bool
    opened: str
    detail: str
    asked: str
    asked_by: str
    size: str
    digest: str
    position: str
    kept: str


def line(pack: Pack) -> PackLine:
    """Return a pack in words."""
    mark, stage = _STAGES[pack.stage]
    return PackLine(
        id=pack.id,
        about=about(pack.about),
        mark=mark,
        stage=stage,
        ready=pack.stage is Stage.READY,
        opened=f"What the customer said is opened in it: {pack.about.reason}" if pack.about.personal else "",
        detail=pack.detail,
        asked=present.moment(pack.asked_at),
        asked_by=pack.asked_by,
        size=_bytes(pack.size) if pack.size else "",
        digest=pack.digest.hex(),
        position=present.number(pack.position) if pack.position >= 0 else "",
        kept=present.day(pack.kept_until) if pack.kept_until else "",
    )


def about(told: About) -> str:
    """Return what a pack is about.

    >>> about(About(kind=Subject.AUDIT, audit="aud_1"))
    'Audit aud_1'
    """
    if told.kind is Subject.PERIOD and told.since and told.until:
        return f"{present.moment(told.since)} to {present.moment(told.until)}"
    return f"Customer {told.customer}" if told.kind is Subject.CUSTOMER else f"Audit {told.audit}"


def _bytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB" if size >= 100_000 else f"{size:,} bytes"  # noqa: PLR2004 -- from here on in MB
