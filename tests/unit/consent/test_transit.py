"""Keys in a Vault, over the wire: what opens for whom, under which version, and that nothing goes on without it."""

import base64
import json
import stat
import traceback
from contextlib import ExitStack

import pytest

from consent.base.errors import KeyLost, KmsDown, SettingsInvalid, StateConflict
from consent.vault.keyring import Wrapped, create_keyring, open_keyring
from consent.vault.transit import create_sealed_keyring, open_sealed_keyring
from tests.vaults import KEY, TOKEN, FakeVault, certificate, place, serving

DATA_KEY = bytes(range(32))


@pytest.fixture
def vault():
    with serving(FakeVault()) as served:
        yield served


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keyring.json"


@pytest.fixture
def opened():
    """Return what opens (or makes) a keyring; in the end its connections are closed."""
    with ExitStack() as stack:

        def with_(function, *given):
            keys = function(*given)
            stack.callback(keys.close)
            return keys

        yield with_


@pytest.fixture
def keys(vault, path, tmp_path, opened):
    return opened(create_sealed_keyring, path, place(vault, tmp_path))


def why(*wanted):
    """Return what each call is refused with."""
    said = []
    for call in wanted:
        with pytest.raises((KeyLost, KmsDown, SettingsInvalid, StateConflict)) as refused:
            call()
        said.append((type(refused.value).__name__, refused.value.detail))
    return said


def test_a_data_key_opens_for_its_owner_alone(keys):
    wrapped = keys.wrap("cus_a", DATA_KEY)

    assert (wrapped.kek, keys.unwrap("cus_a", wrapped)) == (1, DATA_KEY)
    assert DATA_KEY not in wrapped.key
    assert base64.b64encode(DATA_KEY) not in wrapped.key
    assert why(lambda: keys.unwrap("cus_b", wrapped)) == [("KeyLost", "a data key does not unwrap for its owner")]


def test_a_data_key_opens_in_one_form_and_under_one_version_only(keys):
    kek, blob = keys.wrap("cus_a", DATA_KEY)
    keys.rotate()
    spot = len(b"vault:v1:") + 4
    changed = [
        Wrapped(kek, blob[:spot] + (b"B" if blob[spot : spot + 1] == b"A" else b"A") + blob[spot + 1 :]),
        Wrapped(2, blob),
        Wrapped(2, blob.replace(b":v1:", b":v2:")),
        Wrapped(kek, blob[:-9]),
        Wrapped(kek, b""),
        Wrapped(kek, b"\xff" * 60),
        Wrapped(9, blob.replace(b":v1:", b":v9:")),
    ]
    found = keys.unwrap_all([("cus_a", one) for one in [*changed, Wrapped(kek, blob)]])

    assert [type(one).__name__ for one in found[:-1]] == ["KeyLost"] * len(changed)
    assert found[-1] == DATA_KEY


def test_many_keys_take_few_calls_over_one_connection(vault, path, tmp_path, opened):
    keys = opened(create_sealed_keyring, path, place(vault, tmp_path, timeout_seconds=30))  # it has work to do
    owners = [f"cus_{number}" for number in range(1_201)]
    vault.calls.clear()
    vault.connections.clear()

    wrapped = keys.wrap_all([(owner, owner.ljust(32).encode()) for owner in owners])
    opened = keys.unwrap_all(list(zip(owners, wrapped, strict=True)))

    assert opened == [owner.ljust(32).encode() for owner in owners]
    assert vault.calls == [f"POST /v1/transit/encrypt/{KEY}"] * 3 + [f"POST /v1/transit/decrypt/{KEY}"] * 3
    assert len(vault.connections) <= 1


def test_rewrapping_shows_no_key_and_moves_each_to_the_newest_version(keys, vault):
    wrapped = [("cus_a", keys.wrap("cus_a", DATA_KEY)), ("cus_b", keys.wrap("cus_b", bytes(32)))]
    newest = keys.rotate()
    swapped = [("cus_a", wrapped[1][1])]
    vault.calls.clear()
    moved = keys.rewrap_all([*wrapped, *swapped])

    assert vault.calls == [f"POST /v1/transit/rewrap/{KEY}"]
    assert (newest, [one.kek for one in moved[:2]], type(moved[2])) == (2, [2, 2], KeyLost)
    assert keys.unwrap_all([("cus_a", moved[0]), ("cus_b", moved[1]), *wrapped]) == [
        DATA_KEY, bytes(32), DATA_KEY, bytes(32),
    ]  # fmt: skip


def test_a_destroyed_version_is_gone_with_every_older_one(keys, vault):
    old = keys.wrap("cus_a", DATA_KEY)
    keys.rotate()
    middle = keys.wrap("cus_a", DATA_KEY)
    keys.rotate()
    newest = keys.wrap("cus_a", DATA_KEY)
    keys.destroy(2)

    assert (keys.versions(), sorted(vault.keys)) == ((3,), [3])
    assert keys.unwrap("cus_a", newest) == DATA_KEY
    assert why(
        lambda: keys.unwrap("cus_a", old),
        lambda: keys.unwrap("cus_a", middle),
        lambda: keys.destroy(2),
        lambda: keys.destroy(3),
    ) == [
        ("KeyLost", "a data key does not unwrap for its owner"),
        ("KeyLost", "a data key does not unwrap for its owner"),
        ("StateConflict", "there is no version 2 any more"),
        ("StateConflict", "version 3 is the newest: rotate first, or every data key is lost"),
    ]


def test_a_destruction_that_was_cut_off_before_the_deletion_can_be_finished(keys, vault):
    keys.rotate()
    vault.settings |= {"min_decryption_version": 2, "min_encryption_version": 2}
    keys.destroy(1)
    assert (sorted(vault.keys), vault.settings["min_available_version"]) == ([2], 2)


def test_the_keyring_file_holds_nothing_that_opens_without_vault(keys, path, vault, tmp_path, opened):
    text = path.read_text(encoding="utf-8")
    own = [keys.index_key, keys.log_seed, keys.link_key]
    again = opened(open_sealed_keyring, path, place(vault, tmp_path))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [key for key in own if key.hex() in text or base64.b64encode(key).decode() in text] == []
    assert [again.index_key, again.log_seed, again.link_key] == own
    assert len({*own}) == 3


def test_a_rotation_seals_the_deployments_own_keys_anew_so_that_the_old_version_can_go(
    keys, path, vault, tmp_path, opened
):
    own = [keys.index_key, keys.log_seed, keys.link_key]
    before = path.read_text(encoding="utf-8")
    keys.rotate()
    after = path.read_text(encoding="utf-8")
    path.write_text(before, encoding="utf-8")
    refused = why(lambda: keys.destroy(1))
    path.write_text(after, encoding="utf-8")
    keys.destroy(1)
    again = opened(open_sealed_keyring, path, place(vault, tmp_path))

    assert refused == [("StateConflict", f"the keyring {path} is sealed by version 1: rotate again")]
    assert [again.index_key, again.log_seed, again.link_key] == own
    assert path.with_name("keyring.json.new").exists() is False


@pytest.mark.usefixtures("keys")
def test_a_sealed_secret_can_not_stand_in_for_another(path, vault, tmp_path):
    body = json.loads(path.read_text(encoding="utf-8"))
    sealed = body["sealed"]
    sealed["link_key"], sealed["log_seed"] = sealed["log_seed"], sealed["link_key"]
    path.write_text(json.dumps(body), encoding="utf-8")

    assert why(lambda: open_sealed_keyring(path, place(vault, tmp_path))) == [
        ("KeyLost", "a data key does not unwrap for its owner")
    ]


@pytest.mark.usefixtures("keys")
def test_a_keyring_is_opened_by_what_sealed_it_and_by_nothing_else(path, vault, tmp_path):
    plain = tmp_path / "plain.json"
    create_keyring(plain)
    here = place(vault, tmp_path)
    other = place(vault, tmp_path, key="other")

    assert why(
        lambda: open_keyring(path),
        lambda: open_sealed_keyring(plain, here),
        lambda: open_sealed_keyring(path, other),
        lambda: create_sealed_keyring(path, here),
    ) == [
        (
            "SettingsInvalid",
            f"the keyring {path} can't be read by itself: a key management system sealed it, set BYLEAVE_VAULT_ADDRESS",
        ),
        (
            "SettingsInvalid",
            f"the keyring {plain} is not one that Vault sealed: found anew, or leave out BYLEAVE_VAULT_ADDRESS",
        ),
        ("SettingsInvalid", f"the keyring {path} was sealed by another key than transit/other"),
        ("SettingsInvalid", f"the keyring {path} can't be made: File exists"),
    ]


UNFIT = {
    "derived": (False, "must be a derived one, and not convergent"),
    "convergent_encryption": (True, "must be a derived one, and not convergent"),
    "exportable": (True, "can be taken out of Vault"),
    "allow_plaintext_backup": (True, "can be taken out of Vault"),
}


@pytest.mark.parametrize("setting", UNFIT)
def test_a_transit_key_that_binds_nothing_or_can_be_taken_out_is_refused(setting, vault, path, tmp_path):
    vault.settings[setting], said = UNFIT[setting]
    with pytest.raises(SettingsInvalid, match=said):
        create_sealed_keyring(path, place(vault, tmp_path))
    assert path.exists() is False


FAILING: dict[str, dict[str, object]] = {
    "sealed": {"sealed": True},
    "token": {"token": "hvs.another"},
    "slow": {"slow": 0.4},
    "no json": {"raw": b"<html>proxy</html>"},
    "no object": {"raw": b"[]"},
    "nothing": {"raw": b"{}"},
    "too few": {"raw": b'{"data": {"batch_results": []}}'},
}


def test_where_vault_does_not_answer_nothing_is_wrapped_and_nothing_unwrapped(keys, vault):
    wrapped = keys.wrap("cus_a", DATA_KEY)
    said = {}
    for name, change in FAILING.items():
        before = {key: getattr(vault, key) for key in change}
        vars(vault).update(change)
        said[name] = why(
            lambda: keys.wrap("cus_a", DATA_KEY),
            lambda: keys.unwrap("cus_a", wrapped),
        )
        vars(vault).update(before)
    lost = f"{vault.address} does not answer (HTTPException)"

    assert said == {
        "sealed": [("KmsDown", f"{vault.address} is sealed, or under maintenance")] * 2,
        "token": [("KmsDown", f"{vault.address} refuses the token, or its policy doesn't allow this")] * 2,
        "slow": [("KmsDown", f"{vault.address} does not answer in time")] * 2,
        "no json": [("KmsDown", lost)] * 2,
        "no object": [("KmsDown", lost)] * 2,
        "nothing": [
            ("KmsDown", f"{vault.address} does not {what} with transit/{KEY}") for what in ("encrypt", "decrypt")
        ],
        "too few": [
            ("KmsDown", f"{vault.address} does not {what} with transit/{KEY}") for what in ("encrypt", "decrypt")
        ],
    }
    assert keys.unwrap("cus_a", wrapped) == DATA_KEY


def test_a_vault_that_is_away_is_named_and_its_return_noticed(tmp_path, path, opened):
    vault = FakeVault()
    with serving(vault):
        keys = opened(create_sealed_keyring, path, place(vault, tmp_path))
        wrapped = keys.wrap("cus_a", DATA_KEY)
        port = int(vault.address.rpartition(":")[2])
    away = why(lambda: keys.unwrap("cus_a", wrapped))
    with serving(vault, port=port):
        back = keys.unwrap("cus_a", wrapped)

    assert (away, back) == ([("KmsDown", f"{vault.address} does not answer (ConnectionRefusedError)")], DATA_KEY)


def test_the_token_is_read_anew_and_shown_nowhere(keys, vault, tmp_path):
    token = tmp_path / "vault.token"
    vault.token = "hvs.renewed"
    with pytest.raises(KmsDown) as refused:
        keys.versions()
    shown = "".join(traceback.format_exception(refused.value)) + repr(keys)
    token.write_text("hvs.renewed", encoding="ascii")

    assert keys.versions() == (1,)
    assert [each for each in (TOKEN, "hvs.renewed") if each in shown] == []


UNFIT_TOKENS = {
    "readable by all": (lambda token: token.chmod(0o644), "can be read by everybody (mode 0644): chmod 600 it"),
    "away": (lambda token: token.unlink(), "can't be read"),
    "no text": (lambda token: token.write_bytes(b"\xff\xfe"), "can't be read"),
    "blank": (lambda token: token.write_bytes(b" \n"), "holds no token"),
    "two words": (lambda token: token.write_bytes(b"two words"), "holds no token"),
    "a header": (lambda token: token.write_bytes(b"hvs.a\r\nX-Evil: 1"), "holds no token"),
}


@pytest.mark.parametrize("name", UNFIT_TOKENS)
def test_a_token_file_that_is_unfit_is_refused(keys, tmp_path, name):
    token = tmp_path / "vault.token"
    change, said = UNFIT_TOKENS[name]
    change(token)
    assert why(keys.versions) == [("KmsDown", f"the token file {token} {said}")]


def test_a_namespace_is_named_in_every_call(vault, tmp_path, path, opened):
    vault.namespace = "shops/north"
    opened(create_sealed_keyring, path, place(vault, tmp_path, namespace="shops/north"))
    assert why(lambda: open_sealed_keyring(path, place(vault, tmp_path)))[0][0] == "KmsDown"


def test_a_certificate_is_verified_and_its_name_too(tmp_path, path, opened):
    served_by, trusted = certificate(tmp_path)
    with serving(FakeVault(), tls=served_by) as vault:
        keys = opened(create_sealed_keyring, path, place(vault, tmp_path, ca_file=trusted))
        key = keys.unwrap("cus_a", keys.wrap("cus_a", DATA_KEY))
        untrusted = why(lambda: open_sealed_keyring(path, place(vault, tmp_path)))
    (tmp_path / "other").mkdir()
    served_by, trusted = certificate(tmp_path / "other", "vault.example")
    with serving(FakeVault(), tls=served_by) as stranger:
        misnamed = why(lambda: open_sealed_keyring(path, place(stranger, tmp_path, ca_file=trusted)))
    said = "shows a certificate that is not one to trust: see BYLEAVE_VAULT_CA_FILE"

    assert key == DATA_KEY
    assert [untrusted, misnamed] == [
        [("KmsDown", f"{vault.address} {said}")],
        [("KmsDown", f"{stranger.address} {said}")],
    ]


def test_a_file_of_authorities_that_is_none_is_a_bad_setting(vault, tmp_path, path):
    vault.address = vault.address.replace("http:", "https:")
    (tmp_path / "ca.pem").write_text("no certificate", encoding="ascii")
    assert why(lambda: create_sealed_keyring(path, place(vault, tmp_path, ca_file=tmp_path / "ca.pem"))) == [
        ("SettingsInvalid", f"the certificates in {tmp_path / 'ca.pem'} can't be read")
    ]
