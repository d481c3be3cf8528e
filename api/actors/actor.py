"""An actor: who asks, and what he may."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, cast

from flask import g

from api.roles import KeyScope, Role, allows
from consent.base.errors import NotAllowed, NotSignedIn

Kind = Literal["nobody", "key", "customer", "staff", "shell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks."""

    kind: Kind
    subject: str = ""
    """The id of a key or a customer, the name of a member of staff or of a user of the machine."""
    role: Role | None = None
    scopes: frozenset[KeyScope] | None = None
    """What his key is narrowed to; None for people."""
    session: bytes = b""
    """The digest of his session, if he has one."""
    since: datetime | None = None
    """When he signed in; None for keys and for the shell, which are shown each time."""

    @property
    def name(self) -> str:
        """How the ledger calls him: `key:key_…`, `staff:anna`, `customer`.

        >>> Actor(kind="customer", subject="cus_01", role=Role.CUSTOMER).name
        'customer'
        """
        return self.kind if self.kind in ("nobody", "customer") else f"{self.kind}:{self.subject}"

    def may(self, action: str) -> bool:
        """Say whether he may do `action`."""
        return allows(action, role=self.role, scopes=self.scopes, at_shell=self.kind == "shell")


NOBODY: Final = Actor(kind="nobody")


def shell(user: str) -> Actor:
    """Return whoever sits at the machine's own shell, and can open the keyring there."""
    return Actor(kind="shell", subject=user)


class SignInAgain(NotSignedIn):
    """This is done right after signing in, and your sign-in is too old for it. Sign in again, and come back."""

    code = "sign_in_again"
    title = "Please sign in again"


def require_fresh(actor: Actor, *, at: datetime, within: timedelta) -> None:
    """Refuse what takes a fresh sign-in to whoever signed in longer ago: his session may be somebody else's by now.

    Raises:
        SignInAgain: he has to sign in again.
    """
    if actor.since is not None and at - actor.since >= within:
        raise SignInAgain


def require(actor: Actor, action: str) -> None:
    """Refuse an action to whoever may not do it.

    Raises:
        NotSignedIn: nobody known is asking.
        NotAllowed: he is known, and may not.
    """
    if actor.may(action):
        return
    if actor.kind == "nobody":
        raise NotSignedIn
    raise NotAllowed


def welcome(actor: Actor) -> None:
    """Keep the actor for the request that is being answered."""
    g.actor = actor


def current() -> Actor:
    """Return who asks in the request that is being answered; nobody, before anybody was identified."""
    return cast("Actor", g.get("actor", NOBODY))
