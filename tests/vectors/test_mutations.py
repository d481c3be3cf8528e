"""Fault 18: a hundred thousand mutations of good proofs. Every one is refused, and nothing else is ever raised.

What is mutated is the text, the hashes and the numbers, as somebody would who has a good proof and wants another. What
says the same over the same signatures is none: signature lines in another order, or with others among them.
"""

import base64
import random
from collections import Counter

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.ledger import checkpoint, cosignature, merkle, note, proof, trust
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.cosignature import Cosigner
from consent.ledger.merkle import ProofRefused
from consent.ledger.note import NoteRefused, Signer

TEXTS, ROTATIONS, INCLUSIONS, CONSISTENCIES = 50_000, 10_000, 20_000, 20_000
ORIGIN = "shop.example/consent/2026h2"
LOG = Signer(name=ORIGIN, key=Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
NEXT = Signer(name=ORIGIN, key=Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32))
WITNESS = Cosigner(name="witness.example", key=Ed25519PrivateKey.from_private_bytes(bytes([3]) * 32))
SIZES = (1, 2, 3, 7, 8, 21, 64, 100, 255, 256)
LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(max(SIZES))]
STRANGE = "\x00\t\r\n\x0b\x1f\x7f\x85\u2028 +=-/_—é\ud800\U0001f600\uff10"
"""Letters that have broken parsers: controls, other line ends, half of a surrogate pair, a digit that isn't ASCII."""


def nodes_of(size):
    _, nodes = merkle.append_all(merkle.Frontier(), LEAVES[:size])
    found = {(0, index): leaf for index, leaf in enumerate(LEAVES[:size])}
    return {**found, **{(level, index): node for level, index, node in nodes}}


def signed(size):
    """Return a checkpoint that the log has signed and the witness cosigned."""
    said = checkpoint.sign(Checkpoint(origin=ORIGIN, size=size, root=merkle.root(LEAVES[:size])), LOG)
    return said + cosignature.cosign(note.split(said)[0], WITNESS, at=1_795_255_200)


def good_texts():
    """Return proofs as they leave the house, each with the leaf that it is of."""
    found = []
    for size in SIZES:
        nodes, said = nodes_of(size), signed(size)
        for index in sorted({0, size // 3, size // 2, size - 1}):
            path = merkle.inclusion_proof(index, size, nodes=nodes)
            found.append((proof.write(index, path, checkpoint_note=said), LEAVES[index]))
    return found


# -------------------------------------------------------------------------------------------------------- how to mutate


def another_letter(text, chance):
    spot = chance.randrange(len(text))
    return text[:spot] + chr(chance.randint(32, 126)) + text[spot + 1 :]


def a_strange_letter(text, chance):
    spot = chance.randrange(len(text) + 1)
    return text[:spot] + chance.choice(STRANGE) + text[spot + chance.randint(0, 1) :]


def a_piece_taken_out(text, chance):
    spot = chance.randrange(len(text))
    return text[:spot] + text[spot + chance.randint(1, 60) :]


def a_piece_twice(text, chance):
    spot = chance.randrange(len(text))
    end = spot + chance.randint(1, 60)
    return text[:end] + text[spot:]


def cut_off(text, chance):
    return text[: chance.randrange(len(text))]


def longer(text, chance):
    return text + chance.choice(["\n", " ", "\n\n", "x", "— other.example AAAA", "\x00"])


def a_line_taken_out(text, chance):
    lines = text.split("\n")
    del lines[chance.randrange(len(lines))]
    return "\n".join(lines)


def lines_exchanged(text, chance):
    lines = text.split("\n")
    one, other = (chance.randrange(len(lines)) for _ in range(2))
    lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


def a_bit_of_base64(text, chance):
    """Flip a bit of a hash or a signature, and write it down again as it should be."""
    lines = text.split("\n")
    spots = [spot for spot, line in enumerate(lines) if len(line.rpartition(" ")[2]) >= 43]
    if not spots:
        return another_letter(text, chance)
    spot = chance.choice(spots)
    before, space, encoded = lines[spot].rpartition(" ")
    try:
        raw = bytearray(base64.b64decode(encoded, validate=True))
    except ValueError:
        return another_letter(text, chance)
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    lines[spot] = before + space + base64.b64encode(raw).decode()
    return "\n".join(lines)


def another_number(text, chance):
    lines = text.split("\n")
    spots = [spot for spot, line in enumerate(lines) if line.removeprefix("index ").isdigit()]
    if not spots:
        return another_letter(text, chance)
    spot = chance.choice(spots)
    before, number = lines[spot][: -len(lines[spot].removeprefix("index "))], lines[spot].removeprefix("index ")
    lines[spot] = before + str(
        chance.choice([int(number) + 1, int(number) - 1, chance.randrange(1 << 70), f"0{number}", f"+{number}"])
    )
    return "\n".join(lines)


def a_line_of_another(text, chance):
    """Put in a line of another good proof, at any place."""
    lines, others = text.split("\n"), chance.choice(TEXTS_OF_OTHERS).split("\n")
    lines[chance.randrange(len(lines))] = chance.choice(others)
    return "\n".join(lines)


MUTATIONS = (
    another_letter, a_strange_letter, a_piece_taken_out, a_piece_twice, cut_off, longer, a_line_taken_out,
    lines_exchanged, a_bit_of_base64, another_number, a_line_of_another,
)  # fmt: skip
GOOD = good_texts()
TEXTS_OF_OTHERS = [text for text, _ in GOOD]


def proves_the_same(text, mutant):
    """Say whether a text still says the same over the same signatures, in whatever order, beside whatever others."""
    (said, _, lines), (said_now, _, lines_now) = text.rpartition("\n\n"), mutant.rpartition("\n\n")
    return said == said_now and set(lines.split("\n")) <= set(lines_now.split("\n"))


def mutants(good, count, chance, mutations=MUTATIONS):
    """Make texts out of a good one in one way or two, none of which proves the same as it."""
    while count:
        text, about = chance.choice(good)
        mutant, how = text, chance.choices(mutations, k=chance.choice((1, 1, 1, 2)))
        for mutation in how:
            mutant = mutation(mutant or text, chance)
        if not proves_the_same(text, mutant):
            count -= 1
            yield mutant, about


# ------------------------------------------------------------------------------------------------------------ the tests


def accepted(verify, *said, **more):
    """Say whether something is accepted; whatever is raised but these two breaks the test."""
    try:
        verify(*said, **more)
    except (NoteRefused, ProofRefused):
        return False
    return True


def test_the_proofs_are_good_before_they_are_mutated():
    sizes = [
        proof.verify(text, leaf=leaf, verifiers=[LOG.verifier], witnesses=[WITNESS.verifier]).size
        for text, leaf in GOOD
    ]
    assert all(sizes)


@pytest.mark.parametrize("witnesses", [(), (WITNESS.verifier,)])
def test_no_mutated_proof_is_accepted(witnesses):
    chance = random.Random(18 + len(witnesses))  # noqa: S311 -- the same each time
    good = GOOD if witnesses else [(text.rpartition("— witness")[0], leaf) for text, leaf in GOOD]
    keys = {"verifiers": [LOG.verifier], "witnesses": witnesses}
    wrong = [
        mutant
        for mutant, leaf in mutants(good, TEXTS // 2, chance)
        if accepted(proof.verify, mutant, leaf=leaf, **keys)
    ]

    assert wrong == []


def test_no_mutated_rotation_of_a_key_is_accepted():
    chance = random.Random(19)  # noqa: S311 -- as above
    good = [(trust.rotation_note(ORIGIN, size, old=LOG, new=NEXT), size) for size in SIZES]

    assert [mutant for mutant, _ in mutants(good, ROTATIONS, chance) if accepted(trust.read_rotation, mutant)] == []


def flipped(value, chance):
    spot = chance.randrange(len(value))
    return value[:spot] + bytes([value[spot] ^ 1 << chance.randrange(8)]) + value[spot + 1 :]


def other_hash(value, chance):
    return chance.choice(
        [flipped(value, chance), bytes(32), value[:-1], value + b"\x00", b"", chance.randbytes(32), value[::-1]]
    )


def other_path(path, chance):
    """Return a path of hashes with one of them changed, missing, doubled, or in another place; or what is no path."""
    path = list(path)
    if not path:
        return [chance.randbytes(32)]
    spot, other = chance.randrange(len(path)), chance.randrange(len(path))
    what = chance.randrange(6)
    if what == 0:
        path[spot] = other_hash(path[spot], chance)
    elif what == 1:
        del path[spot]
    elif what == 2:
        path.insert(other, path[spot])
    elif what == 3:
        path[spot], path[other] = path[other], path[spot]
    elif what == 4:
        path = path * chance.choice((2, 40))
    else:
        path[spot] = chance.choice(["x" * 32, None, 7, bytearray(31)])
    return path


def other_index(index, size, chance):
    return chance.choice(
        [index + 1, index - 1, index ^ (1 << chance.randrange(9)), -index - 1, size, index + (1 << 64), None, "1", 1.5]
    )


def other_path_claims(good, size, chance):
    """Change one thing that a proof of inclusion says; return its name and what it says now."""
    what = chance.choice(sorted(good))
    if what == "proof":
        return what, {**good, what: other_path(good[what], chance)}
    if what == "index":
        return what, {**good, what: other_index(good[what], size, chance)}
    return what, {**good, what: other_hash(good[what], chance)}


def test_no_mutated_path_of_inclusion_is_accepted():
    chance = random.Random(20)  # noqa: S311 -- as above
    trees = {size: (nodes_of(size), merkle.root(LEAVES[:size])) for size in SIZES}
    wrong: list[object] = []
    done: Counter[str] = Counter()
    while done.total() < INCLUSIONS:
        size = chance.choice(SIZES)
        nodes, root = trees[size]
        index = chance.randrange(size)
        path = merkle.inclusion_proof(index, size, nodes=nodes)
        good = {"leaf": LEAVES[index], "index": index, "root": root, "proof": path}
        what, said = other_path_claims(good, size, chance)
        if said == good:
            continue
        done[what] += 1
        if accepted(merkle.verify_inclusion, said.pop("leaf"), size=size, **said):
            wrong.append((what, size, said))

    assert (wrong, len(done)) == ([], 4)


def other_history(good, old, new, chance):
    """Change one thing that a proof of consistency says; return its name, and sizes and the rest as they are now."""
    what = chance.choice([*sorted(good), "sizes"])
    if what == "sizes":
        others = [(new, old), (0, new), (-old, new), (old, -new), (old, new + (1 << 64)), (None, new)]
        return what, chance.choice(others), good
    if what == "proof":
        return what, (old, new), {**good, what: other_path(good[what], chance)}
    return what, (old, new), {**good, what: other_hash(good[what], chance)}


def test_no_mutated_proof_of_consistency_is_accepted():
    chance = random.Random(21)  # noqa: S311 -- as above
    nodes = {size: nodes_of(size) for size in SIZES}
    roots = [merkle.root(LEAVES[:size]) for size in range(max(SIZES) + 1)]
    wrong: list[object] = []
    done: Counter[str] = Counter()
    while done.total() < CONSISTENCIES:
        new = chance.choice(SIZES[1:])
        old = chance.randrange(1, new)
        path = merkle.consistency_proof(old, new, nodes=nodes[new])
        good = {"old_root": roots[old], "new_root": roots[new], "proof": path}
        what, sizes, said = other_history(good, old, new, chance)
        if (sizes, said) == ((old, new), good):
            continue
        done[what] += 1
        if accepted(merkle.verify_consistency, *sizes, **said):
            wrong.append((what, sizes, said))

    assert (wrong, len(done)) == ([], 4)


def test_all_together_they_are_a_hundred_thousand():
    assert TEXTS + ROTATIONS + INCLUSIONS + CONSISTENCIES == 100_000
