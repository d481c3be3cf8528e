"""Strategies: what a customer may say, in any order, with ties, about a few scopes."""

from datetime import timedelta

from hypothesis import strategies as st

from consent.base.clock import to_ms
from consent.base.ids import Scope
from consent.permission.statement import WHOLE_CUSTOMER, Act
from tests import model
from tests.builders import ANN, START, statement

SCOPES = tuple(map(Scope, ("use:a:x", "use:b:x", "contact:c:x", "remember:a", "share:d:x")))
BITS = {scope: bit for scope, bit in zip(SCOPES, (0, 1, 7, 63, 64), strict=True)}
FEW_HOURS = 6

hours = st.integers(0, FEW_HOURS).map(lambda number: timedelta(hours=number))
ends = st.one_of(
    st.integers(-2, 2 * FEW_HOURS).map(lambda number: START + timedelta(hours=number, milliseconds=number)),
    st.sampled_from([START + timedelta(days=40_000), START - timedelta(days=30_000)]),
)


@st.composite
def statements(draw, acts=tuple(Act), scopes=SCOPES):
    """Draw one statement."""
    act = draw(st.sampled_from(acts))
    said_at = START + draw(hours)
    if act in WHOLE_CUSTOMER:
        until = draw(st.none() | ends) if act is Act.PAUSE else None
        return statement(ANN, act, said_at=said_at, until=until)
    named = tuple(draw(st.lists(st.sampled_from(scopes), min_size=1, max_size=3, unique=True)))
    some = st.dictionaries(st.sampled_from(named), ends, max_size=len(named))
    return statement(
        ANN,
        act,
        *named,
        said_at=said_at,
        notices={scope: draw(st.integers(0, 3)) for scope in named},
        valid_until=(draw(some) or None) if act in (Act.GRANT, Act.RENEW) else None,
        awaiting=frozenset(draw(st.sets(st.sampled_from(named)))) if act is Act.GRANT else frozenset(),
    )


histories = st.lists(statements(), max_size=12)


def words(history):
    """Return statements, with the positions that they were recorded at, as the model takes them."""
    return [
        model.Word(
            seq=seq,
            said_at=to_ms(said.said_at),
            act=str(said.act),
            scopes=said.scopes,
            notices=dict(said.notices or {}),
            ends={scope: to_ms(end) for scope, end in (said.valid_until or {}).items()},
            pending=said.awaiting,
            until=to_ms(said.until) if said.until else None,
        )
        for seq, said in history
    ]
