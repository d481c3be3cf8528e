"""The link that confirms: looked at it shows a button, and the button confirms."""

from email import message_from_bytes, policy

import pytest

from api.jobs import outbox
from api.pages.words import languages
from consent.register import confirmations
from tests.builders import CATALOGUE, tables, toml
from tests.faces.pages.conftest import house_of

MAIL = "contact:email:offers"


@pytest.fixture
def world(sqlite_world):
    sqlite_world.publish(toml(CATALOGUE))
    return sqlite_world


@pytest.fixture
def path(world):
    world.grant(world.bo, MAIL, language="de")
    with world.store.read() as work:
        [waiting] = confirmations.outgoing(world.deployment.desk, work, 10)
    return f"/p/confirm/{waiting.token}"


def test_looking_shows_the_wording_and_a_button_and_spends_nothing(world, anybody, path):
    """Rule 5: GET shows a button."""
    pages = [anybody.open(path) for _ in range(2)]
    assert [page.heading for page in pages] == ["Confirm this?"] * 2
    assert [each.text for each in pages[0].main.all("p", class_="wording")] == ["Dürfen wir?"]
    assert (pages[1].buttons(), world.reason(world.bo, MAIL)) == (["Yes, I confirm this"], "PENDING_CONFIRMATION")
    assert "28 November 2026, 10:00 UTC" in pages[0].main.text


def test_the_button_confirms_and_reads_it_back(world, anybody, path):
    """Rule 5: the token is spent by POST."""
    page = anybody.press(anybody.open(path), "Yes, I confirm this")
    assert (page.heading, world.reason(world.bo, MAIL)) == ("Confirmed", "PERMIT")
    assert "Contact: E-mail for “Offers”" in page.main.text
    again = anybody.open(path)
    assert (again.heading, again.buttons()) == ("There is nothing left to confirm", [])
    assert anybody.send(path, {}).heading == "There is nothing left to confirm"
    world.check_ledger()


def test_a_link_that_is_none_confirms_nothing(world, anybody, path):
    size = world.size()
    other = path[:-1] + ("A" if path[-1] != "A" else "B")
    assert [anybody.open(other).status, anybody.send(other, {}).status] == [404, 404]
    assert anybody.send(path, {"method": "confirmation"}).status == 400
    assert (world.size(), world.reason(world.bo, MAIL)) == (size, "PENDING_CONFIRMATION")


def test_a_link_that_is_over_says_so(world, anybody, path):
    world.clock.advance(days=8)
    page = anybody.open(path)
    assert (page.status, page.heading) == (404, "This link is no longer good")


def test_a_form_of_another_site_confirms_nothing(world, anybody, path):
    page = anybody.send(path, {}, headers={"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"})
    assert (page.status, world.reason(world.bo, MAIL)) == (403, "PENDING_CONFIRMATION")


def test_the_customers_page_says_what_is_awaited(world, customer, path):
    page = customer(world.bo).open("/p/choices")
    assert "Awaiting your confirmation" in page.card(MAIL).text
    assert path.rpartition("/")[2] not in page.response.text


def test_the_page_shows_the_words_that_were_shown_and_says_what_does_not_count_yet(world, anybody, path):
    """Rule 4: between the yes and the press the wording may have changed, and the customer may have paused."""
    newer = tables()
    newer["notice"].append({"key": "words", "version": 2, "material": True, "wording": {"en": "May we, and more?"}})
    world.publish(toml(newer))
    shown = anybody.open(path).main.all("p", class_="wording")
    world.say(world.statement(world.bo, "pause"))
    page = anybody.press(anybody.open(path), "Yes, I confirm this")

    assert [each.text for each in shown] == ["Dürfen wir?"]
    assert (page.heading, world.reason(world.bo, MAIL)) == ("Confirmed", "PAUSED")
    assert "Not all of it counts already" in page.main.text
    assert "It counts from now on" not in page.main.text
    assert "New wording" in page.main.text
    assert "You have paused us." in page.main.text


# ----------------------------------------------------------------------------------------------------------- the mail


def test_what_waits_is_written_into_the_outbox_for_nobody_else_to_read(world, path, tmp_path):
    """Rule 5: the token is in the mail, and nowhere else."""
    house = house_of(world, home=tmp_path / "home", base_url="https://shop.example", name="shop.example")
    outbox.hand_over(house, "worker")
    [file] = (tmp_path / "home" / "outbox").iterdir()
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    text = mail.get_content()

    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777, file.suffix) == (0o600, 0o700, ".eml")
    assert f"https://shop.example{path}" in text
    assert [mail[name] for name in ("X-Byleave-Customer", "Content-Language", "Subject", "From")] == [
        world.bo, "de", "Bitte bestätigen: A small shop", "no-reply@shop.example",
    ]  # fmt: skip
    assert ("Dürfen wir?" in text, "28. November" in text or "2026-11-28 10:00" in text) == (True, True)
    assert world.rows("SELECT outgoing FROM confirmation") == [(None,)]


def test_a_mail_is_written_once_and_a_worker_that_was_killed_writes_the_same_again(world, path, tmp_path):
    house = house_of(world, home=tmp_path / "home")
    with world.store.read() as work:
        catalogue = world.deployment.desk.catalogues.current(work)
        [waiting] = confirmations.outgoing(world.deployment.desk, work, 10)
    before = outbox.mail(house, waiting, catalogue).as_bytes()
    folder = tmp_path / "home" / "outbox"
    folder.mkdir(parents=True)
    (folder / f".{waiting.confirmation.digest.hex()}.eml.part").write_bytes(b"half")
    outbox.hand_over(house, "worker")
    outbox.hand_over(house, "worker")

    assert [each.name for each in folder.iterdir()] == [f"{waiting.confirmation.digest.hex()}.eml"]
    assert outbox.mail(house, waiting, catalogue).as_bytes() == before
    assert path.rpartition("/")[2].encode() in before


def test_a_mail_speaks_every_language_of_the_pages():
    assert set(outbox.WORDS) == set(languages())


def test_where_nothing_waits_no_folder_is_made(world, tmp_path):
    outbox.hand_over(house_of(world, home=tmp_path / "home"), "worker")
    assert not (tmp_path / "home").exists()
