"""`demo`: the whole story, in a folder of its own."""

from tests.faces.cli.conftest import Shell

KEYS = {
    "customers", "import", "dry_run", "run", "withdrawn", "second_run", "audit", "ledger", "effects", "seconds",
    "peak_memory_mb",
}  # fmt: skip


def test_the_demo_tells_the_whole_story_and_can_be_told_again(nowhere: Shell):
    ran = nowhere("demo", "--customers", 200, "--json")
    assert (ran.code, ran.err, set(ran.json), ran.json["customers"]) == (0, "", KEYS, 200)
    again = nowhere("demo", "--customers", 100)
    assert (again.code, again.out.splitlines()[-1].strip()) == (0, "make serve")


def test_the_demo_leaves_a_folder_alone_that_it_did_not_make(nowhere: Shell):
    (nowhere.folder / "byleave-demo").mkdir()
    (nowhere.folder / "byleave-demo" / "thesis.txt").write_text("years of work")
    ran = nowhere("demo", "--customers", 100)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert (nowhere.folder / "byleave-demo" / "thesis.txt").read_text() == "years of work"


def test_the_demo_takes_a_sensible_number(nowhere: Shell):
    assert [nowhere("demo", "--customers", each).code for each in ("0", "many", "1000000")] == [2, 2, 2]
    assert list(nowhere.folder.iterdir()) == []
