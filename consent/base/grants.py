"""Who may do what inside PostgreSQL: the owner, the application, and the auditor, who reads.

The owner makes and changes the tables (`byleave db upgrade`), and nothing else runs as the owner. The application reads
and writes, but in tables that are insert-only it has no right to change or delete, which the triggers refuse as well:
whoever takes the application over still can't rewrite the ledger. The auditor reads what proves something, and none of
the vault: no data key, no memory, no address, nothing by which anybody could sign in.

What is granted follows from the tables that are there, so it is granted anew after every upgrade.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from consent.base import schema
from consent.base.errors import Place, SettingsInvalid, StateConflict
from consent.base.store import Store, Work

CLOSED_TO_AUDITORS: Final = frozenset(
    {
        "api_key",
        "confirmation",
        "data_key",
        "evidence_pack_part",
        "household",
        "idempotency",
        "identity",
        "lifted_suppression",
        "link",
        "memory",
        "rate",
        "suppression",
        "web_session",
    }
)
"""The vault, and what somebody could be found, be recognised or be signed in by."""

VERSIONS: Final = "alembic_version"
"""The schema's version: the application looks at it, and only the owner changes it."""

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)
_ALL: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What the two roles beside the owner are called."""

    application: str = "byleave_app"
    auditor: str = "byleave_auditor"

    def __post_init__(self) -> None:
        """Refuse names that would have to be quoted.

        Raises:
            SettingsInvalid: with each that is wrong.
        """
        named = {"application": self.application, "auditor": self.auditor}
        places = [Place(what, "must be small letters, digits and _") for what, name in named.items()
                  if not _NAME.fullmatch(name)]  # fmt: skip
        if self.application == self.auditor:
            places.append(Place("auditor", "must be another role than the application's"))
        if places:
            raise SettingsInvalid(places=places)


def statements(
    roles: Roles, tables: Collection[str], insert_only: Collection[str], *, missing: Iterable[str] = ()
) -> Iterator[str]:
    """Yield the statements that give each role its rights, and take every other right from it.

    Args:
        roles: their names.
        tables: of the schema.
        insert_only: those of them in which nothing may be changed.
        missing: roles that have to be made first. They can't sign in before somebody gives them a way to.
    """
    for role in missing:
        yield f"CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
    both = f"{roles.application}, {roles.auditor}"
    yield "REVOKE ALL ON SCHEMA public FROM PUBLIC"
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {both}"
    yield f"REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC, {both}"
    yield f"GRANT USAGE ON SCHEMA public TO {both}"
    yield f"ALTER ROLE {roles.auditor} SET default_transaction_read_only = on"
    for table in sorted(tables):
        for role, rights in ((roles.application, rights_of_application(table, insert_only)),
                             (roles.auditor, rights_of_auditor(table))):  # fmt: skip
            if rights:
                yield f'GRANT {", ".join(rights)} ON "{table}" TO {role}'


def rights_of_application(table: str, insert_only: Collection[str]) -> tuple[str, ...]:
    """Return what the application may do in a table.

    >>> rights_of_application("ledger_entry", ["ledger_entry"]), rights_of_application("alembic_version", [])
    (('SELECT', 'INSERT'), ('SELECT',))
    """
    if table == VERSIONS:
        return _ALL[:1]
    return _ALL[:2] if table in insert_only else _ALL


def rights_of_auditor(table: str) -> tuple[str, ...]:
    """Return what the auditor may do in a table.

    >>> rights_of_auditor("ledger_entry"), rights_of_auditor("memory")
    (('SELECT',), ())
    """
    return () if table in CLOSED_TO_AUDITORS else _ALL[:1]


def script(store: Store, roles: Roles) -> list[str]:
    """Return the statements for this database, in order.

    Raises:
        StateConflict: it isn't PostgreSQL, or has no tables yet.
    """
    with store.read() as work:
        return _script(work, store, roles)


def apply(store: Store, roles: Roles) -> int:
    """Give each role its rights, in one transaction; return how many statements that took.

    Raises:
        StateConflict: it isn't PostgreSQL, has no tables yet, or whoever asks may not grant rights in it.
    """
    with store.write() as work:
        needed = _script(work, store, roles)
        try:
            for each in needed:
                work.connection.execute(sa.text(each))
        except sa.exc.ProgrammingError as refused:
            msg = "only the owner of the tables can give rights in them, and only who may make roles can make them"
            raise StateConflict(msg) from refused
    return len(needed)


def excess(store: Store) -> list[str]:
    """Return what whoever is connected could do and shouldn't, as `RIGHT on table`; nothing on SQLite."""
    if store.dialect != "postgresql":
        return []
    with store.read() as work:
        held = _held(work)
    insert_only = schema.insert_only()
    return sorted(
        f"{right} on {table}"
        for table, rights in held.items()
        for right in rights - {*rights_of_application(table, insert_only), "REFERENCES", "TRIGGER", "MAINTAIN"}
    )


def _held(work: Work) -> Mapping[str, set[str]]:
    query = sa.text(
        """
        SELECT c.relname, r.name FROM pg_class c
        CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE')) AS r(name)
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND has_table_privilege(c.oid, r.name)
        """
    )
    held: dict[str, set[str]] = {}
    for table, right in work.connection.execute(query):
        held.setdefault(table, set()).add(right)
    return held


def _script(work: Work, store: Store, roles: Roles) -> list[str]:
    if store.dialect != "postgresql":
        msg = "SQLite has no roles: whoever can write its file can change it, and an audit finds out"
        raise StateConflict(msg)
    tables = sa.inspect(work.connection).get_table_names()
    if VERSIONS not in tables:
        msg = "the database has no tables yet: byleave init, or byleave db upgrade"
        raise StateConflict(msg)
    known = set(work.connection.execute(sa.text("SELECT rolname FROM pg_roles")).scalars())
    missing = [role for role in (roles.application, roles.auditor) if role not in known]
    return list(statements(roles, tables, schema.insert_only(), missing=missing))
