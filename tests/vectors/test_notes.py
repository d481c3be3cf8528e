"""Our notes against those of C2SP and Go."""

import json

import pytest

from consent.ledger.note import NoteRefused, Verifier, open_note, verifier_of, vkey


@pytest.fixture(scope="session")
def examples(published):
    return json.loads((published / "signed-note-examples.json").read_text("utf-8"))


def test_every_published_note_opens_with_its_published_key(examples):
    opened = [open_note(example["note"], [verifier_of(example["vkey"])]) for example in examples]

    assert [note.signed_by for note in opened] == [("example.com/foo",), ("PeterNeumann",), ("EnochRoot",)]
    assert [note.text + "\n" for note in opened] == [example["note"].partition("—")[0] for example in examples]
    assert [note.unverified for note in opened] == [0, 0, 0]


def test_a_published_verifier_key_is_written_as_it_was_read(examples):
    keys = [verifier_of(example["vkey"]) for example in examples]

    assert [vkey(key.name, key.public_key) for key in keys] == [example["vkey"] for example in examples]


def test_a_published_note_carries_its_neighbours_signature_as_unverified(examples):
    peter, enoch = examples[1:]
    both = peter["note"] + enoch["note"].rpartition("\n\n")[2]

    by_peter = open_note(both, [verifier_of(peter["vkey"])])
    by_both = open_note(both, [verifier_of(enoch["vkey"]), verifier_of(peter["vkey"])])

    assert (by_peter.signed_by, by_peter.unverified) == (("PeterNeumann",), 1)
    assert (by_both.signed_by, by_both.unverified) == (("PeterNeumann", "EnochRoot"), 0)


def test_every_piece_of_a_published_verifier_key_is_refused(examples):
    whole = examples[1]["vkey"]
    pieces = {whole[start:end] for start in range(len(whole)) for end in range(start + 1, len(whole) + 1)} - {whole}

    assert [piece for piece in sorted(pieces) if _is_key(piece)] == []


def test_a_published_verifier_key_with_any_one_letter_changed_is_refused(examples):
    whole = examples[1]["vkey"]
    changed = [f"{whole[:at]}{chr(ord(letter) + 1)}{whole[at + 1 :]}" for at, letter in enumerate(whole)]

    assert [each for each in changed if _is_key(each)] == []


def test_a_published_note_is_refused_under_another_key_of_the_same_name(examples):
    peter = examples[1]
    impostor = Verifier(name="PeterNeumann", public_key=bytes(32))

    with pytest.raises(NoteRefused) as refused:
        open_note(peter["note"], [impostor])

    assert refused.value.detail == "no known key has signed"


def _is_key(line):
    try:
        verifier_of(line)
    except NoteRefused:
        return False
    return True
