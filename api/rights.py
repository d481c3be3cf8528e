"""What customers ask for by right and what is done over all floors, for every face alike."""

from dataclasses import dataclass
from datetime import timedelta

from api import erasing
from api.actors import actor
from api.actors.actor import Actor
from api.wiring import House
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.rights import asked, requests
from consent.rights.asked import How, Outcome, Request, Right
from consent.rights.erasing import Erased, Ground
from consent.rights.requests import Asking


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedOnRequest:
    """An erasure, and the request that it fulfilled."""

    erased: Erased
    request: Request


def require_fresh(house: House, who: Actor) -> None:
    """Refuse what takes a fresh sign-in to whoever signed in too long ago. A key is shown with every call.

    Raises:
        SignInAgain: he has to sign in again.
    """
    within = timedelta(minutes=house.settings.session_fresh_minutes)
    actor.require_fresh(who, at=house.deployment.clock(), within=within)


def erase(
    house: House, customer: CustomerId, *, ground: Ground, by: str, how: How, suppress: bool = False
) -> ErasedOnRequest:
    """Erase a customer because it was asked for: the request stands first, and is closed with the erasure, in one.

    Should the erasure fail, the request stays open, and its deadline runs. One that waits already is the one fulfilled.

    Args:
        house: where.
        customer: who.
        ground: why.
        by: who asks for it to be done.
        how: how it was asked for.
        suppress: leave his addresses alone for good, should they ever come back.

    Raises:
        CustomerUnknown: nobody of that id was ever enrolled.
        ClockBehind, DatabaseDown, KmsDown: it could not be done.
    """
    deployment = house.deployment
    at = deployment.clock()
    with deployment.store.write() as work:
        waiting = (one for one in asked.of_customer(work, customer) if one.is_open and one.kind is Right.ERASURE)
        request = next(waiting, None) or requests.take_in(
            deployment.desk, work, customer, Asking(kind=Right.ERASURE, how=how), actor=by, at=at
        )
    closed: list[Request] = []

    def close(work: Work, _erased: Erased) -> None:
        closed.append(requests.close(deployment.desk, work, request.id, Outcome.FULFILLED, actor=by, at=at))

    erased = erasing.erase(house, customer, ground=ground, actor=by, suppress=suppress, also=close)
    [done] = closed
    return ErasedOnRequest(erased=erased, request=done)
