"""Receipts on a customer's pages: his own to take home, and the page on which anybody checks one."""

import pytest

from api.pages.words import languages
from api.security import HEADERS, SILENT
from consent.ledger.note import verifier_of
from consent.receipts import checking
from consent.receipts.checking import Holds
from consent.register import proving

MAIL, NEWS = "contact:email:recommendations", "contact:email:newsletter"


@pytest.fixture
def world(sqlite_world):
    return sqlite_world


def links(page, words):
    return [link.attrs["href"] for link in page.main.all("a") if link.text == words]


def key(world):
    with world.store.read() as work:
        return proving.verifier_key(world.deployment.desk, work)


def holds(world, raw):
    return isinstance(checking.verdict(raw, [verifier_of(key(world))]), Holds)


def test_after_saving_each_change_has_its_receipt(world, customer):
    visitor = customer(world.bo)
    saved = visitor.press(
        visitor.open("/p/choices"), "Save my choices", **{f"answer:{MAIL}": "yes", f"answer:{NEWS}": "no"}
    )
    found = links(saved, "Download the receipt")
    assert len(found) == 2
    for path in found:
        answer = visitor.client.get(path)
        assert (answer.status_code, answer.mimetype) == (200, "application/ld+json")
        name = path.rpartition("/")[2]
        assert answer.headers["Content-Disposition"] == f'attachment; filename="receipt-{name}.jsonld"'
        assert answer.headers["Cache-Control"] == "no-store"
        assert holds(world, answer.data)
    world.check_ledger()


def test_to_fetch_a_receipt_after_saving_writes_nothing(world, customer):
    visitor = customer(world.bo)
    saved = visitor.press(visitor.open("/p/choices"), "Save my choices", **{f"answer:{MAIL}": "yes"})
    before = dump(world)
    [path] = links(saved, "Download the receipt")
    assert visitor.client.get(path).status_code == 200
    assert dump(world) == before


def dump(world):
    """Return all of the database, but for when somebody was last seen."""
    tables = [name for (name,) in world.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: world.rows(f'SELECT * FROM "{name}"') for name in tables if name != "web_session"}  # noqa: S608 -- our own names


@pytest.mark.parametrize("lang", list(languages()))
def test_every_statement_in_the_history_has_its_receipt(world, customer, lang):
    done = [world.grant(world.bo, MAIL), world.withdraw(world.bo, MAIL)]
    visitor = customer(world.bo)
    page = visitor.open(f"/p/history?lang={lang}")
    words = {
        "en": ("Download the receipt", "check a receipt"),
        "de": ("Quittung herunterladen", "eine Quittung prüfen"),
        "fr": ("Télécharger le reçu", "vérifier un reçu"),
        "zh": ("下载凭证", "核验凭证"),
    }[lang]
    assert links(page, words[0]) == [f"/p/receipts/{one.seq}" for one in reversed(done)]
    assert links(page, words[1]) == [f"/verify?lang={lang}"]


def test_another_customers_receipt_is_not_there(world, customer, anybody):
    done = world.grant(world.bo, MAIL)
    path = f"/p/receipts/{done.seq}"
    assert customer(world.bo).open(path).status == 200
    assert [customer(world.ann).open(each).status for each in (path, "/p/receipts/999", "/p/receipts/x")] == [404] * 3
    assert anybody.open(path).status == 401


@pytest.mark.parametrize(
    ("lang", "heading"), [("en", "Check a receipt"), ("de", "Eine Quittung prüfen"), ("fr", "Vérifier un reçu")]
)
def test_anybody_sees_how_to_check_a_receipt(world, anybody, lang, heading):
    page = anybody.open(f"/verify?lang={lang}")
    assert (page.status, page.heading) == (200, heading)
    assert page.main.one("pre").text == f"byleave ledger verify-receipt receipt.jsonld --key '{key(world)}'"
    assert page.main.one("textarea").text == key(world)


def test_the_page_can_send_nothing_anywhere(anybody):
    policy = anybody.open("/verify").response.headers["Content-Security-Policy"]
    assert policy == SILENT
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules == {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'",
        "connect-src": "'none'", "form-action": "'none'", "frame-ancestors": "'none'", "base-uri": "'none'",
    }  # fmt: skip
    assert anybody.open("/").response.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]


def test_the_page_has_one_script_and_it_is_a_file_of_ours(anybody):
    page = anybody.open("/verify")
    [script] = page.tree.all("script")
    assert (script.attrs["type"], script.attrs["src"].partition("?")[0], script.text) == (
        "module", "/static/verify.js", "",
    )  # fmt: skip
    assert anybody.client.get(script.attrs["src"]).mimetype == "text/javascript"
    assert page.tree.all("form") == []
