"""Laws of templates: what is read was found before, nothing goes out unescaped, the general wording tells nothing."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from io import StringIO
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st
from liquid import RenderContext
from liquid.exceptions import ResourceLimitError
from typing_extensions import override

from personalise.content.dialect import ENVIRONMENTS
from personalise.content.filters import LONGEST, Unrenderable
from personalise.content.template import Kinds, Template, template
from personalise.content.wording import Wording

KNOWN: Kinds = (
    ("city", "text"),
    ("name", "text"),
    ("orders", "number"),
    ("spent", "number"),
    ("vip", "flag"),
    ("at", "time"),
)
MARK = "<x&'\">"
"""Stands in every text of a customer; no template drawn here has it."""

values = st.fixed_dictionaries(
    {
        "city": st.text(max_size=8).map(lambda text: MARK + text),
        "name": st.sampled_from([MARK, MARK + "vera", MARK * 3]),
        "orders": st.integers(-3, 9) | st.sampled_from([0, 2**53 - 1]),
        "spent": st.floats(-100, 100) | st.sampled_from([1e300, -0.0]),
        "vip": st.booleans(),
        "at": st.integers(0, 2_000_000_000_000),
    }
)


class Recorded(Mapping[str, Any]):
    """Values that note which of them were read."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = told
        self.read: set[str] = set()

    @override
    def __getitem__(self, name: str) -> Any:
        if name in self._told:
            self.read.add(name)
        return self._told[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._told)

    @override
    def __len__(self) -> int:
        return len(self._told)


def read_at_rendering(read: Template, told: Mapping[str, Any]) -> set[str]:
    """Render with every value at hand, whether it was found or not, and return what was read."""
    recorded = Recorded(told)
    parsed = ENVIRONMENTS[read.html].from_string(read.source)
    with suppress(Unrenderable, ResourceLimitError):
        parsed.render_with_context(RenderContext(parsed, globals=recorded), StringIO())
    return recorded.read


# --------------------------------------------------------------------------------------------------- drawing templates

SCALARS = {"text": ("city", "name", "'a'", "'city'"), "number": ("orders", "spent", "3", "0.5", "-1")}
FILTERS = {
    "text": (
        " | upcase", " | append: {text}", " | prepend: {number}", " | replace: 'a', {text}", " | truncate: 5, {text}",
        " | url_encode", " | remove: {text}", " | strip",
    ),
    "number": (" | plus: {number}", " | times: {number}", " | divided_by: 3", " | round: 2", " | at_most: {number}"),
}  # fmt: skip


@st.composite
def scalars(draw: Any, kind: str, names: tuple[str, ...] = ()) -> str:
    return str(draw(st.sampled_from([*SCALARS[kind], *names])))


@st.composite
def filtered(draw: Any, kind: str, names: tuple[str, ...] = ()) -> str:
    chain = draw(st.lists(st.sampled_from(FILTERS[kind]), max_size=2))
    told = "".join(chain).format(text=draw(scalars("text")), number=draw(scalars("number")))
    return f"{draw(scalars(kind, names))}{told}"


@st.composite
def conditions(draw: Any) -> str:
    kind = draw(st.sampled_from(["text", "number", "flag", "contains"]))
    if kind == "flag":
        return str(draw(st.sampled_from(["vip", "vip and orders > 1", "vip == false or name == 'a'"])))
    if kind == "contains":
        return f"{draw(scalars('text'))} contains {draw(scalars('text'))}"
    sign = draw(st.sampled_from(["==", "!=", "<>"] + ([">", "<="] if kind == "number" else [])))
    return f"{draw(scalars(kind))} {sign} {draw(scalars(kind))}"


def pieces(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    number, text, plain, asked = filtered("number"), filtered("text"), scalars("number"), conditions()
    return st.one_of(
        st.builds("{{% if {} %}}{}{{% elsif {} %}}{}{{% else %}}{}{{% endif %}}"
            .format, asked, inner, asked, inner, inner),
        st.builds("{{%- unless {} -%}}{}{{% endunless %}}".format, conditions(), inner),
        st.builds("{{% case {} %}}{{% when {}, {} %}}{}{{% else %}}{}{{% endcase %}}"
            .format, plain, plain, plain, inner, inner),
        st.builds("{{% for i in ({}..{}) %}}{}{{{{ i | plus: {} }}}}{{% else %}}{}{{% endfor %}}"
            .format, st.integers(-1, 3), st.integers(0, 3), inner, plain, inner),
        st.builds("{{% for j in (1..3) reversed limit: 2 %}}{}{{% if {} %}}{{% break %}}{{% endif %}}{{% endfor %}}"
            .format, inner, asked),
        st.builds("{{% assign t = {} %}}{}{{{{ t | downcase }}}}".format, filtered("text"), inner),
        st.builds("{{% assign n = {} %}}{{{{ n }}}}{}".format, number, inner),
        st.builds("{{% capture b %}}{}{{% endcapture %}}{{{{ b }}}}".format, inner),
        st.builds("{{% liquid\n if {}\n echo {}\n endif\n assign m = {}\n echo m %}}"
            .format, asked, text, number),
        st.builds("{{% comment %}}{}{{% endcomment %}}".format, inner),
        st.builds('<p title="{{{{ {} | url_encode }}}}">{}</p>'.format, filtered("text"), inner),
        st.builds("{}{}".format, inner, inner),
    )  # fmt: skip


leaves = st.one_of(
    st.sampled_from(["Hello ", "\n", " {vip} ", "{% raw %}{{ name }}{% endraw %}", "{% # {{ name }} %}"]),
    filtered("text").map("{{{{ {} }}}}".format),
    filtered("number").map("{{{{- {} -}}}}".format),
    st.sampled_from(["{{ at | date: '%d.%m.%Y' }}", "{{ ['city'] | upcase }}"]),
    filtered("text").map("{{% echo {} %}}".format),
)
templates = st.recursive(leaves, pieces, max_leaves=6)
TOKENS = (
    "{{", "}}", "{%", "%}", "{%-", "-}}", " city ", " name ", " orders ", " vip ", " x ", "if ", "endif ", "else ",
    "elsif ",
       "for i in ", "endfor ", "(1..", "2)", "orders)", "assign x = ", "capture x ", "endcapture ", "case ", "when ",
    "endcase ", "liquid ", "echo ", "raw ", "endraw ", "comment ", "endcomment ", "\n", "|", "append: ", "upcase", ",",
    "'", '"', "[", "]", ".", "==", ">", "contains ", "and ", "#", "break ", "unless ", "endunless ", "<a ", ">", "1",
)  # fmt: skip
soup = st.lists(st.sampled_from(TOKENS), max_size=25).map("".join)


# ---------------------------------------------------------------------------------------------------------------- laws


@given(source=templates, told=values, html=st.booleans())
def test_what_is_read_at_rendering_was_found_before(source, told, html):
    read = template(source, KNOWN, html=html)
    assert isinstance(read, Template), (source, read)
    assert read_at_rendering(read, told) <= set(read.attributes)
    assert read.rendered(told) == read.rendered({name: told[name] for name in read.attributes})


@example(source="{% if vip %}{{ city }}{% endif %}", told={}, html=True)
@given(source=soup, told=values, html=st.booleans())
def test_whatever_is_taken_for_a_template_holds_to_it(source, told, html):
    read = template(source, KNOWN, html=html)
    assume(isinstance(read, Template) and told)
    assert isinstance(read, Template)
    assert read_at_rendering(read, told) <= set(read.attributes)
    text = read.rendered(told)
    assert text is None or len(text) <= LONGEST


@given(source=templates, told=values)
def test_nothing_of_a_customer_goes_out_unescaped(source, told):
    read = template(source, KNOWN, html=True)
    assert isinstance(read, Template)
    text = read.rendered(told) or ""
    assert MARK[:3] not in text
    assert MARK[:3] not in text.lower()


@given(source=templates, told=values, unknown=st.sets(st.sampled_from([name for name, _ in KNOWN]), min_size=1))
def test_without_one_of_the_values_the_general_wording_stands(source, told, unknown):
    read, general = (template(text, KNOWN, html=True) for text in (source, "{% assign n = 2 %}{{ n }} for all"))
    assert isinstance(read, Template)
    assert isinstance(general, Template)
    wording = Wording(content=read, general=general if read.attributes else None)
    nobody = dict.fromkeys(told)

    impersonal = wording.said(nobody)
    assert (impersonal, impersonal.personal) == (wording.impersonal(), False)
    if read.attributes:
        assert impersonal.content == "2 for all"
    if unknown & set(read.attributes):
        assert wording.said({**told, **dict.fromkeys(unknown)}) == impersonal
