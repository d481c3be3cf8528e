"""What comes back: outcomes with their times, silence, opt-outs, complaints, thanks; and what each does to goodwill."""

from datetime import timedelta

import pytest

from consent import gate
from consent.audit.findings import Evidence
from consent.audit.judging import judged
from consent.base.clock import from_ms, to_ms
from consent.base.errors import CustomerUnknown, DecisionUnknown, RequestUnfit, StateConflict
from consent.register import stopping
from consent.uses import Use
from personalise import audit_checks, engine, goodwill, held, reservations, shelf
from personalise.contact_policy.reading import parse_contact_policy
from personalise.contacts import turn_down
from personalise.goodwill import Entry
from personalise.responses import ignored, outcomes, rejections, reported
from personalise.results.judging import results
from personalise.runs import run
from personalise.steps.interact.states import Did
from tests.builders import toml
from tests.campaigns import LETTER, MAIL, TABLES, TEXT, open_run, publish, told, willing
from tests.campaigns import sent as send_all

GOODWILL = {
    "opening": 50, "prices": {"email": 1}, "ignored": 1.5, "opt_out": 10, "credits": {"thanks": 3, "purchase": 4.5},
}  # fmt: skip
MEASURED = "use:responses:measurement"
TWO_WEEKS = {"window_days": 14, "silence": "no"}
SHARE = {"holdout": {"share": 0, "salt": "s"}}


def rule(world, **changes):
    """Publish a contact policy that prices what comes back."""
    desk = world.deployment.desk
    with world.store.write() as work:
        text = toml({"goodwill": {**GOODWILL, **changes}})
        read = parse_contact_policy(text, "toml", desk.catalogues.current(work))
        shelf.publish_contact_policy(desk, work, read, actor="mia", at=world.clock())


@pytest.fixture
def shop(world):
    """Return a world with prices and a campaign that waits two weeks for what comes of its mails."""
    rule(world)
    publish(world, objective=TWO_WEEKS, campaign=SHARE, treatment=TABLES["treatment"][:1], cap=[])
    return world


def decided(world, who, **how):
    return engine.decide_one(world.deployment, who, campaign="spring", actor="mia", **how).id


def came(world, decision, *, value=True, at=None):
    return outcomes.record(world.deployment, decision, value, came_at=at or world.clock()).outcome


def lines(world, who):
    with world.store.read() as work:
        return [(line.kind, line.amount, line.reference) for line in goodwill.account(work, who)][1:]


def contact(decision):
    return (Entry.CONTACT, -1_000, decision)


# ------------------------------------------------------------------------------------------------------------- outcomes


def test_an_outcome_of_a_decision_is_remembered_with_its_time_and_once(shop):
    [who] = willing(shop, 1)
    made = decided(shop, who)
    shop.clock.advance(days=2)
    first = shop.clock()
    answers = [
        came(shop, made),
        came(shop, made),
        came(shop, made, at=first - timedelta(hours=1)),
        came(shop, made, value=False),
    ]

    assert answers == ["stored", "repeated", "stored", "stored"]
    assert shop.recall([who], ["visited", "got"], purpose="measurement") == [{"visited": False, "got": "mail"}]
    at, before = to_ms(first), to_ms(first) - 3_600_000
    assert shop.rows("SELECT attribute, number, came_at, timed, changed FROM outcome ORDER BY 1 DESC, 2") == [
        ("visited", 0, at, 1, 1), ("visited", 1, before, 1, 0), ("visited", 2, at, 1, 1),
        ("got", 0, at, 1, 1), ("got", 1, before, 1, 0),
    ]  # fmt: skip
    told = list(held.outcomes(shop.deployment, who, by=shop.clock()))
    assert [(each["attribute"], each["exact"]) for each in told[:2]] == [("got", True), ("visited", True)]
    shop.check_ledger()


def test_of_whoever_is_left_out_or_alone_it_is_known_that_he_got_nothing(world):
    publish(world, campaign={"holdout": {"share": 0.9, "salt": "s"}, "audience": "months_since_purchase <= 1"})
    [who] = willing(world, 1)
    came(world, decided(world, who))

    assert world.recall([who], ["visited", "got"], purpose="measurement") == [{"visited": True, "got": "none"}]


def test_what_may_not_be_remembered_leaves_no_time_and_what_is_forgotten_takes_it_along(shop):
    objecting, forgetting = willing(shop, 2)
    shop.object(objecting, MEASURED)
    decisions = [decided(shop, who) for who in (objecting, forgetting)]
    assert [came(shop, each) for each in decisions] == ["refused", "stored"]
    assert shop.rows("SELECT DISTINCT customer FROM outcome") == [(forgetting,)]
    shop.object(forgetting, "remember:responses")

    assert shop.rows("SELECT count(*) FROM memory WHERE category = 'responses'") == [(0,)]
    assert shop.rows("SELECT * FROM outcome") == []
    assert came(shop, decisions[1]) == "refused"
    shop.check_ledger()


def test_what_is_told_goes_by_the_outcome_and_not_by_what_is_remembered_beside_it(world):
    """What he had got is remembered under another category than what came of it."""
    received = {**SHARE, "received": "main_interest"}
    publish(world, treatment=TABLES["treatment"][:1], campaign=received, cap=[])
    neither, one, other = willing(world, 3)
    for who in (neither, one):
        world.object(who, "remember:responses")
    for who in (neither, other):
        world.object(who, "remember:interests")
    made = {who: decided(world, who) for who in (neither, one, other)}
    told = {who: [came(world, made[who]) for _ in range(2)] for who in made}

    assert told == {neither: ["refused"] * 2, one: ["refused"] * 2, other: ["stored", "repeated"]}
    assert world.rows("SELECT customer, attribute FROM outcome ORDER BY customer") == sorted(
        [(one, "main_interest"), (other, "visited")]
    )


@pytest.mark.parametrize(
    ("value", "days", "where"), [(3, 0, "/value"), ("yes", 0, "/value"), (True, 1, "/came_at"), (True, -1, "/came_at")]
)
def test_what_cannot_have_come_of_it_is_refused(shop, value, days, where):
    [who] = willing(shop, 1)
    made = decided(shop, who)
    with pytest.raises(RequestUnfit) as refused:
        came(shop, made, value=value, at=shop.clock() + timedelta(days=days))
    assert [place.where for place in refused.value.places] == [where]
    assert shop.rows("SELECT * FROM outcome") == []


def test_an_outcome_of_no_decision_is_refused(shop):
    with pytest.raises(DecisionUnknown):
        came(shop, "dec_" + "0" * 32 + ".0")


# -------------------------------------------------------------------------------------------------------------- ignored


def settle(world, **how):
    done = ignored.settle(world.deployment, actor="worker", **how)
    return done.contacts, done.ignored


def test_a_contact_of_which_nothing_came_in_time_was_ignored_and_is_booked_once(shop):
    names = ("silent", "visitor", "late", "declining", "objecting", "saying_no")
    who = dict(zip(names, willing(shop, len(names)), strict=True))
    shop.object(who["objecting"], MEASURED)
    made = {name: decided(shop, who[name]) for name in names}
    shop.clock.advance(days=1)
    came(shop, made["visitor"])
    came(shop, made["saying_no"], value=False)
    with shop.store.write() as work:
        turn_down(work, who["declining"], made["declining"], at=shop.clock())
    shop.clock.advance(days=13, milliseconds=-1)
    before = settle(shop)
    shop.clock.advance(milliseconds=1)
    came(shop, made["late"])
    after, again = settle(shop, most=4), settle(shop)

    assert (before, after, again) == ((0, 0), (6, 3), (0, 0))
    taken = {name for name in names if (Entry.IGNORED, -1_500, made[name]) in lines(shop, who[name])}
    assert taken == {"silent", "late", "saying_no"}
    assert {len(lines(shop, each)) for each in who.values()} == {1, 2}
    shop.check_ledger()


def test_ghosts_and_service_messages_are_not_ignored_and_without_a_window_nothing_is_waited_for(world):
    rule(world)
    held_out = {"holdout": {"share": 0.5, "salt": "s"}}
    publish(world, objective=TWO_WEEKS, campaign=held_out, treatment=TABLES["treatment"][:1], cap=[])
    publish(world, campaign={"key": "bill", "class": "service", **SHARE}, objective=TWO_WEEKS)
    publish(world, campaign={"key": "endless", **SHARE}, cap=[])
    willing(world, 30)
    for key in ("spring", "bill", "endless"):
        run.advance(world.deployment, open_run(world.deployment, key, actor="mia"))
    [(sent,)] = world.rows("SELECT count(*) FROM contact WHERE campaign = 'spring' AND status <> 'ghost'")
    assert send_all(world) == sent + 60
    world.clock.advance(days=400)

    assert settle(world) == (60, sent)
    assert world.rows("SELECT campaign, count(*) FROM contact WHERE waited_until IS NULL GROUP BY 1") == [
        ("endless", 30)
    ]


def test_what_never_left_was_neither_ignored_nor_received(shop):
    [who] = willing(shop, 1)
    run.advance(shop.deployment, open_run(shop.deployment, "spring", actor="mia"))
    [(made,)] = shop.rows("SELECT decision FROM contact")
    shop.clock.advance(days=6)
    assert settle(shop) == (0, 0)
    shop.clock.advance(days=14)
    with shop.store.write() as work:
        assert reservations.sweep(work, shop.clock(), 10) == 1
    assert settle(shop) == (1, 0)
    assert lines(shop, who) == [contact(made), (Entry.CORRECTION, 1_000, made)]

    said = {"remember:responses", "use:responses:measurement"}
    shop.grant(who, *said)
    assert came(shop, made) == "stored"
    with shop.store.write() as work:
        permits = gate.permits(shop.deployment.desk, work, [who], sorted(said), at=shop.clock())
        use = Use(actor="mia", purpose="measurement", reason="a test")
        recalled = gate.recall(shop.deployment.desk, work, permits, attributes=["got"], use=use)
    assert recalled["got"].to_pylist() == ["none"]


def test_what_was_booked_twice_or_for_nothing_is_found(shop):
    who, other = willing(shop, 2)
    made = [decided(shop, each) for each in (who, other)]
    shop.clock.advance(days=14)
    settle(shop)
    assert audited(shop) == []
    shop.tamper("UPDATE contact SET waited_until = NULL WHERE customer = :who", who=who)
    assert audited(shop) == [(who, f"{made[0]} counts as ignored, and is no contact whose time was up")]
    assert settle(shop) == (1, 0)  # booked once, whatever became of the note
    assert audited(shop) == []
    shop.tamper(
        "UPDATE goodwill_entry SET kind = 'thanks', amount = 0, reference = 'x' WHERE customer = :who AND number > 0",
        who=other,
    )
    assert (other, "thanks was booked 2 times for x") in audited(shop)


def test_what_was_turned_down_rests_and_was_not_ignored(shop):
    """What never reached him, or not yet, can't be turned down."""
    who, closed, waiting = willing(shop, 3)
    made = decided(shop, who)
    shop.clock.advance(days=1)
    first = rejections.turn_down(shop.deployment, made)
    since = shop.clock()
    shop.clock.advance(days=1)
    again = rejections.turn_down(shop.deployment, made)
    carried = decided(shop, waiting, carried=True)
    for refused, error in ((carried, StateConflict), ("dec_" + "0" * 32 + ".0", DecisionUnknown)):
        with pytest.raises(error):
            rejections.turn_down(shop.deployment, refused)
    shop.withdraw(closed, MAIL, TEXT, LETTER)
    with pytest.raises(DecisionUnknown):
        rejections.turn_down(shop.deployment, decided(shop, closed))
    shop.clock.advance(days=20)

    assert (first.family, first.turned_down_at, first.repeated) == ("spring", since, False)
    assert (again.turned_down_at, again.repeated) == (since, True)
    assert settle(shop)[1] == 0
    assert lines(shop, who) == [contact(made)]
    shop.check_ledger()


def handed_out(world, count):
    """Have contacts carried out here, sent at once, and settled when their time is up; return them."""
    who = willing(world, count)
    run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"))
    assert send_all(world) == count
    world.clock.advance(days=14)
    assert settle(world) == (count, count)
    assert audited(world) == []
    return who, [(each, made) for each, made in world.rows("SELECT customer, decision FROM contact ORDER BY customer")]


def test_what_counts_as_ignored_was_handed_out_and_had_not_ended(shop):
    who, [first, second] = handed_out(shop, 2)
    shop.tamper("UPDATE contact SET claimed_at = NULL WHERE customer = :who", who=who[0])
    shop.tamper("UPDATE contact SET status = 'released' WHERE customer = :who", who=who[1])
    assert audited(shop) == [
        (who[0], f"{first[1]} counts as ignored, and nobody was ever handed it to send"),
        (who[1], f"1000 is owed back for {second[1]}, and 0 was given back for it"),
        (who[1], f"{second[1]} counts as ignored, and never reached him: it is released"),
    ]


def test_what_turns_out_never_to_have_reached_him_was_not_ignored_and_all_is_given_back(shop):
    [who], [contact_] = handed_out(shop, 1)
    shop.clock.advance(days=1)
    assert told(shop, contact_, Did.FAIL_HARD) == "failed"
    assert lines(shop, who) == [
        contact(contact_[1]), (Entry.IGNORED, -1_500, contact_[1]), (Entry.CORRECTION, 2_500, contact_[1]),
    ]  # fmt: skip
    assert audited(shop) == []
    found = results(shop.deployment, "spring", actor="mia").goodwill
    assert (found.contacts, found.taken) == (0, 0)


def test_where_silence_says_nothing_only_what_was_told_counts_as_ignored(world):
    rule(world)
    publish(world, objective={"window_days": 14}, campaign=SHARE, treatment=TABLES["treatment"][:1], cap=[])
    names = ("silent", "visitor", "late", "saying_no")
    who = dict(zip(names, willing(world, len(names)), strict=True))
    made = {name: decided(world, who[name]) for name in names}
    world.clock.advance(days=1)
    came(world, made["visitor"])
    came(world, made["saying_no"], value=False)
    world.clock.advance(days=13)
    came(world, made["late"])

    assert settle(world) == (4, 2)
    taken = {name for name in names if (Entry.IGNORED, -1_500, made[name]) in lines(world, who[name])}
    assert taken == {"late", "saying_no"}


def audited(world):
    """Return what the check of accounts finds."""
    checks = [each for each in audit_checks.CHECKS if each.key == "goodwill"]
    evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock())
    [went] = judged(checks, evidence, world.clock)
    assert went.gaps == ()
    return [(each.subject, each.why) for each in went.findings]


def test_a_line_of_a_kind_that_there_is_not_is_found_though_the_account_adds_up(shop):
    [who] = willing(shop, 1)
    decided(shop, who)
    assert audited(shop) == []
    shop.tamper("INSERT INTO goodwill_entry SELECT customer, 2, at, 'present', 500, '' FROM goodwill_entry "
                "WHERE number = 1")  # fmt: skip
    shop.tamper("UPDATE goodwill SET balance = balance + 500, entries = 3")

    assert audited(shop) == [(who, "entry 2 is of no kind that there is: 'present'")]


# ------------------------------------------------------------------------------------------------------------- opt-outs


def test_ending_a_channel_takes_goodwill_with_reference_to_the_last_contact_by_it(shop):
    [who] = willing(shop, 1)
    first = decided(shop, who)
    shop.clock.advance(days=8)
    last = decided(shop, who)
    shop.withdraw(who, MAIL, TEXT)
    shop.withdraw(who, MAIL, LETTER)  # of which the mails had ended before

    assert lines(shop, who)[2:] == [
        (Entry.OPT_OUT, -10_000, last), (Entry.OPT_OUT, -10_000, ""), (Entry.OPT_OUT, -10_000, ""),
    ]  # fmt: skip
    assert lines(shop, who)[:2] == [contact(first), contact(last)]
    shop.check_ledger()


def test_what_was_never_given_ends_nothing_nor_does_a_no_that_is_refused(shop):
    who, other = willing(shop, 2)
    shop.refuse(who, MAIL)
    shop.withdraw(who, "contact:email:newsletter")
    shop.withdraw(who, "use:purchases:recommendations")
    with pytest.raises(CustomerUnknown):
        shop.say(shop.statement(other, "withdraw", MAIL), shop.statement("cus_" + "0" * 32, "withdraw", MAIL))

    assert (lines(shop, who), lines(shop, other)) == ([], [])


def test_a_long_while_after_the_contact_an_opt_out_is_put_down_to_none(shop):
    [who] = willing(shop, 1)
    made = decided(shop, who)
    shop.clock.advance(days=30)
    shop.withdraw(who, MAIL)

    assert lines(shop, who) == [contact(made), (Entry.OPT_OUT, -10_000, "")]


def test_stopping_everything_books_each_channel_that_was_open_and_never_waits_for_a_catalogue(shop):
    [who] = willing(shop, 1)
    with shop.store.write() as work:
        stopping.stop_all(shop.deployment.desk, work, who, actor="customer", at=shop.clock())

    assert lines(shop, who) == [(Entry.OPT_OUT, -10_000, "")] * 3


# --------------------------------------------------------------------------------------------- complaints, and thanks


def report(world, who, kind, **about):
    done = reported.report(world.deployment, who, kind, actor="mia", **about)
    return done.amount, done.balance, done.repeated, done.suppressed


def test_a_complaint_takes_all_there_is_and_leaves_every_address_alone_and_counts_once(shop):
    shop.clock.advance(seconds=1)
    [] = shop.rows("SELECT * FROM suppression")
    before = shop.reason(shop.ann, MAIL)
    answers = [report(shop, shop.ann, Entry.COMPLAINT, reference="call 7") for _ in range(2)]

    assert answers == [(-50.0, 0.0, False, 1), (0.0, 0.0, True, 0)]
    assert (before, shop.reason(shop.ann, MAIL)) == ("PERMIT", "SUPPRESSED")
    assert [kind for kind, _, _ in lines(shop, shop.ann)] == [Entry.COMPLAINT]
    [(_, _, named)] = lines(shop, shop.ann)
    assert (named[:4], "call" in named) == ("ref_", False)
    assert shop.deployment.erasures.outlasting().suppressed != {}
    shop.check_ledger()


def test_what_a_customer_starts_gives_back_up_to_what_he_began_with(shop):
    [who] = willing(shop, 1)
    made = decided(shop, who)
    shop.withdraw(who, MAIL)
    answers = [
        report(shop, who, Entry.PURCHASE, decision=made), report(shop, who, Entry.PURCHASE, decision=made),
        report(shop, who, Entry.THANKS, reference="card"), report(shop, who, Entry.PURCHASE, reference="order 1"),
        report(shop, who, Entry.ANSWER, reference="q1"),
    ]  # fmt: skip

    assert answers == [
        (4.5, 43.5, False, 0), (0.0, 43.5, True, 0), (3.0, 46.5, False, 0), (3.5, 50.0, False, 0),
        (0.0, 50.0, False, 0),
    ]  # fmt: skip
    rule(shop, opening=90)  # whoever has an account keeps to what it opened with
    assert report(shop, who, Entry.THANKS, reference="another card")[:2] == (0.0, 50.0)


def test_a_report_is_about_a_decision_of_the_customer_or_has_a_reference(shop):
    who, other = willing(shop, 2)
    made = decided(shop, other)
    for about in ({}, {"decision": made, "reference": "x"}, {"decision": made}):
        with pytest.raises(RequestUnfit):
            report(shop, who, Entry.THANKS, **about)
    with pytest.raises(CustomerUnknown):
        report(shop, "cus_" + "0" * 32, Entry.THANKS, reference="x")
    assert lines(shop, who) == []


# -------------------------------------------------------------------------------------------------------------- results


def test_results_count_what_was_booked_by_arm_and_what_it_took_from_goodwill(world):
    rule(world)
    willing(world, 300)
    half = {"holdout": {"share": 0.5, "salt": "s"}}
    publish(world, objective=TWO_WEEKS, campaign=half, treatment=TABLES["treatment"][:1], cap=[])
    run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"))
    rows = world.rows("SELECT customer, decision, status FROM contact ORDER BY customer")
    sent = [(who, made) for who, made, status in rows if status != "ghost"]
    held_out = [who for who, _, status in rows if status == "ghost"]
    assert send_all(world) == len(sent)
    world.clock.advance(days=1)
    for _, made in sent[:40]:
        came(world, made)
    report(world, sent[0][0], Entry.COMPLAINT, decision=sent[0][1])
    report(world, sent[1][0], Entry.THANKS, decision=sent[1][1])
    report(world, held_out[0], Entry.COMPLAINT, reference="a letter")
    world.withdraw(sent[2][0], MAIL)
    world.withdraw(held_out[1], MAIL)
    world.clock.set(from_ms(to_ms(world.clock()) + 20 * 86_400_000))
    assert settle(world) == (300, len(sent) - 40)
    found = results(world.deployment, "spring", actor="mia")

    assert [(arm.opted_out, arm.complained) for arm in (found.addressed, found.held_out)] == [(1, 1), (1, 1)]
    taken = 49 + 10 + 1.5 * (len(sent) - 40)
    assert (found.goodwill.contacts, found.goodwill.taken, found.goodwill.given) == (len(sent), taken, 1.0)
