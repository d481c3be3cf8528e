"""The rules of permission, each by its number, through the store and the gate.

Rules 4 and 15 are in `test_notices`, 5 in `test_confirming`, 6 in `test_withdraw_links`, 12 in `test_merging`, 13 in
`test_stopping`; 10, 11 and 17 with the imports, the suppressions and the signals.
"""

from datetime import UTC, datetime, timedelta

import pytest

from consent import gate
from consent.base.errors import DatabaseDown, StatementInvalid
from consent.base.ids import Scope
from consent.base.store import Store
from consent.catalogue.reading import DEFAULT
from consent.permission.statement import Method
from consent.permission.verdict import Reason
from consent.register import history
from tests.builders import CATALOGUE, tables, toml

USE, REMEMBER, MAIL = "use:purchases:recommendations", "remember:purchases", "contact:email:recommendations"
INTEREST, SERVICE = "use:responses:measurement", "contact:email:service"
DAY = timedelta(days=1)
FACTS = {"spend_past_year": 12.5}


def many(world, customer, scopes, **how):
    with world.store.read() as work:
        found = gate.permits(world.deployment.desk, work, [customer], scopes, **{"at": world.clock(), **how})
    return [Reason(cell).name for cell in found.reasons[0]]


# --------------------------------------------------------------------------------------------------------- 1, 2, 3, 7


def test_nothing_is_permitted_that_nobody_allowed(world):
    """Rule 1: default deny: what nobody said yes to is denied, in every way of asking, and opens nothing."""
    world.remember(world.ann, **FACTS)
    with world.store.read() as work:
        scopes = [rule.scope for rule in world.deployment.desk.catalogues.current(work).in_order]
        verdicts = gate.check_all(world.deployment.desk, work, world.bo, at=world.clock())
    needs_no_yes = {one.scope for one in verdicts if one.reason is Reason.PERMIT}

    assert {scope.rpartition(":")[2] for scope in needs_no_yes} <= {
        "service", "measurement", "identity", "preferences", "responses",
    }  # fmt: skip
    assert {world.reason(world.bo, scope) for scope in scopes if scope not in needs_no_yes} == {"NO_RECORD"}
    asked = ["use:interests:resale", "share:broker:newsletter", *FACTS]
    assert [world.reason(world.ann, scope) for scope in asked] == ["UNKNOWN_SCOPE"] * 3
    assert world.recall([world.ann, world.bo], list(FACTS), purpose="recommendations") == [
        FACTS,
        {"spend_past_year": None},
    ]


def test_a_ledger_out_of_reach_permits_nothing(sqlite_world, tmp_path):
    """Rule 1: an unreachable ledger gives no personal field: it raises, and nothing is taken for a yes."""
    away = Store(f"sqlite:///{tmp_path}/away/byleave.db")
    with pytest.raises(DatabaseDown), away.live() as work:
        gate.check(sqlite_world.deployment.desk, work, sqlite_world.ann, USE, at=sqlite_world.clock())
    with pytest.raises(DatabaseDown), away.read() as work:
        gate.permits(sqlite_world.deployment.desk, work, [sqlite_world.ann], [USE], at=sqlite_world.clock())


def test_granting_one_scope_permits_no_other_and_a_withdrawal_holds_for_the_next_decision(world):
    """Rule 2: and withdrawing takes as many statements as granting: one."""
    with world.store.read() as work:
        scopes = [rule.scope for rule in world.deployment.desk.catalogues.current(work).in_order]
    before = many(world, world.bo, scopes)
    world.grant(world.bo, MAIL)
    granted = many(world, world.bo, scopes)
    world.withdraw(world.bo, MAIL)
    withdrawn = many(world, world.bo, scopes)

    changed = [scope for scope, was, now in zip(scopes, before, granted, strict=True) if was != now]
    assert (changed, granted[scopes.index(MAIL)], withdrawn[scopes.index(MAIL)]) == ([MAIL], "PERMIT", "WITHDRAWN")
    assert {scope: one for scope, one in zip(scopes, withdrawn, strict=True) if scope != MAIL} == {
        scope: one for scope, one in zip(scopes, before, strict=True) if scope != MAIL
    }
    world.check_ledger()


def test_a_permission_ends_by_the_time_of_the_check_and_nobody_has_to_end_it(world):
    """Rule 3: no job runs in this test, and no row is written."""
    world.grant(world.bo, USE, REMEMBER)
    world.remember(world.bo, **FACTS)
    size = world.size()
    [(ends,)] = world.rows("SELECT next_expiry FROM standing WHERE customer = :who", who=world.bo)
    world.clock.advance(milliseconds=ends - 1 - int(world.clock().timestamp() * 1000))
    before = world.reason(world.bo, USE), world.recall([world.bo], list(FACTS), purpose="recommendations")
    world.clock.advance(milliseconds=1)
    after = world.reason(world.bo, USE), world.recall([world.bo], list(FACTS), purpose="recommendations")

    assert before == ("PERMIT", [FACTS])
    assert after == ("EXPIRED", [{"spend_past_year": None}])
    assert (many(world, world.bo, [USE]), world.size()) == (["EXPIRED"], size)


def test_an_objection_stops_profiling_and_marketing_on_any_basis_and_outlives_every_other_no(world):
    """Rule 7: objection is not withdrawal; service messages still go."""
    world.object(world.ann, USE, MAIL, INTEREST, SERVICE)
    objected = [world.reason(world.ann, scope) for scope in (USE, MAIL, INTEREST, SERVICE)]
    world.clock.advance(seconds=1)
    world.refuse(world.ann, USE)
    world.withdraw(world.ann, MAIL, INTEREST)

    assert objected == ["OBJECTED", "OBJECTED", "OBJECTED", "PERMIT"]
    assert [world.reason(world.ann, scope) for scope in (USE, MAIL, INTEREST)] == ["OBJECTED"] * 3
    assert many(world, world.ann, [USE, MAIL, INTEREST, SERVICE]) == objected
    world.check_ledger()


def test_the_customers_own_grant_lifts_his_objection_also_to_a_legitimate_interest(world):
    """Rule 7: he has the last word both ways."""
    world.remember(world.ann, visited=True)
    world.object(world.ann, INTEREST, "remember:responses")
    objected = [world.reason(world.ann, INTEREST, remembered=each) for each in (False, True)]
    world.clock.advance(seconds=1)
    lifted = world.grant(world.ann, INTEREST, "remember:responses")

    assert objected == ["OBJECTED", "OBJECTED"]
    assert [world.reason(world.ann, INTEREST, remembered=each) for each in (False, True)] == ["PERMIT", "PERMIT"]
    assert many(world, world.ann, [INTEREST]) == ["PERMIT"]
    assert (lifted.statement.valid_until, lifted.statement.awaiting) == (None, frozenset())
    with pytest.raises(StatementInvalid, match="it isn't granted"):
        world.grant(world.ann, SERVICE)
    with pytest.raises(StatementInvalid, match="it isn't renewed"):
        world.say(world.statement(world.ann, "renew", INTEREST))
    world.check_ledger()


def test_a_grant_that_was_not_valid_does_not_lift_an_objection(world):
    """Rule 7: found out later, it counts as never given."""
    world.object(world.bo, INTEREST)
    world.clock.advance(seconds=1)
    world.grant(world.bo, INTEREST)
    world.clock.advance(seconds=1)
    world.say(world.statement(world.bo, "invalidate", INTEREST))
    assert (world.reason(world.bo, INTEREST), many(world, world.bo, [INTEREST])) == ("NO_RECORD", ["NO_RECORD"])


# ----------------------------------------------------------------------------------------------------- 8: opting out

SHARE, ADS, PERSONAL = "share:courier:offers", "share:courier:service", "use:purchases:offers"


@pytest.fixture
def sharing(world):
    """Return a world whose catalogue sells: one scope on consent, one on an interest, both for GPC to deny."""
    given = tables()
    given["scope"] += [
        {"scope": SHARE, "legal_basis": "consent", "notice": "words", "benefit": "Fewer forms.", "gpc": True},
        {"scope": "use:replies:offers", "legal_basis": "legitimate_interest", "notice": "words", "gpc": True},
    ]
    world.publish(toml(given))
    return world


PROFILE = "use:replies:offers"


def signal(world, customer, **said):
    [recorded] = world.say(
        world.statement(customer, "refuse", **{"method": Method.SIGNAL, "evidence": "Sec-GPC: 1", **said})
    )
    return recorded


def test_a_browser_that_opts_out_is_heeded_for_this_moment_and_leaves_the_rest_as_it_is(sharing):
    """Rule 8: Sec-GPC denies sale and sharing for this device, and not by itself same-context personalisation."""
    sharing.grant(sharing.bo, SHARE, PERSONAL)
    scopes = [SHARE, PROFILE, PERSONAL, ADS]
    plain = [sharing.reason(sharing.bo, scope) for scope in scopes]
    heeded = [sharing.reason(sharing.bo, scope, gpc=True) for scope in scopes]

    assert (plain, heeded) == (["PERMIT"] * 4, ["GPC", "GPC", "PERMIT", "PERMIT"])
    assert many(sharing, sharing.bo, [SHARE, PROFILE, ADS], gpc=True) == ["GPC", "GPC", "PERMIT"]
    assert sharing.check(sharing.bo, SHARE, gpc=True).positions == ()


def test_a_recorded_signal_holds_for_the_profile_on_every_device_until_the_customer_says_yes_himself(sharing):
    """Rule 8: and for the known profile; it is recorded, and cites its entry."""
    sharing.grant(sharing.bo, SHARE, PERSONAL)
    recorded = signal(sharing, sharing.bo)
    scopes = [SHARE, PROFILE, PERSONAL]
    opted_out = [sharing.reason(sharing.bo, scope) for scope in scopes]
    check = sharing.check(sharing.bo, SHARE)
    sharing.clock.advance(seconds=1)
    sharing.grant(sharing.bo, SHARE)

    assert opted_out == ["GPC", "GPC", "PERMIT"]
    assert (check.reason, check.positions, check.may_be_asked) == (Reason.GPC, (recorded.seq,), False)
    # He knew, and said yes all the same: also while his browser goes on sending it.
    assert [sharing.reason(sharing.bo, SHARE, gpc=each) for each in (False, True)] == ["PERMIT", "PERMIT"]
    assert sharing.reason(sharing.bo, PROFILE) == "GPC"
    signal(sharing, sharing.bo)
    assert many(sharing, sharing.bo, scopes) == ["GPC", "GPC", "REMEMBER_MISSING"]
    sharing.check_ledger()


@pytest.mark.parametrize("method", [Method.IMPORT, Method.SYNTHETIC, Method.SIGNAL, Method.ONE_CLICK])
def test_nobody_elses_word_overrules_a_signal(sharing, method):
    """Rule 8: only what the customer says himself."""
    signal(sharing, sharing.bo)
    sharing.clock.advance(seconds=1)
    sharing.grant(sharing.bo, SHARE, method=method, evidence="list 7")
    assert sharing.reason(sharing.bo, SHARE) == "GPC"


def test_an_older_form_typed_in_late_does_not_overrule_a_signal(sharing):
    """Rule 8: it is the time said that counts, not the ledger's order."""
    said_at = sharing.clock()
    sharing.clock.advance(days=1)
    signal(sharing, sharing.bo)
    sharing.grant(sharing.bo, SHARE, said_at=said_at, method=Method.PAPER, evidence="box 7")
    assert sharing.reason(sharing.bo, SHARE) == "GPC"
    sharing.check_ledger()


def test_a_no_that_was_said_comes_before_a_signal(sharing):
    """The order of reasons: what he said himself is the better answer."""
    sharing.object(sharing.bo, PROFILE)
    sharing.refuse(sharing.bo, SHARE)
    assert [sharing.reason(sharing.bo, scope, gpc=True) for scope in (SHARE, PROFILE)] == ["REFUSED", "OBJECTED"]


# -------------------------------------------------------------------------------------------------------- 9: minors


@pytest.fixture
def adults(world):
    """Return a world in which offers by letter are for those of sixteen and over."""
    given = tables()
    next(each for each in given["scope"] if each["scope"] == "contact:post:offers")["minimum_age"] = 16
    world.publish(toml(given))
    return world


POST = "contact:post:offers"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, "MINOR"),
        ({"guardian": True}, "MINOR"),
        ({"age": 15}, "MINOR"),
        ({"age": 15, "guardian": True}, "PERMIT"),
        ({"age": 16}, "PERMIT"),
        ({"age": 40}, "PERMIT"),
    ],
)
def test_under_the_age_a_consent_needs_a_guardian_and_an_unknown_age_denies(adults, said, expected):
    """Rule 9: minors: consent is invalid without a guardian's statement; unknown age denies, guardian or not."""
    adults.grant(adults.bo, POST, **said)
    assert (adults.reason(adults.bo, POST), many(adults, adults.bo, [POST])) == (expected, [expected])
    assert adults.reason(adults.bo, PERSONAL) == "NO_RECORD"
    adults.check_ledger()


def test_whoever_comes_of_age_permits_what_he_said_as_a_minor_from_that_day_on(adults):
    """Rule 9: his age is judged at the time of the check."""
    adults.grant(adults.bo, POST, age=15)
    birthday = adults.clock().replace(year=2027)
    adults.clock.set(birthday - timedelta(milliseconds=1))
    before = adults.reason(adults.bo, POST)
    adults.clock.set(birthday)
    assert (before, adults.reason(adults.bo, POST)) == ("MINOR", "PERMIT")


def test_an_age_is_attested_with_whatever_is_said_and_the_tightest_bound_holds(adults):
    """Rule 9: fifteen today and sixteen in half a year is somebody whose birthday is known the better."""
    adults.grant(adults.bo, POST, age=15)
    young = adults.reason(adults.bo, POST)
    adults.clock.advance(days=182)
    adults.refuse(adults.bo, PERSONAL, age=16)
    assert (young, adults.reason(adults.bo, POST)) == ("MINOR", "PERMIT")
    adults.clock.advance(days=1)
    adults.refuse(adults.bo, PERSONAL, age=16)
    assert adults.reason(adults.bo, POST) == "PERMIT"
    adults.check_ledger()


@pytest.mark.parametrize(("first", "then"), [(15, 17), (17, 15), (40, 12)])
def test_of_two_ages_that_cannot_both_be_true_the_younger_holds(adults, first, then):
    """Rule 9: a child that finds the door shut doesn't open it by saying another number."""
    adults.grant(adults.bo, POST, age=first)
    adults.clock.advance(seconds=1)
    adults.grant(adults.bo, POST, age=then)
    doubtful = adults.reason(adults.bo, POST)
    adults.clock.advance(seconds=1)
    adults.say(adults.statement(adults.bo, "invalidate", age=18, evidence="shown his passport"))
    assert (doubtful, adults.reason(adults.bo, POST)) == ("MINOR", "PERMIT")
    adults.check_ledger()


def test_who_was_born_on_29_february_is_a_year_older_on_the_28th(adults):
    """Rule 9: at the very millisecond; the years without a 29th count to the 28th."""
    adults.clock.set(datetime(2028, 2, 29, 10, tzinfo=UTC))
    adults.grant(adults.bo, POST, age=15)
    birthday = datetime(2029, 2, 28, 10, tzinfo=UTC)
    adults.clock.set(birthday - timedelta(milliseconds=1))
    before = adults.reason(adults.bo, POST)
    adults.clock.set(birthday)
    assert (before, adults.reason(adults.bo, POST)) == ("MINOR", "PERMIT")


def test_an_age_that_was_wrong_is_set_right(adults):
    """Rule 9: the parent who rings up is heard."""
    adults.grant(adults.bo, POST, age=18)
    before = adults.reason(adults.bo, POST)
    adults.clock.advance(seconds=1)
    adults.say(adults.statement(adults.bo, "invalidate", age=12, evidence="his mother rang"))

    assert (before, adults.reason(adults.bo, POST)) == ("PERMIT", "MINOR")
    adults.check_ledger()


@pytest.mark.parametrize(("said", "expected"), [({}, "MINOR"), ({"guardian": True}, "PERMIT")])
def test_a_minor_prolongs_nothing_that_his_guardian_gave(adults, said, expected):
    """Rule 9: a renewal is a consent as well."""
    adults.grant(adults.bo, POST, age=12, guardian=True)
    adults.clock.advance(days=30)
    adults.say(adults.statement(adults.bo, "renew", POST, **said))
    assert (adults.reason(adults.bo, POST), many(adults, adults.bo, [POST])) == (expected, [expected])
    adults.check_ledger()


def test_who_has_come_of_age_renews_by_himself_what_his_guardian_gave(adults):
    adults.grant(adults.bo, POST, age=15, guardian=True)
    adults.clock.advance(days=366)
    adults.say(adults.statement(adults.bo, "renew", POST))
    assert adults.reason(adults.bo, POST) == "PERMIT"


def test_a_guardian_stands_behind_one_scope_and_not_behind_another(adults):
    adults.grant(adults.bo, POST, age=12, guardian=True)
    permitted = adults.reason(adults.bo, POST)
    adults.clock.advance(seconds=1)
    adults.grant(adults.bo, POST)
    assert (permitted, adults.reason(adults.bo, POST)) == ("PERMIT", "MINOR")


@pytest.mark.parametrize(
    ("act", "said", "where"),
    [
        ("grant", {"age": 151}, "age"),
        ("grant", {"age": -1}, "age"),
        ("withdraw", {"guardian": True}, "guardian"),
        ("refuse", {}, "scopes"),
        ("invalidate", {}, "scopes"),
        ("refuse", {"method": Method.PHONE}, "scopes"),
    ],
)
def test_what_cannot_be_said_is_refused(sqlite_world, act, said, where):
    scopes = [USE] if where != "scopes" else []
    with pytest.raises(StatementInvalid) as refused:
        sqlite_world.say(sqlite_world.statement(sqlite_world.bo, act, *scopes, **said))
    assert [place.where for place in refused.value.places] == [f"/{where}"]


# ------------------------------------------------------------------------------------------------------------ 14, 16


def test_every_check_can_be_asked_for_a_past_time_and_answers_as_it_stood_then(adults):
    """Rule 16: of grants, signals, ages, pauses, catalogues; and what came to light later changes nothing of it."""
    moments = [adults.clock()]

    def said(act, *scopes, **more):
        adults.clock.advance(days=1)
        adults.say(adults.statement(adults.bo, act, *scopes, **more))
        moments.append(adults.clock())

    said("grant", POST, PERSONAL)
    said("refuse", "use:health:offers", age=18)
    said("pause", until=adults.clock() + 3 * DAY)
    said("resume")
    said("object", PERSONAL)
    said("withdraw", POST, said_at=moments[1])  # an old form, typed in late
    adults.clock.advance(days=1)
    adults.publish(DEFAULT.read_text(encoding="utf-8"))
    moments.append(adults.clock())
    desk = adults.deployment.desk
    with adults.store.read() as work:
        found = {
            scope: [gate.check_as_of(desk, work, adults.bo, scope, at=at).reason.name for at in moments]
            for scope in (POST, PERSONAL)
        }
        views = [
            {one.scope: one.reason.name for one in gate.check_all(desk, work, adults.bo, at=at, as_of=True)}
            for at in moments
        ]
        told = [len(history.of_customer(desk, work, adults.bo, as_of=at)) for at in moments]

    assert found[POST] == ["MINOR", "MINOR", "PERMIT", "PAUSED", "PERMIT", "PERMIT", "WITHDRAWN", "UNKNOWN_SCOPE"]
    assert found[PERSONAL] == [
        "NO_RECORD",
        "PERMIT",
        "PERMIT",
        "PAUSED",
        "PERMIT",
        "OBJECTED",
        "OBJECTED",
        "UNKNOWN_SCOPE",
    ]
    assert [view.get(Scope(POST), "UNKNOWN_SCOPE") for view in views] == found[POST]
    assert [view.get(Scope(PERSONAL), "UNKNOWN_SCOPE") for view in views] == found[PERSONAL]
    assert told == [0, 1, 2, 3, 4, 5, 6, 6]
    adults.check_ledger()


def test_a_pause_denies_until_it_ends_and_leaves_service_alone(world):
    until = world.clock() + 2 * DAY
    world.say(world.statement(world.ann, "pause", until=until))
    paused = [world.reason(world.ann, scope) for scope in (USE, INTEREST, SERVICE)]
    world.clock.set(until)
    assert (paused, [world.reason(world.ann, scope) for scope in (USE, INTEREST)]) == (
        ["PAUSED", "PAUSED", "PERMIT"],
        ["PERMIT", "PERMIT"],
    )


def test_bits_stay_over_catalogue_versions(world):
    """The mask of a customer who said nothing since means the same under every version."""
    before = world.rows("SELECT mask, scopes FROM standing WHERE customer = :who", who=world.ann)
    bits = dict(world.rows("SELECT scope, bit FROM scope_bit"))
    world.publish(toml(CATALOGUE))
    world.publish(DEFAULT.read_text(encoding="utf-8") + "\n")
    assert world.rows("SELECT mask, scopes FROM standing WHERE customer = :who", who=world.ann) == before
    assert {scope: bit for scope, bit in world.rows("SELECT scope, bit FROM scope_bit") if scope in bits} == bits
    assert world.reason(world.ann, USE) == "PERMIT"


# --------------------------------------------------------------------------------- words of the past, and of whoever


def worded(*versions):
    given = tables()
    given["notice"] = [
        *(each for each in given["notice"] if each["key"] != "words"),
        *(
            {"key": "words", "version": version, "material": True, "wording": {"en": f"May we, {version}?"}}
            for version in versions
        ),
    ]
    return toml(given)


@pytest.mark.parametrize("method", [Method.PAPER, Method.PHONE, Method.WEB_FORM])
def test_a_yes_of_the_past_was_said_to_the_words_of_its_time(world, method):
    """Rule 4: whoever types in an old form without saying what stood on it doesn't make it one to newer words."""
    post = "contact:post:offers"
    world.publish(worded(1))
    first = world.clock()
    world.clock.advance(days=30)
    world.publish(worded(1, 2))
    world.clock.advance(days=30)
    told = {
        days: world.grant(world.bo, post, method=method, said_at=first + days * DAY).statement.notices
        for days in (-1, 10)
    }
    old = world.reason(world.bo, post)
    lately = world.grant(world.bo, post, method=method, said_at=first + 40 * DAY).statement.notices

    assert told == {-1: None, 10: {post: 1}}
    assert (old, lately, world.reason(world.bo, post)) == ("NOTICE_STALE", {post: 2}, "PERMIT")
    world.check_ledger()


def test_what_another_system_asked_shows_no_wording_of_ours(world):
    """Rules 4 and 10: an import over HTTP is no more shown the newest words than one by a file."""
    world.publish(worded(1))
    said = world.grant(world.bo, "contact:post:offers", method=Method.IMPORT, evidence="form 7")

    assert (said.statement.notices, world.reason(world.bo, "contact:post:offers")) == (None, "NOTICE_STALE")


@pytest.mark.parametrize(
    ("method", "evidence", "lasts"),
    [
        (Method.ONE_CLICK, "", 10), (Method.SIGNAL, "", 10), (Method.IMPORT, "", 10), (Method.IMPORT, " ", 10),
        (Method.IMPORT, "form 7", 1), (Method.PHONE, "", 1), (Method.WEB_FORM, "", 1),
    ],
)  # fmt: skip
def test_a_pause_is_shortened_by_his_own_word_or_with_evidence_only(world, method, evidence, lasts):
    """Rules 6 and 10: a link, a signal and a file without evidence can say no, and no less of it."""
    world.say(world.statement(world.ann, "pause", until=world.clock() + 10 * DAY))
    world.clock.advance(seconds=1)
    world.say(world.statement(world.ann, "pause", until=world.clock() + DAY, method=method, evidence=evidence))
    with world.store.read() as work:
        standing = history.standing_at(world.deployment.desk, work, world.ann, world.clock())

    assert round((standing.paused_until - world.clock().timestamp() * 1000) / 86_400_000) == lasts
    world.clock.advance(days=20)
    world.say(world.statement(world.ann, "pause", until=world.clock() + DAY, method=method, evidence=evidence))
    assert world.reason(world.ann, MAIL) == "PAUSED"
    world.check_ledger()


def test_who_objects_to_being_remembered_is_not_to_be_asked(world):
    """A denial says what would change it: here an answer to remembering, unless that was a no."""
    world.grant(world.bo, USE)
    open_ = world.check(world.bo, USE, remembered=True)
    world.refuse(world.bo, REMEMBER)
    refused = world.check(world.bo, USE, remembered=True)
    with world.store.read() as work:
        then = gate.check_as_of(world.deployment.desk, work, world.bo, USE, at=world.clock(), remembered=True)

    assert [(each.reason, each.to_ask) for each in (open_, refused)] == [(Reason.REMEMBER_MISSING, REMEMBER)] * 2
    assert (open_.missing, refused.missing) == ((REMEMBER, Reason.NO_RECORD), (REMEMBER, Reason.REFUSED))
    assert (open_.may_be_asked, refused.may_be_asked, then) == (True, False, refused)
    assert world.check(world.bo, USE).reason is Reason.PERMIT
