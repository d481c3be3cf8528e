"""USE CASE: the company's rules about contacts come into force, unless they would mix up what is being measured."""

from datetime import datetime

from consent.base.errors import ContactPolicyInvalid, Place
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.register.desk import Desk
from personalise import shelf
from personalise.contact_policy.changes import Change, changes
from personalise.contact_policy.model import ContactPolicy
from personalise.life import deciding, events


def publish(desk: Desk, work: Work, policy: ContactPolicy, *, actor: str, at: datetime) -> int:
    """Publish a contact policy: the next version, which never changes again; the ledger commits to it.

    Raises:
        ContactPolicyInvalid: it holds out other customers of all campaigns, while one of these is live.
        StateConflict: the newest version has exactly the same bytes.
    """
    shelf.lock(work, "contact-policy")
    _require(work, policy, locked=True)
    return shelf.publish_contact_policy(desk, work, policy, actor=actor, at=at)


def foresee(work: Work, policy: ContactPolicy) -> None:
    """Refuse what publishing would refuse now; nothing is locked or written.

    Raises:
        ContactPolicyInvalid: it holds out other customers of all campaigns, while one of these is live.
    """
    _require(work, policy, locked=False)


def changed(work: Work, catalogue: Catalogue, read: ContactPolicy, *, before: int) -> list[Change] | None:
    """Return what a policy changes in an earlier version (0: none at all); None where that one no longer fits.

    Raises:
        ContactPolicyUnknown: there is no such version.
    """
    try:
        return changes(shelf.load_contact_policy(work, catalogue, version=before), read)
    except ContactPolicyInvalid:
        return None


def untold(policy: ContactPolicy, catalogue: Catalogue) -> list[Place]:
    """Return by which attributes campaigns of some purpose can't tell where a customer is: nobody may permit it."""
    zones, known, scopes = policy.zones, catalogue.attributes, catalogue.scopes
    told = {"zone": zones.zone, "address": zones.address, "telephone": zones.telephone, "country": zones.country}
    found = []
    for key, name in told.items():
        category = known[name].category if name in known else ""
        reaching = [each for each in catalogue.purposes if any(_reaches(scope, each) for scope in scopes)]
        without = [each for each in reaching if category and f"use:{category}:{each}" not in scopes]
        if without:
            those = ", ".join(without)
            why = f"{name} tells nothing to campaigns for {those}: the catalogue has no use:{category} for that"
            found.append(Place(f"zones.{key}", why))
    return found


def _reaches(scope: str, purpose: str) -> bool:
    return scope.startswith("contact:") and scope.endswith(f":{purpose}")


def _require(work: Work, policy: ContactPolicy, *, locked: bool) -> None:
    before = shelf.company_holdout(work)
    names = [name for name in ("share", "salt") if getattr(before, name) != getattr(policy.holdout, name)]
    live = _live(work, locked=locked) if names else ""
    if live:
        why = f"can't change while {live}"
        raise ContactPolicyInvalid(places=[Place(f"holdout.{name}", why) for name in names])


def _live(work: Work, *, locked: bool) -> str:
    """Return which version of a campaign is live, in words; "" where none is. Locked, none becomes so until the end."""
    for key, _, _ in shelf.keys(work):
        if locked:
            shelf.lock(work, key)
        stands = events.standing(work, key)
        if stands.live is not None:
            return f"version {stands.live.version} of {key} is {stands.live.state}: end or stop it first"
        made = deciding.last(work, stands)
        if made is not None:
            return f"version {made.about['version']} of {key} decides about whoever asks: stop it first"
    return ""
