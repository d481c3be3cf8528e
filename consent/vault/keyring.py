"""The key management port, and its embedded driver: a local file that only its owner can read."""

import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from typing_extensions import override

from consent.base.errors import KeyLost, SettingsInvalid

_NONCE: Final = 12
_FORMAT: Final = 1
_KEY_BYTES: Final = 32


class Wrapped(NamedTuple):
    """A data key as it is stored: which key-encryption key wrapped it, and the bytes."""

    kek: int
    key: bytes


class Keys(Protocol):
    """The port: what any key management system must do."""

    @property
    def index_key(self) -> bytes:
        """The key of the blind indexes, 32 bytes."""

    @property
    def log_seed(self) -> bytes:
        """The seed of the ledger's Ed25519 signing key, 32 bytes."""

    @property
    def link_key(self) -> bytes:
        """The key that signs links in messages, 32 bytes."""

    def wrap(self, owner: str, key: bytes) -> Wrapped:
        """Wrap a data key under the newest key-encryption key."""

    def unwrap(self, owner: str, wrapped: Wrapped) -> bytes:
        """Unwrap a data key.

        Raises:
            KeyLost: it was wrapped for another owner, by an unknown version, or was changed.
        """


class FileKeyring:
    """A keyring in one file with mode 0600: for development, and for one host."""

    def __init__(self, keks: Mapping[int, bytes], *, index_key: bytes, log_seed: bytes, link_key: bytes) -> None:
        """Keep the keys; the highest version wraps."""
        self._keks = {version: AESGCM(key) for version, key in keks.items()}
        self._newest = max(keks)
        self._index_key = index_key
        self._log_seed = log_seed
        self._link_key = link_key

    @override
    def __repr__(self) -> str:
        """Say nothing of the keys."""
        return f"FileKeyring(versions={sorted(self._keks)})"

    @property
    def index_key(self) -> bytes:
        """The key of the blind indexes, 32 bytes."""
        return self._index_key

    @property
    def log_seed(self) -> bytes:
        """The seed of the ledger's Ed25519 signing key, 32 bytes."""
        return self._log_seed

    @property
    def link_key(self) -> bytes:
        """The key that signs links in messages, 32 bytes."""
        return self._link_key

    def wrap(self, owner: str, key: bytes) -> Wrapped:
        """Wrap a data key under the newest key-encryption key, bound to its owner."""
        nonce = secrets.token_bytes(_NONCE)
        bound = _bound(owner, self._newest)
        return Wrapped(self._newest, nonce + self._keks[self._newest].encrypt(nonce, key, bound))

    def unwrap(self, owner: str, wrapped: Wrapped) -> bytes:
        """Unwrap a data key.

        Raises:
            KeyLost: it was wrapped for another owner, by an unknown version, or was changed.
        """
        kek = self._keks.get(wrapped.kek)
        if kek is None:
            msg = f"the data key was wrapped by version {wrapped.kek} of the key-encryption key, which is not here"
            raise KeyLost(msg)
        try:
            return kek.decrypt(wrapped.key[:_NONCE], wrapped.key[_NONCE:], _bound(owner, wrapped.kek))
        except (InvalidTag, ValueError) as wrong:  # ValueError: cut so short that not even a nonce is left
            msg = "a data key does not unwrap for its owner"
            raise KeyLost(msg) from wrong


def _bound(owner: str, version: int) -> bytes:
    return f"byleave/data_key/v1\x00{owner}\x00{version}".encode()


def create_keyring(path: Path) -> FileKeyring:
    """Make a keyring file with new random keys.

    Raises:
        SettingsInvalid: there is one already, or the folder can't be written.
    """
    keys = {name: secrets.token_hex(32) for name in ("index_key", "log_seed", "link_key")}
    body = {"format": _FORMAT, "keks": {"1": secrets.token_hex(32)}, **keys}
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(body, file)
            file.flush()
            os.fsync(file.fileno())
    except OSError as refused:
        msg = f"the keyring {path} can't be made: {refused.strerror}"
        raise SettingsInvalid(msg) from refused
    return open_keyring(path)


def open_keyring(path: Path) -> FileKeyring:
    """Open a keyring file.

    Raises:
        SettingsInvalid: missing, readable by others, or damaged. The message never holds a key.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        body = json.loads(path.read_text())
        keks = {int(version): bytes.fromhex(key) for version, key in body["keks"].items()}
        named = {name: bytes.fromhex(body[name]) for name in ("index_key", "log_seed", "link_key")}
    except FileNotFoundError as away:
        msg = f"there is no keyring at {path}: run `byleave init`, or set BYLEAVE_KEYRING"
        raise SettingsInvalid(msg) from away
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        msg = f"the keyring {path} can't be read"
        raise SettingsInvalid(msg) from None  # the cause could quote the file
    if mode & 0o077:
        msg = f"the keyring {path} can be read by others (mode {mode:04o}): chmod 600 it"
        raise SettingsInvalid(msg)
    if not keks or any(len(key) != _KEY_BYTES for key in [*keks.values(), *named.values()]):
        msg = f"the keyring {path} holds a key that is not 32 bytes long"
        raise SettingsInvalid(msg)
    return FileKeyring(keks, **named)
