"""Two imports at once: the same new customers, in opposite order, and each of them is one customer in the end."""

import threading
from typing import Any

from consent.base.clock import rfc3339
from consent.imports import rows
from consent.imports.customers import bring_in_customers
from consent.imports.mapping import parse_mapping
from consent.imports.passes import Options
from consent.imports.statements import bring_in_statements
from consent.register import customers

MAPPING = """
format = "csv"
reference = "id"
[identities]
email = "mail"
[statement]
act = { value = "grant" }
scopes = { value = "contact:email:newsletter" }
said_at = "at"
evidence = { text = "form {form}" }
notice_version = { value = 1 }
"""
PEOPLE = 60


def together(*functions):
    """Run functions in threads that start at once; return what each gave, or what went wrong."""
    barrier = threading.Barrier(len(functions))
    given: list[Any] = [None] * len(functions)

    def run(number, function):
        barrier.wait()
        try:
            given[number] = function()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the test shows it
            given[number] = error

    threads = [threading.Thread(target=run, args=each) for each in enumerate(functions)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return given


def read(world, text):
    with world.store.read() as work:
        return parse_mapping(text, world.deployment.desk.catalogues.current(work))


def test_the_same_new_customers_imported_twice_at_once_are_enrolled_once(world, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "CHUNK_ROWS", 20)
    lines = [f"N{number},n{number}@shop.example,{rfc3339(world.clock())},7" for number in range(PEOPLE)]
    files = []
    for name, found in (("one", lines), ("other", lines[::-1])):
        files.append(tmp_path / f"{name}.csv")
        files[-1].write_text("\n".join(["id,mail,at,form", *found]) + "\n", encoding="utf-8")
    mapping = read(world, MAPPING)
    made = together(
        *(
            lambda file=file: bring_in_statements(world.deployment, file, mapping, Options(actor="mia"))
            for file in files
        )
    )
    assert [error for error in made if isinstance(error, Exception)] == []
    assert sum(each.new for each in made) == PEOPLE
    assert sum(each.recorded for each in made) == PEOPLE
    assert sum(each.repeated for each in made) == PEOPLE
    assert world.rows("SELECT count(*) FROM customer") == [(PEOPLE + 2,)]
    world.check_ledger()


def test_an_enrolment_beside_an_import_finds_the_same_customer(world, tmp_path):
    file = tmp_path / "customers.csv"
    mapping = read(world, 'format = "csv"\nreference = "id"\n')
    for number in range(15):
        file.write_text(f"id\nE{number}\n", encoding="utf-8")

        def enrol(name=f"E{number}"):
            with world.store.write() as work:
                return customers.enrol(world.deployment.desk, work, [{"reference": name}], at=world.clock())

        def bring_in():
            return bring_in_customers(world.deployment, file, mapping, Options(actor="mia"))

        assert [each for each in together(enrol, bring_in, enrol) if isinstance(each, Exception)] == []
    assert world.rows("SELECT count(*) FROM customer") == [(17,)]
    world.check_ledger()
