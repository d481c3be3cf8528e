"""What docs/ledger.md tells a stranger to run: it verifies an export without any software of ours."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from consent.ledger import note
from tests.flows.test_export import exported, talk
from tests.flows.test_periods import FIRST, key_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "ledger.md"


@pytest.fixture
def script(tmp_path):
    [found] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert re.findall(r"^(?:import|from) (.*)", found, re.MULTILINE) == [
        "base64, hashlib, os, pathlib, sys",
        "cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey",
    ]
    path = tmp_path / "stranger.py"
    path.write_text(found, "utf-8")
    return path


def run(script, folder, vkey):
    return subprocess.run(
        [sys.executable, "-I", str(script), str(folder)],
        capture_output=True, text=True, check=False, env={"VKEY": vkey, "PYTHONUTF8": "1"}, timeout=60,
    )  # fmt: skip


def test_a_stranger_verifies_an_export_and_finds_what_was_changed(sqlite_world, tmp_path, script):
    world, folder = sqlite_world, tmp_path / "out"
    talk(world, 600 - world.size())
    exported(world, folder)
    vkey = key_of(world)
    good = run(script, folder, vkey)
    bundle = folder / "tile/entries/001"
    whole = bundle.read_bytes()
    bundle.write_bytes(whole.replace(b'"cv":1', b'"cv":2', 1))
    changed = run(script, folder, vkey)
    bundle.write_bytes(whole)
    checkpoint = folder / "checkpoint"
    checkpoint.write_text(checkpoint.read_text().replace("\n600\n", "\n599\n"))
    resized = run(script, folder, vkey)

    assert (good.returncode, good.stdout, good.stderr) == (0, f"{FIRST}: 600 entries, as they were signed\n", "")
    assert (changed.returncode, changed.stderr.splitlines()[-1]) == (1, "AssertionError")
    assert (resized.returncode, resized.stderr.splitlines()[-1]) == (1, "cryptography.exceptions.InvalidSignature")


def test_the_key_of_another_ledger_verifies_nothing(sqlite_world, tmp_path, script):
    exported(sqlite_world, tmp_path / "out")
    other = note.vkey(FIRST, bytes(31) + b"\x01")

    assert run(script, tmp_path / "out", other).returncode == 1
