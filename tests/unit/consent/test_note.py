"""Signed notes, refusal by refusal."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.base.canonical import b64, b64_bytes
from consent.ledger.note import (
    LONGEST,
    MOST_SIGNATURES,
    NoteRefused,
    Signer,
    Verifier,
    open_note,
    sign,
    verifier_of,
    vkey,
)

LOG = Signer(name="example.com/consent", key=Ed25519PrivateKey.from_private_bytes(b"l" * 32))
LOG_NEXT = Signer(name="example.com/consent", key=Ed25519PrivateKey.from_private_bytes(b"n" * 32))
WITNESS = Signer(name="witness.example", key=Ed25519PrivateKey.from_private_bytes(b"w" * 32))
TEXT = "Nothing happens without permission,\n\nand this line is signed as well.\n"
SIGNED = sign(TEXT, [LOG])
LINE = SIGNED.rpartition("\n\n")[2]
WITNESS_LINE = sign(TEXT, [WITNESS]).rpartition("\n\n")[2]


def test_a_signed_note_is_text_empty_line_and_signature_lines():
    both = sign(TEXT, [LOG, WITNESS])

    assert both == f"{TEXT}\n{LINE}{WITNESS_LINE}"
    assert LINE.split(" ")[:2] == ["—", "example.com/consent"]
    assert b64_bytes(LINE.split(" ")[2][:-1])[:4] == LOG.verifier.key_id


def test_a_note_says_who_signed_and_how_many_are_unknown():
    note = open_note(sign(TEXT, [LOG, WITNESS, LOG_NEXT]), [LOG.verifier, LOG_NEXT.verifier])

    assert (note.text, note.signed_by, note.unverified) == (TEXT, ("example.com/consent", "example.com/consent"), 1)


def test_one_key_signing_twice_counts_once():
    note = open_note(SIGNED + LINE, [LOG.verifier, LOG.verifier])

    assert (note.signed_by, note.unverified) == (("example.com/consent",), 0)


def test_an_unknown_key_of_a_known_name_is_ignored():
    note = open_note(sign(TEXT, [LOG_NEXT, LOG]), [LOG.verifier])

    assert (note.signed_by, note.unverified) == (("example.com/consent",), 1)


def test_a_known_key_with_a_bad_signature_refuses_the_whole_note():
    bad = _line(LOG.name, LOG.verifier.key_id + bytes(64))

    with pytest.raises(NoteRefused) as refused:
        open_note(f"{TEXT}\n{WITNESS_LINE}{bad}", [LOG.verifier, WITNESS.verifier])

    assert refused.value.detail == "the signature of a known key does not fit the text"


@pytest.mark.parametrize("length", [1, 63, 65, 3000])
def test_a_known_key_with_a_signature_of_another_length_refuses_the_note(length):
    with pytest.raises(NoteRefused):
        open_note(f"{TEXT}\n{_line(LOG.name, LOG.verifier.key_id + bytes(length))}", [LOG.verifier])


def test_a_note_nobody_known_has_signed_is_refused():
    with pytest.raises(NoteRefused) as by_other:
        open_note(SIGNED, [WITNESS.verifier])
    with pytest.raises(NoteRefused) as by_none:
        open_note(SIGNED, [])

    assert (by_other.value.detail, by_none.value.detail) == ("no known key has signed", "no known key has signed")


def test_sixteen_signatures_are_read_and_seventeen_refused():
    sixteen = SIGNED + WITNESS_LINE * (MOST_SIGNATURES - 1)

    assert open_note(sixteen, [LOG.verifier]).unverified == 15
    with pytest.raises(NoteRefused):
        open_note(sixteen + WITNESS_LINE, [LOG.verifier])
    with pytest.raises(NoteRefused):
        sign(TEXT, [LOG] * (MOST_SIGNATURES + 1))


def test_the_text_ends_at_the_last_empty_line():
    for text in ["\n", "\n\n", "a\n\n", "\na\n", "a\n\n— b c\n", "\u2028\n", "\x7f\n"]:
        assert open_note(sign(text, [LOG]), [LOG.verifier]).text == text


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "\n\n",
        TEXT,
        TEXT + "\n",
        TEXT + LINE,
        LINE,
        "\n" + LINE,
        SIGNED[:-1],
        SIGNED + "\n",
        SIGNED + "one more line\n",
        SIGNED + "\n" + "one more line\n",
        SIGNED + "— \n",
        SIGNED + "— witness.example\n",
        SIGNED + "— witness.example \n",
        SIGNED + "— witness.example AAAA\n",
        SIGNED + "— witness.example AAAAAA==\n",
        SIGNED + WITNESS_LINE.replace(" ", "  "),
        SIGNED + WITNESS_LINE.replace("—", "-"),
        SIGNED + WITNESS_LINE.replace("— ", "—\u00a0"),
        SIGNED + WITNESS_LINE.replace("witness", "wit+ness"),
        SIGNED + WITNESS_LINE.replace("witness", "wit\u2003ness"),
        SIGNED + WITNESS_LINE.replace("witness", "wit\u0085ness"),
        SIGNED + WITNESS_LINE[:-1] + " \n",
        SIGNED + WITNESS_LINE[:-1] + "=\n",
        SIGNED.replace("=\n", "\n"),
        SIGNED.replace("\n", "\r\n"),
        SIGNED.replace("permission", "permission\t"),
        SIGNED.replace("permission", "permission\x00"),
        SIGNED.replace("permission", "permission\x1f"),
        SIGNED.replace("permission", "permission\ud800"),
        SIGNED + "— witness.example AAAAAAAAA",
    ],
)
def test_a_malformed_note_is_refused(note):
    assert open_note(SIGNED, [LOG.verifier]).text == TEXT

    with pytest.raises(NoteRefused):
        open_note(note, [LOG.verifier])


@pytest.mark.parametrize("text", ["tab\t\n", "return\r\n", "nothing\x00\n", "unit\x1f\n", "a" * LONGEST + "\n"])
def test_a_text_that_can_not_stand_in_a_note_is_refused_even_when_signed(text):
    signature = _line(LOG.name, LOG.verifier.key_id + LOG.key.sign(text.encode()))

    with pytest.raises(NoteRefused):
        open_note(f"{text}\n{signature}", [LOG.verifier])


def test_a_note_with_any_one_letter_changed_is_refused():
    changed = [f"{SIGNED[:at]}{chr(ord(letter) ^ 1)}{SIGNED[at + 1 :]}" for at, letter in enumerate(SIGNED)]

    assert [each for each in changed if _opens(each)] == []


def test_a_note_with_any_one_letter_left_out_or_doubled_is_refused():
    shorter = [SIGNED[:at] + SIGNED[at + 1 :] for at in range(len(SIGNED))]
    longer = [SIGNED[:at] + SIGNED[at] + SIGNED[at:] for at in range(len(SIGNED))]

    assert [each for each in shorter + longer if _opens(each)] == []


def test_the_unused_bits_of_base64_can_not_be_varied():
    encoded = LINE.split(" ")[2][:-1]
    lax = encoded[:-2] + chr(ord(encoded[-2]) + 1) + "="

    with pytest.raises(NoteRefused) as refused:
        open_note(SIGNED.replace(encoded, lax), [LOG.verifier])

    assert refused.value.detail == "not standard base64 in its one form"


@pytest.mark.parametrize(
    "text", ["", "no newline", "a\nb", "tab\t\n", "return\r\n", "half\ud800\n", "a" * LONGEST + "\n"]
)
def test_a_text_that_can_not_stand_in_a_note_is_not_signed(text):
    with pytest.raises(NoteRefused):
        sign(text, [LOG])


def test_a_note_without_signers_is_not_made():
    with pytest.raises(NoteRefused):
        sign(TEXT, [])


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\tb", "a\u00a0b", "a\u2028b", "a\x00b", "a\ud800b"])
def test_a_name_that_can_not_stand_in_a_note_is_refused(name):
    with pytest.raises(NoteRefused):
        vkey(name, bytes(32))
    with pytest.raises(NoteRefused):
        sign(TEXT, [Signer(name=name, key=LOG.key)])


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_public_key_of_another_length_is_refused(length):
    with pytest.raises(NoteRefused):
        Verifier(name="example.com/consent", public_key=bytes(length))


def test_a_verifier_key_is_read_as_it_was_written():
    line = vkey(LOG.name, LOG.verifier.public_key)

    assert verifier_of(line) == LOG.verifier
    assert line.startswith(f"example.com/consent+{LOG.verifier.key_id.hex()}+A")


def test_a_verifier_key_of_another_algorithm_or_id_is_refused():
    witness_type = b64(b"\x04" + LOG.verifier.public_key)
    key_id = LOG.verifier.key_id.hex()
    good = vkey(LOG.name, LOG.verifier.public_key)

    for line in [
        f"{LOG.name}+{key_id}+{witness_type}",
        good.replace(key_id, "00000000"),
        good.replace(key_id, key_id.upper()),
        good.replace(key_id, key_id[:7]),
        good.replace("consent", "other"),
        good + "\n",
        good[:-1],
        "",
        "++",
    ]:
        with pytest.raises(NoteRefused):
            verifier_of(line)


def test_two_keys_that_a_note_could_not_tell_apart_are_refused():
    class Twin(Verifier):
        key_id = LOG.verifier.key_id

    twin = Twin(name=LOG.name, public_key=WITNESS.verifier.public_key)

    with pytest.raises(NoteRefused) as refused:
        open_note(SIGNED, [LOG.verifier, twin])

    assert refused.value.detail == "two of the known keys have one name and id"


def test_a_signer_does_not_show_its_key():
    assert repr(LOG) == "Signer(name='example.com/consent')"


def _line(name, signature):
    return f"— {name} {b64(signature)}\n"


def _opens(note):
    try:
        open_note(note, [LOG.verifier])
    except NoteRefused:
        return False
    return True
