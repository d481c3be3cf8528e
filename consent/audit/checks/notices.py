"""The check `notices`: whatever anybody was shown can be shown again, byte by byte, and is what the ledger says."""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

from typing_extensions import override

from consent import notices
from consent.audit import events, times
from consent.audit.events import Event
from consent.audit.findings import Evidence, Finding, Gap, Judged, Reader, Severity, Yielded
from consent.audit.pages import Customer
from consent.base.canonical import b64u
from consent.base.counting import counted
from consent.base.errors import NotFound
from consent.catalogue.model import ASKED, Catalogue
from consent.ledger.entry import Kind
from consent.notices import Published
from consent.permission.statement import GIVING
from consent.register.reopening import Reopened

KEY: Final = "notices"
_GIVING: Final = frozenset(map(str, GIVING))
_MOST_KNOWN: Final = 1 << 12

_Shown = tuple[Any, ...]
"""Of what was shown with a statement all that it takes to judge it: many statements have the same."""


class Notices(Reader):
    """Look up what each customer was shown, and hold every published wording against the entry that tells of it.

    A statement names a version of the notice of each scope: it must have been published in the catalogue in force, and
    whoever agreed must have been shown one, unless his yes comes with evidence from elsewhere and counts for nothing
    until he agrees anew. A wording must hash to what the ledger committed to when it was published, and be the one that
    the catalogue holds.
    """

    def __init__(self, evidence: Evidence) -> None:
        """Read all that was published."""
        self._evidence = evidence
        with evidence.store.read() as work:
            self._published = notices.published(work)
        self._versions = {(each.key, each.version) for each in self._published}
        self._catalogues: dict[int, Catalogue | None] = {}
        self._known: dict[_Shown, str] = {}
        self._unread = 0

    @override
    def customer(self, one: Customer) -> Iterable[Yielded]:
        if one.standing is None:
            self._unread += 1
            return ()
        found: list[Yielded] = []
        count = 0
        for said in one.said:
            if said.kind != Kind.STATEMENT:
                continue
            count += 1
            why = self._why(said)
            if why:
                found.append(_finding(Severity.HIGH, one.id, f"entry {said.seq}: {why}"))
        return (*found, Judged(count)) if count else ()

    def _why(self, said: Reopened) -> str:
        """Say what is wrong with what was shown; statements that were shown the same are judged once."""
        told = said.payload["statement"]
        shown = (
            said.version, told.get("act"), tuple(told.get("scopes", ())), tuple(told.get("notices", ())),
            bool(told.get("evidence")),
        )  # fmt: skip
        why = self._known.get(shown)
        if why is None:
            why = self._judged(*shown[:-1], elsewhere=shown[-1])
            if len(self._known) < _MOST_KNOWN:
                self._known[shown] = why
        return why

    def _judged(
        self, version: int, act: str, scopes: tuple[str, ...], versions: tuple[int, ...], *, elsewhere: bool
    ) -> str:
        catalogue = self._catalogue(version)
        if catalogue is None:
            return f"it was recorded under catalogue {version}, which is not there"
        for scope, shown in zip(scopes, versions or (0,) * len(scopes), strict=True):
            rule = catalogue.scopes.get(scope)
            if rule is None or not rule.notice:
                continue
            if shown and (rule.notice, shown) not in self._versions:
                return f"of {scope} he was shown version {shown} of notice {rule.notice}, which was never published"
            # A yes from elsewhere, whose wording nobody knows, gives nothing where a material one stands: he is asked.
            if not shown and act in _GIVING and rule.legal_basis in ASKED and not (elsewhere and rule.material_since):
                return f"he agreed to {scope} and was shown no notice"
        return ""

    def _catalogue(self, version: int) -> Catalogue | None:
        if version not in self._catalogues:
            try:
                with self._evidence.store.read() as work:
                    self._catalogues[version] = self._evidence.desk.catalogues.version(work, version)
            except NotFound:
                self._catalogues[version] = None
        return self._catalogues[version]

    @override
    def kept(self) -> int:
        return self._unread

    @override
    def join(self, kept: int) -> None:
        self._unread += kept

    @override
    def end(self) -> Iterator[Yielded]:
        if self._unread:
            yield Gap(check=KEY, why=f"what {counted(self._unread, 'customer')} said can't be read")
        told = events.at(self._evidence, [each.position for each in self._published])
        for each in self._published:
            why = _differs(each, told.get(each.position))
            if why:
                yield _finding(Severity.CRITICAL, _named(each.key, each.version, each.language), why)
        yield Judged(len(self._published))
        yield from self._missing()

    def _missing(self) -> Iterator[Yielded]:
        """Look for what was published, by the ledger or by a catalogue, and is not among the published wordings."""
        there = {(each.key, each.version, each.language): each.wording for each in self._published}
        for event in events.events(self._evidence, Kind.NOTICE_PUBLISHED):
            if event.why:
                yield Gap(check=KEY, why=f"what entry {event.position} published can't be read: it {event.why}")
            key, version = event.told.get("notice"), event.told.get("version")
            for language in event.told.get("languages", ()):
                if (key, version, language) not in there:
                    why = f"entry {event.position} published it, and it is not there"
                    yield _finding(Severity.CRITICAL, _named(key, version, language), why)
        with self._evidence.store.read() as work:
            newest = self._evidence.desk.catalogues.current(work)
        for notice in newest.notices.values():
            for language, wording in notice.wording.items():
                if there.get((notice.key, notice.version, language), wording) != wording:
                    why = f"catalogue {newest.version} has other words"
                    yield _finding(Severity.CRITICAL, _named(notice.key, notice.version, language), why)


def _differs(each: Published, event: Event | None) -> str:
    """Say in what a published wording isn't what the ledger says of it; "" if it is."""
    digest = sha256(each.wording.encode()).digest()
    if digest != each.digest:
        return "its words do not hash to its hash"
    if event is None or event.why or event.kind != Kind.NOTICE_PUBLISHED:
        return f"entry {each.position} tells of no notice"
    told: Mapping[str, Any] = event.told
    hashes = dict(zip(told.get("languages", ()), told.get("hashes", ()), strict=False))
    if (told.get("notice"), told.get("version")) != (each.key, each.version):
        return f"entry {each.position} tells of another notice"
    if told.get("material", each.material) != each.material:
        return f"entry {each.position} published it as {'material' if told['material'] else 'minor'}"
    if hashes.get(each.language) != b64u(digest):
        return f"entry {each.position} published other words"
    later = times.differs(each.published_at, event)
    return f"it is said to be published at {later}" if later else ""


def _named(key: object, version: object, language: object) -> str:
    return f"notice {key} {version} {language}"


def _finding(severity: Severity, subject: str, why: str) -> Finding:
    return Finding(check=KEY, severity=severity, subject=subject, why=why)
