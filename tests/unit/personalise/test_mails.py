"""HTML mails: compiled once from MJML, with the same Liquid in them; what would be lost, run or leak is an error."""

import re
from html.parser import HTMLParser

import pytest
from typing_extensions import override

from consent.base.errors import CampaignInvalid, Place
from personalise.campaigns.reading import parse_campaign
from personalise.content.elements import odd
from personalise.content.mail import LONGEST_MAIL, LONGEST_SOURCE, Mail, compile_mjml, key, mail
from personalise.content.markup import readable
from personalise.content.parts import whole
from personalise.content.template import Faults, Kinds
from personalise.steps.personalise.policy import policy
from tests.builders import toml
from tests.campaigns import SHOP, TABLES, tables

KNOWN: Kinds = (("city", "text"), ("orders", "number"), ("vip", "flag"))
PAGE = "<mjml><mj-body>\n<mj-section><mj-column>\n%s\n</mj-column></mj-section></mj-body></mjml>"
BODY = "<mj-body><mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section></mj-body>"
HEAD = f"<mjml><mj-head>%s</mj-head>{BODY}</mjml>"


def text(inner):
    return PAGE % f"<mj-text>{inner}</mj-text>"


def read(source) -> Mail:
    found = mail(source, KNOWN)
    assert isinstance(found, Mail), found
    return found


def wrong(source):
    found = mail(source, KNOWN)
    assert isinstance(found, Faults), found
    return [(place.where, place.why) for place in found.places]


def rendered(source, **values):
    return read(source).html.rendered({"city": "Ulm", "orders": 3, "vip": True, **values})


class Seen(HTMLParser):
    """Notes the elements, their attributes and the texts of HTML, as a browser would see them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.links, self.texts = [], [], []
        self.feed(html)
        self.close()

    @override
    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(sorted(name for name, _ in attrs))))
        self.links += [value for name, value in attrs if name in ("href", "src")]

    @override
    def handle_data(self, data):
        self.texts.append(data)


# ----------------------------------------------------------------------------------------------------------- what holds


def test_liquid_stands_in_the_html_where_it_stood_in_the_mjml():
    source = PAGE % (
        '{% if orders < 3 and vip %}<mj-text>few</mj-text>{% else %}<mj-text>many, {{ city | append: "<" }}</mj-text>'
        '{% endif %}<mj-button href="https://a.example/{% if vip %}a{% else %}b{% endif %}?c={{ city | url_encode }}">'
        "Go</mj-button>"
    )
    found = read(source)
    tags = re.findall(r"\{[{%].*?[}%]\}", found.html.source)
    assert tags == re.findall(r"\{[{%].*?[}%]\}", source)
    assert found.html.attributes == ("city", "orders", "vip")
    few, many = rendered(source, orders=1), rendered(source, orders=9, vip=False, city="U & m")
    assert ("few" in few, "many" in few, "few" in many, "many, U &amp; m&lt;" in many) == (True, False, False, True)
    assert Seen(few).links == ["https://a.example/a?c=Ulm"]
    assert Seen(many).links == ["https://a.example/b?c=U%20%26%20m"]


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "\" onload='x'", "--><b>", "]]>", "{{ vip }}", "&#60;b>", "q0z"]
)
def test_a_hostile_fact_adds_no_element_and_no_attribute(hostile):
    source = PAGE % (
        "<mj-text>Hello {{ city }}</mj-text>"
        "<mj-image src='https://shop.example/{{ city | url_encode }}.png' alt='{{ city | url_encode }}'/>"
    )
    plain, attacked = Seen(rendered(source)), Seen(rendered(source, city=hostile))
    assert attacked.tags == plain.tags
    assert f"Hello {hostile}" in attacked.texts


def test_one_compiled_mail_is_what_it_always_is():
    first = compile_mjml(text("{{ city }}"))
    compile_mjml.cache_clear()
    assert compile_mjml(text("{{ city }}")) == first


def test_nothing_is_fetched_that_the_source_does_not_name():
    html = read(
        PAGE % "<mj-text>x</mj-text><mj-button href='https://shop.example'>y</mj-button><mj-divider/>"
    ).html.source
    hosts = set(re.findall(r"https?://([^/\"' ]+)", html))
    assert hosts == {"shop.example", "www.w3.org"}  # the names of XML


def test_a_mail_that_was_compiled_before_is_taken_as_it_was():
    found = mail(text("{{ city }}"), KNOWN, "<p>{{ city }}</p>")
    assert isinstance(found, Mail)
    assert (found.html.source, found.html.rendered({"city": "<"})) == ("<p>{{ city }}</p>", "<p>&lt;</p>")


def test_what_is_read_of_a_mail_are_its_texts_and_where_links_lead():
    source = PAGE % (
        "<mj-text>{%% if vip %%}Dear{%% else %%}Good{%% endif %%} one, <b>hi</b>.</mj-text>"
        "<mj-text><a href='https://shop.example/stop'>Stop</a></mj-text>"
        "<mj-image src='https://a.example/b.png' alt='A tent'/>"
    ).replace("%%", "%")
    headed = source.replace(
        "<mj-body>", "<mj-head><mj-title>T</mj-title><mj-style>p { top: 0 }</mj-style></mj-head><mj-body>"
    )
    said = whole(readable(read(headed).html.parts))
    assert said.split() == ["DearGood", "one,", "hi.", "https://shop.example/stop", "Stop", "A", "tent"]


# ------------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("source", "where"),
    [
        (text("{{ cty }}\n {{ city | nope }}"), ["line 3, column 13", "line 4, column 12"]),
        (text("Hello {{ city"), ["line 3, column 16"]),
        ("{{" * 40_000, ["line 1, column 1"]),
        (text("{{ city }}" * 301), ["line 1, column 1"]),
        (text("{% include 'x' %}"), ["line 3, column 13"]),
        (text("<a href='https://a.example/{{ city }}'>x</a>"), ["line 3, column 37"]),
        (text("<b title='{{ city }}'>x</b>"), ["line 3, column 20"]),
        (text("<a href='{{ city | url_encode }}'>x</a>"), ["line 3, column 13"]),
        (text("<a href='javascript:alert(1)'>x</a>"), ["line 3, column 13"]),
        (text("<a href='&#106;avascript:alert(1)'>x</a>"), ["line 3, column 13"]),
        (text("<a href='{% if vip %}java{% endif %}script:x'>x</a>"), ["line 3, column 13"]),
        (text("<img src='data:image/png;base64,AA' alt=''>"), ["line 3, column 15"]),
        (text("<script>alert(1)</script>"), ["line 3, column 10"]),
        (text("<style>p { color: red }</style>"), ["line 3, column 10"]),
        (text("<form></form>"), ["line 3, column 10"]),
        (text("<mj-text>x</mj-text>"), ["line 3, column 10"]),
        (text("<p onclick='x'>y</p>"), ["line 3, column 13"]),
        (text("<p style='background: url(https://a.example)'>y</p>"), ["line 3, column 13"]),
        (text("<p hidden>y</p>"), ["line 3, column 13"]),
        (text("<p id='a' id='b'>y</p>"), ["line 3, column 20"]),
        (text("<p>y"), ["line 3, column 14"]),
        (text("<p class=y>x</p>"), ["line 3, column 10"]),
        (text("2 < 3"), ["line 3, column 12"]),
        (text("<b/>"), ["line 3, column 10"]),
        (text("<!-- {{ city }} -->"), ["line 3, column 10"]),
        (text("<!--[if mso]><p>x</p><![endif]-->"), ["line 3, column 10"]),
        (text("<![CDATA[<script>]]>"), ["line 3, column 10"]),
        (text("<b>{% if vip %}</b>{% endif %}"), ["line 3, column 29"]),
        (PAGE % "{% if vip %}<mj-text>x{% endif %}</mj-text>", ["line 3, column 23"]),
        (PAGE % "{{ city }}", ["line 3, column 1"]),
        (PAGE % "  loose", ["line 3, column 3"]),
        (PAGE % "<p>x</p>", ["line 3, column 1", "line 3, column 4"]),
        (PAGE % "<mj-text {% if vip %}color='red'{% endif %}>x</mj-text>", ["line 3, column 1"]),
        (PAGE % "<mj-column width='{{ orders }}px'/>", ["line 3, column 19"]),
        (PAGE % "<mj-image src='https://a.example/b.png' alt='x\" onerror=\"y'/>", ["line 3, column 41"]),
        (PAGE % "<mj-image src='https://a.example/{% if vip %}a' alt=''/>{% endif %}", ["line 3, column 11"]),
        (PAGE % "<mj-include path='/etc/passwd'/>", ["line 3, column 1"]),
        (PAGE % "<mj-social/>", ["line 3, column 1"]),
        (PAGE % "<mj-raw><iframe src='https://a.example'></iframe></mj-raw>", ["line 3, column 9"]),
        (HEAD % "<mj-title>{{ city }}</mj-title>", ["line 1, column 26"]),
        (HEAD % '<mj-title>x" onload="y</mj-title>', ["line 1, column 26"]),
        (HEAD % "<mj-title>x</mj-title><mj-title>y</mj-title>", ["line 1, column 38"]),
        (HEAD % "<mj-style>p { color: {{ orders }} }</mj-style>", ["line 1, column 37"]),
        (HEAD % "<mj-style>@import 'https://a.example';</mj-style>", ["line 1, column 26"]),
        (HEAD % "<mj-font name='a' href='https://a.example'/>", ["line 1, column 16"]),
        ("<mjml><mj-body><mj-hero background-url='https://a.b/{{ orders }}'/></mj-body></mjml>", ["line 1, column 53"]),
        ("é\n" + text("x"), ["line 1, column 1"]),
        ("<mjml><mj-section/></mjml>", ["line 1, column 7"]),
        ("", ["line 1, column 1"]),
        ("{% assign x = 1 %}" + text("x"), ["line 1, column 1"]),
        (text("<div>" * 50 + "</div>" * 50), ["line 3, column 185"]),
        (text("é" * 90_000 + "<br>" * 40_000), ["line 1, column 1"]),
    ],
)  # fmt: skip
def test_what_a_mail_may_not_have_is_named_with_line_and_column(source, where):
    assert sorted(place for place, _ in wrong(source)) == sorted(where)


def test_an_error_says_what_to_do():
    assert wrong(PAGE % "<mj-column width='{{ orders }}px'/>") == [
        ("line 3, column 19", "would be lost: MJML has no place for it here")
    ]
    assert wrong(text("<!-- {{ city }} -->"))[0][1].endswith("use `{% comment %}`")


@pytest.mark.parametrize("html", ["<p>x</p><object>", "<p oncopy='x'>", "<!-- x -->", "<p", '<p title="a\\" b">'])
def test_the_last_look_finds_what_no_mail_has(html):
    assert odd(html) != ""


# ------------------------------------------------------------------------------------------------------- in a campaign


def treated(**changes):
    first, *rest = TABLES["treatment"]
    return parse_campaign(toml({**tables(), "treatment": [{**first, **changes}, *rest]}), "toml", SHOP)


def refused(**changes):
    with pytest.raises(CampaignInvalid) as found:
        treated(**changes)
    return found.value.places


OWN = text("For {{ main_interest }}")
GENERAL = text("For everybody")
SAID = {"content": "You & I", "general": "All & sundry", "channel": "email"}


def test_text_and_mail_are_the_treatments_own_or_both_general():
    wording = treated(**SAID, mjml=OWN, general_mjml=GENERAL).treatments[0].wording
    assert wording.attributes == ("main_interest",)
    own, other = wording.said({"main_interest": "<tents>"}), wording.said({"main_interest": None})
    assert (own.personal, own.content, "For &lt;tents&gt;" in own.html) == (True, "You & I", True)
    assert (other.personal, other.content, "For everybody" in other.html) == (False, "All & sundry", True)
    long = wording.said({"main_interest": "x" * LONGEST_MAIL})
    assert long == other


def test_beside_a_mail_the_content_is_plain_text_and_without_one_it_is_escaped():
    content = {"content": "{{ main_interest }}", "general": "x", "channel": "email"}
    beside = treated(**content, mjml=GENERAL).treatments[0].wording.said({"main_interest": "A & B"})
    alone = treated(**content).treatments[0].wording.said({"main_interest": "A & B"})
    assert (beside.content, alone.content, alone.html) == ("A & B", "A &amp; B", "")
    assert "For everybody" in beside.html


def test_a_mail_that_reads_nothing_is_the_same_for_everybody():
    wording = treated(content="Hello", channel="email", mjml=GENERAL).treatments[0].wording
    assert wording.attributes == ()
    assert "For everybody" in wording.impersonal().html


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({**SAID, "mjml": OWN}, ["treatment[0].general_mjml"]),
        ({"content": "x", "channel": "email", "mjml": OWN, "general_mjml": GENERAL}, ["treatment[0].general"]),
        ({"content": "x", "channel": "email", "mjml": GENERAL, "general_mjml": GENERAL}, ["treatment[0].general_mjml"]),
        ({**SAID, "mjml": OWN, "general_mjml": OWN}, ["treatment[0].general_mjml"]),
        ({**SAID, "general_mjml": GENERAL}, ["treatment[0].general", "treatment[0].general_mjml"]),
        ({"content": "x", "channel": "sms", "mjml": GENERAL}, ["treatment[0].mjml"]),
        ({"content": "x", "channel": "email", "mjml": text("{{ nope }}")}, ["treatment[0].mjml, line 3, column 13"]),
        ({"content": "x", "channel": "email", "mjml": "x" * (LONGEST_SOURCE + 1)}, ["treatment[0].mjml"]),
        ({"channel": "email", "mjml": GENERAL, "content": " "}, ["treatment[0].content"]),
    ],
)
def test_a_treatment_with_a_mail_that_does_not_fit_is_refused(changes, where):
    assert [place.where for place in refused(**changes)] == where


def test_a_wrong_mail_brings_no_other_error_with_it():
    [place] = refused(**SAID, mjml=text("<b>"), general_mjml=GENERAL)
    assert place == Place("treatment[0].mjml, line 3, column 13", "`</mj-text>` closes nothing: `b` is open here")


# ------------------------------------------------------------------------------------------------------------- digests


def test_a_version_is_its_file_and_its_mails_as_they_were_compiled():
    read_now = treated(**SAID, mjml=OWN, general_mjml=GENERAL)
    old = {key(OWN): "<p>{{ main_interest }}</p>"}
    read_then = parse_campaign(read_now.body, "toml", SHOP, old)
    again = parse_campaign(read_now.body, "toml", SHOP)
    assert (read_now.body, read_now.digest) == (again.body, again.digest)
    assert (read_then.body, read_then.digest) != (read_now.body, read_now.digest)
    assert policy(read_then, 1, SHOP).digest != policy(read_now, 1, SHOP).digest
    assert read_then.treatments[0].wording.said({"main_interest": "<"}).html == "<p>&lt;</p>"
