"""Evidence packs: whole, sealed while they are kept, and verified by one file of plain Python that stands alone."""

import ast
import io
import json
import zipfile
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from consent import jobs
from consent.audit import run as audits
from consent.audit.checks import CHECKS
from consent.audit.findings import Check, Finding, Judged, Severity, Yielded
from consent.audit.packs import making, shelf, verify
from consent.audit.packs.about import About, Subject
from consent.audit.packs.shelf import Stage
from consent.base.canonical import b64u
from consent.base.errors import Fenced, KeyLost, NotFound, RequestUnfit, StateConflict
from consent.ledger import note
from consent.register import proving, publishing, rotating, sealing
from tests.builders import FOUNDED, START
from tests.packing import EXPLAINED, about, made, oldest_python, verified
from tests.world import World

PYTHON = oldest_python()


def files(body: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def lines(body: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in body.splitlines()]


def vkey(world: World) -> str:
    with world.store.read() as work:
        return proving.verifier_key(world.deployment.desk, work)


@pytest.fixture
def told(world: World) -> World:
    """Return a world in which Ann has said a few things, Bo one, and an audit was run."""
    world.grant(world.bo, "remember:purchases")
    world.clock.advance(minutes=5)
    world.withdraw(world.ann, "contact:email:newsletter", language="de")
    with world.store.write() as work:
        proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())
    audits.run(world.deployment, CHECKS[:3], asked_by="staff:cy")
    world.clock.advance(minutes=5)
    world.grant(world.ann, "contact:email:newsletter", language="de")
    return world


def test_a_customers_pack_verifies_offline_and_opens_nothing_of_him(told, tmp_path):
    pack, body = made(told, about(told))
    found = files(body)
    (tmp_path / "pack.zip").write_bytes(body)
    (tmp_path / "verify.py").write_bytes(found["verify.py"])
    said = verified(tmp_path / "verify.py", tmp_path / "pack.zip", "--vkey", vkey(told), python=PYTHON)

    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0] == f"The pack holds. It is about: customer {told.ann}, kind customer."
    assert said.out.splitlines()[-1] == "The log's key is the one that you gave."
    entries = lines(found["entries.jsonl"])
    own = {seq for (seq,) in told.rows("SELECT seq FROM ledger_payload WHERE owner = :ann", ann=told.ann)}
    assert {each["seq"] for each in entries} >= own
    assert {each["t"] for each in entries if each["seq"] not in own} <= {"catalogue.published", "notice.published"}
    assert {each["seq"] for each in lines(found["openings.jsonl"])} & own == set()
    assert b"contact:email:newsletter" not in b"".join(each for name, each in found.items() if name.endswith(".jsonl"))
    assert (pack.size, pack.digest) == (len(body), sha256(body).digest())
    told.check_ledger()


def test_entries_are_the_exact_bytes(told):
    found = files(made(told, about(told, "period", since=FOUNDED, until=START + timedelta(days=1)))[1])
    stored = [bytes(body) for (body,) in told.rows("SELECT body FROM ledger_entry ORDER BY seq")]

    assert found["entries.jsonl"].splitlines() == stored[: len(found["entries.jsonl"].splitlines())]
    assert len(found["entries.jsonl"].splitlines()) == len(stored) - 1  # all but the one about the pack


def test_a_pack_with_payloads_opens_what_the_customer_said_and_is_a_recorded_use(told, tmp_path):
    wanted = about(told, customer=told.ann, personal=True, reason="court file 12/2026")
    pack, body = made(told, wanted)
    found = files(body)
    (tmp_path / "pack.zip").write_bytes(body)
    said = verified(Path(verify.__file__), tmp_path / "pack.zip", "--json", python=PYTHON)

    spoken = [each["payload"]["statement"] for each in lines(found["openings.jsonl"]) if "statement" in each["payload"]]  # type: ignore[index,operator]  # JSON of our own
    assert [each["act"] for each in spoken] == ["grant", "withdraw", "grant"]
    assert (said.code, said.json["ok"], said.json["checked"]["openings"]) == (
        0,
        True,
        len(lines(found["openings.jsonl"])),
    )
    assert told.rows("SELECT actor, purpose, categories, customers, customer, reason, position FROM data_use") == [
        ("staff:cy", "right:evidence", "statements", 1, told.ann, "court file 12/2026", pack.position)
    ]
    processing = audits.run(told.deployment, CHECKS, asked_by="cy", only=["processing"])
    assert [one for one in processing.all_findings if "evidence" in one.why] == []
    shown = lines(found["shown.jsonl"])
    assert {str(each["file"]) for each in shown} <= set(found)


def test_an_audits_pack_holds_the_report_that_the_ledger_committed_to(told, tmp_path):
    broken = Finding(check="stub", severity=Severity.HIGH, subject="row 1", why="it is wrong")
    found_so: list[Yielded] = [Judged(1), broken]
    check = Check(key="stub", title="A check", function=lambda _: iter(found_so))
    report = audits.run(told.deployment, [check], asked_by="staff:cy")
    _, body = made(told, about(told, "audit", audit=report.audit))
    found = files(body)
    (tmp_path / "pack.zip").write_bytes(body)

    assert found["audit/report.json"].decode() == report.text()
    assert found["audit/readable.pdf"][:5] == b"%PDF-"
    [finding] = lines(found["findings.jsonl"])
    assert (finding["subject"], [each["event"] for each in finding["history"]]) == ("row 1", ["opened"])  # type: ignore[attr-defined]  # JSON of our own
    assert verified(Path(verify.__file__), tmp_path / "pack.zip").code == 0


def test_a_period_that_begins_later_leaves_nothing_out_of_it(told, tmp_path):
    since = START + timedelta(minutes=1)
    _, body = made(told, about(told, "period", since=since, until=START + timedelta(hours=1)))
    (tmp_path / "pack.zip").write_bytes(body)
    [log] = json.loads(files(body)["manifest.json"])["logs"]
    said = verified(Path(verify.__file__), tmp_path / "pack.zip")

    first = [seq for (seq,) in told.rows("SELECT min(seq) FROM ledger_entry WHERE seq > 0")]
    assert log["first"] > first[0]
    assert (said.code, "none is left out" in said.out) == (0, True)


def test_the_pack_unpacked_to_a_folder_verifies_itself(told, tmp_path):
    _, body = made(told, about(told))
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        archive.extractall(folder)
    before = verified(folder / "verify.py", python=PYTHON)
    (folder / "note.txt").write_text("mine")
    after = verified(folder / "verify.py", python=PYTHON)

    assert (before.code, after.code) == (0, 1)
    assert after.out.splitlines()[0] == "REFUSED: there are other files than the manifest lists."


def test_the_zip_is_the_one_way_to_write_its_files(told):
    _, body = made(told, about(told))
    found = files(body)

    assert verify.zip_bytes(dict(reversed(found.items()))) == body
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.namelist() == sorted(found)
        assert {(each.date_time, each.compress_type, each.extra, each.comment) for each in archive.infolist()} == {
            ((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED, b"", b"")
        }


def test_two_packs_of_the_same_differ_only_in_what_names_them(told):
    first, second = (files(made(told, about(told))[1]) for _ in range(2))
    named = {"manifest.json", "export.json", "README.txt"}

    same = {name for name in first if first[name] == second.get(name)}
    assert {"verify.py", "entries.jsonl", "openings.jsonl", "keys.txt"} <= same
    assert named & same == set()


def test_the_readme_says_in_plain_words_what_is_in_the_pack(told):
    text = files(made(told, about(told))[1])["README.txt"].decode()

    assert f"customer: {told.ann}" in text
    assert "In this pack nothing that a customer said is opened." in text
    assert max(map(len, text.splitlines())) <= 120


def test_a_pack_goes_over_several_logs_and_follows_a_key_that_was_handed_over(told, tmp_path):
    desk = told.deployment.desk
    first_key = vkey(told)
    with told.store.write() as work:
        rotating.rotate(desk, work, actor="shell", at=told.clock())
    told.withdraw(told.ann, "contact:email:newsletter")
    told.clock.advance(days=60)
    with told.store.write() as work:
        sealing.seal(desk, work, at=told.clock())
    told.grant(told.ann, "contact:email:newsletter")
    _, body = made(told, about(told))
    found = files(body)
    (tmp_path / "pack.zip").write_bytes(body)
    program = Path(verify.__file__)
    said = [verified(program, tmp_path / "pack.zip", "--vkey", key, python=PYTHON) for key in (first_key, vkey(told))]
    other = note.vkey("shop.example/consent/2026h2", bytes(31) + b"\x09")

    assert [(each.code, each.out.splitlines()[-1]) for each in said] == [
        (0, "The log's key is the one that you gave.")
    ] * 2
    assert verified(program, tmp_path / "pack.zip", "--vkey", other).code == 1
    assert [log["number"] for log in json.loads(found["manifest.json"])["logs"]] == [1, 2]
    assert len(lines(found["rotations.jsonl"])) == 1
    whole = made(told, about(told, "period", since=FOUNDED, until=told.clock() + timedelta(days=1)))[1]
    (tmp_path / "pack.zip").write_bytes(whole)
    assert verified(program, tmp_path / "pack.zip").code == 0
    told.check_ledger()


# ------------------------------------------------------------------------------------------------ what is kept, and why


def test_what_is_kept_is_sealed_and_goes_with_the_customers_key(told):
    wanted = about(told, customer=told.ann, personal=True, reason="court file 12/2026")
    pack, body = made(told, wanted)
    kept = b"".join(bytes(sealed) for (sealed,) in told.rows("SELECT sealed FROM evidence_pack_part ORDER BY number"))
    told.tamper("DELETE FROM data_key WHERE owner = :ann", ann=told.ann)

    assert b"newsletter" in body
    assert b"newsletter" not in kept
    with told.store.read() as work, pytest.raises(KeyLost):
        list(shelf.body(told.deployment.desk, work, pack))


def test_a_pack_is_kept_for_thirty_days_and_then_known_to_have_been(told):
    made(told, about(told))
    told.clock.advance(days=30)
    with told.store.write() as work:
        gone = shelf.tidy(work, at=told.clock())
        [after] = shelf.listed(work)

    assert (gone, after.stage, told.rows("SELECT count(*) FROM evidence_pack_part")) == (1, Stage.EXPIRED, [(0,)])
    with told.store.read() as work, pytest.raises(StateConflict):
        list(shelf.body(told.deployment.desk, work, after))


def test_the_ledger_notes_what_was_handed_out_to_whom(told):
    pack, body = made(told, about(told))
    with told.store.read() as work:
        noted = publishing.noted(told.deployment.desk, work, 1, pack.position)

    assert noted == {
        "about": {"customer": told.ann, "kind": "customer"}, "actor": "staff:cy", "pack": pack.id, "personal": False,
        "manifest": b64u(sha256(files(body)["manifest.json"]).digest()),
    }  # fmt: skip


@pytest.mark.parametrize(
    "what",
    [
        {"kind": Subject.CUSTOMER},
        {"kind": Subject.CUSTOMER, "customer": "cus_1", "audit": "aud_1"},
        {"kind": Subject.CUSTOMER, "customer": "cus_1", "personal": True},
        {"kind": Subject.CUSTOMER, "customer": "cus_1", "reason": "because"},
        {"kind": Subject.PERIOD, "since": START},
        {"kind": Subject.PERIOD, "since": START, "until": START},
        {"kind": Subject.PERIOD, "since": FOUNDED, "until": START, "personal": True, "reason": "because"},
        {"kind": Subject.AUDIT},
    ],
)
def test_what_no_pack_can_be_about_is_refused(what):
    with pytest.raises(RequestUnfit):
        About(**what)


def test_a_pack_about_nothing_fails_and_says_why(told):
    [cleo] = told.enrol("CLEO")
    size = told.size()
    pack, body = made(told, about(told, customer=cleo))

    assert (pack.stage, body, told.size()) == (Stage.FAILED, b"", size)
    assert pack.detail == "That can't be asked: the ledger has no entry of this: there is nothing to prove"


def test_who_asks_again_for_a_pack_that_he_waits_for_gets_that_one(told):
    def ask(actor="cy", **more):
        with told.store.write() as work:
            return shelf.ask(work, about(told, "customer", **more), actor=actor, at=told.clock())

    first = ask(customer=told.ann)
    others = [
        ask(customer=told.bo), ask("dee", customer=told.ann),
        ask(customer=told.ann, personal=True, reason="asked by a court"),
        ask(customer=told.ann, personal=True, reason="asked by another"),
    ]  # fmt: skip
    told.clock.advance(hours=1)
    assert ask(customer=told.ann) == first
    assert len({first, *others}) == 5
    with told.store.read() as work:
        made = shelf.one(work, first)
    making.make(told.deployment, first, explained={})
    assert (made.stage, ask(customer=told.ann) == first) == ("queued", False)


def test_a_pack_that_is_too_large_fails_and_says_what_to_do(told, monkeypatch):
    monkeypatch.setattr("consent.audit.packs.contents.MOST_ENTRIES", 2)
    pack, _ = made(told, about(told, "period", since=FOUNDED, until=START + timedelta(days=1)))

    assert (pack.stage, pack.detail.rpartition(": ")[2]) == (Stage.FAILED, "take a part of it")


def test_whoever_was_fenced_keeps_no_pack_and_notes_none(told):
    with told.store.write() as work:
        identity = shelf.ask(work, about(told), actor="cy", at=told.clock())
        claim = jobs.claim(work, "pack", START, "one", at=told.clock(), lease_seconds=0)
    with told.store.write() as work:
        jobs.claim(work, "pack", START, "two", at=told.clock() + timedelta(seconds=1), lease_seconds=60)
    size = told.size()

    def closing(work):
        assert claim is not None
        jobs.finish(work, claim, state="ready", detail="", at=told.clock())

    with pytest.raises(Fenced):
        making.make(told.deployment, identity, explained=EXPLAINED, closing=closing)
    with told.store.read() as work:
        assert (shelf.one(work, identity).stage, told.size()) == (Stage.QUEUED, size)


def test_packs_are_listed_the_newest_first(told):
    ids = []
    for _ in range(3):
        told.clock.advance(seconds=1)
        ids.append(made(told, about(told))[0].id)
    with told.store.read() as work:
        first = shelf.listed(work, most=2)
        rest = shelf.listed(work, after=first[-1].id)
        with pytest.raises(NotFound):
            shelf.one(work, "epk_x")

    assert [each.id for each in first + rest] == ids[::-1]


# ------------------------------------------------------------------------------------------------------- the verifier


def test_the_verifier_imports_nothing_but_the_standard_library_and_is_python_3_9():
    source = Path(verify.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 9))
    names = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [each.name for each in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
    }  # fmt: skip

    assert names == {
        "__future__", "base64", "hashlib", "hmac", "io", "json", "pathlib", "re", "struct", "sys", "typing",
        "unicodedata", "zipfile", "zlib",
    }  # fmt: skip


def test_the_wrong_key_is_refused_and_one_that_is_none_is_wrong_usage(told, tmp_path):
    _, body = made(told, about(told))
    (tmp_path / "pack.zip").write_bytes(body)
    other = note.vkey("shop.example/consent/2026h2", bytes(31) + b"\x09")
    (tmp_path / "log.vkey").write_text(vkey(told) + "\n", encoding="utf-8")
    (tmp_path / "other.txt").write_text("no key\n", encoding="utf-8")
    none = ("nonsense", other.replace("+", "-"), "x" * 5_000, str(tmp_path / "other.txt"), str(tmp_path / "pack.zip"))
    wrong, kept, *others = (
        verified(Path(verify.__file__), tmp_path / "pack.zip", "--vkey", each)
        for each in (other, str(tmp_path / "log.vkey"), *none)
    )

    assert (wrong.code, wrong.err, wrong.out.partition(":")[0]) == (1, "", "REFUSED")
    assert (kept.code, "The log's key is the one that you gave." in kept.out) == (0, True)
    why = "KEY is neither a verifier key (name+id+base64) nor a file with one in each line\n"
    assert [(each.code, each.err, each.out) for each in others] == [(2, why, "")] * len(none)


@pytest.mark.parametrize("arguments", [("a.zip", "b.zip"), ("--all",)])
def test_wrong_usage_has_a_code_of_its_own(arguments):
    said = verified(Path(verify.__file__), *arguments)
    assert (said.code, said.out, said.err.partition(" ")[0]) == (2, "", "usage:")


def test_a_file_that_is_not_there_or_no_zip_is_refused(tmp_path):
    (tmp_path / "pack.zip").write_bytes(b"PK nothing")
    outcomes = [verified(Path(verify.__file__), tmp_path / name) for name in ("pack.zip", "nothing.zip")]

    assert [(each.code, each.err) for each in outcomes] == [(1, ""), (1, "")]
