"""A data file that isn't one is named, with the line and the column, before anything is made of it."""

from datetime import UTC, datetime

import pytest

from consent.base.errors import ImportInvalid
from examples.hillstrom.run import read_references, write_permissions

HEADER = "customer_id,recency,history\n"


@pytest.mark.parametrize(("text", "said"), [
    ("", "is empty"),
    ("customer,recency\nH1,7\n", "line 1: has no column customer_id"),
    (HEADER, "line 1: names the columns, but no row follows"),
    (HEADER + "H1,7\n", "line 2: has 2 cells, the header has 3"),
    (HEADER + "H1,7,8\n,7,8\n", "line 3, column customer_id: names no customer"),
    (HEADER + 'H1,7,"8\n', "line 2: a quote is opened and never closed"),
    (HEADER + f"H1,7,8\n{'x' * 300},7,8\n", "line 3, column customer_id: has more than"),
])  # fmt: skip
def test_a_wrong_data_file_is_refused_by_its_own_name_and_line(tmp_path, text, said):
    data, to = tmp_path / "other half.csv", tmp_path / "permissions.csv"
    data.write_text(text)
    with pytest.raises(ImportInvalid) as refused:
        write_permissions(data, to, seed=7, at=datetime(2026, 11, 1, tzinfo=UTC))
    assert ("other half.csv" in str(refused.value), said in str(refused.value)) == (True, True), refused.value
    assert not to.exists()


def test_references_are_read_as_the_import_reads_them(tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("\ufeff" + HEADER + ' H1 ,7,"a\nb"\nH2,8,\n')
    assert read_references(data) == ["H1", "H2"]
