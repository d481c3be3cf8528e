"""Erasing in tests: as the faces do it, but on a world that has no house around it."""

from typing import Any

from api.erasing import ERASERS
from consent.base.ids import CustomerId
from consent.register import suppressing
from consent.register.suppressing import Changed
from consent.rights import erasing, settling, verifying_erasure
from consent.rights.erasing import Erased, Ground
from consent.rights.erasure_list import Event
from consent.rights.settling import Settled
from consent.rights.verifying_erasure import Verified
from tests.world import World


def erase(world: World, customer: CustomerId, **how: Any) -> Erased:
    """Erase a customer."""
    deployment = world.deployment
    with world.store.write() as work:
        done = erasing.erase(
            deployment.desk, work, customer,
            **{"listed": deployment.erasures, "besides": ERASERS, "ground": Ground.WITHDRAWN, "actor": world.cy,
               "at": world.clock(), **how},
        )  # fmt: skip
    world.store.drop_journal()
    erasing.confirm(deployment.erasures, done)
    return done


def verify(world: World) -> Verified:
    """Prove what waits for its proof."""
    return verifying_erasure.verify(world.deployment.desk, world.store, besides=ERASERS, at=world.clock())


def check(world: World) -> None:
    """Hold the database against the list of erasures, as whoever opens a house does."""
    settling.check(world.deployment.desk, world.store, world.deployment.erasures, at=world.clock())


def settle(world: World) -> Settled:
    """Settle a database that was brought back."""
    deployment = world.deployment
    return settling.settle(deployment.desk, world.store, deployment.erasures, besides=ERASERS, at=world.clock())


def suppress(world: World, address: str, *, kind: str = "email") -> Changed:
    """Leave an address alone."""
    with world.store.write() as work:
        done = suppressing.suppress(world.deployment.desk, work, kind, address, actor=world.cy, at=world.clock())
        if done.changed:
            world.deployment.erasures.note([(Event.SUPPRESSED, done.subject, done.position)], at=world.clock())
    return done


def lift(world: World, address: str, *, kind: str = "email") -> Changed:
    """Take an address off the list."""
    with world.store.write() as work:
        done = suppressing.lift(world.deployment.desk, work, kind, address, actor=world.cy, at=world.clock())
    world.deployment.erasures.note([(Event.LIFTED, done.subject, done.position)], at=world.clock())
    return done
