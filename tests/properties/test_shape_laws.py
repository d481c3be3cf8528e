"""Laws of shapes: what is read quickly is what marshmallow reads, and what it refuses goes marshmallow's way."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from api.rest.permissions import ChecksForm
from api.rest.shapes import Choice, Flag, Form, Instant, Items, Part, Shape, Text, Whole
from api.rest.wishes import WishesForm
from consent.base.errors import RequestInvalid


class Inner(Form):
    least = 1
    of = Text(1, 3, data_key="from")
    count = Whole(0, 9)
    flag = Flag(allow_none=True)


class Outer(Form):
    name = Text(2, 4, r"^[a-z]+$", "is not a name", required=True)
    kind = Choice(["a", "b"])
    at = Instant()
    one = Part(Inner)
    more = Items(Part(Inner), 1, 2)
    words = Items(Text(0, 2), 0, 2)


scalars = st.one_of(
    st.sampled_from(["", "a", "ab", "abcde", "A\n", "e\u0301", "2026-11-21T17:00:00Z", "2026-11-21"]),
    st.integers(-1, 11), st.booleans(), st.none(), st.just(1.5),
)  # fmt: skip
parts = st.one_of(
    scalars,
    st.fixed_dictionaries({}, optional={"from": scalars, "count": scalars, "flag": scalars, "of": scalars}),
    st.fixed_dictionaries(
        {}, optional={"from": st.just("x"), "count": st.just(3), "flag": st.sampled_from([True, None])}
    ),
)
wholes = st.fixed_dictionaries({}, optional={
    "name": scalars | st.just("abc"), "kind": scalars, "at": scalars | st.just("2026-11-21T17:00:00Z"), "one": parts,
    "more": scalars | st.lists(parts, max_size=3), "words": st.lists(scalars, max_size=3), "other": scalars,
})  # fmt: skip


def loaded(form: Form, given: object) -> dict[str, Any] | None:
    """Return what marshmallow alone reads; None where it refuses."""
    quick, Form.quick = Form.quick, lambda *_: None  # type: ignore[method-assign]  # set back below
    try:
        return form.load(given)  # type: ignore[no-any-return,arg-type]  # whatever came
    except ValidationError:
        return None
    finally:
        Form.quick = quick  # type: ignore[method-assign]  # as it was


@given(given=wholes | scalars)
def test_what_is_read_quickly_is_what_the_library_reads(given: object) -> None:
    form = Outer()
    assert form.quick(given) == loaded(form, given)


@pytest.mark.parametrize(
    ("form", "good"),
    [
        (ChecksForm, {"checks": [{"customer": "cus_" + "0" * 32, "scope": "use:a:b", "remembered": True}]}),
        (
            WishesForm,
            {"limits": [{"channel": None, "most": 1, "days": 7}], "quiet": {"from": "22:00", "until": "08:00"}},
        ),
    ],
)
def test_forms_of_the_interface_are_read_quickly(form: type[Form], good: dict[str, Any]) -> None:
    assert form().quick(good) == loaded(form(), good) is not None


@given(given=wholes)
def test_what_is_refused_is_refused_with_all_its_places(given: dict[str, Any]) -> None:
    shape = Shape[dict[str, Any]](Outer, dict)
    if loaded(shape.form, given) is not None:
        assert shape.read(given) == loaded(shape.form, given)
        return
    with pytest.raises(RequestInvalid) as refused:
        shape.read(given)
    assert len(refused.value.places) > 0
