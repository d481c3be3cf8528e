"""The key management port on HashiCorp Vault's transit engine (or OpenBao's): key-encryption keys never leave it.

The transit key is a *derived* one (`derived=true`): each call names a context, here the owner of the data key, and
Vault derives a key of its own from it. So a wrapped data key opens for its owner alone, and `rewrap` moves it to a new
version without ever showing it to us; with associated data instead, Vault could not rewrap at all.

The deployment's own three keys (of the blind indexes, the log, the links) are needed in the clear on every host, since
they hash and sign by themselves. They lie in the keyring file, sealed by the same transit key.

Source:
    Vault's API documentation of the transit secrets engine: encrypt, decrypt and rewrap with `batch_input`, key
    rotation, `min_decryption_version`, trim.
"""

import base64
import re
import secrets
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeVar

from typing_extensions import override

from consent.base.errors import KeyLost, KmsDown, SettingsInvalid, StateConflict
from consent.vault import secret_file
from consent.vault.calls import Reply, VaultCalls, VaultPlace
from consent.vault.keyring import KEY_BYTES, NAMED, Wrapped, require_old

FORMAT: Final = 2
_AT_ONCE: Final = 500
_CIPHERTEXT: Final = re.compile(r"vault:v([1-9][0-9]{0,8}):[A-Za-z0-9+/]{16,1024}={0,2}", re.ASCII)
_BAD: Final = 400
_T = TypeVar("_T")


class TransitKeyring:
    """Keys in a Vault. Where Vault doesn't answer, nothing is wrapped or unwrapped, and nothing goes on without."""

    def __init__(self, place: VaultPlace, path: Path, named: Mapping[str, bytes], calls: VaultCalls) -> None:
        """Keep the deployment's own keys, opened, and how to reach the others."""
        self._place = place
        self._path = path
        self._named = dict(named)
        self._calls = calls

    @override
    def __repr__(self) -> str:
        """Say nothing of the keys."""
        return f"TransitKeyring({self._place.address}, {self._place.mount}/{self._place.key})"

    def close(self) -> None:
        """Close the connections to Vault."""
        self._calls.close()

    @property
    def index_key(self) -> bytes:
        """The key of the blind indexes, 32 bytes."""
        return self._named["index_key"]

    @property
    def log_seed(self) -> bytes:
        """The seed of the ledger's Ed25519 signing key, 32 bytes."""
        return self._named["log_seed"]

    @property
    def link_key(self) -> bytes:
        """The key that signs links in messages, 32 bytes."""
        return self._named["link_key"]

    def wrap(self, owner: str, key: bytes) -> Wrapped:
        """Wrap a data key under the newest version, for its owner.

        Raises:
            KmsDown: Vault doesn't answer.
        """
        return self.wrap_all([(owner, key)])[0]

    def wrap_all(self, keys: Sequence[tuple[str, bytes]]) -> list[Wrapped]:
        """Wrap data keys of owners, many in a call.

        Raises:
            KmsDown: Vault doesn't answer, or wraps one of them not.
        """
        asked = [{"context": _context(owner), "plaintext": _b64(key)} for owner, key in keys]
        return [_sound(_wrapped(one)) for one in self._many("encrypt", asked)]

    def unwrap(self, owner: str, wrapped: Wrapped) -> bytes:
        """Unwrap a data key.

        Raises:
            KeyLost: it was wrapped for another owner, by a version that is gone, or was changed.
            KmsDown: Vault doesn't answer.
        """
        return _sound(self.unwrap_all([(owner, wrapped)])[0])

    def unwrap_all(self, wrapped: Sequence[tuple[str, Wrapped]]) -> list[bytes | KeyLost]:
        """Unwrap data keys of owners, many in a call; in place of one that is lost, why.

        Raises:
            KmsDown: Vault doesn't answer.
        """
        opened = iter(self._many("decrypt", [_asked(*one) for one in wrapped if _well_formed(one[1])]))
        return [_plain(next(opened)) if _well_formed(one) else _lost() for _, one in wrapped]

    def rewrap_all(self, wrapped: Sequence[tuple[str, Wrapped]]) -> list[Wrapped | KeyLost]:
        """Wrap data keys anew under the newest version, inside Vault; in place of one that is lost, why.

        Raises:
            KmsDown: Vault doesn't answer.
        """
        moved = iter(self._many("rewrap", [_asked(*one) for one in wrapped if _well_formed(one[1])]))
        return [_wrapped(next(moved)) if _well_formed(one) else _lost() for _, one in wrapped]

    def versions(self) -> tuple[int, ...]:
        """Return the versions that Vault still decrypts with, in order.

        Raises:
            KmsDown: Vault doesn't answer.
        """
        return _versions(_described(self._calls, self._place))

    def rotate(self) -> int:
        """Have Vault make a new version; the deployment's own keys are sealed by it at once.

        Raises:
            KmsDown: Vault doesn't answer, or its policy doesn't allow it.
        """
        reply = self._calls.post(self._calls.path("keys", self._place.key, "rotate"), {}, again=False)
        _require_done(reply, "does not rotate the key")
        with secret_file.changing(self._path) as body:
            names = list(body["sealed"])
            sealed = [(_own(name), _stored(body["sealed"][name])) for name in names]
            for name, anew in zip(names, self.rewrap_all(sealed), strict=True):
                body["sealed"][name] = _sound(anew).key.decode()
        return self.versions()[-1]

    def destroy(self, version: int) -> None:
        """Have Vault forget a version and every older one: first it decrypts with them no more, then they are deleted.

        Raises:
            StateConflict: it is the newest, or not there; or the keyring file itself is still sealed by it.
            KmsDown: Vault doesn't answer, or its policy doesn't allow it.
        """
        described = _described(self._calls, self._place)
        newest = _versions(described)[-1]
        require_old(version, range(max(1, int(described.get("min_available_version", 0))), newest + 1))
        sealed = secret_file.read(self._path)["sealed"]
        if any(_stored(each).kek <= version for each in sealed.values()):
            msg = f"the keyring {self._path} is sealed by version {version}: rotate again"
            raise StateConflict(msg)
        first = version + 1
        least = {"min_decryption_version": first, "min_encryption_version": first}
        path = self._calls.path("keys", self._place.key)
        _require_done(self._calls.post(f"{path}/config", least), "does not retire the version")
        _require_done(self._calls.post(f"{path}/trim", {"min_available_version": first}), "does not delete the version")

    def _many(self, what: str, asked: Sequence[Mapping[str, str]]) -> list[Mapping[str, Any]]:
        """Have Vault do something with many keys; what it says of each, in order."""
        path = self._calls.path(what, self._place.key)
        answered: list[Mapping[str, Any]] = []
        for first in range(0, len(asked), _AT_ONCE):
            some = asked[first : first + _AT_ONCE]
            found: Any = self._calls.post(path, {"batch_input": some}).data.get("batch_results")
            # Where one of them fails the status is 400, and each still has its own answer.
            if (
                not isinstance(found, list)
                or len(found) != len(some)
                or not all(isinstance(one, dict) for one in found)
            ):
                raise KmsDown(f"{self._place.address} does not {what} with {self._place.mount}/{self._place.key}")
            answered += found
        return answered


def create_sealed_keyring(path: Path, place: VaultPlace) -> TransitKeyring:
    """Make a keyring file whose keys Vault seals.

    Raises:
        SettingsInvalid: there is one already, or the transit key is not of the kind that is needed.
        KmsDown: Vault doesn't answer.
    """
    with closing(VaultCalls(place)) as calls:
        _require_fit(_described(calls, place), place)
        named = {name: secrets.token_bytes(KEY_BYTES) for name in NAMED}
        sealed = TransitKeyring(place, path, named, calls).wrap_all([(_own(name), key) for name, key in named.items()])
    held = {name: one.key.decode() for name, one in zip(named, sealed, strict=True)}
    secret_file.create(path, {"format": FORMAT, "key": f"{place.mount}/{place.key}", "sealed": held})
    return open_sealed_keyring(path, place)


def open_sealed_keyring(path: Path, place: VaultPlace) -> TransitKeyring:
    """Open a keyring file whose keys Vault sealed.

    Raises:
        SettingsInvalid: the file is missing, readable by others, damaged, or not one that Vault sealed; or the transit
            key is not of the kind that is needed.
        KeyLost: what is sealed in it doesn't open.
        KmsDown: Vault doesn't answer.
    """
    body = secret_file.read(path)
    sealed = body.get("sealed")
    if not isinstance(sealed, dict) or sorted(sealed) != sorted(NAMED) or not all(map(_fits, sealed.values())):
        msg = f"the keyring {path} is not one that Vault sealed: found anew, or leave out BYLEAVE_VAULT_ADDRESS"
        raise SettingsInvalid(msg)
    if body.get("key") != f"{place.mount}/{place.key}":
        msg = f"the keyring {path} was sealed by another key than {place.mount}/{place.key}"
        raise SettingsInvalid(msg)
    calls = VaultCalls(place)
    try:
        _require_fit(_described(calls, place), place)
        asked = [(_own(name), _stored(sealed[name])) for name in NAMED]
        opened = [_sound(key) for key in TransitKeyring(place, path, {}, calls).unwrap_all(asked)]
    except BaseException:
        calls.close()
        raise
    return TransitKeyring(place, path, dict(zip(NAMED, opened, strict=True)), calls)


def _require_fit(described: Mapping[str, Any], place: VaultPlace) -> None:
    """Refuse a transit key that would bind nothing to its owner, or whose keys could be taken out of Vault."""
    name = f"{place.mount}/{place.key}"
    if described.get("derived") is not True or described.get("convergent_encryption") is True:
        how = f"vault write -f {place.mount}/keys/{place.key} derived=true"
        msg = f"the transit key {name} must be a derived one, and not convergent: {how}"
        raise SettingsInvalid(msg)
    if described.get("exportable") is True or described.get("allow_plaintext_backup") is True:
        msg = f"the transit key {name} can be taken out of Vault (exportable, or plaintext backup): make another"
        raise SettingsInvalid(msg)


def _described(calls: VaultCalls, place: VaultPlace) -> Mapping[str, Any]:
    described = calls.get(calls.path("keys", place.key)).data
    if not _versions(described):
        raise KmsDown(f"{place.address} says nothing of {place.mount}/{place.key}")
    return described


def _versions(described: Mapping[str, Any]) -> tuple[int, ...]:
    keys = described.get("keys")
    least = described.get("min_decryption_version", 1)
    there = sorted(int(each) for each in keys if str(each).isdecimal()) if isinstance(keys, dict) else []
    return tuple(each for each in there if each >= least)


def _require_done(reply: Reply, why: str) -> None:
    if reply.status == _BAD:
        raise KmsDown(f"Vault {why}")


def _context(owner: str) -> str:
    return _b64(f"byleave/data_key/v1\x00{owner}".encode())


def _own(name: str) -> str:
    """Return the owner that the deployment's own keys are sealed for: none of them can pass for a customer's."""
    return f"keyring/{name}"


def _asked(owner: str, wrapped: Wrapped) -> dict[str, str]:
    return {"context": _context(owner), "ciphertext": wrapped.key.decode("ascii")}


def _fits(ciphertext: object) -> bool:
    return isinstance(ciphertext, str) and _CIPHERTEXT.fullmatch(ciphertext) is not None


def _stored(ciphertext: str) -> Wrapped:
    found = _CIPHERTEXT.fullmatch(ciphertext)
    return Wrapped(int(found[1]) if found else 0, ciphertext.encode())


def _well_formed(wrapped: Wrapped) -> bool:
    """Say whether it is a ciphertext of Vault's, by the version that it is stored with: there is exactly one."""
    found = _CIPHERTEXT.fullmatch(wrapped.key.decode("latin-1"))
    return found is not None and int(found[1]) == wrapped.kek


def _wrapped(answer: Mapping[str, Any]) -> Wrapped | KeyLost:
    ciphertext = answer.get("ciphertext")
    return _stored(ciphertext) if isinstance(ciphertext, str) and _fits(ciphertext) else _lost()


def _plain(answer: Mapping[str, Any]) -> bytes | KeyLost:
    plaintext = answer.get("plaintext")
    try:
        return base64.b64decode(plaintext, validate=True) if isinstance(plaintext, str) and plaintext else _lost()
    except ValueError:
        return _lost()


def _lost() -> KeyLost:
    return KeyLost("a data key does not unwrap for its owner")


def _sound(answer: _T | KeyLost) -> _T:
    if isinstance(answer, KeyLost):
        raise answer
    return answer


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
