"""Laws of verdicts: many at once equal one by one, both equal the rules in words, and every reason has its place."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from consent.base.clock import from_ms, to_ms
from consent.catalogue.model import LegalBasis
from consent.permission.many import reasons, stacked
from consent.permission.standing import (
    ERASED,
    FOREVER,
    PENDING,
    RECORD_BYTES,
    RESTRICTED,
    SUPPRESSED,
    ScopeStanding,
    Standing,
    Status,
    fold,
    from_stored,
    stored,
)
from consent.permission.verdict import Reason, judged, stored_reason
from tests import model
from tests.builders import START, rule
from tests.properties.sayings import BITS, FEW_HOURS, SCOPES, histories, words

unhurried = settings(deadline=None, max_examples=80)
NOW_S = to_ms(START) // 1000
BIT_NUMBERS = range(6)

seconds = st.one_of(st.integers(NOW_S - 2, NOW_S + 2), st.just(2**32 - 1), st.just(0))
milliseconds = st.one_of(st.integers(NOW_S * 1000 - 1_500, NOW_S * 1000 + 1_500), st.just(0), st.just(FOREVER))
instants = st.integers(NOW_S * 1000 - 2_000, NOW_S * 1000 + 2_000)
records = st.builds(
    ScopeStanding,
    status=st.sampled_from([each for each in Status if each]),
    flags=st.sampled_from([0, PENDING]),
    notice=st.integers(0, 3),
    expires=seconds,
    position=st.integers(0, 2**40),
)
standings = st.builds(
    Standing,
    scopes=st.dictionaries(st.sampled_from(BIT_NUMBERS), records),
    states=st.sampled_from([0, 0, 0, RESTRICTED, SUPPRESSED, ERASED, RESTRICTED | SUPPRESSED, 7]),
    paused_until=st.one_of(st.just(0), milliseconds),
)
rules = st.builds(
    rule,
    scope=st.sampled_from(["remember:a", "use:a:x", "contact:c:x", "share:d:x"]),
    basis=st.sampled_from([str(basis) for basis in LegalBasis]),
    bit=st.sampled_from([*BIT_NUMBERS, 9, 1 << 40]),
    material_since=st.integers(0, 3),
)
asked = st.lists(st.tuples(st.none() | rules, st.none() | rules), max_size=4)


@unhurried
@given(st.lists(standings, max_size=6), asked, instants)
def test_many_at_once_equal_each_alone_cell_by_cell(people, pairs, at_ms):
    # Each row ends with the last scope that its customer ever answered: rows of any length stand side by side.
    rows = [stored(each) for each in people]
    together = reasons(
        stacked([row.scopes for row in rows], [row.states for row in rows], [row.paused_until for row in rows]),
        [asks for asks, _ in pairs],
        [remember for _, remember in pairs],
        at_ms,
    )
    alone = [[judged(each, asks, remember, from_ms(at_ms))[0] for asks, remember in pairs] for each in people]

    assert (together.shape, together.dtype.name) == ((len(people), len(pairs)), "uint8")
    assert together.tolist() == alone


@unhurried
@given(standings, rules, st.none() | rules, instants)
def test_a_row_is_judged_as_the_standing_it_holds(standing, asks, remember, at_ms):
    free = Standing(standing.scopes)
    assert stored_reason(stored(free).scopes, asks, remember, at_ms=at_ms) == judged(
        free, asks, remember, from_ms(at_ms)
    )
    assert judged(from_stored(stored(standing)), asks, remember, from_ms(at_ms)) == judged(
        standing, asks, remember, from_ms(at_ms)
    )


@unhurried
@given(
    histories,
    st.sampled_from(SCOPES),
    st.sampled_from([str(basis) for basis in LegalBasis]),
    st.integers(0, 3),
    st.booleans(),
    st.integers(-1, 2 * FEW_HOURS),
    st.integers(-1, 1),
)
def test_a_verdict_is_what_the_rules_say_in_words(history, scope, basis, material_since, remembered, hours, step):
    said = list(enumerate(history, 100))
    at = START + timedelta(hours=hours, milliseconds=step)
    about = rule(scope, basis, bit=BITS[scope], material_since=material_since)
    memory = rule("remember:a", bit=BITS[SCOPES[3]], material_since=1) if remembered else None
    in_words = model.reason(
        to_ms(at),
        model.stands(words(said)),
        model.Rule(scope, basis, material_since),
        model.Rule(SCOPES[3], "consent", 1) if remembered else None,
    )

    assert judged(fold(said, BITS), about, memory, at)[0].name == in_words


@unhurried
@given(standings, asked, instants)
def test_a_permit_needs_a_consent_or_another_basis(standing, pairs, at_ms):
    for asks, remember in pairs:
        reason, positions = judged(standing, asks, remember, from_ms(at_ms))
        if reason is Reason.PERMIT and asks and asks.legal_basis in ("consent", "explicit_consent"):
            stands = standing.of(asks.bit)
            assert (stands.status in (Status.GIVEN, Status.RENEWED), stands.position in positions) == (True, True)
        if asks is None:
            assert reason is not Reason.PERMIT


@unhurried
@given(standings, rules, st.none() | rules, instants, st.sampled_from([RESTRICTED, ERASED]))
def test_more_restrictions_never_permit_more(standing, asks, remember, at_ms, state):
    stricter = Standing(standing.scopes, standing.states | state, standing.paused_until)
    before, _ = judged(standing, asks, remember, from_ms(at_ms))
    after, _ = judged(stricter, asks, remember, from_ms(at_ms))

    assert after is not Reason.PERMIT
    assert before is Reason.PERMIT or after <= before


def test_a_chunk_of_people_who_have_said_nothing_is_judged():
    nobody = stacked([b"", b""], [0, 0], [0, 0])
    service = rule("use:place:service", "contract")

    assert (
        reasons(nobody, [rule(), service, None], [None, None, None], NOW_S * 1000).tolist()
        == [[Reason.NO_RECORD, Reason.PERMIT, Reason.UNKNOWN_SCOPE]] * 2
    )
    assert reasons(stacked([], [], []), [rule()], [None], NOW_S * 1000).shape == (0, 1)
    assert RECORD_BYTES == 16
