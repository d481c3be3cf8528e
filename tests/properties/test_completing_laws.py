"""Completing many statements at once gives what completing each alone gives, and refuses what that refuses."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.base.errors import StatementInvalid
from consent.base.ids import Scope
from consent.permission.statement import Act, Method, Statement
from consent.register import rules
from tests.builders import ANN, START, published_catalogue, statement

CATALOGUE = published_catalogue()


def worded(*ages):
    """Return the catalogue with versions of every notice that were published so many days before the start."""
    every = {
        (key, version): replace(notice, version=version, since=START - timedelta(days=age))
        for (key, _), notice in CATALOGUE.notices.items()
        for version, age in enumerate(ages, 1)
    }
    return replace(CATALOGUE, worded=every)


SCOPES = [*CATALOGUE.scopes, "use:nothing:at_all"]
STATEMENTS = st.builds(
    lambda act, scopes, ago, more: statement(
        ANN, act, *scopes, said_at=START - timedelta(days=ago), **{name: value for name, value in more.items() if value}
    ),
    st.sampled_from(list(Act)),
    st.lists(st.sampled_from(SCOPES), max_size=3),
    st.integers(-1, 30_000),
    st.fixed_dictionaries(
        {
            "method": st.sampled_from(list(Method)),
            "notice_version": st.sampled_from([0, 0, 1, 9]),
            "language": st.sampled_from(["", "en", "de"]),
            "evidence": st.sampled_from(["", "form 7", "x" * 2_001]),
            "age": st.sampled_from([0, 0, 17, 151]),
            "guardian": st.booleans(),
            "until": st.sampled_from([None, None, START]),
        }
    ),
)


def outcome(complete, one):
    try:
        return complete(one)
    except StatementInvalid as refused:
        return refused.places


@pytest.mark.parametrize("ages", [(), (0,), (400,), (20_000, 400, 3)])
@given(many=st.lists(STATEMENTS, max_size=8), retold=st.booleans())
def test_many_at_once_equals_one_by_one(ages, many, retold):
    how = {"vouched": rules.RETOLD, "retold": retold}
    catalogue = worded(*ages)
    together = rules.Completing(catalogue, START, **how)
    twice = [*many, *many]  # the second time, everything of its form is known
    assert [outcome(together, one) for one in twice] == [
        outcome(lambda each: rules.completed(each, catalogue, START, **how), one) for one in twice
    ]


def test_who_spoke_before_a_wording_was_published_was_shown_the_one_before_it_whoever_spoke_first():
    """What is worked out for one statement of a form is not what another saw, who spoke earlier."""
    catalogue = worded(400, 100)
    together = rules.Completing(catalogue, START)
    scope = next(rule.scope for rule in catalogue.in_order if rule.notice)
    said = [statement(ANN, "grant", scope, said_at=START - timedelta(days=ago)) for ago in (0, 100, 101, 400, 401, 1)]
    newest = catalogue.current_notice(catalogue.scopes[scope].notice).version
    assert [(together(one).notices or {}).get(scope) for one in said] == [newest, newest, 1, 1, None, newest]


def test_a_form_that_was_allowed_for_another_reason_is_not_allowed_again():
    """An age set right needs no scope; the same words without an age say nothing."""
    nothing = Statement(customer=ANN, act=Act.INVALIDATE, scopes=(), said_at=START, method=Method.PHONE)
    together = rules.Completing(CATALOGUE, START)

    assert together(replace(nothing, age=17)) == replace(nothing, age=17)
    with pytest.raises(StatementInvalid, match="name at least one scope"):
        together(nothing)


def test_of_two_records_that_are_joined_each_statement_keeps_its_own_wording():
    scope = Scope(SCOPES[0])
    first, second = (
        Statement(
            customer=ANN, act=Act.GRANT, scopes=(scope,), said_at=START, method=Method.MERGED,
            notices={scope: version},
        )
        for version in (1, 2)
    )  # fmt: skip
    together = rules.Completing(CATALOGUE, START, vouched={Method.MERGED})

    assert [together(first), together(second)] == [first, second]
