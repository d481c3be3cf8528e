"""Keys, links and sessions in the store, on both databases; what they open is tested with the faces."""

import pytest

from api.actors import keys, links, sessions
from api.actors.actor import NOBODY
from api.roles import KeyScope, Role
from api.settings import Settings
from consent.base.errors import NotSignedIn

SETTINGS = Settings()


def test_a_key_is_known_until_it_is_revoked(world):
    with world.store.write() as work:
        made = keys.make(work, "a shop", scopes=[KeyScope.CONSENT_READ], at=world.clock())
        other = keys.make(work, "a till", scopes=[], at=world.clock(), role=Role.AGENT)
    known = keys.bearer(world.store, f"Bearer {made.token}", at=world.clock())

    assert (known.name, known.role, known.scopes) == (
        f"key:{made.id}", Role.INTEGRATOR, frozenset({KeyScope.CONSENT_READ}),
    )  # fmt: skip
    with world.store.write() as work:
        keys.revoke(work, made.id, at=world.clock())
        listed = {each.id: (each.name, each.last_used_at, each.revoked_at) for each in keys.listed(work)}
    assert listed == {made.id: ("a shop", world.clock(), world.clock()), other.id: ("a till", None, None)}
    with pytest.raises(NotSignedIn):
        keys.bearer(world.store, f"Bearer {made.token}", at=world.clock())


def test_a_link_is_taken_once_and_begins_a_session_that_ends(world):
    with world.store.write() as work:
        token = links.for_customer(work, world.ann, at=world.clock())
    with world.store.write() as work:
        cookie = sessions.start(work, links.taken(work, token, at=world.clock()), at=world.clock(), settings=SETTINGS)
    with world.store.write() as work, pytest.raises(links.LinkSpent):
        links.taken(work, token, at=world.clock())

    def visitor():
        return sessions.visitor(world.store, cookie, at=world.clock(), settings=SETTINGS)

    world.clock.advance(minutes=20)
    known = visitor()
    world.clock.advance(minutes=20)
    assert (known.kind, known.subject, known.role, visitor()) == ("customer", world.ann, Role.CUSTOMER, known)
    with world.store.write() as work:
        sessions.end(work, known, at=world.clock())
    assert visitor() == NOBODY
