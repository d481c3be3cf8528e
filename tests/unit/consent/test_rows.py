"""Files as data: what is wrong is named by its line, and nothing is guessed."""

import pytest

from consent.base.errors import ImportInvalid
from consent.imports import rows
from consent.imports.cells import fact_reader, names
from consent.imports.faults import Faults
from consent.imports.mapping import parse_mapping
from consent.imports.records import BLOCK, LONGEST_ROW
from consent.imports.rows import CHUNK_ROWS, LONGEST_CELL
from tests.builders import catalogue

HEADER = b"id,bought,last\n"
MAPPING = parse_mapping(
    """
format = "csv"
reference = "id"
[attributes]
spent = "spent"
bought = "bought"
last = "last"
returned = "returned"
seen = "seen"
allergy = "allergy"
country = { column = "country", values = { "A" = "AT", "D" = "DE" } }
""",
    catalogue(),
)
READ = {fact.attribute.name: fact for fact in MAPPING.attributes}


def write(tmp_path, raw):
    path = tmp_path / "customers.csv"
    path.write_bytes(raw)
    return path


def chunks(source):
    """All chunks of a source, or the error with its places."""
    sheet = rows.opened(source)
    faults = Faults(sheet.name, sheet.word)
    found = list(sheet.chunks(faults))
    faults.check()
    return found


def cells(tmp_path, raw):
    return [list(row) for chunk in chunks(write(tmp_path, raw)) for row in chunk.rows]


def wrong(source):
    """What is said to be wrong: the sentence, then each place."""
    with pytest.raises(ImportInvalid) as refused:
        chunks(source)
    return [refused.value.detail, *(f"{place.where}: {place.why}" for place in refused.value.places)]


# ------------------------------------------------------------------------------------------------- what can be read


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"A,1,lamp\nB,2,chair\n", [["A", "1", "lamp"], ["B", "2", "chair"]]),
        (b"A,1,lamp\r\nB,2,chair\r\n", [["A", "1", "lamp"], ["B", "2", "chair"]]),
        (b"A,1,lamp\nB,2,chair", [["A", "1", "lamp"], ["B", "2", "chair"]]),
        (b"A,,\n", [["A", "", ""]]),
        (b'"A",1,"lamp, red"\n', [["A", "1", "lamp, red"]]),
        (b'A,1,"the ""best"" lamp"\n', [["A", "1", 'the "best" lamp']]),
        (b'A,1,"two\nlines"\nB,2,x\n', [["A", "1", "two\nlines"], ["B", "2", "x"]]),
        (b'A,1,"two\r\nlines"\r\nB,2,x\r\n', [["A", "1", "two\r\nlines"], ["B", "2", "x"]]),
        (b'A,1,""\n', [["A", "1", ""]]),
        (b'A,1,""""\n', [["A", "1", '"']]),
        (b"A,1,\xe2\x80\xa8\n", [["A", "1", "\u2028"]]),
        (b"A,1,\x0b\x1c\n", [["A", "1", "\x0b\x1c"]]),
        (b" A , 1,=1+1\n", [[" A ", " 1", "=1+1"]]),
    ],
)
def test_cells_are_cut_as_rfc_4180_says(tmp_path, raw, expected):
    assert cells(tmp_path, HEADER + raw) == expected


def test_a_byte_order_mark_is_not_part_of_the_first_column(tmp_path):
    assert rows.opened(write(tmp_path, b"\xef\xbb\xbf" + HEADER + b"A,1,x\n")).header == ("id", "bought", "last")


def test_text_is_brought_into_its_composed_form(tmp_path):
    decomposed = "Zoe\u0308,1,cafe\u0301\n".encode()
    assert cells(tmp_path, HEADER + decomposed) == [["Zo\u00eb", "1", "caf\u00e9"]]


def test_rows_come_in_chunks_with_the_line_on_which_each_begins(tmp_path):
    many = CHUNK_ROWS + 2
    raw = HEADER + b'A,1,"two\nlines"\n' + b"".join(b"B%d,2,x\n" % number for number in range(many - 1))
    first, second = chunks(write(tmp_path, raw))
    assert (len(first.rows), len(second.rows)) == (CHUNK_ROWS, 2)
    assert (list(first.lines[:3]), second.lines[-1]) == ([2, 4, 5], many + 2)
    assert first.columns["id"][:2] == ("A", "B0")


def test_a_file_larger_than_what_is_read_at_once_gives_each_row_once(tmp_path):
    expected = [[f"C{number:07d}", "1", "ü" * (number % 7)] for number in range(40_000)]
    raw = HEADER + "".join(",".join(row) + "\n" for row in expected).encode()
    assert len(raw) > 2 * BLOCK
    assert cells(tmp_path, raw) == expected


def test_quoting_every_cell_changes_nothing(tmp_path):
    plain = [[f"C{number}", str(number), "x" * (number % 50)] for number in range(12_000)]
    quoted = "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in plain).encode()
    assert cells(tmp_path, HEADER + quoted) == plain


def test_rows_at_hand_are_read_as_a_file_would_be():
    [chunk] = chunks([{"id": "A", "bought": "1"}, {"id": "Zoe\u0308", "bought": ""}])
    assert (chunk.header, list(chunk.lines)) == (("id", "bought"), [1, 2])
    assert [list(row) for row in chunk.rows] == [["A", "1"], ["Zo\u00eb", ""]]


# ----------------------------------------------------------------------------------------------- what can't be read

ONE = "one place is wrong in customers.csv; nothing of it was brought in"
NOT_UTF8 = "has a byte that is not UTF-8; save the file as UTF-8"
TOO_LONG = "line 2, column last: has more than 10,000 characters"
MALFORMED = {
    "a quote that is never closed": (HEADER + b'A,1,x\nB,2,"x\nC,3,y\n', "line 3: a quote is opened and never closed"),
    "a quote inside a cell": (HEADER + b'A,1,x"y"\n', "line 2: a quote stands where none may, in cell 3"),
    "text after a quoted cell": (HEADER + b'A,"1"2,x\n', "line 2: a quote stands where none may, in cell 2"),
    "a quote not doubled": (HEADER + b'A,1,"a"b"c"\n', "line 2: a quote stands where none may, in cell 3"),
    "a space before a quote": (HEADER + b'A,1, "x"\n', "line 2: a quote stands where none may, in cell 3"),
    "a cell too few": (HEADER + b"A,1,x\nB,2\n", "line 3: has 2 cells, the header has 3"),
    "a cell too many": (HEADER + b"A,1,x,\n", "line 2: has 4 cells, the header has 3"),
    "a blank line": (HEADER + b"A,1,x\n\nB,2,x\n", "line 3: is blank"),
    "a blank last line": (HEADER + b"A,1,x\n\n", "line 3: is blank"),
    "a NUL": (HEADER + b"A,1,x\nB,\x00,x\n", "line 3: has a NUL character: this is not text, or not UTF-8"),
    "Latin-1": (HEADER + "A,1,x\nB,2,Größe\n".encode("latin-1"), f"line 3: {NOT_UTF8}"),
    "half a surrogate pair": (HEADER + b"A,1,\xed\xa0\x80\n", f"line 2: {NOT_UTF8}"),
    "UTF-16": ((HEADER + b"A,1,x\n").decode().encode("utf-16"), "line 1: the file is UTF-16; save it as UTF-8"),
    "UTF-16 without a mark": (
        (HEADER + b"A,1,x\n").decode().encode("utf-16-le"),
        "line 1: has a NUL character: this is not text, or not UTF-8",
    ),
    "a header only": (HEADER, "line 1: names the columns, but no row follows"),
    "a column without a name": (b"id,,last\nA,1,x\n", "line 1: the column 2 has no name"),
    "a column twice": (b"id,last,last\nA,1,x\n", "line 1: column 3 has the name of column 2"),
    "old line ends": (HEADER + b"A,1,x\rB,2,x\n", "line 2: a carriage return stands where none may, in cell 3"),
    "a cell that is too long": (HEADER + b"A,1," + b"x" * (LONGEST_CELL + 1) + b"\n", TOO_LONG),
    "a quoted cell that is too long": (HEADER + b'A,1,"' + b"x\n" * LONGEST_CELL + b'"\n', TOO_LONG),
    "a quote lost in a large file": (
        HEADER + b'A,1,"x\n' + b"B,2,x\n" * (LONGEST_ROW // 5),
        "line 2: a quote is opened and not closed within 1,000,000 characters",
    ),
    "one endless line": (HEADER + b"x" * (LONGEST_ROW * 2), "line 2: has more than 1,000,000 bytes"),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "expected"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_file_is_refused_at_its_line(tmp_path, raw, expected):
    assert wrong(write(tmp_path, raw)) == [ONE, expected]


@pytest.mark.parametrize("raw", [b"", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path, raw):
    assert wrong(write(tmp_path, raw)) == ["customers.csv is empty: its first line must name the columns"]


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert wrong(tmp_path / "nothing.csv") == ["nothing.csv can't be read: No such file or directory"]
    assert wrong(tmp_path) == [f"{tmp_path.name} is not a file that can be read twice"]


def test_a_file_that_changes_between_two_walks_is_refused(tmp_path):
    path = write(tmp_path, HEADER + b"A,1,x\n")
    sheet = rows.opened(path)
    write(tmp_path, HEADER + b"A,1,x\nB,2,x\n")
    with pytest.raises(ImportInvalid) as refused:
        list(sheet.chunks(Faults(sheet.name)))
    assert refused.value.detail == "customers.csv was changed while it was read; run the import again"


def test_all_wrong_rows_are_named_in_the_order_of_their_lines(tmp_path):
    raw = HEADER + b'A,1\nB,2,x\nC,3,x"y"\nD,4,"x\n\n"\nE\n'
    assert wrong(write(tmp_path, raw)) == [
        "3 places are wrong in customers.csv; nothing of it was brought in",
        "line 2: has 2 cells, the header has 3",
        "line 4: a quote stands where none may, in cell 3",
        "line 8: has 1 cell, the header has 3",
    ]


def test_a_hundred_places_are_named_and_the_others_counted(tmp_path):
    found = wrong(write(tmp_path, HEADER + b"A,1\n" * 12_345))
    assert found[0] == "12,345 places are wrong in customers.csv; nothing of it was brought in"
    assert found[1:101] == [f"line {line}: has 2 cells, the header has 3" for line in range(2, 102)]
    assert found[101:] == ["further on: and 12,245 more"]


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ({"id": "B"}, "must have the columns of the first row, and text in each"),
        ({"id": "B", "bought": "1", "more": "x"}, "must have the columns of the first row, and text in each"),
        ({"id": "B", "bought": None}, "must have the columns of the first row, and text in each"),
        ({"id": "B", "bought": "\x00"}, "has a NUL character"),
        ({"id": "B", "bought": "\ud800"}, "has half a surrogate pair"),
    ],
)
def test_a_wrong_row_at_hand_is_named_by_its_number(second, why):
    found = wrong([{"id": "A", "bought": "1"}, second])
    assert found == ["one place is wrong in the rows; nothing of it was brought in", f"row 2: {why}"]


def test_no_rows_at_hand_are_refused():
    assert wrong([]) == ["there are no rows"]


# ------------------------------------------------------------------------------------------------------ what cells say


def values(attribute, *given):
    """Read one column of cells: the values, and what is wrong."""
    fact = READ[attribute]
    sheet = rows.opened([{fact.column.name: cell} for cell in given])
    faults = Faults(sheet.name, sheet.word)
    reader = fact_reader(fact)
    found = [value for chunk in sheet.chunks(faults) for value in reader.values(chunk, faults)]
    faults.settle()
    return found, [f"{place.where}: {place.why}" for place in faults.named]


@pytest.mark.parametrize(
    ("attribute", "cell", "value"),
    [
        ("bought", "0", 0),
        ("bought", "+12", 12),
        ("bought", "-007", -7),
        ("bought", "9007199254740991", 2**53 - 1),
        ("bought", "-9007199254740991", 1 - 2**53),
        ("bought", "0" * 5_000 + "5", 5),
        ("spent", "1.5", 1.5),
        ("spent", ".5", 0.5),
        ("spent", "-12", -12.0),
        ("spent", "1e3", 1000.0),
        ("returned", "true", True),
        ("returned", "false", False),
        ("last", " lamp ", " lamp "),
        ("seen", "1970-01-01T00:00:01.5Z", 1500),
        ("seen", "2026-11-21T18:00:00+01:00", 1_795_280_400_000),
        ("country", "A", "AT"),
        *((attribute, blank, None) for attribute in READ for blank in ("", " ", "\t\n")),
    ],
)
def test_a_cell_is_read_as_its_attributes_type(attribute, cell, value):
    found, faults = values(attribute, cell)
    assert (found, [type(each) for each in found], faults) == ([value], [type(value)], [])


@pytest.mark.parametrize(
    ("attribute", "cell", "why"),
    [
        ("bought", "abc", "'abc' is not a whole number"),
        ("bought", "1.9", "'1.9' is not a whole number"),
        ("bought", "1e3", "'1e3' is not a whole number"),
        ("bought", " 1", "' 1' is not a whole number"),
        ("bought", "1 000", "'1 000' is not a whole number"),
        ("bought", "0x1F", "'0x1F' is not a whole number"),
        ("bought", "\uff11\uff12", "'\uff11\uff12' is not a whole number"),
        ("bought", "true", "'true' is not a whole number"),
        ("bought", "9007199254740992", "'9007199254740992' is beyond ±(2^53 − 1)"),
        ("bought", "9" * 9_000, "'99999999999999999999…' is beyond ±(2^53 − 1)"),
        ("spent", "1,5", "'1,5' is not a number like 1234.5"),
        ("spent", "nan", "'nan' is not a number like 1234.5"),
        ("spent", "-inf", "'-inf' is not a number like 1234.5"),
        ("spent", "1_000", "'1_000' is not a number like 1234.5"),
        ("spent", "\u0661", "'\u0661' is not a number like 1234.5"),
        ("spent", "1e999", "'1e999' is too large a number"),
        ("spent", "9" * 400, "'99999999999999999999…' is too large a number"),
        ("returned", "1", "'1' is neither true nor false; give the mapping a table of values"),
        ("returned", "True", "'True' is neither true nor false; give the mapping a table of values"),
        ("seen", "2026-11-21", "'2026-11-21' is not a time like 2026-11-21T17:00:00Z"),
        ("seen", "2026-02-30T00:00:00Z", "'2026-02-30T00:00:00Z' is not a time like 2026-11-21T17:00:00Z"),
        ("seen", "0001-01-01T00:00:00+14:00", "'0001-01-01T00:00:00+…' is not a time like 2026-11-21T17:00:00Z"),
        ("country", "Austria", "'Austria' is not one of 'A', 'D'"),
    ],
)
def test_a_cell_of_another_type_is_named_by_line_and_column(attribute, cell, why):
    right = {"bought": "1", "spent": "1", "returned": "true", "seen": "2026-11-21T17:00:00Z", "country": "A"}[attribute]
    expected = {"bought": 1, "spent": 1.0, "returned": True, "seen": 1_795_280_400_000, "country": "AT"}[attribute]
    assert values(attribute, right, cell) == ([expected, None], [f"row 2, column {attribute}: {why}"])


def test_an_error_quotes_no_address_and_no_special_category():
    assert values("bought", "ann@shop.example")[1] == ["row 1, column bought: the cell is not a whole number"]
    quiet = parse_mapping(
        'format = "csv"\nreference = "id"\n[attributes]\nallergy = { column = "allergy", values = { N = "nuts" } }',
        catalogue(),
    ).attributes[0]
    sheet = rows.opened([{"allergy": "pollen"}])
    faults = Faults(sheet.name, sheet.word)
    for chunk in sheet.chunks(faults):
        fact_reader(quiet).values(chunk, faults)
    faults.settle()
    assert [tuple(place) for place in faults.named] == [("row 1, column allergy", "is not one of 'N'")]


@pytest.mark.parametrize(
    ("kind", "cell", "why"),
    [
        ("reference", "", "names no customer"),
        ("reference", " \t", "names no customer"),
        ("reference", "x" * 255, "has more than 254 characters"),
        ("email", "ann", "is not an e-mail address"),
        ("email", "ann@", "is not an e-mail address"),
        ("email", "ann @shop.example", "is not an e-mail address"),
    ],
)
def test_a_name_that_is_none_is_refused_and_never_quoted(kind, cell, why):
    sheet = rows.opened([{"who": cell}])
    faults = Faults(sheet.name, sheet.word)
    for chunk in sheet.chunks(faults):
        names(chunk, "who", faults, kind=kind, required=kind == "reference")
    faults.settle()
    assert [tuple(place) for place in faults.named] == [("row 1, column who", why)]


def test_a_name_loses_the_white_space_around_it():
    sheet = rows.opened([{"who": " A 1\t"}])
    faults = Faults(sheet.name, sheet.word)
    assert [names(chunk, "who", faults, kind="reference") for chunk in sheet.chunks(faults)] == [["A 1"]]
