"""`/api/v1/customers/{id}/wishes`: how often and when a customer wants to be contacted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from flask import Blueprint, Response

from api.actors import actor
from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body, if_match, no_query
from api.rest.shapes import CUSTOMER, Form, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent.base.errors import CustomerUnknown, Place, RequestUnfit, WishInvalid
from consent.base.ids import CustomerId, is_id
from consent.base.store import Work
from consent.register import customers
from personalise import wishes
from personalise.wishes import ANY, LONGEST_DAYS, MOST, Limit, Quiet, Wishes, clock

KEY: Final = r"^[a-z][a-z0-9_-]{0,62}$"
CLOCK: Final = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
_LIMITS: Final = 100

blueprint: Final = Blueprint("wishes", __name__, url_prefix="/api/v1")


class ContactLimitForm(Form):
    """At most so many contacts in so many days; on a channel, or (null) on all together."""

    channel = Text(1, 63, KEY, "is not a channel's key", required=True, allow_none=True)
    most = Whole(0, MOST, required=True)
    days = Whole(1, LONGEST_DAYS, required=True)


class QuietHoursForm(Form):
    """From one time of the day until another, by his own clock, every day; it may go on past midnight."""

    from_ = Text(5, 5, CLOCK, "is not a time like 22:00", required=True, data_key="from")
    until = Text(5, 5, CLOCK, "is not a time like 22:00", required=True)
    zone = Text(
        1, 64, allow_none=True,
        metadata={"description": "by whose clock, such as Europe/Paris; left out, by that of wherever he may be, and "
                                 "where nothing tells that, it is always quiet"},
    )  # fmt: skip


class WishesForm(Form):
    """All that a customer wishes."""

    limits = Items(Part(ContactLimitForm), 0, _LIMITS, required=True)
    quiet = Part(QuietHoursForm, required=True, allow_none=True)


class CustomerWishesForm(WishesForm):
    """What a customer wishes, and the ledger entry that says that he has just changed it."""

    customer = Text(36, 36, CUSTOMER, required=True)
    position = Whole(
        0, LARGEST, required=True, allow_none=True, metadata={"description": "null where nothing was changed"}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """Wishes as they came in."""

    limits: list[dict[str, Any]]
    quiet: dict[str, str | None] | None

    def read(self) -> Wishes:
        """Return the wishes.

        Raises:
            RequestUnfit: a channel stands twice.
        """
        limits: dict[str, Limit] = {}
        for spot, each in enumerate(self.limits):
            key = each["channel"] or ANY
            if key in limits:
                raise RequestUnfit(places=[Place(f"/limits/{spot}/channel", "stands twice")])
            limits[key] = Limit(each["most"], each["days"])
        hours = None
        if self.quiet:
            start, end, zone = (self.quiet.get(name) or "" for name in ("from_", "until", "zone"))
            hours = Quiet(_minute(start), _minute(end), zone)
        return Wishes(limits=MappingProxyType(limits), quiet=hours)

    def pointed(self, wrong: Iterable[Place]) -> Iterator[Place]:
        """Walk what is wrong with the wishes, each with a pointer to where they were wished."""
        spots = {each["channel"] or ANY: spot for spot, each in enumerate(self.limits)}
        for where, why in wrong:
            part, _, channel = where.partition(".")
            yield Place(f"/{part}/{spots[channel]}" if channel in spots else f"/{part}", why)


WISHED: Final = Shape(WishesForm, Wished)


@blueprint.get("/customers/<customer>/wishes")
@action("wishes.show")
@contract(
    Contract(
        summary="Show how often and when a customer wants to be contacted", answer=CustomerWishesForm, errors=(404,)
    )
)
def show(customer: str) -> Response:
    """Show all that he wishes; its ETag is what changing it asks for."""
    no_query()
    with here().deployment.store.read() as work:
        who = _found(work, customer)
        stands = wishes.of(wishes.read(work, [who]), who)
    return _told(who, stands, None)


@blueprint.put("/customers/<customer>/wishes")
@action("wishes.change")
@contract(
    Contract(
        summary="Keep how often and when a customer wants to be contacted",
        body=WishesForm,
        answer=CustomerWishesForm,
        if_match=True,
        errors=(404, 409),
    )
)
def put(customer: str) -> Response:
    """Keep all of it, in place of what he wished before: it holds for the next decision."""
    tag, wished = if_match(), body(WISHED)
    try:
        return _changed(customer, wished.read(), tag)
    except WishInvalid as wrong:
        raise WishInvalid(wrong.detail, places=[*wished.pointed(wrong.places)]) from wrong


@blueprint.delete("/customers/<customer>/wishes")
@action("wishes.change")
@contract(
    Contract(
        summary="Remove how often and when a customer wanted to be contacted",
        answer=CustomerWishesForm,
        if_match=True,
        errors=(404, 409),
    )
)
def delete(customer: str) -> Response:
    """Remove all that he wished: from then on the company's own rules hold for him alone."""
    no_query()
    return _changed(customer, wishes.NONE, if_match())


def _found(work: Work, customer: str) -> CustomerId:
    """Return who an id belongs to: an id that he gave up is his, too.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
    """
    if not is_id(customer, "cus"):
        raise CustomerUnknown
    return customers.find(here().deployment.desk, work, customer)


def _changed(customer: str, wanted: Wishes, tag: str) -> Response:
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.write() as work:
        who = _found(work, customer)
        done = wishes.change(deployment.desk, work, who, wanted, actor=actor.current().name, at=at, tag=tag)
    return _told(who, done.now, done.position)


def _told(who: CustomerId, stands: Wishes, position: int | None) -> Response:
    limits = [
        {"channel": None if key == ANY else key, "most": limit.most, "days": limit.days}
        for key, limit in sorted(stands.limits.items())
    ]
    hours, quiet = stands.quiet, None
    if hours:
        quiet = {"from_": clock(hours.start), "until": clock(hours.end), "zone": hours.zone or None}
    told = {"customer": who, "limits": limits, "quiet": quiet, "position": position}
    return answer(CustomerWishesForm, told, headers={"ETag": f'"{stands.tag}"'})


def _minute(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
