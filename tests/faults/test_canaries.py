"""Fault 13: after an erasure 20 planted strings are found nowhere: not in the database, in files, or in logs.

Ten are words of a customer and about him, planted through every door that takes such words. Ten are bytes by which he
could be opened, found or recognised: his wrapped key, what it sealed, keyed hashes of his names, digests of his links.
That they are really there before is shown first.
"""

import io
import logging
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from api import rights
from api.actors import keys, links, sessions
from api.app import create_app
from api.checks import CHECKS
from api.jobs import erasures, outbox
from api.roles import KeyScope, Role
from api.settings import Settings
from api.wiring import House
from consent.audit import run as audits
from consent.audit.packs import making, shelf
from consent.audit.packs.about import About, Subject
from consent.catalogue.reading import DEFAULT
from consent.ledger import checkpoint, merkle, note
from consent.register import history, proving
from consent.rights.asked import How
from consent.rights.erasing import Ground
from consent.rights.looking import Why, start
from personalise import engine
from tests.campaigns import publish

REFERENCE, MAIL, PHONE = "canary-reference-01", "canary-mail-02@shop.example", "+49301234000303"
EVIDENCE, KEY, WISH = "canary-evidence-04", "canary-key-05", "canary-wish-06"
COUNTRY, INTEREST, BOUGHT, REASON = "canary-country-07", "canary-interest-08", "canary-bought-09", "canary-reason-10"
WORDS = (REFERENCE, MAIL, PHONE, EVIDENCE, KEY, WISH, COUNTRY, INTEREST, BOUGHT, REASON)
CONTACT = "contact:email:recommendations"
SCOPES = (
    "remember:purchases", "remember:interests", "use:purchases:recommendations", "use:interests:recommendations",
    "contact:email:newsletter", CONTACT,
)  # fmt: skip
LETTER = 'scope = "contact:email:newsletter"'


@pytest.fixture
def said():
    """Return what all loggers say, however little it matters."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def house(world, tmp_path):
    """Return the house around a world, with its home in a folder of its own; on SQLite the database lies there."""
    home = tmp_path / "home"
    home.mkdir()
    settings = Settings(home=home, database_url=world.url, keyring=world.keyring)
    return House(settings=settings, deployment=world.deployment)


@dataclass
class Bird:
    """A customer who leaves traces everywhere."""

    id: str
    position: int
    token: str


def client_of(house, world):
    with world.store.write() as work:
        made = keys.make(work, "a shop", scopes=tuple(KeyScope), role=Role.INTEGRATOR, at=world.clock())
    return create_app(house).test_client(), {"Authorization": f"Bearer {made.token}"}


def planted(house, world):
    """Have a customer come, speak, be remembered, be reached, be looked at, and go wrong, with a canary each time."""
    client, headers = client_of(house, world)
    shipped = DEFAULT.read_text(encoding="utf-8")
    assert shipped.count(LETTER) == 1
    world.publish(shipped.replace(LETTER, LETTER + "\ndouble_opt_in = true"))
    names = {"reference": REFERENCE, "addresses": {"email": MAIL, "phone": PHONE[:15]}}
    customer = client.post("/api/v1/customers", json=names, headers=headers).json["customer"]
    statement = {"customer": customer, "act": "grant", "method": "phone", "scopes": list(SCOPES), "evidence": EVIDENCE}
    granted = client.post("/api/v1/statements", json=statement, headers={**headers, "Idempotency-Key": KEY})
    assert granted.status_code == 201, granted.json
    wrong = {**statement, "scopes": [EVIDENCE], "evidence": 7}
    assert client.post("/api/v1/statements", json=wrong, headers={**headers, "Idempotency-Key": KEY}).status_code == 400
    world.remember(
        customer, spend_past_year=99.5, main_interest=INTEREST, last_purchase_category=BOUGHT, country=COUNTRY
    )
    asked = {"customer": customer, "kind": "access", "wish": WISH}
    client.post("/api/v1/requests", json=asked, headers={**headers, "Idempotency-Key": "request"})
    publish(world)
    engine.decide_one(world.deployment, customer, campaign="spring", actor="mia")
    with world.store.write() as work:
        start(world.deployment.desk, work, customer, Why.FILE, actor="cy", reason=REASON, at=world.clock())
        token = links.for_customer(work, customer, at=world.clock())
        sessions.start(work, links.taken(work, token, at=world.clock()), at=world.clock(), settings=house.settings)
        links.for_customer(work, customer, at=world.clock())
        about = About(kind=Subject.CUSTOMER, customer=customer, personal=True, reason=REASON)
        pack = shelf.ask(work, about, actor="cy", at=world.clock())
        proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())
    making.make(world.deployment, pack, explained={})
    outbox.hand_over(house, "holder")
    audits.run(world.deployment, CHECKS, asked_by="cy")
    return Bird(customer, granted.json["seq"], token)


TRACES = """
    SELECT wrapped FROM data_key WHERE owner = :c; SELECT sealed FROM ledger_payload WHERE owner = :c;
    SELECT sealed FROM memory WHERE customer = :c; SELECT blind FROM identity WHERE customer = :c;
    SELECT key FROM idempotency WHERE owner = :c; SELECT digest FROM link WHERE subject = :c;
    SELECT digest FROM web_session WHERE subject = :c; SELECT words FROM rights_request WHERE customer = :c;
    SELECT p.sealed FROM evidence_pack_part p JOIN evidence_pack e ON e.id = p.pack WHERE e.customer = :c
"""


def traces(world, customer):
    """Return the bytes that could open, find or recognise a customer; of each kind one, of some two."""
    found = [world.rows(query, c=customer) for query in TRACES.split(";")]
    assert [len(rows) > 0 for rows in found] == [True] * len(found)
    return [rows[0][0] for rows in found] + [found[3][1][0]]


def everything(world, tmp_path, said):
    """Return every byte that there is: of all rows, of all files of the deployment, and of the logs."""
    inspected = sa.inspect(world.store.engines.read)
    rows = [
        cell.encode() if isinstance(cell, str) else bytes(cell)
        for table in inspected.get_table_names()
        for row in world.rows(f'SELECT * FROM "{table}"')  # noqa: S608 -- names of our own tables
        for cell in row
        if isinstance(cell, (str, bytes))
    ]
    if world.dialect == "sqlite":
        file = world.store.file
        rows += [each.read_bytes() for each in file.parent.glob(file.name + "*")]
    files = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    return b"\x00".join([*rows, *files, said.getvalue().encode()])


def found_in(haystack, needles):
    return [needle for needle in needles if (needle.encode() if isinstance(needle, str) else needle) in haystack]


@pytest.mark.timeout(300)
def test_of_somebody_erased_nothing_is_found_anywhere_and_what_proves_stays(house, world, tmp_path, said):
    bird = planted(house, world)
    with world.store.read() as work:
        before = proving.inclusion(work, bird.position)
        told = history.of_customer(world.deployment.desk, work, bird.id)
    recalled = world.recall(
        [bird.id], ["main_interest", "last_purchase_category"], purpose="recommendations"
    )  # fmt: skip
    raw = traces(world, bird.id)
    there = everything(world, tmp_path, said)
    assert [told[0].statement.evidence, recalled[0]] == [
        EVIDENCE, {"main_interest": INTEREST, "last_purchase_category": BOUGHT},
    ]  # fmt: skip
    assert world.recall([bird.id], ["country"], purpose="service") == [{"country": COUNTRY}]
    assert len(list((house.settings.home / "outbox").glob("*.eml"))) == 1
    assert found_in(there, raw) == raw
    assert found_in(there, [REASON, bird.id]) == [REASON, bird.id]

    rights.erase(house, bird.id, ground=Ground.WITHDRAWN, by="cy", how=How.EMAIL)
    erasures.verify(house, "holder")
    audits.run(world.deployment, CHECKS, asked_by="cy")
    gone = everything(world, tmp_path, said)

    assert len(raw) + len(WORDS) == 20
    assert found_in(gone, [*WORDS, *raw, bird.token]) == []
    assert list((house.settings.home / "outbox").glob("*")) == []
    with world.store.read() as work:
        after = proving.inclusion(work, bird.position)
        verifier = note.verifier_of(proving.verifier_key(world.deployment.desk, work))
    signed = checkpoint.open_checkpoint(before.checkpoint, verifier)
    merkle.verify_inclusion(
        before.leaf_hash, index=before.seq, size=signed.size, proof=list(before.path), root=signed.root
    )
    assert after == before
    [(verified,)] = world.rows("SELECT verified_position FROM erasure WHERE customer = :c", c=bird.id)
    assert verified > 0
    world.check_ledger()
