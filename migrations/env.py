"""Runs migrations on the connection that `consent.base.schema` hands over."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext

import api.tables  # noqa: F401 -- registers its tables
import consent.audit.tables
import consent.register.tables
import consent.rights.tables
import consent.tables  # noqa: F401 -- registers its tables
import personalise.tables  # noqa: F401 -- registers its tables
from consent.base.database import Ident, Row, UtcDateTime


def _as_plain_types(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:  # noqa: ANN401 -- Alembic's own signature
    """Render our column types as SQLAlchemy's own, so that a migration imports nothing from the product."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.BigInteger()"
    if kind == "type" and item is Ident:
        return "IDENT"
    return False


def run() -> None:
    """Run in one transaction; a migration that fails leaves nothing behind."""
    connection: sa.Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=Row.metadata,
        compare_type=True,
        render_item=_as_plain_types,
        transaction_per_migration=False,
    )
    context.run_migrations()


run()
