"""Two hundred packs that somebody has tampered with: the verifier refuses every one, and never breaks."""

import base64
import io
import json
import random
import zipfile
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from consent.audit import run as audits
from consent.audit.checks import CHECKS
from consent.audit.packs import verify
from consent.register import proving
from tests.builders import FOUNDED, START
from tests.packing import about, made, verified, verified_each

Files = dict[str, bytes]
MUTATIONS = 200
PROGRAM = Path(verify.__file__)


def unpacked(body: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def relisted(files: Files) -> Files:
    """Write the manifest anew, as somebody would who tampers with a file and knows how packs are made."""
    manifest = json.loads(files["manifest.json"])
    manifest["files"] = [
        {"digest": base64.b64encode(sha256(files[name]).digest()).decode(), "name": name, "size": len(files[name])}
        for name in sorted(files)
        if name not in ("manifest.json", "export.json")
    ]
    return {**files, "manifest.json": verify.canonical(manifest)}


def any_byte(body: bytes, _files: Files, chance: random.Random) -> bytes:
    spot = chance.randrange(len(body))
    return body[:spot] + bytes([body[spot] ^ chance.randint(1, 255)]) + body[spot + 1 :]


def cut_off(body: bytes, _files: Files, chance: random.Random) -> bytes:
    return body[: chance.randrange(len(body))]


def longer(body: bytes, _files: Files, chance: random.Random) -> bytes:
    return body + chance.randbytes(chance.randint(1, 64))


def packed_otherwise(_body: bytes, files: Files, _chance: random.Random) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return written.getvalue()


def a_byte_of_a_file(_body: bytes, files: Files, chance: random.Random) -> bytes:
    name = chance.choice(sorted(name for name, data in files.items() if data))
    data = files[name]
    spot = chance.randrange(len(data))
    changed = data[:spot] + bytes([data[spot] ^ chance.randint(1, 127)]) + data[spot + 1 :]
    tampered = {**files, name: changed}
    return verify.zip_bytes(tampered if name in ("manifest.json", "export.json") else relisted(tampered))


def a_file_gone(_body: bytes, files: Files, chance: random.Random) -> bytes:
    gone = chance.choice(sorted(files))
    left = {name: data for name, data in files.items() if name != gone}
    return verify.zip_bytes(left if gone == "manifest.json" else relisted(left))


def a_file_more(_body: bytes, files: Files, chance: random.Random) -> bytes:
    more = {**files, f"notices/extra-{chance.randrange(1000)}.txt": b"we were allowed to"}
    return verify.zip_bytes(relisted(more) if chance.random() < 0.5 else more)


def a_line_gone(_body: bytes, files: Files, chance: random.Random) -> bytes:
    names = ["entries.jsonl", "proofs.jsonl", "openings.jsonl", "consistency.jsonl"]
    name = chance.choice([each for each in names if files[each]])
    lines = files[name].splitlines(keepends=True)
    lines.pop(chance.randrange(len(lines)))
    return verify.zip_bytes(relisted({**files, name: b"".join(lines)}))


def lines_exchanged(_body: bytes, files: Files, chance: random.Random) -> bytes:
    name = chance.choice(["entries.jsonl", "proofs.jsonl"])
    lines = files[name].splitlines(keepends=True)
    one, other = chance.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return verify.zip_bytes(relisted({**files, name: b"".join(lines)}))


def files_exchanged(_body: bytes, files: Files, chance: random.Random) -> bytes:
    one, other = chance.sample(sorted(name for name in files if files[name]), 2)
    return verify.zip_bytes({**files, one: files[other], other: files[one]})


def another_number(_body: bytes, files: Files, chance: random.Random) -> bytes:
    """Change one digit in a proof, an entry, the export or the manifest; canonical JSON it stays."""
    name = chance.choice(["entries.jsonl", "proofs.jsonl", "consistency.jsonl", "export.json", "manifest.json"])
    data = bytearray(files[name])
    digits = [spot for spot, sign in enumerate(data) if 0x31 <= sign <= 0x39]
    spot = chance.choice(digits)
    data[spot] = 0x31 + (data[spot] - 0x31 + chance.randint(1, 8)) % 9
    tampered = {**files, name: bytes(data)}
    return verify.zip_bytes(tampered if name in ("manifest.json", "export.json") else relisted(tampered))


def another_about(_body: bytes, files: Files, chance: random.Random) -> bytes:
    manifest = json.loads(files["manifest.json"])
    manifest[chance.choice(["about", "asked_by", "made_at", "pack"])] = "another"
    return verify.zip_bytes({**files, "manifest.json": verify.canonical(manifest)})


WAYS: tuple[Callable[[bytes, Files, random.Random], bytes], ...] = (
    any_byte, cut_off, longer, packed_otherwise, a_byte_of_a_file, a_file_gone, a_file_more, a_line_gone,
    lines_exchanged, files_exchanged, another_number, another_about,
)  # fmt: skip


@pytest.fixture
def packs(sqlite_world) -> list[bytes]:
    """Return a pack of each kind: of a customer without and with what he said, of a period, of an audit."""
    world = sqlite_world
    for minute in range(4):
        world.clock.advance(minutes=1)
        world.withdraw(world.ann, "contact:email:newsletter", language="de")
        if minute % 2:
            with world.store.write() as work:
                proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())
        world.grant(world.ann, "contact:email:newsletter", language="de")
    report = audits.run(world.deployment, CHECKS[:2], asked_by="staff:cy")
    wanted = (
        about(world),
        about(world, customer=world.ann, personal=True, reason="court file"),
        about(world, "period", since=FOUNDED, until=START + timedelta(days=1)),
        about(world, "audit", audit=report.audit),
    )
    return [made(world, each)[1] for each in wanted]


def test_the_packs_hold_before_anybody_tampers_with_them(packs, tmp_path):
    for number, body in enumerate(packs):
        (tmp_path / f"{number}.zip").write_bytes(body)
    said = [verified(PROGRAM, tmp_path / f"{number}.zip").code for number in range(len(packs))]
    assert said == [0, 0, 0, 0]


def test_two_hundred_mutated_packs_are_all_refused(packs, tmp_path):
    chance = random.Random(20261121)  # noqa: S311 -- the same mutations each time
    for number in range(MUTATIONS):
        body = packs[number % len(packs)]
        mutated = WAYS[number % len(WAYS)](body, unpacked(body), chance)
        assert mutated != body
        (tmp_path / f"{number}.zip").write_bytes(mutated)
    said = verified_each(PROGRAM, [tmp_path / f"{number}.zip" for number in range(MUTATIONS)])
    assert len(said) == MUTATIONS

    refused = [(each.code, each.err, each.out.partition(":")[0]) == (1, "", "REFUSED") for each in said]
    assert [(WAYS[spot % len(WAYS)].__name__, said[spot]) for spot, each in enumerate(refused) if not each] == []
