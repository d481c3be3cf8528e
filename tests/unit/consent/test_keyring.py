"""The keyring: a file that only its owner reads, and keys that open for their owner alone."""

import json
import os
import stat
import traceback

import pytest

from consent.base.errors import KeyLost, SettingsInvalid
from consent.catalogues import Catalogues
from consent.register.desk import Desk
from consent.vault.keyring import FileKeyring, Wrapped, create_keyring, open_keyring

KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path):
    create_keyring(tmp_path / "keyring.json")
    return tmp_path / "keyring.json"


def secrets_in(path):
    """Return every key of a keyring file, in hex."""
    body = json.loads(path.read_text(encoding="utf-8"))
    return [*body["keks"].values(), body["index_key"], body["log_seed"], body["link_key"]]


def test_a_new_keyring_is_its_owners_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        create_keyring(tmp_path / "keyring.json")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "keyring.json").stat().st_mode) == 0o600


def test_a_keyring_opens_to_the_keys_in_its_file(path):
    keys, (_, index_key, log_seed, link_key) = open_keyring(path), secrets_in(path)
    assert [each.hex() for each in (keys.index_key, keys.log_seed, keys.link_key)] == [index_key, log_seed, link_key]


def test_two_keyrings_share_no_key(path, tmp_path):
    create_keyring(tmp_path / "other.json")
    assert len({*secrets_in(path), *secrets_in(tmp_path / "other.json")}) == 8


def test_a_keyring_is_never_made_over_another(path):
    before = path.read_bytes()

    with pytest.raises(SettingsInvalid, match="can't be made: File exists"):
        create_keyring(path)

    assert path.read_bytes() == before


def test_a_keyring_needs_its_folder(tmp_path):
    with pytest.raises(SettingsInvalid, match="can't be made: No such file or directory"):
        create_keyring(tmp_path / "none" / "keyring.json")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_keyring_that_others_can_touch_is_refused(path, mode):
    path.chmod(mode)
    with pytest.raises(SettingsInvalid, match=f"can be read by others \\(mode {mode:04o}\\): chmod 600 it"):
        open_keyring(path)


def test_a_keyring_that_is_away_says_how_to_get_one(tmp_path):
    with pytest.raises(SettingsInvalid, match="run `byleave init`, or set BYLEAVE_KEYRING"):
        open_keyring(tmp_path / "keyring.json")


DAMAGED = {
    "empty": lambda _body: "",
    "cut": lambda body: json.dumps(body)[:-9],
    "a list": lambda _body: "[]",
    "a text": lambda _body: '"key"',
    "not text": lambda _body: "\x00\ud7ff",
    "nested without end": lambda _body: "[" * 100_000,
    "no key-encryption keys": lambda body: json.dumps({**body, "keks": {}}),
    "keks that are a list": lambda body: json.dumps({**body, "keks": [body["keks"]["1"]]}),
    "a version that is no number": lambda body: json.dumps({**body, "keks": {"one": body["keks"]["1"]}}),
    "a key that is no hex": lambda body: json.dumps({**body, "index_key": "x" * 64}),
    "a key that is a number": lambda body: json.dumps({**body, "index_key": 7}),
    "a short key": lambda body: json.dumps({**body, "log_seed": body["log_seed"][:-2]}),
    "a short key-encryption key": lambda body: json.dumps({**body, "keks": {"1": "00" * 16}}),
    "a key left out": lambda body: json.dumps({name: key for name, key in body.items() if name != "link_key"}),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_keyring_is_refused_and_not_quoted(path, damage):
    secrets = secrets_in(path)
    path.write_text(DAMAGED[damage](json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")

    with pytest.raises(SettingsInvalid) as refused:
        open_keyring(path)

    shown = "".join(traceback.format_exception(refused.value))
    assert [secret for secret in secrets if secret[:12] in shown] == []


def test_neither_a_keyring_nor_a_desk_shows_a_key(path):
    keys = open_keyring(path)
    shown = f"{keys!r} {keys!s} {Desk(keys, Catalogues())!r}"

    raw = [bytes.fromhex(secret) for secret in secrets_in(path)]
    assert repr(keys) == "FileKeyring(versions=[1])"
    assert [secret for secret in raw if secret.hex() in shown or repr(secret) in shown] == []


def test_a_wrapped_key_opens_for_its_owner(path):
    keys = open_keyring(path)
    wrapped = keys.wrap("cus_a", KEY)

    assert (wrapped.kek, keys.unwrap("cus_a", wrapped)) == (1, KEY)
    assert KEY not in wrapped.key


def test_a_key_is_wrapped_differently_each_time(path):
    keys = open_keyring(path)
    assert keys.wrap("cus_a", KEY) != keys.wrap("cus_a", KEY)


def test_a_wrapped_key_opens_for_nobody_else(path):
    keys = open_keyring(path)
    with pytest.raises(KeyLost, match="does not unwrap for its owner"):
        keys.unwrap("cus_b", keys.wrap("cus_a", KEY))


def versions(keks):
    return FileKeyring(keks, index_key=bytes(32), log_seed=bytes(32), link_key=bytes(32))


def test_a_wrapped_key_does_not_open_under_another_version():
    wrapped = versions({1: KEY}).wrap("cus_a", KEY)
    both = versions({1: KEY, 2: KEY})

    assert both.unwrap("cus_a", wrapped) == KEY
    with pytest.raises(KeyLost, match="does not unwrap for its owner"):
        both.unwrap("cus_a", wrapped._replace(kek=2))
    with pytest.raises(KeyLost, match="version 3 of the key-encryption key, which is not here"):
        both.unwrap("cus_a", wrapped._replace(kek=3))


def test_the_newest_version_wraps():
    assert versions({9: KEY, 10: KEY, 2: KEY}).wrap("cus_a", KEY).kek == 10


def test_a_wrapped_key_opens_in_one_form_only(path):
    keys = open_keyring(path)
    kek, blob = keys.wrap("cus_a", KEY)
    changed = [blob[:spot] + bytes([blob[spot] ^ 1]) + blob[spot + 1 :] for spot in range(len(blob))]
    cut = [blob[:length] for length in range(len(blob))]

    for each in [*changed, *cut, blob + b"\x00"]:
        with pytest.raises(KeyLost):
            keys.unwrap("cus_a", Wrapped(kek, each))


def test_keys_are_unwrapped_together_and_one_that_is_lost_says_why(path):
    """Also those that another process has wrapped since under a version that was not read yet."""
    keyring, elsewhere = open_keyring(path), open_keyring(path)
    old = keyring.wrap("cus_a", KEY)
    elsewhere.rotate()
    new = elsewhere.wrap("cus_b", KEY)

    found = keyring.unwrap_all([("cus_a", old), ("cus_b", new), ("cus_b", old), ("cus_a", old._replace(key=b""))])
    assert found[:2] == [KEY, KEY]
    assert [type(each) for each in found[2:]] == [KeyLost, KeyLost]
