"""USE CASE: the company's rules about contacts come into force, unless they would mix up what is being measured."""

from datetime import datetime

from consent.base.errors import ContactPolicyInvalid, Place
from consent.base.store import Work
from consent.register.desk import Desk
from personalise import shelf
from personalise.contact_policy.model import ContactPolicy
from personalise.life import events


def publish(desk: Desk, work: Work, policy: ContactPolicy, *, actor: str, at: datetime) -> int:
    """Publish a contact policy: the next version, which never changes again; the ledger commits to it.

    Raises:
        ContactPolicyInvalid: it holds out other customers of all campaigns, while one of these is live.
        StateConflict: the newest version has exactly the same bytes.
    """
    shelf.lock(work, "contact-policy")
    before = shelf.company_holdout(work)
    names = [name for name in ("share", "salt") if getattr(before, name) != getattr(policy.holdout, name)]
    live = _live(work) if names else ""
    if live:
        why = f"can't change while {live}: end or stop it first"
        raise ContactPolicyInvalid(places=[Place(f"holdout.{name}", why) for name in names])
    return shelf.publish_contact_policy(desk, work, policy, actor=actor, at=at)


def _live(work: Work) -> str:
    """Return which version of a campaign is live, in words; "" where none is. Until the end, none becomes so."""
    for key, _, _ in shelf.keys(work):
        shelf.lock(work, key)
        live = events.standing(work, key).live
        if live is not None:
            return f"version {live.version} of {key} is {live.state}"
    return ""
