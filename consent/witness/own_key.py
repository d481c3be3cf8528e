"""The witness's own key: a file that only its owner can read, and that no other process has."""

import json
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.base.errors import SettingsInvalid, StateConflict
from consent.ledger.cosignature import Cosigner
from consent.ledger.note import NoteRefused

FILE: Final = "witness-key.json"
_SEED_BYTES: Final = 32


def create(folder: Path, name: str) -> Cosigner:
    """Make a new key, under the name that it signs with.

    Raises:
        StateConflict: there is one already.
        SettingsInvalid: the name can't stand in a note, or the file can't be written.
    """
    path = folder / FILE
    made = _cosigner(name, secrets.token_bytes(_SEED_BYTES), path)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"name": name, "seed": made.key.private_bytes_raw().hex()}, file)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as there:
        msg = f"{folder} has a witness's key already"
        raise StateConflict(msg) from there
    except OSError as refused:
        msg = f"{path} can't be written: {refused.strerror}"
        raise SettingsInvalid(msg) from refused
    return made


def open_key(folder: Path) -> Cosigner:
    """Open the key.

    Raises:
        SettingsInvalid: missing, readable by others, or damaged. The message never holds a key.
    """
    path = folder / FILE
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        body = json.loads(path.read_text())
        name, seed = str(body["name"]), bytes.fromhex(body["seed"])
    except FileNotFoundError as away:
        msg = f"there is no witness's key at {folder}: run `byleave witness init`"
        raise SettingsInvalid(msg) from away
    except (OSError, ValueError, KeyError, TypeError):
        msg = f"the key {path} can't be read"
        raise SettingsInvalid(msg) from None  # the cause could quote the file
    if mode & 0o077:
        msg = f"the key {path} can be read by others (mode {mode:04o}): chmod 600 it"
        raise SettingsInvalid(msg)
    return _cosigner(name, seed, path)


def _cosigner(name: str, seed: bytes, path: Path) -> Cosigner:
    try:
        made = Cosigner(name=name, key=Ed25519PrivateKey.from_private_bytes(seed))
        made.verifier.key_id  # noqa: B018 -- refuses a name that no note can carry
    except (NoteRefused, ValueError) as wrong:
        msg = f"{path}: {wrong}"
        raise SettingsInvalid(msg) from None
    return made
