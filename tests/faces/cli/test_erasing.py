"""`byleave customer erase` and `byleave suppression`: what ends for good, and is typed before it does."""

import io

import pytest

from api import erasing
from tests.faces.cli.conftest import SOMEBODY, Shell

ADDRESS = "ann@shop.example"


def reason(shell: Shell, customer: str) -> str:
    ran = shell("permission", "check", customer, "contact:email:recommendations", "--json")
    return str(ran.json["reason"])


def test_an_erasure_is_typed_before_it_is_done(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    before = shell.size()
    monkeypatch.setattr("sys.stdin", io.StringIO("S000002\n"))
    wrong = shell("customer", "erase", SOMEBODY)
    after = shell.size()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SOMEBODY}\n"))
    right = shell("customer", "erase", SOMEBODY, "--json")

    assert (wrong.code, wrong.out, "nothing was done" in wrong.err, after) == (1, "", True, before)
    assert (right.code, right.json["repeated"]) == (0, False)
    assert f"Type {SOMEBODY} to erase" in right.err
    shell.check_ledger()


def test_what_an_erasure_did_is_told(shell: Shell):
    ran = shell("customer", "erase", SOMEBODY, "--confirm", SOMEBODY, "--ground", "objected", "--json")
    assert list(ran.json) == [
        "customer", "erased_at", "position", "repeated", "suppressed", "deleted", "request", "gone_from_backups_by",
    ]  # fmt: skip
    assert (ran.json["deleted"]["data_key"], ran.json["suppressed"]) == (1, 0)
    assert reason(shell, ran.json["customer"]) == "CUSTOMER_ERASED"
    people = shell("customer", "erase", ran.json["customer"], "--confirm", ran.json["customer"])
    assert (people.code, "He had been erased before." in people.err) == (0, True)


def test_nothing_can_be_allowed_in_the_name_of_somebody_erased_and_a_no_is_taken(shell: Shell):
    erased = shell("customer", "erase", SOMEBODY, "--confirm", SOMEBODY, "--json").json
    who, scope = erased["customer"], "contact:email:recommendations"
    granted = shell("permission", "record", who, "grant", scope)
    withdrawn = shell("permission", "record", who, "withdraw", scope, "--json")

    assert (granted.code, "This customer was erased" in granted.err) == (1, True)
    assert withdrawn.code == 0
    shell.check_ledger()


def test_somebody_who_is_not_here_can_not_be_erased(shell: Shell):
    ran = shell("customer", "erase", "NOBODY", "--confirm", "NOBODY")
    assert (ran.code, ran.out, "No such customer" in ran.err) == (2, "", True)


def test_the_proof_follows_and_the_doctor_waits_for_it(shell: Shell):
    shell("customer", "erase", SOMEBODY, "--confirm", SOMEBODY)
    with shell.house() as house:
        proved = erasing.verify(house).proved
    said = {each["check"]: each for each in shell("doctor", "--json").json["checks"]}
    assert len(proved) == 1
    assert (said["erasures"]["state"], "none waits for its proof" in said["erasures"]["detail"]) == ("ok", True)


def test_an_address_is_left_alone_asked_for_listed_and_lifted(shell: Shell):
    added = shell("suppression", "add", ADDRESS, "--why", "complained", "--json")
    again = shell("suppression", "add", ADDRESS.upper(), "--json")
    asked = shell("suppression", "check", ADDRESS, "--json")
    listed = shell("suppression", "list", "--json")
    lifted = shell("suppression", "lift", ADDRESS, "--json")
    gone = shell("suppression", "check", ADDRESS, "--json")
    nothing = shell("suppression", "lift", ADDRESS)

    assert [ran.code for ran in (added, again, asked, listed, lifted, gone, nothing)] == [0, 0, 0, 0, 0, 0, 2]
    assert (added.json["changed"], again.json["changed"], added.json["customers"]) == (True, False, 0)
    assert asked.json == {
        "suppressed": True, "kind": "email", "since": added.json["since"], "position": added.json["position"],
    }  # fmt: skip
    assert listed.json["data"] == [{"kind": "email", "since": added.json["since"], "position": added.json["position"]}]
    assert gone.json == {"suppressed": False, "kind": "email", "since": None, "position": None}
    assert ADDRESS not in listed.out
    shell.check_ledger()


def test_whether_an_address_was_left_alone_then_can_be_asked(shell: Shell):
    """Rule 16."""
    added = shell("suppression", "add", ADDRESS, "--json")
    since = added.json["since"]
    shell("suppression", "lift", ADDRESS)
    then = shell("suppression", "check", ADDRESS, "--as-of", since, "--json")
    ahead = shell("suppression", "check", ADDRESS, "--as-of", "2999-01-01T00:00:00Z")

    assert then.json == {"suppressed": True, "kind": "email", "since": since, "position": added.json["position"]}
    assert shell("suppression", "check", ADDRESS, "--json").json["suppressed"] is False
    assert (ahead.code, "lies in the future" in ahead.err) == (2, True)


def test_what_was_left_alone_then_is_listed_page_by_page(shell: Shell):
    added = [shell("suppression", "add", f"n{number}@shop.example", "--json").json for number in range(3)]
    during = added[2]["since"]
    shell("suppression", "lift", "n1@shop.example")
    listed = ("suppression", "list", "--limit", "2", "--json")
    first = shell(*listed, "--as-of", during).json
    rest = shell(*listed, "--as-of", during, "--cursor", first["next_cursor"]).json

    assert [each["position"] for each in first["data"] + rest["data"]] == [each["position"] for each in added[::-1]]
    assert (first["total"], rest["next_cursor"], shell(*listed).json["total"]) == (3, None, 2)
    assert f"go on with: --cursor {added[1]['position']}" in shell(*listed[:-1], "--as-of", during).err
    assert shell(*listed, "--as-of", "2999-01-01T00:00:00Z").code == 2


def test_people_are_told_in_words(shell: Shell):
    assert shell("suppression", "list").out == "No address is left alone.\n"
    assert shell("suppression", "add", ADDRESS).out == "The address is left alone from now on.\n"
    assert shell("suppression", "add", ADDRESS).out == "It was left alone already.\n"
    assert shell("suppression", "check", ADDRESS).out.split()[:2] == ["kind", "email"]
    assert shell("suppression", "lift", ADDRESS).out == "The address is no longer left alone.\n"
    assert shell("suppression", "check", ADDRESS).out == "The address is not on the list.\n"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (("add", "x", "--kind", "reference"), "is not a kind of address, like email or phone"),
        (("add", "x", "--kind", "A B"), "is not a kind of address, like email or phone"),
        (("add", "nonsense"), "is not an e-mail address"),
        (("check", "nonsense"), "is not an e-mail address"),
        (("add", "030 1234", "--kind", "phone"), "is not an international number (E.164), like +493012345678"),
        (("check", " "), "must have 1 to 320 characters"),
    ],
)
def test_what_is_no_address_is_refused(typed: tuple[str, ...], why: str, shell: Shell):
    ran = shell("suppression", *typed)
    assert (ran.code, why in ran.err) == (2, True)


def test_the_list_of_erasures_can_not_be_left_out(shell: Shell):
    """What can't be written down outside of the database is not done in it."""
    path = shell.folder / "byleave-home" / "erasures.log"
    path.mkdir()
    ran = shell("customer", "erase", SOMEBODY, "--confirm", SOMEBODY)
    path.rmdir()
    assert (ran.code, "can't be" in ran.err) == (3, True)
    assert reason(shell, SOMEBODY) != "CUSTOMER_ERASED"
