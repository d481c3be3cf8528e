"""`byleave key` and `byleave user`: programs that call the API, and people who work with this deployment."""

from datetime import datetime

import click

from api.actors import keys, links
from api.cli.frame import STAFF_DOOR, Group, Instant, Words, address, at_home, json_option
from api.cli.output import print_facts, print_json, print_line, print_table, say
from api.roles import KEYED, STAFF, KeyScope, Role, action, opens
from consent.base.store import Work

_NAME = Words("name")


@click.group(cls=Group)
def key() -> None:
    """Keys of programs that call the API."""


@key.command(example="byleave key create webshop --scope consent:read --scope consent:write")
@click.argument("name", type=_NAME)
@click.option(
    "--scope", "scopes", type=click.Choice([each.value for each in KeyScope]), multiple=True, required=True,
    help="What it is for; can be given more than once.",
)  # fmt: skip
@click.option(
    "--role", type=click.Choice([role.value for role in KEYED]), default=Role.INTEGRATOR.value, show_default=True,
    help="In whose place it acts: some things only an officer or an approver may do.",
)  # fmt: skip
@click.option("--expires", type=Instant(), help="When it ends; never, where left out.")
@json_option
@action("keys.make")
def create(name: str, scopes: tuple[str, ...], role: str, expires: datetime | None, *, as_json: bool) -> None:
    """Make a key for a program. It is shown this once: only its digest is kept."""
    idle = [scope for scope in dict.fromkeys(scopes) if not opens(Role(role), KeyScope(scope))]
    if idle:
        raise click.BadParameter(f"opens nothing for {role}: {', '.join(idle)}", param_hint="--scope")
    with at_home() as house:
        deployment = house.deployment
        at = deployment.clock()
        if expires is not None and expires <= at:
            raise click.BadParameter("lies in the past: the key would never be good", param_hint="--expires")
        asked = [KeyScope(scope) for scope in scopes]
        with deployment.store.write() as work:
            made = keys.make(work, name, scopes=asked, role=Role(role), at=at, expires_at=expires)
    if as_json:
        told = {"id": made.id, "name": name, "role": role, "scopes": sorted(set(scopes)), "expires_at": expires}
        print_json({**told, "key": made.token})
        return
    say(f"{made.id} for {name}. Send it as `Authorization: Bearer …`; it is not shown again:")
    print_line(made.token)


@key.command("list", example="byleave key list")
@json_option
@action("keys.make")
def list_(*, as_json: bool) -> None:
    """List all keys, revoked ones too: who they are for, and when they were last used."""
    with at_home() as house, house.deployment.store.read() as work:
        listed = keys.listed(work)
    if as_json:
        data = [
            {
                "id": each.id, "prefix": each.prefix, "name": each.name, "role": each.role, "scopes": list(each.scopes),
                "created_at": each.created_at, "expires_at": each.expires_at, "revoked_at": each.revoked_at,
                "last_used_at": each.last_used_at,
            }
            for each in listed
        ]  # fmt: skip
        print_json({"data": data, "next_cursor": None})
        return
    print_table(
        ("key", "for", "as", "scopes", "made", "expires", "revoked", "last used"),
        [
            (
                each.id,
                each.name,
                each.role,
                each.scopes,
                each.created_at,
                each.expires_at,
                each.revoked_at,
                each.last_used_at,
            )
            for each in listed
        ],
        empty="There is no key yet: make one with `byleave key create NAME --scope SCOPE`.",
    )


@key.command(example="byleave key revoke webshop")
@click.argument("name", type=_NAME)
@json_option
@action("keys.make")
def revoke(name: str, *, as_json: bool) -> None:
    """Take a key out of use, for ever: by its id, or by whom it is for."""
    with at_home() as house:
        deployment = house.deployment
        at = deployment.clock()
        with deployment.store.write() as work:
            number = _in_use(work, name)
            keys.revoke(work, number, at=at)
    if as_json:
        print_json({"id": number, "revoked_at": at})
    else:
        print_line(f"{number} opens nothing any more.")


def _in_use(work: Work, name: str) -> str:
    named = [each for each in keys.listed(work) if name in (each.id, each.name) and each.revoked_at is None]
    if len(named) > 1:
        raise click.BadParameter(f"{len(named)} keys in use are for {name}: give the id", param_hint="NAME")
    return named[0].id if named else name


@click.group(cls=Group)
def user() -> None:
    """People who work with this deployment."""


@user.command(example="byleave user invite anna --role officer")
@click.argument("name", type=_NAME)
@click.option(
    "--role", type=click.Choice(sorted(role.value for role in STAFF)), required=True, help="What he is here."
)  # fmt: skip
@json_option
@action("staff.invite")
def invite(name: str, role: str, *, as_json: bool) -> None:
    """Make a link that signs a member of staff in, once, within ten minutes."""
    with at_home() as house:
        deployment = house.deployment
        at = deployment.clock()
        with deployment.store.write() as work:
            token = links.for_staff(work, name, Role(role), at=at)
        link = address(house, STAFF_DOOR, token)
    if as_json:
        answer = {"name": name, "role": role, "link": link, "expires_at": at + links.GOOD_FOR}
        print_json(answer)
        return
    print_facts({"for": name, "as": role, "good until": at + links.GOOD_FOR})
    print_line(link)
