"""Laws of verdicts: many at once equal one by one, both equal the rules in words, and every reason has its place."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from consent.base.clock import from_ms, to_ms
from consent.catalogue.model import LegalBasis
from consent.permission.many import of_rows, reasons, stacked
from consent.permission.standing import (
    ERASED,
    FOREVER,
    GUARDIAN,
    OVER_GPC,
    PENDING,
    RECORD_BYTES,
    RESTRICTED,
    SUPPRESSED,
    ScopeStanding,
    Standing,
    Status,
    birth_limit,
    fold,
    from_stored,
    stored,
)
from consent.permission.verdict import Reason, judged, stored_reason
from tests import model
from tests.builders import START, rule
from tests.properties.sayings import BITS, FEW_HOURS, SCOPES, histories, words

unhurried = settings(max_examples=80)
NOW_S = to_ms(START) // 1000
BIT_NUMBERS = range(6)
BIRTHS = (FOREVER, *(birth_limit(START, 18) + step for step in (-1, 0, 1, 1_000)), birth_limit(START, 30))

seconds = st.one_of(st.integers(NOW_S - 2, NOW_S + 2), st.just(2**32 - 1), st.just(0))
milliseconds = st.one_of(st.integers(NOW_S * 1000 - 1_500, NOW_S * 1000 + 1_500), st.just(0), st.just(FOREVER))
instants = st.integers(NOW_S * 1000 - 2_000, NOW_S * 1000 + 2_000)
records = st.builds(
    ScopeStanding,
    status=st.sampled_from([each for each in Status if each]),
    flags=st.sampled_from([0, 0, 0, PENDING, GUARDIAN, OVER_GPC, PENDING | GUARDIAN | OVER_GPC]),
    notice=st.integers(0, 3),
    expires=seconds,
    position=st.integers(0, 2**40),
)
standings = st.builds(
    Standing,
    scopes=st.dictionaries(st.sampled_from(BIT_NUMBERS), records),
    states=st.sampled_from([0, 0, 0, RESTRICTED, SUPPRESSED, ERASED, RESTRICTED | SUPPRESSED, 7]),
    paused_until=st.one_of(st.just(0), milliseconds),
    born_by=st.sampled_from(BIRTHS),
    gpc=st.sampled_from([0, 0, 7]),
)
rules = st.builds(
    rule,
    scope=st.sampled_from(["remember:a", "use:a:x", "contact:c:x", "share:d:x"]),
    basis=st.sampled_from([str(basis) for basis in LegalBasis]),
    bit=st.sampled_from([*BIT_NUMBERS, 9, 1 << 40]),
    material_since=st.integers(0, 3),
    minimum_age=st.sampled_from([0, 0, 0, 16, 18]),
    gpc=st.booleans(),
)
asked = st.lists(st.tuples(st.none() | rules, st.none() | rules), max_size=4)


@unhurried
@given(st.lists(standings, max_size=6), asked, instants, st.booleans())
def test_many_at_once_equal_each_alone_cell_by_cell(people, pairs, at_ms, signal):
    # Each row ends with the last scope that its customer ever answered: rows of any length stand side by side.
    together = reasons(
        of_rows([stored(each) for each in people]),
        [asks for asks, _ in pairs],
        [remember for _, remember in pairs],
        at_ms,
        signal=signal,
    )
    at = from_ms(at_ms)
    alone = [[judged(each, asks, remember, at, signal=signal)[0] for asks, remember in pairs] for each in people]

    assert (together.shape, together.dtype.name) == ((len(people), len(pairs)), "uint8")
    assert together.tolist() == alone


@unhurried
@given(standings, rules, st.none() | rules, instants, st.booleans())
def test_a_row_is_judged_as_the_standing_it_holds(standing, asks, remember, at_ms, signal):
    free = Standing(standing.scopes, born_by=standing.born_by, gpc=standing.gpc)
    known = {"born_by": standing.born_by, "gpc": standing.gpc, "signal": signal}
    assert stored_reason(stored(free).scopes, asks, remember, at_ms=at_ms, **known) == judged(
        free, asks, remember, from_ms(at_ms), signal=signal
    )
    assert judged(from_stored(stored(standing)), asks, remember, from_ms(at_ms)) == judged(
        standing, asks, remember, from_ms(at_ms)
    )


@unhurried
@given(
    histories,
    st.tuples(st.sampled_from(SCOPES), st.sampled_from([str(basis) for basis in LegalBasis])),
    st.fixed_dictionaries(
        {"material_since": st.integers(0, 3), "minimum_age": st.sampled_from([0, 0, 16, 18]), "gpc": st.booleans()}
    ),
    st.booleans(),
    st.tuples(st.integers(-1, 2 * FEW_HOURS), st.integers(-1, 1)),
    st.booleans(),
)
def test_a_verdict_is_what_the_rules_say_in_words(history, asks, strict, remembered, after, signal):
    (scope, basis), (hours, step), gpc = asks, after, strict["gpc"]
    said = list(enumerate(history, 100))
    at = START + timedelta(hours=hours, milliseconds=step)
    about = rule(scope, basis, bit=BITS[scope], **strict)
    memory = rule("remember:a", bit=BITS[SCOPES[3]], material_since=1, gpc=gpc) if remembered else None
    in_words = model.reason(
        to_ms(at),
        model.stands(words(said)),
        model.Rule(scope, basis, **strict),
        model.Rule(SCOPES[3], "consent", 1, gpc=gpc) if remembered else None,
        signal=signal,
    )

    assert judged(fold(said, BITS), about, memory, at, signal=signal)[0].name == in_words


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
    stricter = replace(standing, states=standing.states | state)
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


@unhurried
@given(standings, rules, st.none() | rules, instants)
def test_a_signal_never_permits_more(standing, asks, remember, at_ms):
    """Rule 8: a browser's wish takes something away, or changes nothing."""
    before, _ = judged(standing, asks, remember, from_ms(at_ms))
    after, _ = judged(standing, asks, remember, from_ms(at_ms), signal=True)

    assert after == before or (after in (Reason.GPC, Reason.REMEMBER_MISSING) and before not in range(1, Reason.GPC))


@unhurried
@given(standings, rules, instants)
def test_whoever_is_younger_is_never_permitted_more(standing, asks, at_ms):
    """Rule 9: and of whom nothing is known, least of all."""
    younger = replace(standing, born_by=birth_limit(START, 3))
    permitted = [
        judged(each, asks, None, from_ms(at_ms))[0] is Reason.PERMIT
        for each in (standing, younger, replace(standing, born_by=FOREVER))
        if standing.born_by != FOREVER
    ]
    assert permitted == sorted(permitted, reverse=True)
