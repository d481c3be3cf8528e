"""Links in messages: they withdraw without a sign-in, for ever, and can do nothing else."""

import pytest

from consent.base.errors import CustomerUnknown
from consent.base.ids import CustomerId, Scope
from consent.catalogue.reading import DEFAULT
from consent.register import history, links, merging
from consent.register.links import LinkUnknown
from tests.builders import CATALOGUE, toml
from tests.world import FOUNDING

NEWSLETTER = Scope("contact:email:newsletter")
PURCHASES = Scope("remember:purchases")


def signed(world, customer, *scopes):
    return links.sign(world.deployment.desk, customer, scopes, at=world.clock())


def pressed(world, token):
    with world.store.write() as work:
        return links.withdraw(world.deployment.desk, work, token, at=world.clock())


def test_a_link_withdraws_what_it_names_and_nothing_else(world):
    token = signed(world, world.ann, NEWSLETTER)
    before = world.reason(world.ann, NEWSLETTER)

    [recorded] = pressed(world, token)

    assert (before, world.reason(world.ann, NEWSLETTER)) == ("PERMIT", "WITHDRAWN")
    assert world.reason(world.ann, PURCHASES) == "PERMIT"
    with world.store.read() as work:
        said = history.one(world.deployment.desk, work, recorded.seq)
    assert (said.actor, said.statement.act, said.statement.method) == ("link", "withdraw", "one_click")
    world.check_ledger()


def test_pressing_twice_says_it_once(world):
    token = signed(world, world.ann, NEWSLETTER, PURCHASES)
    assert [len(pressed(world, token)) for _ in range(3)] == [1, 0, 0]
    assert world.size() == FOUNDING + 1


def test_a_link_of_two_years_ago_still_withdraws(world):
    """Rule 6: a link of 24 months ago can still withdraw."""
    token = signed(world, world.ann, NEWSLETTER)
    world.clock.advance(days=730)
    world.grant(world.ann, NEWSLETTER)
    assert world.reason(world.ann, NEWSLETTER) == "PERMIT"

    pressed(world, token)

    assert world.reason(world.ann, NEWSLETTER) == "WITHDRAWN"


def test_a_link_ends_what_needed_no_consent_too(world):
    scope = Scope("use:responses:measurement")
    before = world.reason(world.ann, scope)
    pressed(world, signed(world, world.ann, scope))
    assert (before, world.reason(world.ann, scope)) == ("PERMIT", "WITHDRAWN")


def test_a_link_says_what_it_was_made_for(world):
    read = links.read(world.deployment.desk, signed(world, world.ann, PURCHASES, NEWSLETTER, PURCHASES))
    assert (read.customer, read.scopes, read.issued_at) == (world.ann, (NEWSLETTER, PURCHASES), world.clock())


def test_a_link_with_any_sign_changed_does_nothing(sqlite_world):
    token = signed(sqlite_world, sqlite_world.ann, NEWSLETTER)
    size = sqlite_world.size()
    for spot, sign in enumerate(token):
        other = "A" if sign != "A" else "B"
        with pytest.raises(LinkUnknown):
            pressed(sqlite_world, token[:spot] + other + token[spot + 1 :])
    assert sqlite_world.size() == size


@pytest.mark.parametrize("token", ["", ".", "x.y", "e30.e30", "\N{SNOWMAN}.\N{SNOWMAN}", "A" * 100_000])
def test_a_made_up_link_does_nothing(sqlite_world, token):
    with pytest.raises(LinkUnknown):
        pressed(sqlite_world, token)


def test_a_scope_that_left_the_catalogue_is_passed_over(sqlite_world):
    token = signed(sqlite_world, sqlite_world.ann, Scope("contact:pigeon:newsletter"), NEWSLETTER)
    [recorded] = pressed(sqlite_world, token)
    assert recorded.statement.scopes == (NEWSLETTER,)


def test_a_scope_that_left_the_catalogue_is_withdrawn_and_does_not_come_back_as_given(world):
    """Rule 6: whoever presses while a scope is away has withdrawn it when it is there again; twice says it once."""
    token = signed(world, world.ann, NEWSLETTER)
    shipped = DEFAULT.read_text(encoding="utf-8")
    world.publish(toml(CATALOGUE))
    [recorded] = pressed(world, token)
    again = pressed(world, token)
    world.publish(shipped + "\n# back again\n")
    assert (recorded.statement.scopes, again, world.reason(world.ann, NEWSLETTER)) == ((NEWSLETTER,), [], "WITHDRAWN")
    world.check_ledger()


def test_who_is_not_enrolled_has_nothing_to_withdraw(sqlite_world):
    with pytest.raises(CustomerUnknown):
        pressed(sqlite_world, signed(sqlite_world, CustomerId("cus_" + "0" * 32), NEWSLETTER))


def test_keys_for_different_uses_differ(sqlite_world):
    desk = sqlite_world.deployment.desk
    keys = {use: links.derived_key(desk, use) for use in ("link/v1", "csrf/v1")}
    assert [len(key) for key in keys.values()] == [32, 32]
    assert len({*keys.values(), desk.keys.link_key}) == 3


def test_a_link_speaks_for_who_goes_on_under_its_id(world):
    """Rule 6: a link in an old mail withdraws also where its customer was joined with another record of his."""
    world.grant(world.bo, NEWSLETTER, PURCHASES)
    token = signed(world, world.bo, NEWSLETTER)
    with world.store.write() as work:
        merging.merge(world.deployment.desk, work, world.bo, world.ann, actor=world.cy, at=world.clock())
    before = world.reason(world.ann, NEWSLETTER)
    [recorded] = pressed(world, token)

    assert (before, recorded.customer, world.reason(world.ann, NEWSLETTER)) == ("PERMIT", world.ann, "WITHDRAWN")
    assert world.reason(world.ann, PURCHASES) == "PERMIT"
    world.check_ledger()


def test_a_mail_program_is_told_where_to_unsubscribe_in_one_press(sqlite_world):
    """Rule 6: the two headers of RFC 8058, as they have to stand in a mail."""
    address = "https://shop.example/w/" + signed(sqlite_world, sqlite_world.ann, NEWSLETTER)
    assert links.headers(address) == {
        "List-Unsubscribe": f"<{address}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def test_a_press_is_said_at_the_ledgers_own_time(world):
    pressed_at = world.clock()
    world.clock.advance(seconds=3)
    world.grant(world.bo, NEWSLETTER)
    with world.store.write() as work:
        token = links.sign(world.deployment.desk, world.bo, [NEWSLETTER], at=pressed_at)
        links.withdraw(world.deployment.desk, work, token, at=pressed_at)
    assert world.reason(world.bo, NEWSLETTER) == "WITHDRAWN"


@pytest.mark.parametrize("old", ["refuse", "object", "withdraw"])
def test_a_link_is_heard_after_an_older_no_so_that_paper_of_between_changes_nothing(world, old):
    """Rules 5 and 6: an old paper form that is typed in today can't undo a newer word."""
    world.say(world.statement(world.ann, old, NEWSLETTER))
    world.clock.advance(days=1)
    signed_on = world.clock()
    world.clock.advance(days=1)
    token = signed(world, world.ann, NEWSLETTER)
    assert [len(pressed(world, token)) for _ in range(2)] == [1, 0]
    world.clock.advance(days=1)
    world.grant(world.ann, NEWSLETTER, said_at=signed_on, method="paper")
    assert world.reason(world.ann, NEWSLETTER) == "WITHDRAWN"
    assert len(pressed(world, token)) == 1
