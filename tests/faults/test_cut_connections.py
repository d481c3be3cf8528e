"""Connections that PostgreSQL ended while nobody used them: who comes next is served, or told, and the one after."""

import contextlib

import psycopg
import pytest
import sqlalchemy as sa

from consent.base import database
from consent.base.errors import DatabaseDown


@pytest.fixture
def world(postgresql_world):
    return postgresql_world


def end_all(world):
    """End every connection to the world's database, from the server's side."""
    address = sa.make_url(world.url)
    server = address.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [address.database]
        ).fetchall()
    assert ended


def reads(world, way):
    with getattr(world.store, way)() as work:
        return work.driver.execute("SELECT 1").fetchone()[0]


@pytest.mark.parametrize("way", ["live", "write"])
def test_a_connection_that_ended_while_it_rested_is_replaced(world, way, monkeypatch):
    assert reads(world, way) == 1
    monkeypatch.setattr(database, "_RESTED_S", 0.0)
    end_all(world)
    assert reads(world, way) == 1


@pytest.mark.parametrize("way", ["live", "write"])
def test_of_one_that_ended_a_moment_ago_it_is_said_once(world, way, monkeypatch):
    assert reads(world, way) == 1
    monkeypatch.setattr(database, "_RESTED_S", 3_600.0)
    end_all(world)
    with pytest.raises(DatabaseDown):
        reads(world, way)
    assert reads(world, way) == 1


def test_one_that_was_used_a_moment_ago_is_not_asked(world, monkeypatch):
    asked = []
    monkeypatch.setattr(database, "_RESTED_S", 3_600.0)
    reads(world, "live")
    with contextlib.ExitStack() as kept:
        work = kept.enter_context(world.store.live())
        monkeypatch.setattr(work.driver, "execute", lambda *given: asked.append(given), raising=True)
        held = work.driver
    with world.store.live() as work:
        assert work.driver is held
    assert asked == []
