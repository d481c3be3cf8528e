"""Strategies: what a customer may say, in any order, with ties, about a few scopes."""

from datetime import timedelta
from itertools import combinations

from hypothesis import strategies as st

from consent.base.clock import to_ms
from consent.base.ids import Scope
from consent.permission.statement import GIVING, WHOLE_CUSTOMER, Act, Method
from tests import model
from tests.builders import ANN, START, statement

SCOPES = tuple(map(Scope, ("use:a:x", "use:b:x", "contact:c:x", "remember:a", "share:d:x")))
BITS: dict[str, int] = dict(zip(SCOPES, (0, 1, 7, 63, 64), strict=True))
FEW_HOURS = 6

SUBSETS = tuple(each for size in (1, 2, 3) for each in combinations(SCOPES, size))
LENGTHS = (-2, 0, 1, 3, FEW_HOURS, 2 * FEW_HOURS, 24 * 40_000, -24 * 30_000)

ages = st.sampled_from([0, 0, 0, 0, 12, 17, 18, 40])
methods = st.sampled_from([*[Method.WEB_FORM] * 3, Method.PAPER, Method.IMPORT, Method.SIGNAL, Method.SYNTHETIC])
hours = st.integers(0, FEW_HOURS).map(lambda number: timedelta(hours=number))
ends = st.sampled_from(LENGTHS).map(lambda number: START + timedelta(hours=number, milliseconds=number))


@st.composite
def statements(draw, acts=tuple(Act)):
    """Draw one statement, in few draws: a history is many of them."""
    act, said_at = draw(st.sampled_from(acts)), START + draw(hours)
    age, method = draw(ages), draw(methods)
    if act in WHOLE_CUSTOMER:
        until = draw(st.none() | ends) if act is Act.PAUSE else None
        return statement(ANN, act, said_at=said_at, until=until, age=age, method=method)
    if act is Act.REFUSE and method is Method.SIGNAL:
        return statement(ANN, act, said_at=said_at, method=method)
    named, some = draw(st.sampled_from(SUBSETS)), draw(st.sampled_from(SUBSETS))
    end, notice = draw(ends), draw(st.integers(0, 3))
    awaiting = frozenset(named[:1]) & frozenset(some) if act is Act.GRANT else frozenset()
    return statement(
        ANN,
        act,
        *named,
        said_at=said_at,
        notices={scope: (notice + spot) % 4 for spot, scope in enumerate(named)},
        valid_until=({scope: end for scope in named if scope in some} or None) if act in GIVING else None,
        awaiting=awaiting,
        material=dict.fromkeys(sorted(awaiting), 2) if notice % 2 and awaiting else None,
        method=method,
        age=age,
        guardian=act in GIVING and some < named,
    )


histories = st.lists(statements(), max_size=8)


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
            own=said.method in ("web_form", "phone", "paper", "confirmation"),
            age=said.age,
            guardian=said.guardian,
            merged=said.method == "merged",
            material=dict(said.material or {}),
        )
        for seq, said in history
    ]
