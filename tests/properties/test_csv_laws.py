"""The CSV reader: whatever Python's `csv` writes, it reads back to the same cells, row by row."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from consent.imports.faults import Faults
from consent.imports.records import records

CELL = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00\r", categories=("L", "N", "P", "S", "Z")), max_size=12
)
ROWS = st.lists(st.lists(CELL | st.sampled_from(['"', '""', ",", "a\nb", " "]), min_size=2, max_size=4), min_size=1)


def read(text: str) -> list[list[str]]:
    faults = Faults("a file")
    found = [list(row) for batch in records(iter([(1, text)]), faults) for row in batch.rows]
    faults.check()
    return found


@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_what_the_standard_library_writes_is_read_back_to_the_same_cells(rows, ending, quoting):
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator=ending, quoting=quoting).writerows(rows)

    text = written.getvalue()

    assert read(text) == rows == list(csv.reader(io.StringIO(text, newline=""), strict=True))
