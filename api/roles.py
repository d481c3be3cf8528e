"""Who may do what: the one table, and how routes, pages and commands point into it.

Each of them names its action with `@action(...)`; the name is looked up when the module is loaded, so a name that
isn't here doesn't start. `undeclared` finds the ones that name none, and `api.app` refuses to serve those.

Duties are separated: who writes a campaign doesn't approve it, who runs an audit doesn't run campaigns, and `admin`
looks after people and keys, not after what customers said.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

import click
from flask import Flask


class Role(StrEnum):
    """What somebody is here."""

    CUSTOMER = "customer"
    MARKETER = "marketer"
    APPROVER = "approver"
    OFFICER = "officer"
    AGENT = "agent"
    INTEGRATOR = "integrator"
    ADMIN = "admin"


class KeyScope(StrEnum):
    """What an API key is narrowed to, whatever its role may."""

    CONSENT_READ = "consent:read"
    CONSENT_WRITE = "consent:write"
    DECISIONS_WRITE = "decisions:write"
    LEDGER_READ = "ledger:read"
    CAMPAIGNS_RUN = "campaigns:run"
    RESULTS_READ = "results:read"
    AUDITS_RUN = "audits:run"
    RIGHTS_READ = "rights:read"
    RIGHTS_WRITE = "rights:write"


STAFF: Final = frozenset(Role) - {Role.CUSTOMER, Role.INTEGRATOR}
"""The roles of people who sign in by invitation."""


KEYED: Final = tuple(sorted(frozenset(Role) - {Role.CUSTOMER, Role.ADMIN}))
"""In whose place a program can act by a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who may: some roles (with a key: one that has this scope too), the machine's own shell, or everybody."""

    roles: frozenset[Role] = frozenset()
    scope: KeyScope | None = None
    """What an API key must be made for; without one, no key may."""
    shell: bool = True
    """Whoever can open the keyring file, on the command line. He is not stopped by a role: he could open it anyway."""
    public: bool = False


def _who(*roles: Role, scope: KeyScope | None = None, shell: bool = True) -> Who:
    return Who(roles=frozenset(roles), scope=scope, shell=shell)


_EVERYBODY: Final = Who(public=True)
_SHELL: Final = Who()

ACTIONS: Final[Mapping[str, Who]] = {
    # Everybody, without saying who he is.
    "health.show": _EVERYBODY,
    "openapi.show": _EVERYBODY,
    "problem.show": _EVERYBODY,
    "files.fetch": _EVERYBODY,
    "ledger.checkpoint": _EVERYBODY,
    "start.show": _EVERYBODY,
    "session.enter": _EVERYBODY,
    "link.withdraw": _EVERYBODY,
    "link.confirm": _EVERYBODY,
    "gpc.show": _EVERYBODY,
    "receipts.verify": _EVERYBODY,
    # What customers allow.
    "statements.record": _who(Role.AGENT, Role.INTEGRATOR, scope=KeyScope.CONSENT_WRITE),
    "permissions.check": _who(Role.AGENT, Role.INTEGRATOR, Role.OFFICER, scope=KeyScope.CONSENT_READ),
    "permissions.show": _who(Role.AGENT, Role.INTEGRATOR, Role.OFFICER, scope=KeyScope.CONSENT_READ),
    "receipts.show": _who(Role.AGENT, Role.INTEGRATOR, Role.OFFICER, scope=KeyScope.CONSENT_READ),
    "customers.enrol": _who(Role.AGENT, Role.INTEGRATOR, scope=KeyScope.CONSENT_WRITE),
    "households.change": _who(Role.AGENT, Role.INTEGRATOR, scope=KeyScope.CONSENT_WRITE),
    "imports.send": _who(Role.INTEGRATOR, scope=KeyScope.CONSENT_WRITE),
    "wishes.show": _who(Role.AGENT, Role.INTEGRATOR, Role.OFFICER, scope=KeyScope.CONSENT_READ),
    "wishes.change": _who(Role.AGENT, Role.INTEGRATOR, scope=KeyScope.CONSENT_WRITE),
    "goodwill.show": _who(Role.AGENT, Role.INTEGRATOR, Role.OFFICER, scope=KeyScope.CONSENT_READ),
    "customers.show": _who(Role.AGENT, Role.OFFICER),
    "customers.link": _SHELL,
    "customers.merge": _who(Role.OFFICER),
    "catalogue.show": _who(*STAFF, Role.INTEGRATOR, scope=KeyScope.CONSENT_READ),
    "catalogue.publish": _who(Role.OFFICER),
    # What a customer does for himself.
    "choices.show": _who(Role.CUSTOMER, shell=False),
    "choices.save": _who(Role.CUSTOMER, shell=False),
    "own_wishes.show": _who(Role.CUSTOMER, shell=False),
    "own_wishes.change": _who(Role.CUSTOMER, shell=False),
    "own_dealings.show": _who(Role.CUSTOMER, shell=False),
    # Deciding.
    "decisions.make": _who(Role.AGENT, Role.INTEGRATOR, scope=KeyScope.DECISIONS_WRITE),
    "decisions.show": _who(Role.AGENT, Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.DECISIONS_WRITE),
    "decisions.simulate": _who(Role.MARKETER, Role.APPROVER, Role.INTEGRATOR, scope=KeyScope.CAMPAIGNS_RUN),
    "decisions.replay": _who(Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.AUDITS_RUN),
    "campaigns.show": _who(Role.MARKETER, Role.APPROVER, Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.CAMPAIGNS_RUN),
    "campaigns.publish": _who(Role.MARKETER, scope=KeyScope.CAMPAIGNS_RUN),
    "campaigns.dry_run": _who(Role.MARKETER, Role.APPROVER, Role.INTEGRATOR, scope=KeyScope.CAMPAIGNS_RUN),
    "campaigns.check": _who(Role.MARKETER, Role.APPROVER, Role.INTEGRATOR, scope=KeyScope.CAMPAIGNS_RUN),
    "campaigns.approve": _who(Role.APPROVER, scope=KeyScope.CAMPAIGNS_RUN),
    "contact_policy.show": _who(
        Role.MARKETER, Role.APPROVER, Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.CAMPAIGNS_RUN
    ),
    "contact_policy.publish": _who(Role.APPROVER, scope=KeyScope.CAMPAIGNS_RUN),
    "campaigns.learn": _who(Role.MARKETER),
    "campaigns.run": _who(Role.APPROVER, Role.INTEGRATOR, scope=KeyScope.CAMPAIGNS_RUN),
    "campaigns.measure": _who(Role.MARKETER, Role.APPROVER, Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.RESULTS_READ),
    "outcomes.record": _who(Role.AGENT, Role.INTEGRATOR, scope=KeyScope.DECISIONS_WRITE),
    "goodwill.report": _who(Role.AGENT, Role.INTEGRATOR, scope=KeyScope.DECISIONS_WRITE),
    # Proving.
    "ledger.show": _who(Role.INTEGRATOR, Role.OFFICER, scope=KeyScope.LEDGER_READ),
    "ledger.prove": _who(Role.INTEGRATOR, Role.OFFICER, scope=KeyScope.LEDGER_READ),
    "ledger.verify": _who(Role.OFFICER),
    "ledger.sign": _SHELL,
    "ledger.tiles": _EVERYBODY,
    "ledger.export": _SHELL,
    "ledger.seal": _SHELL,
    "ledger.rotate": _SHELL,
    "ledger.snapshot": _SHELL,
    "ledger.cosign": _SHELL,
    "ledger.alarms": _who(Role.OFFICER),
    "ledger.settle": _who(Role.OFFICER),
    "witness.run": _SHELL,
    "audits.show": _who(Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.AUDITS_RUN),
    "audits.run": _who(Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.AUDITS_RUN),
    "audits.schedule": _who(Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.AUDITS_RUN),
    "findings.show": _who(Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.AUDITS_RUN),
    "findings.change": _who(Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.AUDITS_RUN),
    "packs.show": _who(Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.AUDITS_RUN),
    "packs.make": _who(Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.AUDITS_RUN),
    "packs.open": _who(Role.OFFICER),
    "packs.verify": _EVERYBODY,
    # What customers ask for by right.
    "remembered.show": _who(Role.CUSTOMER, shell=False),
    "remembered.change": _who(Role.CUSTOMER, shell=False),
    "rights.ask": _who(Role.CUSTOMER, shell=False),
    "requests.show": _who(Role.AGENT, Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.RIGHTS_READ),
    "requests.open": _who(Role.AGENT, Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.RIGHTS_WRITE),
    "requests.answer": _who(Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.RIGHTS_WRITE),
    "customers.export": _who(Role.AGENT, Role.OFFICER, scope=KeyScope.RIGHTS_READ),
    "customers.correct": _who(Role.AGENT, Role.OFFICER, scope=KeyScope.RIGHTS_WRITE),
    "customers.erase": _who(Role.OFFICER, scope=KeyScope.RIGHTS_WRITE),
    "customers.file": _who(Role.OFFICER),
    "processing.show": _who(Role.OFFICER),
    "uses.show": _who(Role.OFFICER),
    "suppressions.show": _who(Role.AGENT, Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.CONSENT_READ),
    "suppressions.add": _who(Role.AGENT, Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.CONSENT_WRITE),
    "suppressions.lift": _who(Role.OFFICER, Role.INTEGRATOR, scope=KeyScope.RIGHTS_WRITE),
    # The house itself.
    "session.leave": _who(*STAFF, Role.CUSTOMER, shell=False),
    "console.show": _who(*STAFF),
    "keys.make": _who(Role.ADMIN),
    "staff.invite": _who(Role.ADMIN),
    "imports.make": _SHELL,
    "house.found": _SHELL,
    "house.serve": _SHELL,
    "house.check": _SHELL,
    "house.backup": _SHELL,
    "house.restore": _SHELL,
    "house.grant": _SHELL,
    "vault.show": _SHELL,
    "vault.rotate": _SHELL,
    "vault.destroy": _SHELL,
    "demo.run": _SHELL,
}
"""Action → who may. Nothing else in the project decides that."""

_View = TypeVar("_View", bound=Callable[..., Any])


def action(name: str) -> Callable[[_View], _View]:
    """Declare what a route, page or command does.

    Raises:
        KeyError: `ACTIONS` has no such action.
    """
    if name not in ACTIONS:
        raise KeyError(name)

    def declare(view: _View) -> _View:
        view.action = name  # type: ignore[attr-defined]  # functions take attributes; click and Flask keep them
        return view

    return declare


def action_of(view: object) -> str | None:
    """Return the declared action of a view or a command's callback; None where it declares none."""
    name = getattr(view, "action", None)
    return name if isinstance(name, str) and name in ACTIONS else None


def allows(name: str, *, role: Role | None, scopes: frozenset[KeyScope] | None = None, at_shell: bool = False) -> bool:
    """Say whether somebody may do `name`.

    Args:
        name: an action of the table.
        role: his role, if he has one.
        scopes: what his API key is narrowed to; None for a person's session.
        at_shell: he sits at the machine's own shell.

    >>> allows("statements.record", role=Role.INTEGRATOR, scopes=frozenset({KeyScope.CONSENT_WRITE}))
    True
    >>> allows("statements.record", role=Role.INTEGRATOR, scopes=frozenset({KeyScope.CONSENT_READ}))
    False
    >>> allows("choices.show", role=Role.ADMIN), allows("choices.show", role=None, at_shell=True)
    (False, False)
    """
    who = ACTIONS[name]
    if who.public or (at_shell and who.shell):
        return True
    if role not in who.roles:
        return False
    return scopes is None or who.scope in scopes


def opens(role: Role, scope: KeyScope) -> bool:
    """Say whether a key that acts as `role` may do anything by being made for `scope`.

    >>> opens(Role.INTEGRATOR, KeyScope.CONSENT_READ), opens(Role.MARKETER, KeyScope.AUDITS_RUN)
    (True, False)
    """
    return any(who.scope == scope and role in who.roles for who in ACTIONS.values())


def undeclared(app: Flask | None = None, cli: click.Command | None = None) -> list[str]:
    """Return every route, page and command that doesn't say who may, by name."""
    found = [] if app is None else [name for name, view in app.view_functions.items() if action_of(view) is None]
    found += [] if cli is None else [path for path, command in _commands(cli) if action_of(command.callback) is None]
    return sorted(found)


def _commands(command: click.Command, above: Iterable[str] = ()) -> Iterator[tuple[str, click.Command]]:
    """Walk the commands that do something; a group only leads to them."""
    path = (*above, command.name or "")
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from _commands(child, path)
    else:
        yield " ".join(path), command
