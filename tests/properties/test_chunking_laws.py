"""Many at once are decided as one by one, bit for bit, and in whatever order the chunks come: on both databases."""

import random

import pyarrow as pa
import pytest

from consent.register import households
from consent.uses import Use
from personalise.runs import chunk, log, run
from personalise.runs.chunk import Carried
from personalise.runs.dry_run import load_policy
from tests.campaigns import TABLES, fill, open_run, publish, same_bits, willing
from tests.flows.test_contact_policy import rule


@pytest.fixture
def shop(world):
    """Return a world with customers of all kinds who were contacted before, under rules of every kind."""
    rule(
        world, cap=[{"key": "any", "limit": 3, "days": 7}], rest=[{"key": "r", "days": 60}],
        exclusion=[{"key": "x", "days": 5, "one": {"tags": ["sale"]}, "other": {"tags": ["care"]}}],
        goodwill={"opening": 10, "floor": 5, "prices": {"email": 1.5, "sms": 2}, "price_of_one": 0.001},
    )  # fmt: skip
    first = {**TABLES["offer"][0], "validity": 14, "terms": {"price": "9"}}
    for key, tag in (("autumn", "care"), ("winter", "gift")):
        publish(world, campaign={"key": key, "tags": [tag], "holdout": {"share": 0.3, "salt": key}},
                offer=[first, TABLES["offer"][1]])  # fmt: skip
    publish(world, campaign={"tags": ["sale"], "holdout": {"share": 0.3, "salt": "s"}})
    fill(world, 36)
    for key in ("autumn", "winter"):
        run.advance(world.deployment, open_run(world.deployment, key, actor="mia"))
        world.clock.advance(hours=30)
    willing(world, 16)  # whom nobody has written to yet: most are addressed, whatever ids and holdouts were drawn
    return world


def decided(world, groups):
    """Decide for groups of customers, each in a transaction; return every decision as logged, by customer."""
    tables = []
    with world.store.read() as work:
        policy, _ = load_policy(world.deployment, work, "spring")
    use = Use(actor="mia", purpose="recommendations", reason="a test")
    for number, who in enumerate(groups):
        at = world.clock()
        with world.store.write() as work:
            chunk.locked(work, who, at=at)
            made = chunk.decided(world.deployment.desk, work, who, policy, use=use, at=at, now=at)
            identity = chunk.chunk_id("run_x", number)
            kept = chunk.kept(
                world.deployment.desk, work, made, policy, chunk_id=identity, run="run_x", number=number, at=at,
                carried=Carried(),
            )  # fmt: skip
            log.write(world.deployment.desk, work, kept.unlogged, at=at)
        with world.store.read() as work:
            tables.append(log.read(work, identity).table.replace_schema_metadata(None))
    return pa.concat_tables(tables).sort_by("customer").combine_chunks()


def kept(world):
    """Return all that decisions left behind, but for their ids."""
    return [
        world.rows("SELECT customer, campaign, treatment, status, reserved_at, charge FROM contact ORDER BY 1, 2, 5"),
        world.rows("SELECT customer, balance, entries FROM goodwill ORDER BY 1"),
        world.rows("SELECT customer, family, terms, until FROM commitment ORDER BY 1, 2"),
        world.rows("SELECT customer, campaign, rule, due_at, expires_at, state FROM deferral ORDER BY 1, 2"),
    ]


def test_a_batch_equals_its_customers_one_by_one_and_chunks_in_any_order(shop, twins):
    who = [row[0] for row in shop.rows("SELECT id FROM customer ORDER BY id")]
    drawn = random.Random(5)  # noqa: S311 -- an order
    cuts = sorted(drawn.sample(range(1, len(who)), 6))
    pieces = [who[start:end] for start, end in zip([0, *cuts], [*cuts, len(who)], strict=True)]
    shuffled = drawn.sample(pieces, len(pieces))
    mixed = drawn.sample(who, len(who))
    ways = [[who], [[each] for each in mixed], pieces, shuffled, [sorted(mixed[:9]), sorted(mixed[9:])]]

    tables = all_alike(shop, twins, ways)
    assert {*tables["chosen"].to_pylist()} > {-1}  # some are addressed, and some are left out
    assert len({*tables["rule:mail"].to_pylist()}) > 3


def test_members_of_households_are_decided_about_in_the_order_of_ids_whatever_the_chunks(shop, twins):
    rule(
        shop, cap=[{"key": "home", "limit": 2, "days": 7, "per": "household"}],
        goodwill={"opening": 10, "floor": 5, "prices": {"email": 1.5, "sms": 2}, "price_of_one": 0.001},
    )  # fmt: skip
    who = [row[0] for row in shop.rows("SELECT id FROM customer ORDER BY id")]
    drawn = random.Random(6)  # noqa: S311 -- who lives together
    named = {one: f"Elm Street {drawn.randrange(12)}" for one in who if drawn.random() < 0.9}
    with shop.store.write() as work:
        households.assign(shop.deployment.desk, work, named, at=shop.clock())
    ways = [
        [who],
        [[one] for one in who],
        [who[spot : spot + 7] for spot in range(0, len(who), 7)],
        [who[:20], who[20:]],
    ]

    table = all_alike(shop, twins, ways)
    with shop.store.read() as work:
        policy, _ = load_policy(shop.deployment, work, "spring")
    assert policy.rules.index("company:home") in table["rule:mail"].to_pylist()
    assert {*table["chosen"].to_pylist()} > {-1}


def all_alike(shop, twins, ways):
    """Decide in each of these ways, and have all come out the same; return the decisions."""
    worlds = [twins(shop) for _ in ways]
    tables = [decided(world, way) for world, way in zip(worlds, ways, strict=True)]
    for table in tables[1:]:
        plain = [name for name in table.column_names if name not in ("mask", "replay")]
        assert same_bits(table.select(plain), tables[0].select(plain))
        assert table.select(["mask", "replay"]).to_pylist() == tables[0].select(["mask", "replay"]).to_pylist()
    assert [kept(world) for world in worlds[1:]] == [kept(worlds[0])] * (len(ways) - 1)
    worlds[1].check_ledger()
    return tables[0]
