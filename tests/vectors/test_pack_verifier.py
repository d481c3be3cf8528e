"""The verifier of evidence packs is written anew: it agrees with the RFCs' vectors, and with the ledger's own code."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from consent.audit.packs import verify
from consent.base import canonical
from consent.ledger import checkpoint, merkle, note
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.merkle import ProofRefused
from consent.ledger.note import Signer

# RFC 8032 section 7.1: public key, message, signature.
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


@pytest.mark.parametrize(("key", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032_hold_and_no_neighbour_of_them_does(key, message, signature):
    public, text, sig = (bytes.fromhex(each) for each in (key, message, signature))
    assert verify.signed(public, sig, text)
    assert not verify.signed(public, sig, text + b"\x00")
    for spot in (0, 31, 32, 63):
        assert not verify.signed(public, sig[:spot] + bytes([sig[spot] ^ 1]) + sig[spot + 1 :], text)
    assert not verify.signed(public[:31] + bytes([public[31] ^ 1]), sig, text)


def test_a_signature_with_a_larger_s_a_point_off_the_curve_and_wrong_lengths_are_refused():
    signature = KEY.sign(b"hello")
    s = int.from_bytes(signature[32:], "little") + verify.L
    assert not verify.signed(PUBLIC, signature[:32] + s.to_bytes(32, "little"), b"hello")
    assert not verify.signed((2**255 - 20).to_bytes(32, "little"), signature, b"hello")
    assert not verify.signed(b"\xff" * 32, signature, b"hello")
    assert not verify.signed(PUBLIC[:31], signature, b"hello")
    assert not verify.signed(PUBLIC, signature[:63], b"hello")


@given(st.binary(max_size=200), st.binary(min_size=32, max_size=32))
def test_signatures_of_the_library_hold(message, seed):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    assert verify.signed(key.public_key().public_bytes_raw(), key.sign(message), message)


def _nodes(leaves: list[bytes]) -> dict[tuple[int, int], bytes]:
    _, nodes = merkle.append_all(merkle.Frontier(), leaves)
    return {
        **{(0, spot): leaf for spot, leaf in enumerate(leaves)},
        **{(level, idx): each for level, idx, each in nodes},
    }


def test_proofs_of_small_trees_are_judged_as_the_ledger_judges_them():
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(20)]
    judged = set()
    for size in range(1, 21):
        nodes = _nodes(leaves[:size])
        root = merkle.root(leaves[:size])
        for index in range(size):
            path = merkle.inclusion_proof(index, size, nodes=nodes)
            judged.add(verify.included(leaves[index], index, size, path, root))
            judged.add(not verify.included(leaves[index - 1], index, size, path, root) or size == 1)
        for old in range(1, size + 1):
            path = merkle.consistency_proof(old, size, nodes=nodes)
            judged.add(verify.grew(old, size, path, merkle.root(leaves[:old]), root))
    assert judged == {True}


HASH = st.binary(min_size=32, max_size=32)


@given(st.integers(0, 40), st.integers(0, 40), st.lists(HASH, max_size=7), HASH, HASH)
def test_of_any_path_both_say_the_same(first, second, path, one, other):
    def ours(check, **how):
        try:
            check(**how)
        except ProofRefused:
            return False
        return True

    def theirs(check, *how):
        try:
            return check(*how)
        except verify.Refused:
            return False

    assert theirs(verify.included, one, first, second, path, other) == ours(
        merkle.verify_inclusion, leaf=one, index=first, size=second, proof=path, root=other
    )
    assert theirs(verify.grew, first, second, path, one, other) == ours(
        merkle.verify_consistency, old_size=first, new_size=second, proof=path, old_root=one, new_root=other
    )


def test_checkpoints_and_keys_are_read_as_the_ledger_writes_them():
    signer = Signer(name="shop.example/consent/2026h2", key=KEY)
    signed = checkpoint.sign(Checkpoint(origin=signer.name, size=7, root=bytes(32)), signer)

    assert verify.read_key(note.vkey(signer.name, PUBLIC)) == (signer.name, signer.verifier.key_id, PUBLIC)
    assert verify.read_checkpoint(signed, signer.name, [PUBLIC], "it") == (7, bytes(32))
    for wrong in (signed.replace("\n7\n", "\n8\n"), signed.replace("\n7\n", "\n07\n"), signed + "\n", signed[:-1]):
        with pytest.raises(verify.Refused):
            verify.read_checkpoint(wrong, signer.name, [PUBLIC], "it")


PROFILE = st.recursive(
    st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(PROFILE)
def test_canonical_json_is_what_the_ledger_writes(value):
    try:
        ours = canonical.encode(value)
    except canonical.NotCanonical:  # text that is not in its composed form
        with pytest.raises(verify.Refused):
            verify.read_json(verify.canonical(value), "it")
        return
    assert (verify.canonical(value), verify.read_json(ours, "it")) == (ours, value)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b'{"a":1.5}', b'{"a":1e3}', b'{"a":NaN}', b'{"a":null}', b'{"a":1,"a":1}', b'{"A":1}', b'{"b":1,"a":2}',
     b'{"a": 1}', b'{"a":9007199254740992}', b'{"a":"\\ud800"}', b'"\\u0041"', b"\xff", b"[" * 100_000],
)  # fmt: skip
def test_json_that_is_not_of_the_closed_profile_is_refused(raw):
    with pytest.raises(verify.Refused):
        verify.read_json(raw, "it")
