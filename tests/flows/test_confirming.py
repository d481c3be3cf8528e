"""Double opt-in: nothing counts until the customer presses the button behind the link in his own mail."""

import hashlib
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from consent.base.clock import to_ms
from consent.base.errors import KeyLost, StatementInvalid
from consent.permission.standing import PENDING, fold
from consent.permission.statement import Method
from consent.register import confirmations, confirming, history, recording, wordings
from consent.register.confirmations import ConfirmationUnknown
from tests.builders import CATALOGUE, tables, toml

MAIL, POST, USE = "contact:email:offers", "contact:post:offers", "use:purchases:offers"


@pytest.fixture
def shop(world):
    """Return a world whose newsletter takes a confirmed address."""
    world.publish(toml(CATALOGUE))
    return world


def mailed(world):
    """Return the tokens that wait for the mail, the oldest first."""
    with world.store.read() as work:
        return [one.token for one in confirmations.outgoing(world.deployment.desk, work, 100)]


def press(world, token):
    with world.store.write() as work:
        return confirming.confirm(world.deployment.desk, work, token, at=world.clock())


def look(world, token):
    with world.store.read() as work:
        return confirming.shown(world.deployment.desk, work, token, at=world.clock())


def test_nothing_is_permitted_until_the_mailed_link_is_spent(shop):
    """Rule 5: nothing is permitted until the mailed token is spent."""
    granted = shop.grant(shop.bo, MAIL, POST, language="de")
    before = [shop.reason(shop.bo, scope) for scope in (MAIL, POST)]
    [token] = mailed(shop)
    seen = look(shop, token)
    shop.clock.advance(hours=1)
    [confirmed] = press(shop, token)

    assert before == ["PENDING_CONFIRMATION", "PERMIT"]
    assert (seen.scopes, seen.confirmation.language, seen.confirmation.position) == ({MAIL: 1}, "de", granted.seq)
    assert shop.reason(shop.bo, MAIL) == "PERMIT"
    said = confirmed.statement
    assert (said.act, said.method, said.scopes, said.evidence, said.language) == (
        "grant", "confirmation", (MAIL,), f"confirms ledger entry {granted.seq}", "de",
    )  # fmt: skip
    assert said.valid_until == {MAIL: shop.clock().replace(month=5, year=2027)}
    shop.check_ledger()


def test_looking_at_a_link_spends_nothing(shop):
    """Rule 5: mail scanners open every link; only the press counts."""
    shop.grant(shop.bo, MAIL)
    [token] = mailed(shop)
    size = shop.size()
    looked = [look(shop, token).scopes for _ in range(3)]

    assert (looked, shop.size(), shop.reason(shop.bo, MAIL)) == ([{MAIL: 1}] * 3, size, "PENDING_CONFIRMATION")
    assert len(press(shop, token)) == 1


def test_a_link_is_spent_once(shop):
    shop.grant(shop.bo, MAIL)
    [token] = mailed(shop)
    pressed = [len(press(shop, token)) for _ in range(3)]
    shop.withdraw(shop.bo, MAIL)

    assert (pressed, press(shop, token), shop.reason(shop.bo, MAIL)) == ([1, 0, 0], [], "WITHDRAWN")
    assert look(shop, token).scopes == {}


def test_of_two_presses_at_once_one_confirms(shop):
    shop.grant(shop.bo, MAIL)
    [token] = mailed(shop)
    start, counts = threading.Barrier(2), []

    def go():
        start.wait()
        counts.append(len(press(shop, token)))

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 1]
    shop.check_ledger()


def test_a_confirmed_address_handed_in_again_changes_nothing(shop):
    """Rule 5: a confirmed address re-submitted changes nothing: nobody else can undo it by typing it in."""
    shop.grant(shop.bo, MAIL)
    press(shop, mailed(shop)[0])
    before = shop.rows("SELECT scopes, mask, next_expiry FROM standing WHERE customer = :who", who=shop.bo)
    shop.clock.advance(days=30)
    shop.grant(shop.bo, MAIL)

    assert shop.rows("SELECT scopes, mask, next_expiry FROM standing WHERE customer = :who", who=shop.bo) == before
    assert (shop.reason(shop.bo, MAIL), mailed(shop)) == ("PERMIT", [])
    shop.check_ledger()


def test_what_ended_or_was_withdrawn_is_confirmed_anew(shop):
    shop.grant(shop.bo, MAIL)
    press(shop, mailed(shop)[0])
    shop.clock.advance(days=200)
    ended = shop.reason(shop.bo, MAIL)
    shop.grant(shop.bo, MAIL)
    again = shop.reason(shop.bo, MAIL)
    press(shop, mailed(shop)[0])
    confirmed = shop.reason(shop.bo, MAIL)
    shop.withdraw(shop.bo, MAIL)
    shop.clock.advance(seconds=1)
    shop.grant(shop.bo, MAIL)

    assert (ended, again, confirmed, shop.reason(shop.bo, MAIL)) == (
        "EXPIRED", "PENDING_CONFIRMATION", "PERMIT", "PENDING_CONFIRMATION",
    )  # fmt: skip


def test_a_new_material_wording_is_confirmed_anew(shop):
    shop.grant(shop.bo, MAIL)
    press(shop, mailed(shop)[0])
    newer = tables()
    newer["notice"].append({"key": "words", "version": 2, "material": True, "wording": {"en": "May we, again?"}})
    shop.publish(toml(newer))
    stale = shop.reason(shop.bo, MAIL)
    shop.grant(shop.bo, MAIL)
    pending = shop.reason(shop.bo, MAIL)
    press(shop, mailed(shop)[0])

    assert (stale, pending, shop.reason(shop.bo, MAIL)) == ("NOTICE_STALE", "PENDING_CONFIRMATION", "PERMIT")


def test_what_was_taken_back_since_stays_taken_back(shop):
    shop.grant(shop.bo, MAIL)
    [token] = mailed(shop)
    shop.withdraw(shop.bo, MAIL)

    assert (press(shop, token), shop.reason(shop.bo, MAIL)) == ([], "WITHDRAWN")


def test_the_first_mail_confirms_too_where_the_form_was_sent_twice(shop):
    for _ in range(2):
        shop.grant(shop.bo, MAIL)
        shop.clock.advance(seconds=1)
    first, second = mailed(shop)
    assert (len(press(shop, first)), shop.reason(shop.bo, MAIL), press(shop, second)) == (1, "PERMIT", [])


def test_a_link_ends(shop):
    shop.grant(shop.bo, MAIL)
    [token] = mailed(shop)
    shop.clock.advance(seconds=confirmations.GOOD_FOR.total_seconds())
    with pytest.raises(ConfirmationUnknown):
        press(shop, token)
    with pytest.raises(ConfirmationUnknown):
        look(shop, token)
    assert shop.reason(shop.bo, MAIL) == "PENDING_CONFIRMATION"


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "é" * 43, "A" * 100_000])
def test_a_made_up_link_confirms_nothing(sqlite_world, token):
    with pytest.raises(ConfirmationUnknown):
        press(sqlite_world, token)


@pytest.mark.parametrize("method", [Method.CONFIRMATION, Method.MERGED])
def test_nobody_can_claim_a_confirmation_by_handing_in_a_statement(shop, method):
    """Rule 5: an operator can't complete the opt-in in the customer's place."""
    with pytest.raises(StatementInvalid) as refused:
        shop.grant(shop.bo, MAIL, method=method)
    assert [place.where for place in refused.value.places] == ["/method"]
    assert shop.reason(shop.bo, MAIL) == "NO_RECORD"


def test_the_token_lies_sealed_until_it_is_mailed_and_nowhere_after_that(shop):
    """Rule 5: no table, no log and no staff answer holds it."""
    shop.grant(shop.bo, MAIL)
    [token] = mailed(shop)
    everything = repr(shop.rows("SELECT * FROM confirmation")).encode()
    with shop.store.write() as work:
        [one] = confirmations.outgoing(shop.deployment.desk, work, 10)
        confirmations.handed_over(work, [one.confirmation])

    assert (token.encode() in everything, mailed(shop)) == (False, [])
    assert shop.rows("SELECT outgoing FROM confirmation") == [(None,)]
    assert len(press(shop, token)) == 1


def test_a_sealed_token_moved_to_another_customer_does_not_open(shop):
    shop.grant(shop.bo, MAIL)
    shop.grant(shop.ann, MAIL)
    [(anns,)] = shop.rows("SELECT outgoing FROM confirmation WHERE customer = :who", who=shop.ann)
    assert len(mailed(shop)) == 2
    shop.tamper("UPDATE confirmation SET outgoing = :sealed WHERE customer = :who", sealed=anns, who=shop.bo)
    with pytest.raises(KeyLost):
        mailed(shop)


def test_a_token_that_nobody_made_here_confirms_nothing_though_its_digest_stands_there(shop):
    """Rule 5: whoever writes to the database can't confirm in the customer's place."""
    shop.grant(shop.bo, MAIL)
    token = "A" * 43
    shop.tamper("UPDATE confirmation SET digest = :digest", digest=hashlib.sha256(token.encode()).digest())

    for step in (look, press):
        with pytest.raises(ConfirmationUnknown):
            step(shop, token)
    assert shop.reason(shop.bo, MAIL) == "PENDING_CONFIRMATION"


@pytest.mark.parametrize("column", ["customer", "scopes", "language", "position", "made_at", "expires_at"])
def test_a_link_confirms_what_it_was_made_for_and_nothing_else(shop, column):
    """Whoever has a link of his own can't make it another's, or good for longer, by an edit of its row."""
    shop.grant(shop.bo, MAIL)
    [token] = mailed(shop)
    shop.grant(shop.ann, MAIL, POST)
    later = to_ms(shop.clock() + timedelta(days=400))
    others = {"customer": shop.ann, "scopes": f"{MAIL} {POST}", "language": "fr", "position": 0}
    change = f"UPDATE confirmation SET {column} = :other WHERE customer = :who"  # noqa: S608 -- a name from above
    shop.tamper(change, other=others.get(column, later), who=shop.bo)

    for step in (look, press):
        with pytest.raises(ConfirmationUnknown):
            step(shop, token)
    assert {shop.reason(who, MAIL) for who in (shop.ann, shop.bo)} == {"PENDING_CONFIRMATION"}


def test_what_was_said_to_others_long_ago_asks_nobody_to_confirm(shop):
    with shop.store.write() as work:
        said = shop.statement(shop.bo, "grant", MAIL, method=Method.IMPORT, notice_version=1)
        from_elsewhere = shop.statement(shop.ann, "grant", MAIL, method=Method.CONFIRMATION, notice_version=1)
        both = [said, from_elsewhere]
        recording.record(shop.deployment.desk, work, both, actor="import", at=shop.clock(), retold=True)
    assert [shop.reason(who, MAIL) for who in (shop.bo, shop.ann)] == ["PENDING_CONFIRMATION", "PERMIT"]
    assert mailed(shop) == []


def test_a_guardians_word_stands_behind_what_is_confirmed(world):
    """Rule 9: confirming an address doesn't take the guardian away."""
    given = tables()
    next(each for each in given["scope"] if each["scope"] == MAIL)["minimum_age"] = 16
    world.publish(toml(given))
    world.grant(world.bo, MAIL, age=12, guardian=True)
    pending = world.reason(world.bo, MAIL)
    press(world, mailed(world)[0])

    assert (pending, world.reason(world.bo, MAIL)) == ("PENDING_CONFIRMATION", "PERMIT")
    world.check_ledger()


def test_a_repeated_request_makes_no_second_link(shop):
    """Rule 14: nor a second mail."""
    said = shop.statement(shop.bo, "grant", MAIL)
    shop.say(said, key="form 1")
    shop.say(said, key="form 1")
    assert len(mailed(shop)) == 1


def test_links_long_over_are_swept(shop):
    shop.grant(shop.bo, MAIL)
    with shop.store.write() as work:
        kept = confirmations.sweep(work, at=shop.clock() + timedelta(days=36))
        gone = confirmations.sweep(work, at=shop.clock() + timedelta(days=38))
    assert (kept, gone, shop.rows("SELECT * FROM confirmation")) == (0, 1, [])


def test_the_history_tells_of_both(shop):
    shop.grant(shop.bo, MAIL)
    press(shop, mailed(shop)[0])
    with shop.store.read() as work:
        said = history.of_customer(shop.deployment.desk, work, shop.bo)
    assert [(one.actor, one.statement.method, one.statement.notices) for one in said] == [
        ("customer", "web_form", {MAIL: 1}),
        ("link", "confirmation", {MAIL: 1}),
    ]


# ------------------------------------------------------------------------------ handed in again, by whoever knows it


def scoped(**changes):
    """Return the catalogue with another rule for the newsletter."""
    given = tables()
    next(each for each in given["scope"] if each["scope"] == MAIL).update(changes)
    return toml(given)


def confirmed(world, **said):
    world.grant(world.bo, MAIL, **said)
    press(world, mailed(world)[0])
    world.clock.advance(seconds=1)


def test_a_confirmed_address_handed_in_again_after_a_signal_changes_nothing(shop):
    """Rule 5: whether a browser opted out in between doesn't matter to a scope that it doesn't deny."""
    confirmed(shop)
    shop.say(shop.statement(shop.bo, "refuse", method=Method.SIGNAL))
    shop.clock.advance(seconds=1)
    shop.grant(shop.bo, MAIL)

    assert (shop.reason(shop.bo, MAIL), mailed(shop)) == ("PERMIT", [])
    shop.check_ledger()


def test_a_confirmed_address_handed_in_again_by_a_guardian_changes_nothing(shop):
    """Rule 5: where no age is asked for, nobody gains by a guardian's word."""
    confirmed(shop)
    shop.grant(shop.bo, MAIL, guardian=True)

    assert (shop.reason(shop.bo, MAIL), mailed(shop)) == ("PERMIT", [])
    shop.check_ledger()


def test_what_a_signal_denies_is_confirmed_anew_by_a_yes_after_it(world):
    """Rules 5 and 8: handing an address in overrides nobody's browser; the link in his mail does."""
    world.publish(scoped(gpc=True))
    confirmed(world)
    world.say(world.statement(world.bo, "refuse", method=Method.SIGNAL))
    denied = world.reason(world.bo, MAIL)
    world.clock.advance(seconds=1)
    world.grant(world.bo, MAIL)
    again = world.reason(world.bo, MAIL)
    press(world, mailed(world)[0])

    assert (denied, again, world.reason(world.bo, MAIL)) == ("GPC", "PENDING_CONFIRMATION", "PERMIT")
    world.check_ledger()


def test_entries_of_before_say_nothing_of_what_is_gained_and_fold_as_they_did(shop):
    """A ledger that is older than the rule stands as it stood."""
    confirmed(shop)
    with shop.store.read() as work:
        [given, yes] = history.of_customer(shop.deployment.desk, work, shop.bo)
    signal = shop.statement(shop.bo, "refuse", method=Method.SIGNAL, said_at=yes.statement.said_at)
    late = replace(given.statement, said_at=shop.clock())
    said = [(given.seq, given.statement), (yes.seq, yes.statement), (yes.seq + 1, signal)]
    bits = {MAIL: 0}
    now, before = (fold([*said, (yes.seq + 2, each)], bits) for each in (late, replace(late, gains=None)))

    assert late.gains == {MAIL: 0}
    assert (now.of(0).flags & PENDING, before.of(0).flags & PENDING) == (0, PENDING)


# ------------------------------------------------------------------------------------ a catalogue that came in between


def test_a_link_whose_scope_became_service_stays_good_until_it_is_asked_again(shop):
    """What serves an order isn't granted; the link isn't used up by it."""
    shop.grant(shop.bo, MAIL)
    [token] = mailed(shop)
    served = tables()
    served["purpose"][0]["marketing"] = False
    next(each for each in served["scope"] if each["scope"] == MAIL).update(legal_basis="contract", double_opt_in=False)
    del next(each for each in served["scope"] if each["scope"] == MAIL)["validity"]
    shop.publish(toml(served))
    seen, pressed, size = look(shop, token).scopes, press(shop, token), shop.size()
    shop.publish(toml(CATALOGUE))
    again = press(shop, token)

    assert (seen, pressed, len(again), shop.size()) == ({}, [], 1, size + 2)
    assert shop.reason(shop.bo, MAIL) == "PERMIT"


def test_a_link_confirms_the_wording_that_was_shown_though_it_left_the_file(shop):
    """Rule 4: a minor version may leave the catalogue; who said yes to it did so."""
    newer = tables()
    newer["notice"].append({"key": "words", "version": 2, "material": False, "wording": {"en": "May we, please?"}})
    shop.publish(toml(newer))
    shop.grant(shop.bo, MAIL)
    [token] = mailed(shop)
    newer["notice"][-1] = {"key": "words", "version": 3, "material": False, "wording": {"en": "May we now?"}}
    shop.publish(toml(newer))
    seen = look(shop, token).scopes
    [done] = press(shop, token)
    with shop.store.read() as work:
        said = history.of_customer(shop.deployment.desk, work, shop.bo)
        shown = wordings.shown(shop.deployment.desk, work, said)

    assert (seen, done.statement.notices, shop.reason(shop.bo, MAIL)) == ({MAIL: 2}, {MAIL: 2}, "PERMIT")
    assert [[each.wording for each in shown[one.seq]] for one in said] == [["May we, please?"]] * 2
    shop.check_ledger()
