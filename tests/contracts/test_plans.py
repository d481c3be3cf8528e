"""How SQLite carries out the statements of the hot paths: it has no statistics, and must not need any."""

import importlib
import pkgutil
import re

import consent
import personalise
from consent.base.database import SPANS, Hot

WALKED = {"contact_policy_version", "ledger_head", "suppression"}
"""Tables of which a statement may walk the rows: there is one, or it asks for the first."""

_WALKS = re.compile(r"^SCAN (?!anon_\d+ VIRTUAL|CONSTANT)(\w+)")
_LOOKS_UP = re.compile(r"\((?:\w+=\? AND )*(?:customer|owner|id|key|merged|household)[=>]\?")


def _statements(dialect):
    """Return the texts of all hot statements of the product by their names, but for what can't look anything up."""
    found: dict[str, Hot] = {}
    for package in (consent, personalise):
        for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if each.name != "personalise.runs.spark":  # which need not be installed
                hot = vars(importlib.import_module(each.name)).items()
                found |= {f"{each.name}.{name}": value for name, value in hot if isinstance(value, Hot)}
    texts = {name: each.compiled(dialect).sql for name, each in found.items() if dialect != SPANS or each.varies}
    return {name: sql for name, sql in texts.items() if "INSERT" not in sql and "convert_to" not in sql}


def _plan(work, sql):
    return [row[3] for row in work.driver.execute(f"EXPLAIN QUERY PLAN {sql}", ["[]"] * sql.count("?"))]


def test_no_hot_statement_walks_a_table_that_grows(sqlite_world):
    """A table is walked only where that is said above; the statements are looked at as they are for lists and spans."""
    walked: dict[str, str] = {}
    with sqlite_world.store.read() as work:
        for dialect in ("sqlite", SPANS):
            plans = {name: _plan(work, sql) for name, sql in _statements(dialect).items()}
            assert len(plans) > 30, "there are far more of them"
            for name, plan in plans.items():
                walked |= {match[1]: name for step in plan if (match := _WALKS.match(step))}
    assert set(walked) <= WALKED, walked


def test_what_waits_to_be_counted_in_is_found_among_all_that_ever_came_back(sqlite_world):
    with sqlite_world.store.read() as work:
        for name in ("_WAITS", "_COUNT_IN"):
            [step] = _plan(work, _statements("sqlite")[f"personalise.quotas.{name}"])
            assert "(campaign=? AND version=? AND key=? AND counted=?" in step


def test_customers_are_looked_up_by_their_ids(sqlite_world):
    """What is asked of a list of customers is found by their ids, never by what most rows have in common."""
    with sqlite_world.store.read() as work:
        plans = {name: _plan(work, sql) for name, sql in _statements("sqlite").items() if "json_each" in sql}
    lists = {name: plan for name, plan in plans.items() if not plan[0].startswith("SCAN anon")}
    assert "personalise.history._SINCE" in lists
    assert {name: plan[0] for name, plan in lists.items() if not _LOOKS_UP.search(plan[0])} == {}
