"""Checkpoints, and the proofs that carry them out of the house."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.base.canonical import b64
from consent.ledger import proof
from consent.ledger.checkpoint import Checkpoint, open_checkpoint, parse, sign, text
from consent.ledger.merkle import EMPTY_ROOT, GREATEST_SIZE, ProofRefused, leaf_hash, node_hash, verify_inclusion
from consent.ledger.note import NoteRefused, Signer
from consent.ledger.note import sign as sign_note

LOG = Signer(name="example.com/consent/2026h2", key=Ed25519PrivateKey.from_private_bytes(b"l" * 32))
OTHER = Signer(name="example.com/other", key=Ed25519PrivateKey.from_private_bytes(b"o" * 32))
FIRST, SECOND = leaf_hash(b"first"), leaf_hash(b"second")
ROOT = node_hash(FIRST, SECOND)
CHECKPOINT = Checkpoint(origin=LOG.name, size=2, root=ROOT)
LINES = f"example.com/consent/2026h2\n2\n{b64(ROOT)}\n"
NOTE = sign(CHECKPOINT, LOG)
PROOF = proof.write(0, [SECOND], checkpoint_note=NOTE)


def test_a_checkpoint_is_three_lines_and_reads_back():
    assert text(CHECKPOINT) == LINES
    assert parse(LINES) == CHECKPOINT


def test_a_signed_checkpoint_opens_with_its_logs_key():
    assert NOTE.startswith(LINES + "\n— example.com/consent/2026h2 ")
    assert open_checkpoint(NOTE, LOG.verifier) == CHECKPOINT


def test_a_witness_line_beside_the_logs_changes_nothing():
    assert open_checkpoint(sign_note(LINES, [OTHER, LOG]), LOG.verifier) == CHECKPOINT


def test_an_empty_log_and_the_largest_have_checkpoints():
    empty = Checkpoint(origin="a", size=0, root=EMPTY_ROOT)
    largest = Checkpoint(origin="a", size=GREATEST_SIZE, root=ROOT)

    assert (parse(text(empty)), parse(text(largest))) == (empty, largest)


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "\n\n\n",
        LINES[:-1],
        LINES + "\n",
        LINES + "an extension line\n",
        LINES.replace("2\n", ""),
        LINES.replace("\n2\n", "\n02\n"),
        LINES.replace("\n2\n", "\n+2\n"),
        LINES.replace("\n2\n", "\n-2\n"),
        LINES.replace("\n2\n", "\n 2\n"),
        LINES.replace("\n2\n", "\n2 \n"),
        LINES.replace("\n2\n", "\n2_0\n"),
        LINES.replace("\n2\n", "\n2.0\n"),
        LINES.replace("\n2\n", "\n\uff12\n"),
        LINES.replace("\n2\n", "\n2\uff12\n"),
        LINES.replace("\n2\n", "\n0x2\n"),
        LINES.replace("\n2\n", "\n\n"),
        LINES.replace("\n2\n", "\n0\n"),
        LINES.replace("\n2\n", f"\n{2**63}\n"),
        LINES.replace("\n2\n", f"\n{'9' * 10_000}\n"),
        LINES.replace("example.com/consent/2026h2", ""),
        LINES.replace("=\n", "\n"),
        LINES.replace("=\n", "==\n"),
        LINES.replace("=\n", "= \n"),
        LINES.replace(b64(ROOT), b64(ROOT[:31])),
        LINES.replace(b64(ROOT), b64(ROOT + b"a")),
        LINES.replace(b64(ROOT), ROOT.hex()),
        LINES.replace(b64(ROOT), ""),
        LINES.replace("\n", "\r\n"),
    ],
)
def test_what_is_not_exactly_three_lines_is_refused(lines):
    with pytest.raises(NoteRefused):
        parse(lines)
    with pytest.raises(NoteRefused):
        open_checkpoint(f"{lines}\n{NOTE.rpartition(chr(10) * 2)[2]}", LOG.verifier)


def test_an_extension_line_is_refused_even_when_signed():
    with pytest.raises(NoteRefused) as refused:
        open_checkpoint(sign_note(LINES + "an extension line\n", [LOG]), LOG.verifier)

    assert refused.value.detail == "a checkpoint has three lines: origin, size and root"


def test_a_checkpoint_of_another_log_is_refused_even_when_signed():
    with pytest.raises(NoteRefused) as refused:
        open_checkpoint(sign_note(LINES, [OTHER]), OTHER.verifier)
    with pytest.raises(NoteRefused) as unsigned:
        sign(CHECKPOINT, OTHER)

    assert refused.value.detail == "the checkpoint is of another log"
    assert unsigned.value.detail == "a checkpoint is signed under its origin's name"


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [
        ("", 2, ROOT),
        ("a\nb", 2, ROOT),
        ("a", -1, ROOT),
        ("a", 2**63, ROOT),
        ("a", 2, ROOT[:31]),
        ("a", 0, ROOT),
    ],
)
def test_a_checkpoint_that_three_lines_can_not_say_is_refused(origin, size, root):
    with pytest.raises(NoteRefused):
        Checkpoint(origin=origin, size=size, root=root)


def test_a_proof_is_the_text_of_the_specification():
    extra = proof.write(1, [FIRST, SECOND], checkpoint_note=NOTE, extra=b"hello")

    assert proof.write(0, [SECOND], checkpoint_note=NOTE) == f"c2sp.org/tlog-proof@v1\nindex 0\n{b64(SECOND)}\n\n{NOTE}"
    assert extra == f"c2sp.org/tlog-proof@v1\nextra aGVsbG8=\nindex 1\n{b64(FIRST)}\n{b64(SECOND)}\n\n{NOTE}"


def test_a_proof_that_left_the_house_proves_its_entry_with_the_key_alone():
    carried = proof.read(PROOF)
    checkpoint = open_checkpoint(carried.checkpoint_note, LOG.verifier)

    verify_inclusion(
        leaf_hash(b"first"), index=carried.index, size=checkpoint.size, proof=carried.path, root=checkpoint.root
    )
    with pytest.raises(ProofRefused):
        verify_inclusion(
            leaf_hash(b"forged"), index=carried.index, size=checkpoint.size, proof=carried.path, root=checkpoint.root
        )


@pytest.mark.parametrize("extra", [None, b"", b"hello", bytes(1000)])
@pytest.mark.parametrize("path", [(), (FIRST,), (FIRST,) * 63])
def test_a_proof_reads_back(extra, path):
    carried = proof.read(proof.write(GREATEST_SIZE, path, checkpoint_note=NOTE, extra=extra))

    assert carried == proof.TlogProof(index=GREATEST_SIZE, path=path, checkpoint_note=NOTE, extra=extra)


@pytest.mark.parametrize(
    "carried",
    [
        "",
        "\n\n",
        PROOF.replace("@v1", "@v2"),
        PROOF.replace("c2sp", " c2sp"),
        PROOF.replace("index 0\n", ""),
        PROOF.replace("index 0\n", "index 0\nindex 0\n"),
        PROOF.replace("index 0\n", "index 0\nextra aGVsbG8=\n"),
        PROOF.replace("index 0\n", "extra aGVsbG8=\nextra aGVsbG8=\nindex 0\n"),
        PROOF.replace("index 0\n", "extra aGVsbG8\nindex 0\n"),
        PROOF.replace("index 0\n", "extra\nindex 0\n"),
        PROOF.replace("index 0", "index 00"),
        PROOF.replace("index 0", "index -1"),
        PROOF.replace("index 0", "index +1"),
        PROOF.replace("index 0", "index  1"),
        PROOF.replace("index 0", "index 1 "),
        PROOF.replace("index 0", "index \uff11"),
        PROOF.replace("index 0", "index 1\uff11"),
        PROOF.replace("index 0", f"index {2**63}"),
        PROOF.replace("index 0", f"index {'9' * 10_000}"),
        PROOF.replace("index 0", "Index 0"),
        PROOF.replace("index 0", "index"),
        PROOF.replace(b64(SECOND), b64(SECOND[:31])),
        PROOF.replace(b64(SECOND), b64(SECOND)[:-1]),
        PROOF.replace(b64(SECOND), b64(SECOND) + " "),
        PROOF.replace(b64(SECOND), "\n".join([b64(SECOND)] * 64)),
        PROOF.replace("\n", "\r\n"),
        PROOF.partition("\n\n")[0],
        PROOF.partition("\n\n")[0] + "\n",
        PROOF.partition("\n\n")[0] + "\n\n",
        PROOF + "a" * (1 << 20),
    ],
)
def test_a_malformed_proof_is_refused(carried):
    assert proof.read(PROOF).index == 0

    with pytest.raises(ProofRefused):
        proof.read(carried)


def test_whatever_letter_of_a_proof_is_changed_it_is_refused_or_writes_itself_again():
    changed = [f"{PROOF[:at]}{chr(ord(letter) ^ 1)}{PROOF[at + 1 :]}" for at, letter in enumerate(PROOF)]

    assert [each for each in changed if _rewritten(each) not in {each, None}] == []


@pytest.mark.parametrize(
    ("index", "path", "note"),
    [(-1, [], NOTE), (2**63, [], NOTE), (0, [b""], NOTE), (0, [FIRST] * 64, NOTE), (0, [], "")],
)
def test_a_proof_that_the_text_can_not_say_is_refused(index, path, note):
    with pytest.raises(ProofRefused):
        proof.write(index, path, checkpoint_note=note)


def _rewritten(carried):
    try:
        read = proof.read(carried)
    except ProofRefused:
        return None
    return proof.write(read.index, read.path, checkpoint_note=read.checkpoint_note, extra=read.extra)
