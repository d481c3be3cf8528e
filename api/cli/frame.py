"""What every command stands on: the house it opens, who sits at the shell, arguments read strictly, its example.

A command declares its action with `@action(...)`, as a route does, and nothing is run that declares none. Its function
returns the exit code, or None for 0.
"""

import os
import pwd
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from typing_extensions import override

from api import erasing, founded
from api.actors.actor import Actor, require, shell
from api.cli import root
from api.roles import action_of
from api.settings import Settings, read_settings
from api.wiring import House, open_house
from consent.base.clock import parse_time
from consent.base.errors import (
    CustomerUnknown,
    Invalid,
    NotAllowed,
    Place,
    RequestInvalid,
    RequestUnfit,
    StatementInvalid,
)
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.register import customers
from consent.register.naming import LONGEST

OK: Final = root.OK
REFUSED: Final = root.REFUSED
UNCHECKED: Final = root.UNCHECKED

NEWEST: Final = 2**31 - 1
"""The largest number of a version that both databases hold."""

_WHOLE_SENTENCE: Final = 200
_F = TypeVar("_F", bound=Callable[..., Any])


class NoDeployment(click.ClickException):
    """There is nothing here that could be asked."""

    exit_code = root.UNCHECKED


class Unready(click.ClickException):
    """What is here can't be worked with yet."""

    exit_code = root.UNCHECKED


class Unknown(click.ClickException):
    """Nobody is called what was typed."""

    exit_code = root.USAGE


class Refused(click.ClickException):
    """It can't be done as things stand; nothing was done."""

    exit_code = root.REFUSED


class Command(click.Command):
    """A command that shows an example, and asks whether who runs it may."""

    def __init__(self, *args: Any, example: str, **more: Any) -> None:  # noqa: ANN401 -- click's own options
        """Keep the example: one line, ready to be run."""
        super().__init__(*args, **more)
        self.example = example

    @override
    def get_short_help_str(self, limit: int = 0) -> str:
        return super().get_short_help_str(_WHOLE_SENTENCE)

    @override
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Example"):
            formatter.write(f"{'':{formatter.current_indent}}{self.example}\n")

    @override
    def invoke(self, ctx: click.Context) -> Any:
        declared = action_of(self.callback)
        if declared is None:
            raise NotAllowed("nobody may: this command doesn't say who may")
        require(caller(), declared)
        try:
            return super().invoke(ctx)
        except (RequestInvalid, RequestUnfit, StatementInvalid) as wrong:
            raise type(wrong)(wrong.detail, places=[Place(self._typed(at), why) for at, why in wrong.places]) from wrong

    def _typed(self, where: str) -> str:
        """Return what is typed for a place that is named as in a request: `--channel` for `/channel`."""
        for each in self.params:
            called = {each.name, *(option.lstrip("-").replace("-", "_") for option in each.opts)}
            if where.partition("/")[2].partition("/")[0] in called:
                return each.opts[-1] if each.param_type_name == "option" else each.human_readable_name.strip("[].")
        return where


class Group(click.Group):
    """Commands about one thing."""

    command_class = Command


class Instant(click.ParamType[datetime]):
    """A time in RFC 3339, which names its zone."""

    name = "time"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return parse_time(value)
        except Invalid as wrong:
            self.fail(wrong.detail, param, ctx)


class Words(click.ParamType[str]):
    """Text in Unicode's composed form, as names and references are kept."""

    def __init__(self, name: str = "text", longest: int = 200) -> None:
        """Keep what it is called in the usage line, and the most characters it may have."""
        self.name = name
        self._longest = longest

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = unicodedata.normalize("NFC", str(value))
        if not text.strip() or len(text) > self._longest:
            self.fail(f"must have 1 to {self._longest:,} characters", param, ctx)
        if not all(sign.isprintable() or sign.isspace() for sign in text) or "\x00" in text:
            self.fail("has a character that is none (a control character, or bytes that are not UTF-8)", param, ctx)
        return text


class File(click.Path):
    """A path as `Path`; an empty one names nothing, where the file system would take it for this folder."""

    def __init__(self) -> None:
        """Take any path: what is needed of it, whoever opens it finds out."""
        super().__init__(path_type=Path)

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value) or "\x00" in str(value):
            self.fail("names no file", param, ctx)
        return super().convert(value, param, ctx)


class Number(click.IntRange):
    """A whole number within bounds."""

    name = "integer"


VERSION: Final = Number(1, NEWEST)
"""A version of what is published under a key."""

VERSION_OR_NONE: Final = Number(0, NEWEST)
"""The same; 0 is none at all."""


CUSTOMERS_DOOR: Final = "/p/l"
"""The page whose button signs a customer in."""

STAFF_DOOR: Final = "/s"
"""The page whose button signs a member of staff in."""

WITHDRAW: Final = "/w"
"""The page whose button withdraws what a link names."""

CUSTOMER: Final = Words("customer", LONGEST)
FILE: Final = File()


def json_option(command: _F) -> _F:
    """Give a command `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")(command)


def as_of_option(command: _F) -> _F:
    """Give a command `--as-of`."""
    asked = click.option(
        "--as-of", "--at", "as_of", type=Instant(), help="A past time (RFC 3339); now, where left out."
    )
    return asked(command)


def customer_argument(command: _F) -> _F:
    """Give a command its customer: the name he has in the company's own system, or his id."""
    return click.argument("customer", type=CUSTOMER)(command)


def caller() -> Actor:
    """Return who sits at the shell, as the machine itself knows him; variables can say anything."""
    number = os.getuid()
    try:
        return shell(pwd.getpwuid(number).pw_name)
    except KeyError:  # a container often runs as a number without a name
        return shell(f"uid{number}")


@contextmanager
def at_home(*, checked: bool = True) -> Iterator[House]:
    """Open the house that the settings name.

    Args:
        checked: hold the database against the list of erasures first; only what looks after the database itself
            leaves that out.

    Raises:
        SettingsInvalid: a setting is wrong, or the keyring can't be used.
        NoDeployment: nothing was founded here.
        RolledBack: an older backup was put in the database's place, and nobody has settled it.
        DatabaseDown, KmsDown: the database or the key management system does not answer.
    """
    settings = read_settings()
    require_founded(settings)
    house = open_house(settings)
    try:
        if checked:
            erasing.check(house)
            house.look_at_witness()
        yield house
    finally:
        house.close()


def require_founded(settings: Settings) -> None:
    """Stop where there is no keyring.

    Raises:
        NoDeployment: nothing was founded here, or its keyring is gone.
        DatabaseDown: whether anything was can't be seen.
    """
    if settings.keyring.exists():
        return
    ledger = founded.ledger_in(settings)
    if ledger:
        raise NoDeployment(founded.keyless(ledger, settings.keyring))
    raise NoDeployment(f"there is no deployment at {settings.home}: run `byleave init`, or set BYLEAVE_HOME")


def found(house: House, work: Work, customer: str, *, as_of: datetime | None = None) -> CustomerId:
    """Return the id of a customer, who is named by his reference or his id; with `as_of`, as whom an id went on then.

    Raises:
        Unknown: nobody enrolled is called that. An id is repeated; a reference, which may be an address, is not.
    """
    try:
        return customers.find(house.deployment.desk, work, customer, as_of=as_of)
    except CustomerUnknown as unknown:
        raise Unknown(f"{unknown}: `byleave import customers` enrols") from unknown


def address(house: House, page: str, token: str) -> str:
    """Return a link to a page: built from the configured base URL, and from nothing else."""
    return f"{house.settings.base_url}{page}/{token}"


def past(given: datetime | None, now: datetime, *, option: str) -> datetime:
    """Return the time that was asked for, or now.

    Raises:
        click.BadParameter: it lies in the future: nobody knows what will have been said then.
    """
    if given is not None and given > now:
        raise click.BadParameter("lies in the future: what will stand then is not known yet", param_hint=option)
    return now if given is None else given
