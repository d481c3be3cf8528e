"""What can be said in an expression, what can't, and what the error tells the marketer to write instead."""

import pickle

import pytest
import sqlglot

from consent.base.errors import ExpressionInvalid, Place
from consent.catalogue.model import Attribute, AttributeType
from personalise.language.expressions import condition, number
from personalise.language.terms import And, Between, Choice, Comparison, Constant, Fact, Negative, Not, Product, Sum

KINDS: dict[str, tuple[str, AttributeType]] = {
    "months_since_purchase": ("purchases", "integer"),
    "mens": ("purchases", "integer"),
    "womens": ("purchases", "integer"),
    "spend": ("purchases", "number"),
    "zip": ("profile", "text"),
    "gold": ("profile", "boolean"),
    "paused": ("profile", "boolean"),
    "last_visit": ("visits", "time"),
    "first_visit": ("visits", "time"),
    "date": ("visits", "number"),
    "end": ("visits", "number"),
    "Straße": ("profile", "text"),
}
ATTRIBUTES = {name: Attribute(name=name, category=category, type=kind) for name, (category, kind) in KINDS.items()}
MENS = Fact(name="mens", type="integer")
SPEND = Fact(name="spend", type="number")


def constant(value):
    return Constant(value=float(value), yields="number")


def places(text, read=condition):
    """Return the places of the error, as (line, column, what it says)."""
    with pytest.raises(ExpressionInvalid) as refused:
        read(text, ATTRIBUTES)
    return [(place.where, place.why) for place in refused.value.places]


def spots(text, read=condition):
    return [where.removeprefix("line 1, column ") for where, _ in places(text, read)]


# --------------------------------------------------------------------------------------------------- what can be said


def test_a_condition_knows_its_attributes_and_their_categories():
    read = condition("months_since_purchase <= 6 AND mens = 1 OR zip LIKE '9%'", ATTRIBUTES)

    assert read.attributes == {"months_since_purchase", "mens", "zip"}
    assert read.categories == {"purchases", "profile"}


def test_a_branch_that_is_never_taken_counts_as_touched():
    read = number("CASE WHEN TRUE THEN 1 ELSE DAYS_SINCE(last_visit) END", ATTRIBUTES)

    assert read.categories == {"visits"}


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("months_since_purchase<=6 and(mens=1)", "months_since_purchase <= 6 AND mens = 1"),
        ("mens != 1.0 /* why */ -- because", "mens <> 1"),
        ("\n  gold\n", "gold"),
        ("((gold)) = true", "gold = TRUE"),
        ("gold AND (paused AND (mens = 1))", "gold AND paused AND mens = 1"),
        ("gold OR (paused AND mens = 1)", "gold OR paused AND mens = 1"),
        ("(gold OR paused) AND mens = 1", "(gold OR paused) AND mens = 1"),
        ("not (mens in (1, -2, 3.50))", "mens NOT IN (1, -2, 3.5)"),
        ("NOT zip LIKE 'a_%'", "zip NOT LIKE 'a_%'"),
        ("zip not like 'it''s'", "zip NOT LIKE 'it''s'"),
        ("NOT mens BETWEEN 1 AND spend + 1", "mens NOT BETWEEN 1 AND spend + 1"),
        ("NOT (gold OR paused)", "NOT (gold OR paused)"),
        ("NOT NOT gold", "NOT NOT gold"),
        ("lower(zip) = 'abc'", "LOWER(zip) = 'abc'"),
        ('"end" = 1 AND date = 2', '"end" = 1 AND date = 2'),
        ("Straße >= 'A'", "\"Straße\" >= 'A'"),
        ("days_since(last_visit) <= 30", "DAYS_SINCE(last_visit) <= 30"),
        ("last_visit > first_visit", "last_visit > first_visit"),
        ("spend > 1e22 OR spend < .5", "spend > 1e+22 OR spend < 0.5"),
        ("FALSE", "FALSE"),
    ],
)
def test_a_condition_has_one_canonical_text(text, canonical):
    assert condition(text, ATTRIBUTES).text == canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0.02+0.05*womens", "0.02 + 0.05 * womens"),
        ("(mens + womens) + spend", "mens + womens + spend"),
        ("mens - (womens - spend)", "mens - (womens - spend)"),
        ("mens / (womens * spend)", "mens / (womens * spend)"),
        ("(mens + 1) * -2", "(mens + 1) * -2"),
        ("- -mens", "-(-mens)"),
        ("-(2)", "-2"),
        ("-0", "0"),
        ("least(mens, 1+womens)", "LEAST(mens, 1 + womens)"),
        (
            "CASE WHEN gold THEN 1 WHEN mens=1 THEN 2 ELSE 0 END",
            "CASE WHEN gold THEN 1 WHEN mens = 1 THEN 2 ELSE 0 END",
        ),
    ],
)
def test_a_number_has_one_canonical_text(text, canonical):
    assert number(text, ATTRIBUTES).text == canonical


def test_sums_and_products_go_from_left_to_right():
    assert number("spend - mens + 2 * mens", ATTRIBUTES).tree == Sum(
        first=SPEND, rest=(("-", MENS), ("+", Product(first=constant(2), rest=(("*", MENS),))))
    )


def test_a_minus_sign_binds_more_than_a_product():
    assert number("-spend * mens", ATTRIBUTES).tree == Product(first=Negative(of=SPEND), rest=(("*", MENS),))


def test_between_ends_before_the_next_and():
    assert condition("mens BETWEEN 1 AND 6 AND NOT spend = 1", ATTRIBUTES).tree == And(
        parts=(
            Between(value=MENS, low=constant(1), high=constant(6)),
            Not(of=Comparison(left=SPEND, sign="=", right=constant(1))),
        )
    )


def test_one_and_true_are_different_values():
    one, true = Constant(value=1.0, yields="number"), Constant(value=True, yields="boolean")

    assert one != true
    assert str(one) == "1"
    assert str(true) == "TRUE"


def test_case_keeps_its_branches_in_order():
    tree = number("CASE WHEN mens = 1 THEN 1 WHEN mens = 2 THEN 2 ELSE 3 END", ATTRIBUTES).tree

    assert tree == Choice(
        branches=tuple((Comparison(left=MENS, sign="=", right=constant(n)), constant(n)) for n in (1, 2)),
        otherwise=constant(3),
    )


@pytest.mark.parametrize("operator", ["+ 1", "AND gold"])
def test_a_long_chain_is_not_deep(operator):
    start = "mens" if operator == "+ 1" else "gold"
    read = number if operator == "+ 1" else condition

    assert read(f"{start} {' '.join([operator] * 190)}", ATTRIBUTES).text.count(operator) == 190


@pytest.mark.parametrize(
    "opening", ["(", "-(", "ABS(", "-ABS(", "1 + (", "LEAST(1, ", "1 + 2 * (", "1 - CASE WHEN gold THEN "]
)
def test_thirty_two_levels_can_be_read_and_sent_to_a_worker(opening):
    levels = 32 // (opening.count("(") + opening.count("-(") + opening.count("-A") + opening.count("CASE"))
    closing = " ELSE 0 END" if "CASE" in opening else ")"
    text = opening * levels + "mens" + closing * levels

    read = number(text, ATTRIBUTES)

    assert pickle.loads(pickle.dumps(read)) == read  # noqa: S301 -- our own bytes, as worker processes get them
    assert number(read.text, ATTRIBUTES) == read


@pytest.mark.parametrize("opening", ["NOT (", "(gold AND ", "(NOT ", "NOT ", "(gold OR paused AND "])
def test_conditions_nest_as_deeply(opening):
    levels = 32 // (opening.startswith("NOT") + ("(NOT" in opening) + opening.count("("))
    text = opening * levels + "gold" + ")" * (levels * opening.count("("))

    assert condition(text, ATTRIBUTES).attributes >= {"gold"}


@pytest.mark.parametrize("text", ["mens + womens * spend - 2", "-(mens - 1) / womens", "spend - (mens - womens)"])
def test_the_canonical_text_is_the_sql_that_sqlglot_reads_in_the_same_way(text):
    canonical = number(text, ATTRIBUTES).text

    assert sqlglot.parse_one(canonical, read="postgres") == sqlglot.parse_one(text, read="postgres")


# ---------------------------------------------------------------------------------------- what can't, and where it is


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("mens IS NULL", ["6"]),
        ("mens IS NOT NULL AND womens = NULL", ["6", "31"]),
        ("gold IS TRUE", ["6"]),
        ("gold IS NOT FALSE", ["6"]),
        ("mens IS DISTINCT FROM womens", ["6"]),
        ("mens ISNULL", ["6"]),
        ("mens NOTNULL", ["6"]),
        ("COALESCE(mens, 0) = 1", ["1"]),
        ("NVL(mens, 0) = 1 AND NULLIF(womens, 0) = 1", ["1", "22"]),
        ("gold AND EXISTS (SELECT 1)", ["10", "18"]),
        ("mens = (SELECT 1)", ["9"]),
        ("CAST(mens AS number) = 1", ["1", "11", "14"]),
        ("mens::text = '1'", ["5", "7"]),
        ("mens <=> 1", ["6"]),
        ("count(*) > 1", ["1"]),
        ("RANK() OVER (ORDER BY mens) = 1", ["1", "8", "14", "20"]),
        ("soundex(zip) = 'a'", ["1"]),
        ("mens = $1", ["8"]),
        ("mens = ?", ["8"]),
        ("mens = :one", ["8", "9"]),
        ("mens = {{ one }}", ["8", "9", "11", "15", "16"]),
        ("mens = 1; gold", ["9"]),
        ("mens == 1", ["6"]),
        ("1 < mens < 5", ["12"]),
        ("mens = womens = 1", ["17"]),
        ("a.b.mens = 1", ["1"]),
        ("profile.\"zip\" = 'a'", ["1"]),
        ("zip LIKE ANY ('a')", ["10"]),
        ("mens BETWEEN SYMMETRIC 1 AND 2", ["14"]),
        ("mens BETWEEN 1", ["6"]),
        ("(mens BETWEEN 1) AND gold", ["16"]),
        ("zip LIKE 'a' ESCAPE '!'", ["14"]),
        ("zip LIKE 'a\\%'", ["10"]),
        ("zip ILIKE 'a'", ["5"]),
        ("zip ~ 'a'", ["5"]),
        ("zip || 'a' = 'b'", ["5"]),
        ("zip = 'a' 'b'", ["11"]),
        ("zip = E'a'", ["7", "8"]),
        ("zip = $$a$$", ["7", "8", "9", "10", "11"]),
        ("zip = 'a", ["7"]),
        ('zip = "a', ["7"]),
        ("gold /* and so on", ["6"]),
        ("mens % 2 = 1", ["6"]),
        ("mens[1] = 1", ["5", "7"]),
        ("!gold", ["1"]),
        ("gold && paused", ["6"]),
        ("+mens = 1", ["1"]),
        ("mens = 1 AND", ["13"]),
        ("gold paused", ["6"]),
        ("gold NOT paused", ["6"]),
        ("(gold", ["1"]),
        ("gold)", ["5"]),
        ("(gold, paused)", ["2"]),
        ("()", ["2"]),
        ("mens IN ()", ["10"]),
        ("mens IN (1,)", ["12"]),
        ("mens IN 1", ["6"]),
        ("mens IN (1, womens)", ["13"]),
        ("mens IN (1, 'a', TRUE)", ["13", "18"]),
        ("gold IN (TRUE)", ["1"]),
        ("zip LIKE zip", ["10"]),
        ("mens LIKE 'a'", ["1"]),
        ("LIKE(zip, 'a')", ["1"]),
        ("ABS() = 1", ["5"]),
        ("ABS(mens, 1) = 1", ["1"]),
        ("ROUND(spend, 2) = 1", ["1"]),
        ("LEAST(mens) = 1", ["1"]),
        ("LOWER(mens) = 'a'", ["7"]),
        ("DAYS_SINCE(mens) = 1", ["12"]),
        ("DAYS_SINCE('2026-01-01') = 1", ["12"]),
        ("CASE gold WHEN TRUE THEN 1 ELSE 0 END = 1", ["1"]),
        ("CASE WHEN gold THEN 1 END = 1", ["1"]),
        ("CASE WHEN gold THEN 1 ELSE 0 = 1", ["1"]),
        ("CASE WHEN mens THEN zip ELSE gold END = 1", ["11", "21", "30"]),
        ("CASE WHEN gold WHEN paused THEN 1 ELSE 0 END = 1", ["16"]),
        ("end = 1", ["1"]),
        ("zip l\u0131ke 'a'", ["5", "5"]),
        ("mens = 5abc", ["8"]),
        ("mens = 1.2.3", ["8"]),
        ("spend = 1e999", ["9"]),
        ("spend = 1e-999", ["9"]),
        ("mens = 9007199254740993", ["8"]),
        ("spend = 0.3333333333333333333333333333333333", ["9"]),
        ("nobody = 1 AND mens = 'one'", ["1", "23"]),
        ("mens", ["1"]),
        ("zip AND last_visit", ["1", "9"]),
        ("spend + zip > 1", ["9"]),
        ("zip < 6", ["7"]),
        ("mens = '6'", ["8"]),
        ("gold = 1", ["8"]),
        ("mens = TRUE", ["8"]),
        ("gold < paused", ["8"]),
        ("(mens = 1) = gold", ["14"]),
        ("gold = (mens = 1)", ["9"]),
        ("last_visit > '2026-01-01'", ["14"]),
        ("last_visit BETWEEN 1 AND 2", ["20", "26"]),
        ("gold BETWEEN FALSE AND TRUE", ["1"]),
        ("", ["1"]),
        (" -- nothing", ["1"]),
    ],
)
def test_what_is_not_in_the_language_is_an_error_at_its_column(text, columns):
    assert spots(text) == columns


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Mens = 1", "there is no attribute `Mens`: write `mens`?"),
        ("months_since_purchas <= 6", "there is no attribute `months_since_purchas`: write `months_since_purchase`?"),
        ('zip = "xyz"', "there is no attribute \"xyz\": text is written in single quotes, 'xyz'"),
        ("gold = 1", "`gold` is true or false: write `gold = TRUE`"),
        ("gold = 0", "`gold` is true or false: write `gold = FALSE`"),
        ("mens = TRUE", "`mens` is a number: write `mens = 1`"),
        ("mens = '6'", "'6' is text: write 6 without quotes"),
        ("zip = 6", "`zip` is text: write '6' in single quotes"),
        ("last_visit > 6", "`last_visit` is a time: write `DAYS_SINCE(last_visit) <= 30`, with a number of days"),
        ("1 < mens <= 5", "comparisons can't be chained: write `1 < mens AND mens <= 5`"),
        ("gold IS TRUE", "`IS` is not in the language: write `= TRUE`, which is unknown where the value is"),
        (
            "mens + gold = 1",
            "`gold` is true or false, and a number is needed: write `CASE WHEN gold THEN 1 ELSE 0 END`",
        ),
        ("mens == 1", "write `=` instead of `==`"),
        ("t.mens = 1", "attributes stand alone: write `mens` without what is before it"),
        ("mens BETWEEN 1", "`BETWEEN` has no end: write `AND` and the upper bound, as in `x BETWEEN 1 AND 6`"),
        ("(mens = 1", "`(` has no end: write `)`"),
    ],
)
def test_the_error_says_what_to_write_instead(text, why):
    assert [said for _, said in places(text)] == [why]


def test_the_place_is_counted_in_lines_and_characters():
    with pytest.raises(ExpressionInvalid) as refused:
        condition("\"Straße\" = '😀'\nAND mens == 1\r\n  AND nobody = 2", ATTRIBUTES)

    assert refused.value.places == (
        Place(where="line 2, column 10", why="write `=` instead of `==`"),
        Place(
            where="line 3, column 7",
            why="there is no attribute `nobody`: write one of the catalogue's, or text in single quotes",
        ),
    )


def test_all_faults_of_an_expression_are_named_at_once():
    assert spots("mens = 'a' OR zip > 1 OR spend AND nobody = 1") == ["8", "21", "26", "36"]


@pytest.mark.parametrize("text", ["mens = 1", "gold", "TRUE"])
def test_a_condition_is_no_number(text):
    assert spots(text, number) == ["1"]


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x85", "\ud800", "\u202e", "\u2066"])
def test_a_character_that_hides_something_is_refused(character):
    assert spots(f"zip = 'a{character}'") == ["9"]


def test_an_expression_has_at_most_four_thousand_characters():
    assert condition("gold" + " " * 3_996, ATTRIBUTES).text == "gold"
    assert spots("gold" + " " * 3_997) == ["4001"]


def test_an_expression_has_at_most_two_hundred_nodes():
    assert condition(f"mens IN ({', '.join(['1'] * 198)})", ATTRIBUTES).attributes == {"mens"}
    assert spots(f"mens IN ({', '.join(['1'] * 199)})") == ["604"]


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("(", ")"), ("NOT ", ""), ("- ", ""), ("ABS(", ")"), ("CASE WHEN gold THEN ", " ELSE 0 END")],
)
def test_an_expression_has_at_most_thirty_two_levels(opening, closing):
    text = opening * 33 + ("gold" if opening == "NOT " else "mens") + closing * 33

    assert [why for _, why in places(text)] == ["more than 32 levels inside each other: split the expression"]


def test_a_pattern_is_bounded():
    assert spots(f"zip LIKE '{'a' * 101}'") == ["10"]
    assert spots(f"zip LIKE '{'%a' * 9}'") == ["10"]


def test_an_attribute_may_have_the_name_of_a_function_or_a_word_of_sql():
    attributes = {
        name: Attribute(name=name, category="odd", type="integer")
        for name in ("least", "count", "is", "null", "IN", "select")
    }

    read = condition('least = count AND LEAST(least, 1) = 1 AND "is" = "null" AND "IN" = select', attributes)

    assert read.text == 'least = count AND LEAST(least, 1) = 1 AND "is" = "null" AND "IN" = select'
    assert read.attributes == set(attributes)


def test_the_name_of_an_attribute_in_another_case_is_another_name():
    attributes = {name: Attribute(name=name, category=name, type="integer") for name in ("a", "A")}

    assert condition("a = 1", attributes).categories == {"a"}
    assert condition("A = 1", attributes).categories == {"A"}
