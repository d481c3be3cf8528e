"""Templates: a closed dialect of Liquid. What is wrong is named with line and column; what holds gives the same."""

import pytest

from consent.base.errors import CampaignInvalid
from personalise.campaigns.approval import advise
from personalise.campaigns.judging import Case
from personalise.campaigns.reading import parse_campaign
from personalise.content.template import Faults, Kinds, Template, template
from tests.builders import START, toml
from tests.campaigns import SHOP, TABLES, campaign, ready

KNOWN: Kinds = (("city", "text"), ("orders", "number"), ("vip", "flag"), ("since", "time"), ("name", "text"))
VALUES = {"city": "Ulm & <b>co</b>", "orders": 7.0, "vip": True, "since": 1_790_000_000_000, "name": "vera"}


def read(source, *, html=True):
    found = template(source, KNOWN, html=html)
    assert isinstance(found, Template), found
    return found


def wrong(source, *, html=True):
    found = template(source, KNOWN, html=html)
    assert isinstance(found, Faults), found
    return [place.where for place in found.places]


def rendered(source, *, html=True, **values):
    return read(source, html=html).rendered({**VALUES, **values})


# ------------------------------------------------------------------------------------------------------ what is put out


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hello {name}, 100 % {off} }} %}", "Hello {name}, 100 % {off} }} %}"),
        ("{{ name | capitalize }} of {{ city }}", "Vera of Ulm &amp; &lt;b&gt;co&lt;/b&gt;"),
        ("{{ orders }} {{ orders | plus: 0.5 }} {{ 7 | divided_by: 2 }} {{ orders | divided_by: 2.0 }}", "7 7.5 3 3.5"),
        ("{{ 0.1 | plus: 0.2 }} {{ 2.5 | round }} {{ 2.345 | round: 2 }} {{ -7 | modulo: 3 }}", "0.3 3 2.35 2"),
        ("{{ -3 | abs }} {{ 1.2 | ceil }} {{ 1.8 | floor }} {{ 5 | at_most: 3 }} {{ 5 | at_least: 9 }}", "3 2 1 3 9"),
        ("{{ 3 | minus: orders }} {{ orders | times: orders }}", "-4 49"),
        ("{{ since | date: '%-d %B %Y, %A, %H:%M, %d.%-m.%y' }}", "21 September 2026, Monday, 14:13, 21.9.26"),
        ("{{ since | date: '%m %b %a %%' }}", "09 Sep Mon %"),
        ("{% if vip and orders > 5 %}dear{% elsif orders == 1 %}new{% else %}good{% endif %} one", "dear one"),
        ("{% unless vip %}a{% else %}b{% endunless %}", "b"),
        ("{% case name %}{% when 'ann', 'vera' %}V{% when 'bo' %}B{% else %}?{% endcase %}", "V"),
        ("{% for i in (1..3) %}{{ i }}{% unless forloop.last %}, {% endunless %}{% endfor %}", "1, 2, 3"),
        ("{% for i in (1..9) reversed %}{% if i == 7 %}{% break %}{% endif %}{{ i }}{% endfor %}", "98"),
        ("{% for i in (3..1) %}{{ i }}{% else %}none{% endfor %}", "none"),
        ("{% assign most = orders | at_most: 5 %}{{ most }}", "5"),
        ("{% capture who %}<b>{{ city }}</b>{% endcapture %}{{ who }}", "<b>Ulm &amp; &lt;b&gt;co&lt;/b&gt;</b>"),
        ("{{ '<i>' }}{{ '<i>' | append: city }}", "<i>&lt;i&gt;Ulm &amp; &lt;b&gt;co&lt;/b&gt;"),
        ("<a href=\"/{{ city | url_encode }}\" title='{{ orders }}'>",
         "<a href=\"/Ulm%20%26%20%3Cb%3Eco%3C%2Fb%3E\" title='7'>"),
        ("{% raw %}{{ city }}{% endraw %}{% comment %}{{ nobody }}{% endcomment %}{% # {{ nobody }} %}", "{{ city }}"),
        ("{% liquid\n assign one = orders | minus: 6\n echo one\n %}", "1"),
        ("{{ name | upcase | replace: 'V', 'W' | truncate: 3, '' | prepend: '>' | downcase | remove: 'r' }}", "&gt;we"),
        ("{{ ' a ' | strip | size }}", "1"),
        ("{% if name contains 'er' and name != 'x' %}y{% endif %}", "y"),
    ],
)  # fmt: skip
def test_a_template_says(source, text):
    assert rendered(source) == text


def test_where_text_is_shown_nothing_is_escaped():
    assert rendered("{{ city }} {{ '<i>' }}", html=False) == "Ulm & <b>co</b> <i>"


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("{{ orders }}", {"orders": 1e16}),
        ("{{ orders | times: orders }}", {"orders": 1e10}),
        ("{{ city }}", {"city": "x" * 20_001}),
        ("{{ city }}", {"city": " "}),
        ("{% assign s = name %}{% for i in (1..100) %}{% assign s = s | append: s %}{% endfor %}{{ s }}", {}),
        ("{{ city | replace: 'x', name }}", {"city": "x" * 15_000}),
        ("{% for i in (1..1000) %}{{ city }}{% endfor %}", {"city": "x" * 15_000}),
    ],
)
def test_what_nobody_could_be_sent_is_not_rendered(source, values):
    assert rendered(source, **values) is None


# ---------------------------------------------------------------------------------------------------- what is not there


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("Hello\n  {{ nmae }}", "line 2, column 6"),
        ("{{ name.first }}", "line 1, column 4"),
        ("{{ [city] }}", "line 1, column 4"),
        ("{% include 'x' %}", "line 1, column 4"),
        ("{% render 'x' %}", "line 1, column 4"),
        ("{% tablerow i in (1..3) %}{% endtablerow %}", "line 1, column 4"),
        ("{% increment i %}", "line 1, column 4"),
        ("{% cycle 'a', 'b' %}", "line 1, column 4"),
        ("{% ifchanged %}{% endifchanged %}", "line 1, column 4"),
        ("{% doc %}x{% enddoc %}", "line 1, column 1"),
        ("{% endif %}", "line 1, column 4"),
        ("{{ city | safe }}", "line 1, column 11"),
        ("{{ city | default: 'x' }}", "line 1, column 11"),
        ("{{ city | split: ',' }}", "line 1, column 11"),
        ("{{ nil }}", "line 1, column 4"),
        ("{{ blank }}", "line 1, column 4"),
        ("{{ (1..3) }}", "line 1, column 4"),
        ("{{ vip }}", "line 1, column 1"),
        ("{{ since }}", "line 1, column 1"),
        ("{{ orders | date: '%Y' }}", "line 1, column 13"),
        ("{{ since | date: '%c' }}", "line 1, column 12"),
        ("{{ since | date: name }}", "line 1, column 12"),
        ("{{ 'now' | date: '%Y' }}", "line 1, column 12"),
        ("{{ name | plus: 1 }}", "line 1, column 11"),
        ("{{ orders | plus: name }}", "line 1, column 13"),
        ("{{ orders | plus }}", "line 1, column 13"),
        ("{{ orders | plus: 1, 2 }}", "line 1, column 13"),
        ("{{ orders | round: places: 2 }}", "line 1, column 13"),
        ("{{ orders | divided_by: 0 }}", "line 1, column 13"),
        ("{{ orders | divided_by: orders }}", "line 1, column 13"),
        ("{{ orders | round: 7 }}", "line 1, column 13"),
        ("{% if name %}x{% endif %}", "line 1, column 7"),
        ("{% if name == 1 %}x{% endif %}", "line 1, column 12"),
        ("{% if name < 'x' %}x{% endif %}", "line 1, column 12"),
        ("{% if orders contains 'x' %}x{% endif %}", "line 1, column 14"),
        ("{% if city == blank %}x{% endif %}", "line 1, column 15"),
        ("{% if vip %}a{% else %}b{% else %}c{% endif %}", "line 1, column 28"),
        ("{% case name %}{% when 1 %}x{% endcase %}", "line 1, column 19"),
        ("{% case name %}{% else %}x{% when 'a' %}y{% endcase %}", "line 1, column 30"),
        ("{% for i in (1..orders) %}x{% endfor %}", "line 1, column 8"),
        ("{% for i in name %}x{% endfor %}", "line 1, column 8"),
        ("{% for i in (1..3) limit: orders %}x{% endfor %}", "line 1, column 8"),
        ("{% for i in (1..9) offset: continue %}x{% endfor %}", "line 1, column 8"),
        ("{% for i in (1..1001) %}x{% endfor %}", "line 1, column 4"),
        ("{% for i in (1..40) %}{% for j in (1..40) %}x{% endfor %}{% endfor %}", "line 1, column 26"),
        ("{% break %}", "line 1, column 4"),
        ("{% for i in (1..2) %}{% endfor %}{{ i }}", "line 1, column 37"),
        ("{% if vip %}{% assign x = 1 %}{% endif %}{{ x }}", "line 1, column 45"),
        ("{{ x }}{% assign x = 1 %}", "line 1, column 4"),
        ("{% assign x = 1 %}{% assign x = 'a' %}", "line 1, column 22"),
        ("{% assign city = 'x' %}", "line 1, column 4"),
        ("{% capture b %}{{ city }}{% endcapture %}{{ b | upcase }}", "line 1, column 49"),
        ("<a title={{ name }}>", "line 1, column 10"),
        ('<a href="{{ name }}">', "line 1, column 10"),
        ("<a {{ name | url_encode }}>", "line 1, column 4"),
        ("<style>p { width: {{ orders }} }</style>", "line 1, column 19"),
        ("<!-- {{ name }} -->", "line 1, column 6"),
        ("{% if vip %}<a {% endif %}", "line 1, column 4"),
        ("{{ city", "line 1, column 1"),
        ("{{ city | append: }}{{ 'x }}", "line 1, column 24"),
        ("{{ 'a'" + " | upcase" * 101 + " }}", "line 1, column 910"),
        ("{{" * 301, "line 1, column 1"),
        ("{% if vip %}" * 11 + "{% endif %}" * 11, "line 1, column 136"),
        ("{% if " + "vip and " * 600 + "vip %}x{% endif %}", "line 1, column 1"),
        ("{{ " + "[" * 400 + " }}", "line 1, column 1"),
        ("{% if " + "vip and " * 20 + "vip %}x{% endif %}", "line 1, column 151"),
    ],
)  # fmt: skip
def test_what_templates_do_not_have_is_named_with_its_place(source, where):
    assert wrong(source)[0] == where


@pytest.mark.parametrize(
    ("source", "where", "why"),
    [
        ("Hello\n  {% if vip %}you", "line 2, column 6", "`if` is never closed: write `{% endif %}`"),
        ("a {%- unless vip -%} b", "line 1, column 7", "`unless` is never closed: write `{% endunless %}`"),
        ("{% for i in (1..2) %}x", "line 1, column 4", "`for` is never closed: write `{% endfor %}`"),
        ("x\n{% capture b %}", "line 2, column 4", "`capture` is never closed: write `{% endcapture %}`"),
        ("{% case name %}{% when 'a' %}", "line 1, column 4", "`case` is never closed: write `{% endcase %}`"),
        ("{% if vip %}a{% else %}{% if vip %}b{% endif %}", "line 1, column 4",
         "`if` is never closed: write `{% endif %}`"),
        ("{% comment %}{% if %}{% endcomment %}\n{% if vip %}", "line 2, column 4",
         "`if` is never closed: write `{% endif %}`"),
        ("x\n{% liquid\n if vip\n echo name\n%}", "line 2, column 4", "a tag within it is never closed"),
    ],
)  # fmt: skip
def test_a_tag_that_nothing_closes_is_named_where_it_opens(source, where, why):
    found = template(source, KNOWN, html=False)
    assert isinstance(found, Faults)
    assert [tuple(place) for place in found.places] == [(where, why)]


def test_everything_that_is_wrong_is_named_at_once():
    assert wrong("{{ nmae }}\n{{ orders | upcase | safe }}\n{% if city %}{% endif %}") == [
        "line 1, column 4", "line 2, column 22", "line 3, column 7",
    ]  # fmt: skip


def test_a_name_that_every_way_sets_is_set():
    ways = (
        "{% if vip %}{% assign x = 1 %}{% elsif orders > 1 %}{% assign x = 2 %}{% else %}{% assign x = 3 %}{% endif %}"
    )
    assert rendered(ways + "{{ x }}", vip=False) == "2"


@pytest.mark.parametrize(
    ("source", "attributes"),
    [
        ("{% assign x = city | append: name %}", ("city", "name")),
        ("{% capture x %}{% if orders > 3 %}{% endif %}{% endcapture %}", ("orders",)),
        ("{% for i in (1..2) %}{% else %}{{ city }}{% endfor %}", ("city",)),
        ("{% case 'a' %}{% when name %}{{ city }}{% else %}{{ orders }}{% endcase %}", ("city", "name", "orders")),
        ("{% liquid\n if vip\n echo name\n endif\n %}", ("name", "vip")),
        ("{{ ['city'] }}{{ 'a' | truncate: 3, name }}", ("city", "name")),
        ("{% unless false %}{% else %}{{ since | date: '%Y' }}{% endunless %}", ("since",)),
        ("{% comment %}{{ city }}{% endcomment %}{% raw %}{{ name }}{% endraw %}{{ 'orders' }}", ()),
    ],
)
def test_what_a_template_reads_is_found_wherever_it_stands(source, attributes):
    assert read(source).attributes == attributes


# ------------------------------------------------------------------------------------------------------------ the file


HELLO = {"content": "For those who like {{ main_interest }}.", "general": "For everybody."}


def with_mail(**changes):
    mail = {**TABLES["treatment"][0], **changes}
    return {"treatment": [mail, *TABLES["treatment"][1:]]}


def places(**changes):
    with pytest.raises(CampaignInvalid) as refused:
        campaign(**with_mail(**changes))
    return [place.where for place in refused.value.places]


def test_a_treatment_has_a_wording_of_its_own_and_a_general_one():
    wording = campaign(**with_mail(**HELLO, subject="Hi {{ country }}", general_subject="Hi")).treatments[0].wording

    assert wording.attributes == ("country", "main_interest")
    own = wording.said({"main_interest": "<tea>", "country": "DE\nBcc: a@b.example"})
    assert (own.content, own.subject, own.personal) == (
        "For those who like &lt;tea&gt;.",
        "Hi DE Bcc: a@b.example",
        True,
    )
    for values in ({"main_interest": None, "country": "DE"}, {"main_interest": "x" * 20_001, "country": "DE"}, {}):
        general = wording.said(values)
        assert (general.content, general.subject, general.personal) == ("For everybody.", "Hi", False)


def test_a_content_that_reads_nothing_is_its_own_general_wording():
    wording = (
        campaign(**with_mail(content="{% assign a = 1 %}{{ a | plus: 1 }} things", subject="S")).treatments[0].wording
    )

    assert (wording.said({}).content, wording.said({}).subject, wording.said({}).personal) == ("2 things", "S", False)


def test_a_text_message_is_not_escaped():
    text = {**TABLES["treatment"][1], "content": "{{ main_interest }}", "general": "By text."}
    wording = campaign(treatment=[text]).treatments[0].wording

    assert wording.said({"main_interest": "tea & co"}).content == "tea & co"


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"content": "{{ main_interest }}"}, ["treatment[0].general"]),
        ({"content": "{{ nothing }}", "general": "g"}, ["treatment[0].content, line 1, column 4"]),
        ({"content": "a", "general": "g"}, ["treatment[0].general"]),
        ({**HELLO, "general": "{{ country }}"}, ["treatment[0].general"]),
        ({**HELLO, "general": "{{ nobody }}"}, ["treatment[0].general, line 1, column 4"]),
        ({**HELLO, "subject": "{{ country }}"}, ["treatment[0].general_subject"]),
        ({**HELLO, "subject": "Hi", "general_subject": "Hi"}, ["treatment[0].general_subject"]),
        ({"subject": "{% if %}"}, ["treatment[0].subject, line 1, column 4"]),
        ({"content": "{% assign a = 1 %}"}, ["treatment[0].content"]),
        ({"content": "{% comment %}"}, ["treatment[0].content, line 1, column 4"]),
    ],
)
def test_a_wrong_wording_is_named_with_its_place(changes, where):
    assert places(**changes) == where


# ------------------------------------------------------------------------------------------ would your mother approve?

ALL = " You allowed us to suggest things. Questions: desk@shop.example. STOP ends this."


def advice(**mail):
    made = ready()
    made["treatment"][0] |= mail
    read = parse_campaign(toml(made), "toml", SHOP)
    return [(each.rule, each.where) for each in advise(Case(campaign=read, catalogue=SHOP, at=START), four_eyes=True)
            if each.rule.startswith("message")]  # fmt: skip


def test_both_wordings_are_judged():
    assert advice(content="{{ main_interest }}" + ALL, general="Hi." + ALL) == []
    assert advice(content="{{ main_interest }}" + ALL, general="Hurry.") == [
        ("message_reason", "treatment[0].general"), ("message_honest", "treatment[0].general"),
        ("message_way_out", "treatment[0].general"), ("message_person", "treatment[0].general"),
    ]  # fmt: skip


def test_what_has_to_be_said_is_said_whatever_is_known():
    general = {"general": "Hi." + ALL}
    here = "{% if main_interest == 'tea' %}A." + ALL
    assert advice(content=here + "{% else %}B." + ALL + "{% endif %}", **general) == []
    assert [rule for rule, _ in advice(content=here + "{% endif %}", **general)] == [
        "message_reason", "message_way_out", "message_person",
    ]  # fmt: skip


def test_what_may_not_be_said_is_said_nowhere():
    pressing = "{% if main_interest == 'tea' %}Last chance.{% endif %}" + ALL
    assert advice(content=pressing, general="Hi." + ALL) == [("message_honest", "treatment[0].content")]
    assert advice(subject="TODO") == [("message_finished", "treatment[0].subject")]
    long = "{% for i in (1..900) %}abc{% endfor %}" + ALL
    assert advice(content=long) == [("message_short", "treatment[0].content")]
