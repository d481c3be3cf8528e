"""Parcels: bytes that are kept for somebody to fetch, sealed under the data key of whom they are about.

Whoever is erased takes his key along: what was packed about him before can't be opened any more.
"""

from typing import Final

from consent.base.store import Work
from consent.register.desk import Desk
from consent.vault import seal

_USE: Final = "parcel/v1"


def sealed(desk: Desk, work: Work, owner: str, data: bytes, *, place: str) -> bytes:
    """Seal bytes for the place that they will stand in.

    Raises:
        KeyLost: the owner's data key is gone: he was erased.
    """
    return seal.seal(desk.data_key(work, owner), _USE, data, bound=_bound(owner, place))


def opened(desk: Desk, work: Work, owner: str, sealed_bytes: bytes, *, place: str) -> bytes:
    """Open what `sealed` made.

    Raises:
        KeyLost: the owner's data key is gone, or the bytes are not those of this place.
    """
    return seal.unseal(desk.data_key(work, owner), _USE, sealed_bytes, bound=_bound(owner, place))


def _bound(owner: str, place: str) -> str:
    return f"byleave/parcel/v1\x00{owner}\x00{place}"
