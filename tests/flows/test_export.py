"""The log leaves the house as tiles: whole, in files that anybody can read, and verified without a database."""

import base64
import hashlib
import json
import shutil
import struct
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from consent.base.errors import Invalid, LedgerBroken, SettingsInvalid, StateConflict
from consent.ledger import checkpoint, export, note, tiles
from consent.ledger.exported import verify_exported
from consent.register import proving, rotating, sealing
from tests import reference
from tests.attacker import Attacker, other_commitment
from tests.flows.test_periods import FIRST, NEW_YEAR, NEWS, SECOND, key_of, signed


@pytest.fixture
def folder(tmp_path):
    """Return a directory that isn't there yet."""
    return tmp_path / "out"


def talk(world, times):
    world.say(*(world.statement(world.bo, ("grant", "withdraw")[n % 2], NEWS) for n in range(times)))


def exported(world, folder):
    """Sign what there is, and export it."""
    signed(world)
    with world.store.read() as work:
        logs = proving.shown(world.deployment.desk, work)
    return export.export(world.store, logs, folder)


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def root_of(folder):
    """Recompute size and root from the bundles alone, with nothing of the product."""
    _, size, root, *_ = (folder / "checkpoint").read_text().split("\n")
    leaves = []
    for number in range(-(-int(size) // 256)):
        width = min(256, int(size) - 256 * number)
        path = folder / "tile" / "entries" / f"{number:03}"
        bundle = (path if width == 256 else path.with_name(f"{path.name}.p") / str(width)).read_bytes()
        while bundle:
            (length,) = struct.unpack_from(">H", bundle)
            leaves.append(hashlib.sha256(b"\x00" + bundle[2 : 2 + length]).digest())
            bundle = bundle[2 + length :]
    assert (len(leaves), base64.b64encode(reference.root(leaves)).decode()) == (int(size), root)
    return leaves


def found_in(folder, key):
    found = verify_exported(folder, vkey=key)
    return [(bad.seq, bad.table) for bad in found.bad]


def test_the_directory_holds_the_layout_of_the_specification(world, tmp_path):
    talk(world, 600 - world.size())

    done = exported(world, tmp_path / "out")

    assert list(files(tmp_path / "out")) == [
        "checkpoint", "openings.json", "tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2",
        "tile/entries/000", "tile/entries/001", "tile/entries/002.p/88", "vkey",
    ]  # fmt: skip
    assert (done.size, done.logs, done.origin, done.written) == (600, 1, FIRST, 10)
    assert (tmp_path / "out" / "vkey").read_text() == key_of(world) + "\n"
    leaves = root_of(tmp_path / "out")
    assert (tmp_path / "out/tile/0/000").read_bytes() == b"".join(leaves[:256])
    assert (tmp_path / "out/tile/1/000.p/2").read_bytes() == b"".join(
        reference.root(leaves[first : first + 256]) for first in (0, 256)
    )


def test_an_exported_log_is_verified_without_a_database(world, tmp_path):
    talk(world, 600 - world.size())
    exported(world, tmp_path)
    key = key_of(world)
    opened = checkpoint.open_checkpoint((tmp_path / "checkpoint").read_text(), note.verifier_of(key))

    found = verify_exported(tmp_path, vkey=key)

    assert (found.ok, found.bad, found.size, found.checked, found.root) == (True, (), 600, 600, opened.root)


def test_exported_again_only_what_is_new_is_written(world, folder):
    talk(world, 300 - world.size())
    exported(world, folder)
    before = {name: (folder / name).stat().st_mtime_ns for name in files(folder)}
    again = exported(world, folder)
    talk(world, 300)

    more = exported(world, folder)

    after = {name: (folder / name).stat().st_mtime_ns for name in files(folder)}
    assert (again.written, more.written) == (0, 6)
    assert [name for name in after if before.get(name) == after[name]] == [
        "openings.json", "tile/0/000", "tile/1/000.p/1", "tile/entries/000", "vkey",
    ]  # fmt: skip
    assert sorted(after) == [
        "checkpoint", "openings.json", "tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/1",
        "tile/1/000.p/2", "tile/entries/000", "tile/entries/001", "tile/entries/002.p/88", "vkey",
    ]  # fmt: skip
    root_of(folder)
    assert verify_exported(folder, vkey=key_of(world)).ok


def test_an_export_that_was_cut_off_is_completed(world, tmp_path):
    talk(world, 600 - world.size())
    exported(world, tmp_path / "whole")
    exported(world, tmp_path / "cut")
    for name in ("checkpoint", "tile/0/001", "tile/entries/002.p/88"):
        (tmp_path / "cut" / name).unlink()

    exported(world, tmp_path / "cut")

    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_every_byte_of_an_exported_log_counts(sqlite_world, tmp_path):
    talk(sqlite_world, 300 - sqlite_world.size())
    exported(sqlite_world, tmp_path / "out")
    key = key_of(sqlite_world)
    missed = []
    for name, content in files(tmp_path / "out").items():
        if name == "vkey":
            continue  # what is trusted is the key from elsewhere
        for spot in {0, len(content) // 2, len(content) - 1}:
            (tmp_path / "out" / name).write_bytes(content[:spot] + bytes([content[spot] ^ 1]) + content[spot + 1 :])
            try:
                ok = verify_exported(tmp_path / "out", vkey=key).ok
            except (LedgerBroken, Invalid):
                ok = False
            if ok and name != "openings.json":  # nothing stands in it, and its line ends are nobody's
                missed.append((name, spot))
        (tmp_path / "out" / name).write_bytes(content)

    assert (missed, verify_exported(tmp_path / "out", vkey=key).ok) == ([], True)


@pytest.mark.parametrize(
    ("name", "first"),
    [("tile/0/000", 0), ("tile/entries/000", 0), ("tile/entries/001.p/44", 256), ("tile/1/000.p/1", 0)],
)
def test_a_missing_file_is_named_once_beside_all_else_that_is_wrong(world, tmp_path, name, first):
    talk(world, 300 - world.size())
    exported(world, tmp_path)
    (tmp_path / name).unlink()
    whole = tmp_path / ("tile/0/001.p/44" if first == 0 else "tile/0/000")
    content = bytearray(whole.read_bytes())
    content[7 * 32] ^= 1
    whole.write_bytes(content)

    other = (256 - first + 7, f"tile/entries/{'001.p/44' if first == 0 else '000'}")
    assert sorted(found_in(tmp_path, key_of(world))) == sorted([(first, name), other])


def test_an_entry_exchanged_in_a_bundle_is_named_with_its_place(world, tmp_path):
    talk(world, 300 - world.size())
    exported(world, tmp_path)
    bundle = tmp_path / "tile/entries/000"
    entries = tiles.unbundled(bundle.read_bytes())
    entries[41] = other_commitment(entries[41])
    bundle.write_bytes(tiles.bundled(entries))

    assert found_in(tmp_path, key_of(world)) == [(41, "tile/entries/000")]


def test_a_whole_directory_made_up_to_agree_is_caught_by_the_signature(world, tmp_path):
    talk(world, 10)
    exported(world, tmp_path / "out")
    key = key_of(world)
    attacker = Attacker(world)
    attacker.rewrite(5, other_commitment(attacker.body(5)), leaf=True)
    attacker.regrow()
    shutil.copy(tmp_path / "out" / "checkpoint", tmp_path / "kept")
    with world.store.read() as work:
        logs = proving.shown(world.deployment.desk, work)
    export.export(world.store, logs, tmp_path / "forged")

    assert found_in(tmp_path / "forged", key) == [(world.size(), "checkpoint")]


def test_a_full_tile_serves_for_a_partial_one(world, tmp_path):
    talk(world, 300 - world.size())
    exported(world, tmp_path / "old")
    old = (tmp_path / "old" / "checkpoint").read_bytes()
    talk(world, 300)
    exported(world, tmp_path / "new")
    (tmp_path / "new" / "checkpoint").write_bytes(old)

    assert verify_exported(tmp_path / "new", vkey=key_of(world)).size == 300
    assert verify_exported(tmp_path / "new", vkey=key_of(world)).ok


def test_logs_before_lie_in_directories_of_their_own_and_the_chain_is_verified(world, tmp_path):
    talk(world, 300 - world.size())
    exported(world, tmp_path)
    first = key_of(world)
    talk(world, 50)
    world.clock.set(NEW_YEAR)
    with world.store.write() as work:
        turned = sealing.seal(world.deployment.desk, work, at=NEW_YEAR)
        rotating.rotate(world.deployment.desk, work, actor="shell", at=NEW_YEAR)
    talk(world, 5)

    done = exported(world, tmp_path)

    assert (done.origin, done.size, done.logs) == (SECOND, 7, 2)
    assert (tmp_path / "checkpoint").read_text().startswith(f"{SECOND}\n7\n")
    assert (tmp_path / "2026h2" / "checkpoint").read_text().startswith(f"{FIRST}\n{turned.size}\n")
    root_of(tmp_path)
    root_of(tmp_path / "2026h2")
    for key in (first, key_of(world)):
        found = verify_exported(tmp_path, vkey=key)
        assert (found.ok, found.bad, [one.origin for one in found.logs]) == (True, (), [FIRST, SECOND])
        assert found.checked == turned.size + 7


def test_a_log_that_goes_on_from_another_than_lies_there_is_named(world, tmp_path):
    exported(world, tmp_path / "early")
    talk(world, 5)
    for at in (NEW_YEAR, datetime(2027, 7, 1, tzinfo=UTC)):
        world.clock.set(at)
        with world.store.write() as work:
            sealing.seal(world.deployment.desk, work, at=at)
    exported(world, tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "2026h2")
    shutil.move(tmp_path / "early", tmp_path / "out" / "2026h2")

    assert found_in(tmp_path / "out", key_of(world)) == [(0, "2027h1/openings.json")]


def test_a_directory_of_another_log_is_left_alone(sqlite_worlds, tmp_path):
    one = sqlite_worlds()
    exported(one, tmp_path / "out")
    before = files(tmp_path / "out")
    with one.store.read() as work:
        logs = [
            replace(each, origin="other.example/consent/2026h2") for each in proving.shown(one.deployment.desk, work)
        ]

    with pytest.raises(StateConflict, match="export into another directory"):
        export.export(one.store, logs, tmp_path / "out")
    assert files(tmp_path / "out") == before


def test_a_ledger_that_does_not_begin_with_what_was_exported_is_not_exported_over_it(world, tmp_path):
    talk(world, 20)
    exported(world, tmp_path)
    attacker = Attacker(world)
    attacker.rewrite(5, other_commitment(attacker.body(5)), leaf=True)
    attacker.regrow()
    world.grant(world.ann, NEWS)

    with pytest.raises(StateConflict, match="does not begin with the"):
        exported(world, tmp_path)


def test_a_directory_that_cannot_be_written_is_named(world, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsInvalid, match="file"):
        exported(world, tmp_path / "file")


def test_a_directory_without_a_checkpoint_is_not_verified(world, tmp_path):
    with pytest.raises(LedgerBroken, match="there is no checkpoint"):
        verify_exported(tmp_path, vkey=key_of(world))


def test_openings_show_what_the_log_says_of_itself(world, tmp_path):
    with world.store.write() as work:
        done = rotating.rotate(world.deployment.desk, work, actor="shell", at=world.clock())
    exported(world, tmp_path)

    told = json.loads((tmp_path / "openings.json").read_text())
    assert (told["log"], [one["seq"] for one in told["openings"]]) == (FIRST, [done.position])
    assert json.loads(told["openings"][0]["payload"]) == {"actor": "shell", "note": done.note}


def test_files_appear_whole_and_the_checkpoint_last(world, folder, monkeypatch):
    talk(world, 600 - world.size())
    seen = []
    replaced = Path.replace

    def watched(self, target):
        seen.append((str(Path(target).relative_to(folder)), self.stat().st_size))
        return replaced(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    exported(world, folder)

    assert [name for name, _ in seen][-3:] == ["openings.json", "vkey", "checkpoint"]
    assert {name: len(content) for name, content in files(folder).items()} == dict(seen)
    assert all(one != other for one, other in pairwise(seen))
