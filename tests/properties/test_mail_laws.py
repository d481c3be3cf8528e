"""Laws of HTML mails: no tag of Liquid is lost or moved, and no fact changes what elements a mail has."""

import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from personalise.content.elements import odd
from personalise.content.mail import Mail, compile_mjml, mail
from personalise.content.template import Faults, Kinds

KNOWN: Kinds = (("city", "text"), ("orders", "number"), ("vip", "flag"))
TAG = re.compile(r"\{[{%].*?[}%]\}", re.DOTALL)

inner = st.sampled_from([
    "Hello", "{{ city }}", "{{ orders | plus: 1 }}", "<b>{{ city }}</b>", "{{ '<' | append: city }}", "&amp;<br>", "é",
    "<a href='https://a.b/{{ city | url_encode }}'>go</a>", "{% if orders < 3 %}few{% else %}{{ city }}{% endif %}",
    "{% for i in (1..2) %}{{ i }}{% endfor %}", "{% assign x = city | upcase %}{{ x }}", "<!-- note -->",
])  # fmt: skip
texts = st.lists(inner, max_size=4).map("".join)
blocks = st.one_of(
    texts.map("<mj-text>{}</mj-text>".format),
    texts.map("<mj-button href='https://a.example'>{}</mj-button>".format),
    texts.map("<mj-table><tr><td>{}</td></tr></mj-table>".format),
    st.just("<mj-image src='https://a.example/b.png' alt='{{ orders }}' width='90px'/>"),
    st.just("<mj-divider/>"),
)
optional = blocks.map("{{% if vip %}}{}{{% endif %}}".format) | blocks
columns = st.lists(optional, max_size=3).map(lambda several: f"<mj-column>{''.join(several)}</mj-column>")
sections = st.lists(columns, min_size=1, max_size=3).map(lambda several: f"<mj-section>{''.join(several)}</mj-section>")
steered = sections.map("{{% unless vip %}}{}{{% endunless %}}".format) | sections
wrapped = steered.map("<mj-wrapper>{}</mj-wrapper>".format) | steered
mails = st.lists(wrapped, max_size=3).map(lambda several: f"<mjml><mj-body>{''.join(several)}</mj-body></mjml>")


class Shape(HTMLParser):
    """Notes the elements of HTML, and their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[object] = []
        self.feed(html)
        self.close()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [name for name, _ in attrs]))

    @override
    def handle_endtag(self, tag: str) -> None:
        self.found.append(tag)


@given(source=mails)
def test_every_tag_of_liquid_is_in_the_html_in_its_order(source: str) -> None:
    html = compile_mjml(source)
    assert isinstance(html, str), html
    assert TAG.findall(html) == TAG.findall(source)


@given(source=mails, city=st.text(min_size=1, max_size=20), orders=st.integers(0, 9), vip=st.booleans())
def test_no_fact_changes_what_elements_a_mail_has(source: str, city: str, orders: int, *, vip: bool) -> None:
    found = mail(source, KNOWN)
    assert isinstance(found, Mail), found
    hostile, plain = (
        found.html.rendered({"city": value, "orders": orders, "vip": vip}) or ""
        for value in (f"\"'><script>{city}</script>", "Ulm")
    )
    assert Shape(hostile).found == Shape(plain).found


@given(
    source=st.text(st.sampled_from("<>/=\"'{}% mjbodyxé&!-\n"), max_size=60)
    | mails.map(lambda text: text[: len(text) // 2])
)
def test_whatever_is_written_there_is_a_mail_or_an_error_with_its_place(source: str) -> None:
    html = compile_mjml(source)
    if isinstance(html, Faults):
        assert all(re.fullmatch(r"line \d+, column \d+", place.where) and place.why for place in html.places)
    else:
        assert odd(TAG.sub("", html)) == ""
