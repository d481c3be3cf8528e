"""The key management port, and its embedded driver: a local file that only its owner can read.

A key-encryption key has versions. The newest wraps data keys, each bound to its owner; every version that still wraps
one must stay until the last data key was wrapped anew (`consent.register.rekeying`), and can then be destroyed.
"""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from typing_extensions import override

from consent.base.errors import KeyLost, SettingsInvalid, StateConflict
from consent.vault import secret_file

NAMED: Final = ("index_key", "log_seed", "link_key")
"""The deployment's own keys, which lie beside the key-encryption keys."""

FORMAT: Final = 1
KEY_BYTES: Final = 32
_NONCE: Final = 12


class Wrapped(NamedTuple):
    """A data key as it is stored: which version of the key-encryption key wrapped it, and the bytes."""

    kek: int
    key: bytes


class Keys(Protocol):
    """The port: what any key management system must do. Nothing of it ever gives plaintext where it can't give keys."""

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
        """Wrap a data key under the newest version, bound to its owner.

        Raises:
            KmsDown: the key management system does not answer.
        """

    def wrap_all(self, keys: Sequence[tuple[str, bytes]]) -> list[Wrapped]:
        """Wrap data keys of owners, as `wrap` does, in as few calls as the system takes."""

    def unwrap(self, owner: str, wrapped: Wrapped) -> bytes:
        """Unwrap a data key.

        Raises:
            KeyLost: it was wrapped for another owner, by an unknown version, or was changed.
            KmsDown: the key management system does not answer.
        """

    def unwrap_all(self, wrapped: Sequence[tuple[str, Wrapped]]) -> list[bytes | KeyLost]:
        """Unwrap data keys of owners, in as few calls as the system takes; in place of one that is lost, why.

        Raises:
            KmsDown: the key management system does not answer.
        """

    def rewrap_all(self, wrapped: Sequence[tuple[str, Wrapped]]) -> list[Wrapped | KeyLost]:
        """Wrap data keys anew under the newest version; in place of one that is lost, why.

        Raises:
            KmsDown: the key management system does not answer.
        """

    def versions(self) -> tuple[int, ...]:
        """Return the versions of the key-encryption key that can unwrap, in order; the last one wraps.

        Raises:
            KmsDown: the key management system does not answer.
        """

    def rotate(self) -> int:
        """Make a new version, which wraps from now on, and return its number; the older ones still unwrap.

        Raises:
            KmsDown: the key management system does not answer, or doesn't allow it.
        """

    def destroy(self, version: int) -> None:
        """Destroy a version and every older one, for ever: what they wrapped is lost.

        Raises:
            StateConflict: it is the newest, or not there.
            KmsDown: the key management system does not answer, or doesn't allow it.
        """

    def close(self) -> None:
        """Give back what connects to the system."""


class _Held(NamedTuple):
    """What a keyring file held when it was read, and what it looked like from outside."""

    keks: Mapping[int, AESGCM]
    newest: int
    seen: tuple[int, ...]


class FileKeyring:
    """A keyring in one file with mode 0600: for development, and for one host.

    Another process may rotate the key while this one has the file open: whenever the file has changed, its versions are
    read again, before anything is wrapped or found lost.
    """

    def __init__(
        self,
        keks: Mapping[int, bytes],
        *,
        index_key: bytes,
        log_seed: bytes,
        link_key: bytes,
        path: Path | None = None,
    ) -> None:
        """Keep the keys; the highest version wraps. Without a path there is nothing to rotate."""
        self._path = path
        self._held = _held(keks, secret_file.seen(path) if path else ())
        self._index_key = index_key
        self._log_seed = log_seed
        self._link_key = link_key

    @override
    def __repr__(self) -> str:
        """Say nothing of the keys."""
        return f"FileKeyring(versions={sorted(self._held.keks)})"

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
        return _wrapped(self._fresh(), owner, key)

    def wrap_all(self, keys: Sequence[tuple[str, bytes]]) -> list[Wrapped]:
        """Wrap data keys of owners."""
        held = self._fresh()
        return [_wrapped(held, owner, key) for owner, key in keys]

    def unwrap(self, owner: str, wrapped: Wrapped) -> bytes:
        """Unwrap a data key.

        Raises:
            KeyLost: it was wrapped for another owner, by an unknown version, or was changed.
        """
        kek = self._held.keks.get(wrapped.kek) or self._fresh().keks.get(wrapped.kek)
        if kek is None:
            msg = f"the data key was wrapped by version {wrapped.kek} of the key-encryption key, which is not here"
            raise KeyLost(msg)
        try:
            return kek.decrypt(wrapped.key[:_NONCE], wrapped.key[_NONCE:], _bound(owner, wrapped.kek))
        except (InvalidTag, ValueError) as wrong:  # ValueError: cut so short that not even a nonce is left
            msg = "a data key does not unwrap for its owner"
            raise KeyLost(msg) from wrong

    def unwrap_all(self, wrapped: Sequence[tuple[str, Wrapped]]) -> list[bytes | KeyLost]:
        """Unwrap data keys of owners; in place of one that is lost, why."""
        held, found = self._held, list[bytes | KeyLost]()
        for owner, one in wrapped:
            kek = held.keks.get(one.kek)
            try:
                found.append(kek.decrypt(one.key[:_NONCE], one.key[_NONCE:], _bound(owner, one.kek)) if kek else b"")
            except (InvalidTag, ValueError):
                found.append(b"")
        # What these versions didn't unwrap is tried again, with what the file holds now, and with a reason.
        return [key or self._unwrapped(*one) for key, one in zip(found, wrapped, strict=True)]

    def rewrap_all(self, wrapped: Sequence[tuple[str, Wrapped]]) -> list[Wrapped | KeyLost]:
        """Wrap data keys anew under the newest version; in place of one that is lost, why."""
        held = self._fresh()
        keys = [(owner, self._unwrapped(owner, one)) for owner, one in wrapped]
        return [key if isinstance(key, KeyLost) else _wrapped(held, owner, key) for owner, key in keys]

    def versions(self) -> tuple[int, ...]:
        """Return the versions that the file holds, in order."""
        return tuple(sorted(self._fresh().keks))

    def rotate(self) -> int:
        """Add a new random version to the file and return its number.

        Raises:
            SettingsInvalid: the file can't be written.
        """
        with secret_file.changing(self._file()) as body:
            newest = max(map(int, body["keks"])) + 1
            body["keks"][str(newest)] = secrets.token_hex(KEY_BYTES)
        self._fresh()
        return newest

    def destroy(self, version: int) -> None:
        """Take a version and every older one out of the file.

        The disk may keep what the file held before, as may copies of it: a key management system destroys better.

        Raises:
            StateConflict: it is the newest, or not there.
            SettingsInvalid: the file can't be written.
        """
        with secret_file.changing(self._file()) as body:
            there = sorted(map(int, body["keks"]))
            require_old(version, there)
            body["keks"] = {str(each): body["keks"][str(each)] for each in there if each > version}
        self._fresh()

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _unwrapped(self, owner: str, wrapped: Wrapped) -> bytes | KeyLost:
        try:
            return self.unwrap(owner, wrapped)
        except KeyLost as lost:
            return lost

    def _file(self) -> Path:
        if self._path is None:
            msg = "these keys lie in no file"
            raise StateConflict(msg)
        return self._path

    def _fresh(self) -> _Held:
        """Return what the file holds now; it is read again only where it looks different from outside."""
        if self._path is not None and secret_file.seen(self._path) != self._held.seen:
            self._held = _read(self._path)[0]
        return self._held


def require_old(version: int, there: Sequence[int]) -> None:
    """Refuse to destroy the version that wraps, or one that isn't there.

    Raises:
        StateConflict: with which it is.
    """
    if version > there[-1]:
        msg = f"there is no version {version}: the newest is {there[-1]}"
        raise StateConflict(msg)
    if version == there[-1]:
        msg = f"version {version} is the newest: rotate first, or every data key is lost"
        raise StateConflict(msg)
    if version < there[0]:
        msg = f"there is no version {version} any more"
        raise StateConflict(msg)


def create_keyring(path: Path) -> FileKeyring:
    """Make a keyring file with new random keys.

    Raises:
        SettingsInvalid: there is one already, or the folder can't be written.
    """
    keys = {name: secrets.token_hex(KEY_BYTES) for name in NAMED}
    secret_file.create(path, {"format": FORMAT, "keks": {"1": secrets.token_hex(KEY_BYTES)}, **keys})
    return open_keyring(path)


def open_keyring(path: Path) -> FileKeyring:
    """Open a keyring file.

    Raises:
        SettingsInvalid: missing, readable by others, or damaged. The message never holds a key.
    """
    held, named = _read(path)
    keyring = FileKeyring({held.newest: bytes(KEY_BYTES)}, **named, path=path)
    keyring._held = held  # noqa: SLF001 -- the same module: what was read is not read a second time
    return keyring


def _read(path: Path) -> tuple[_Held, dict[str, bytes]]:
    seen = secret_file.seen(path)  # before it is read: what changes in between is read again
    body = secret_file.read(path)
    try:
        keks = {int(version): bytes.fromhex(key) for version, key in body["keks"].items()}
        named = {name: bytes.fromhex(body[name]) for name in NAMED}
    except KeyError:
        why = " by itself: a key management system sealed it, set BYLEAVE_VAULT_ADDRESS" if "sealed" in body else ""
        msg = f"the keyring {path} can't be read{why}"
        raise SettingsInvalid(msg) from None  # the cause could quote the file
    except (ValueError, TypeError, AttributeError):
        msg = f"the keyring {path} can't be read"
        raise SettingsInvalid(msg) from None  # as above
    if not keks or any(len(key) != KEY_BYTES for key in [*keks.values(), *named.values()]):
        msg = f"the keyring {path} holds a key that is not 32 bytes long"
        raise SettingsInvalid(msg)
    return _held(keks, seen), named


def _held(keks: Mapping[int, bytes], seen: tuple[int, ...]) -> _Held:
    return _Held({version: AESGCM(key) for version, key in keks.items()}, max(keks), seen)


def _wrapped(held: _Held, owner: str, key: bytes) -> Wrapped:
    nonce = secrets.token_bytes(_NONCE)
    return Wrapped(held.newest, nonce + held.keks[held.newest].encrypt(nonce, key, _bound(owner, held.newest)))


def _bound(owner: str, version: int) -> bytes:
    return f"byleave/data_key/v1\x00{owner}\x00{version}".encode()
