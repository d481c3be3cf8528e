"""Laws of the audit's own fold: from payloads it makes the row that the register's fold makes of statements."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from consent.audit.folding import folded
from consent.permission.standing import fold, stored
from consent.permission.statement import Act, Method, from_record
from tests.builders import ANN
from tests.properties.sayings import BITS, histories, statements

unhurried = settings(max_examples=300)
USUAL = [Act.GRANT, Act.REFUSE, Act.WITHDRAW, Act.OBJECT, Act.REQUEST, Act.RENEW, Act.INVALIDATE]
usual = statements(acts=USUAL).map(lambda said: replace(said, age=0, guardian=False)).filter(lambda said: said.scopes)


def positioned(history, first=100):
    return list(enumerate(history, first))


def payloads(said):
    return [(position, one.record()) for position, one in said]


@unhurried
@given(histories)
def test_whatever_was_said_both_folds_make_the_same_row(history):
    said = positioned(history)
    assert folded(payloads(said), BITS) == stored(fold(said, BITS))


@unhurried
@given(st.lists(usual, max_size=12))
def test_of_usual_words_both_folds_make_the_same_row(history):
    said = positioned(history, first=1 << 40)  # as in a second log
    assert folded(payloads(said), BITS) == stored(fold(said, BITS))


@unhurried
@given(st.lists(statements(acts=USUAL), min_size=1, max_size=6), st.sampled_from(Method), st.data())
def test_words_that_only_the_registers_fold_knows_go_through_it(history, method, data):
    said = payloads(positioned(history))
    spot = data.draw(st.integers(0, len(said) - 1))
    more = data.draw(st.sampled_from([{"age": 15}, {"guardian": True}, {"method": str(method)}]))
    said[spot] = (said[spot][0], {**said[spot][1], **more})

    expected = fold([(position, from_record(ANN, one)) for position, one in said], BITS)
    assert folded(said, BITS) == stored(expected)
