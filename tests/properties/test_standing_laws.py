"""Laws of what stands: the fold, its row, and the way from one statement to the next."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from consent.base.clock import from_ms, to_ms
from consent.permission.standing import EMPTY, OVER_GPC, VALID, applied, fold, follows, from_stored, scope_at, stored
from consent.permission.statement import WHOLE_CUSTOMER, Act
from consent.permission.verdict import Reason, judged
from tests import model, reference
from tests.builders import ANN, START, rule, statement
from tests.properties.sayings import BITS, FEW_HOURS, SCOPES, histories, statements, words

unhurried = settings(max_examples=80)
NOT_GRANTING = tuple(act for act in Act if act is not Act.GRANT)
AFTERWARDS = START + timedelta(hours=FEW_HOURS)


def positioned(history):
    return list(enumerate(history, 100))


@unhurried
@given(histories)
def test_the_fold_is_what_the_rules_say_in_words(history):
    said = positioned(history)
    assert list(stored(fold(said, BITS))) == reference.stored_row(model.stands(words(said)), BITS)


@unhurried
@given(histories)
def test_a_row_and_its_standing_lead_to_each_other(history):
    standing = fold(positioned(history), BITS)
    row = stored(standing)

    assert from_stored(row) == standing
    assert stored(from_stored(row)) == row
    assert [scope_at(row.scopes, bit) for bit in range(70)] == [standing.of(bit) for bit in range(70)]


@unhurried
@given(histories)
def test_one_by_one_equals_the_fold_whatever_the_order_of_arrival(history):
    row, so_far = stored(EMPTY), []
    for position, said in positioned(history):
        standing = from_stored(row)
        so_far.append((position, said))
        standing = applied(standing, said, position, BITS) if follows(standing, said) else fold(so_far, BITS)
        row = stored(standing)
        assert row == stored(fold(so_far, BITS))


@unhurried
@given(histories, st.randoms(use_true_random=False))
def test_the_fold_does_not_depend_on_the_order_in_which_it_is_read(history, random):
    said = positioned(history)
    shuffled = random.sample(said, len(said))
    assert fold(shuffled, BITS) == fold(said, BITS)


@unhurried
@given(st.lists(statements(acts=NOT_GRANTING), max_size=8))
def test_nothing_stands_that_was_never_granted(history):
    standing = fold(positioned(history), BITS)

    assert [bit for bit in BITS.values() if standing.of(bit).status in VALID] == []
    assert int.from_bytes(stored(standing).mask, "little") == 0


@unhurried
@given(histories, st.sets(st.sampled_from(SCOPES), min_size=1), st.sampled_from([Act.WITHDRAW, Act.REFUSE, Act.OBJECT]))
def test_after_a_no_nothing_of_it_stands(history, scopes, act):
    said = [*positioned(history), (999, statement(ANN, act, *scopes, said_at=AFTERWARDS))]
    standing = fold(said, BITS)

    assert [scope for scope in scopes if standing.of(BITS[scope]).status in VALID] == []


@unhurried
@given(histories, st.sampled_from(SCOPES), st.lists(statements(acts=NOT_GRANTING), max_size=6))
def test_only_a_newer_grant_undoes_a_no(before, scope, after):
    said = [
        *positioned(before),
        (998, statement(ANN, Act.WITHDRAW, scope, said_at=AFTERWARDS)),
        *((1_000 + spot, moved(each)) for spot, each in enumerate(after)),
    ]
    granted = [*said, (2_000, statement(ANN, Act.GRANT, scope, said_at=AFTERWARDS + timedelta(days=1)))]

    assert fold(said, BITS).of(BITS[scope]).status not in VALID
    assert fold(granted, BITS).of(BITS[scope]).status in VALID


def moved(said):
    """Return a statement as said after everything else."""
    return statement(ANN, said.act, *said.scopes, said_at=said.said_at + timedelta(hours=FEW_HOURS))


@unhurried
@given(histories, statements())
def test_a_late_statement_changes_nothing_of_the_scopes_that_newer_words_are_about(history, late):
    """An old paper form typed in today can't undo a newer word, unless that word gives way to an older one.

    Of an old signal (GPC) that comes in late, what was said since is known to have been said in spite of it.
    """
    newest = [(1_000, statement(ANN, Act.GRANT, *SCOPES, said_at=AFTERWARDS + timedelta(seconds=1)))]
    said = [*positioned(history), *newest]

    before, after = fold(said, BITS), fold([*said, (1_001, late)], BITS)
    in_spite = OVER_GPC if after.gpc else 0
    assert after.scopes == {bit: one._replace(flags=one.flags | in_spite) for bit, one in before.scopes.items()}


@unhurried
@given(histories, st.sampled_from(SCOPES))
def test_granting_one_scope_permits_no_other(history, scope):
    said = positioned(history)
    granted = [*said, (999, statement(ANN, Act.GRANT, scope, said_at=AFTERWARDS))]
    before, after = fold(said, BITS), fold(granted, BITS)

    others = [bit for each, bit in BITS.items() if each != scope]
    assert [after.of(bit) for bit in others] == [before.of(bit) for bit in others]


@unhurried
@given(histories, st.sampled_from(SCOPES), st.integers(-3_000, 3_000))
def test_a_permission_is_over_at_its_end_by_the_time_of_the_check(history, scope, offset):
    said = [each for each in positioned(history) if each[1].act not in WHOLE_CUSTOMER]
    standing = fold(said, BITS)
    stands = standing.of(BITS[scope])
    if stands.status not in VALID:
        return
    end = stands.expires * 1000
    at = from_ms(max(0, min(end + offset, to_ms(AFTERWARDS) * 3)))
    reason, _ = judged(standing, rule(bit=BITS[scope]), None, at)

    assert (reason is Reason.EXPIRED) == (to_ms(at) >= end)
