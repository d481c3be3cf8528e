"""Laws of the tree, against the definitions of RFC 9162 written down as they stand there: slow and recursive."""

from functools import cache
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    ProofRefused,
    append_all,
    consistency_nodes,
    consistency_proof,
    frontier_positions,
    inclusion_nodes,
    inclusion_proof,
    leaf_hash,
    root,
    root_of,
    verify_consistency,
    verify_inclusion,
)

LARGEST = 64
MUTATIONS = 10_000  # of each kind of proof
LEAVES = tuple(leaf_hash(number.to_bytes(2)) for number in range(300))
SIZES = range(1, LARGEST + 1)


# ------------------------------------------------------------------------------------------------------- RFC 9162, 2.1


@cache
def mth(first, end):
    """Return MTH(D[first:end])."""
    if end - first <= 1:
        return LEAVES[first] if end > first else sha256(b"").digest()
    middle = first + split(end - first)
    return sha256(b"\x01" + mth(first, middle) + mth(middle, end)).digest()


def split(width):
    power = 1
    while power * 2 < width:
        power *= 2
    return power


def path(index, first, end):
    """Return PATH(index - first, D[first:end]), and for each hash the side it is on."""
    if end - first == 1:
        return [], ""
    middle = first + split(end - first)
    if index < middle:
        below, sides = path(index, first, middle)
        return [*below, mth(middle, end)], sides + "R"
    below, sides = path(index, middle, end)
    return [*below, mth(first, middle)], sides + "L"


def subproof(old, first, end, *, whole):
    """Return SUBPROOF(old - first, D[first:end], whole), and for each hash the side it is on."""
    if old == end:
        return ([], "=") if whole else ([mth(first, end)], "-")
    middle = first + split(end - first)
    if old <= middle:
        below, sides = subproof(old, first, middle, whole=whole)
        return [*below, mth(middle, end)], sides + "R"
    below, sides = subproof(old, middle, end, whole=False)
    return [*below, mth(first, middle)], sides + "L"


# --------------------------------------------------------------------------------------------------------------- laws


@pytest.fixture(scope="module")
def nodes():
    """Return what a store would hold of all leaves: leaf hashes at level 0, perfect subtrees above."""
    _, above = append_all(Frontier(), LEAVES)
    return {(0, index): leaf for index, leaf in enumerate(LEAVES)} | {node[:2]: node[2] for node in above}


def test_the_root_is_that_of_the_definition_at_every_size():
    sizes = range(len(LEAVES) + 1)

    assert [root(LEAVES[:size]) for size in sizes] == [mth(0, size) for size in sizes]
    assert [root_of(append_all(Frontier(), LEAVES[:size])[0]) for size in sizes] == [mth(0, size) for size in sizes]
    assert mth(0, 0) == EMPTY_ROOT


def test_every_inclusion_proof_is_that_of_the_definition_and_holds(nodes):
    for size in SIZES:
        for index in range(size):
            needed = {position: nodes[position] for position in inclusion_nodes(index, size)}
            proof = inclusion_proof(index, size, nodes=needed)
            assert proof == path(index, 0, size)[0]
            verify_inclusion(LEAVES[index], index=index, size=size, proof=proof, root=mth(0, size))


def test_every_consistency_proof_is_that_of_the_definition_and_holds(nodes):
    for new in SIZES:
        for old in range(1, new + 1):
            needed = {position: nodes[position] for position in consistency_nodes(old, new)}
            proof = consistency_proof(old, new, nodes=needed)
            assert proof == subproof(old, 0, new, whole=True)[0]
            verify_consistency(old, new, proof=proof, old_root=mth(0, old), new_root=mth(0, new))


def test_a_proof_needs_only_nodes_that_were_perfect_at_that_size():
    for size in SIZES:
        perfect = {(level, index) for level in range(7) for index in range(size >> level)}
        needed = {position for index in range(size) for position in inclusion_nodes(index, size)}
        needed |= {position for old in range(1, size + 1) for position in consistency_nodes(old, size)}
        assert needed <= perfect


def test_every_node_is_completed_once_and_is_the_root_of_its_leaves():
    _, completed = append_all(Frontier(), LEAVES)

    expected = {
        (level, index, mth(index << level, (index + 1) << level))
        for level in range(1, 9)
        for index in range(len(LEAVES) >> level)
    }

    assert len(completed) == len(expected)
    assert set(completed) == expected


@given(st.integers(0, 200), st.lists(st.integers(0, 60), max_size=4))
def test_many_at_once_equals_one_by_one_from_any_start(start, batches):
    start, begun = append_all(Frontier(), LEAVES[:start])
    added = LEAVES[start.size : start.size + sum(batches)]

    single, of_singles = start, list(begun)
    for leaf in added:
        single, completed = append_all(single, [leaf])
        of_singles += completed
    batched, of_batches, rest = start, list(begun), list(added)
    for batch in batches:
        batched, completed = append_all(batched, rest[:batch])
        of_batches, rest = of_batches + completed, rest[batch:]
    whole, of_whole = append_all(Frontier(), LEAVES[: start.size] + added)

    assert single == batched == whole
    assert sorted(of_singles) == sorted(of_batches) == sorted(of_whole)


@given(st.integers(0, 2**63 - 1))
def test_the_edge_covers_every_leaf_once_from_left_to_right(size):
    reached = 0
    for level, index in frontier_positions(size):
        assert index << level == reached
        reached = (index + 1) << level
    assert reached == size


@given(st.integers(1, 2**63 - 1), st.data())
def test_a_proof_in_a_tree_of_any_size_needs_at_most_126_nodes(size, data):
    index = data.draw(st.integers(0, size - 1))

    assert len(inclusion_nodes(index, size)) <= 126
    assert len(consistency_nodes(index + 1, size)) <= 126


# ----------------------------------------------------------------------------------------------------------- mutations


def test_ten_thousand_mutated_inclusion_proofs_are_refused():
    random = Random(6962)  # noqa: S311 -- a seed makes the mutations the same in every run
    accepted = []
    for _ in range(MUTATIONS):
        size = random.randint(1, LARGEST)
        index = random.randrange(size)
        good = {
            "leaf": LEAVES[index],
            "sizes": (index, size),
            "proof": path(index, 0, size)[0],
            "roots": (mth(0, size),),
        }
        _includes(**good)
        mutant = _mutant(random, good, same=_same_way_up)
        if _is_accepted(_includes, mutant):
            accepted.append((good, mutant))

    assert accepted == []


def test_ten_thousand_mutated_consistency_proofs_are_refused():
    random = Random(9162)  # noqa: S311 -- a seed makes the mutations the same in every run
    accepted = []
    for _ in range(MUTATIONS):
        new = random.randint(1, LARGEST)
        old = random.randint(1, new)
        proof, _ = subproof(old, 0, new, whole=True)
        good = {"sizes": (old, new), "proof": proof, "roots": (mth(0, old), mth(0, new))}
        _agrees(**good)
        mutant = _mutant(random, good, same=_same_growth)
        if _is_accepted(_agrees, mutant):
            accepted.append((good, mutant))

    assert accepted == []


ANYTHING = st.one_of(
    st.none(), st.integers(), st.floats(), st.binary(), st.binary(min_size=32, max_size=32), st.text(max_size=40)
)


@given(ANYTHING, st.tuples(ANYTHING, ANYTHING), ANYTHING | st.lists(ANYTHING), st.tuples(ANYTHING, ANYTHING))
def test_whatever_the_input_the_verifiers_refuse_it_and_raise_nothing_else(leaf, sizes, proof, roots):
    with pytest.raises(ProofRefused):
        _includes(leaf, sizes, proof, (b"not a root",))
    with pytest.raises(ProofRefused):
        _agrees(sizes, proof, (roots[0], b"not a root"))


def _includes(leaf, sizes, proof, roots):
    verify_inclusion(leaf, index=sizes[0], size=sizes[1], proof=proof, root=roots[0])


def _agrees(sizes, proof, roots):
    verify_consistency(sizes[0], sizes[1], proof=proof, old_root=roots[0], new_root=roots[1])


def _is_accepted(verify, mutant):
    try:
        verify(**mutant)
    except ProofRefused:
        return False
    return True


def _mutant(random, good, *, same):
    """Return `good` with one thing changed, such that it says something else."""
    while True:
        part = random.choice(sorted(good))
        mutant = good | {part: _MUTATORS[part](random, good[part])}
        if mutant != good and not (part == "sizes" and same(good["sizes"], mutant["sizes"])):
            return mutant


def _same_way_up(sizes, others):
    """Say whether both lead the leaf up the same way: then the proof holds for both, and only the root tells."""
    (index, size), (other, other_size) = sizes, others
    return (
        all(type(each) is int for each in others)
        and 0 <= other < other_size <= len(LEAVES)
        and path(index, 0, size)[1] == path(other, 0, other_size)[1]
    )


def _same_growth(sizes, others):
    """Say whether both fold the same way: then the proof holds for both, and only the roots tell."""
    (old, new), (other_old, other_new) = sizes, others
    return (
        all(type(each) is int for each in others)
        and 0 < other_old <= other_new <= len(LEAVES)
        and subproof(old, 0, new, whole=True)[1] == subproof(other_old, 0, other_new, whole=True)[1]
    )


def _other_hash(random, good):
    flipped = bytearray(good)
    flipped[random.randrange(len(good))] ^= 1 << random.randrange(8)
    others = [bytes(flipped), good[:-1], good + b"\x00", b"", None, good.hex(), random.choice(LEAVES), EMPTY_ROOT]
    return random.choice(others)


def _other_sizes(random, good):
    at = random.randrange(2)
    changed = list(good)
    changed[at] = random.choice(
        [
            good[at] + random.randint(1, 4),
            good[at] - random.randint(1, 4),
            good[at] ^ 1 << random.randrange(9),
            good[at] * 2,
            good[at] // 2,
            -good[at] - 1,
            random.randrange(len(LEAVES)),
            2**63 + good[at],
            2**200,
            float(good[at]) + 0.5,
            None,
            str(good[at]),
        ]
    )
    return random.choice([tuple(changed), good[::-1]])


def _other_proof(random, good):
    at, other = random.randrange(len(good) + 1), random.randrange(len(good) + 1)
    longer = [*good[:at], random.choice([random.choice(LEAVES), random.randbytes(32)]), *good[at:]]
    shorter = good[:at] + good[at + 1 :]
    swapped = list(good)
    if at < len(good) and other < len(good):
        swapped[at], swapped[other] = swapped[other], swapped[at]
    changed = [_other_hash(random, each) if spot == at else each for spot, each in enumerate(good)]
    joined = [b"".join(good[:2]), *good[2:]]
    return random.choice(
        [longer, shorter, swapped, changed, changed, joined, good[::-1], good[:at], None, b"".join(good)]
    )


def _other_roots(random, good):
    at = random.randrange(len(good))
    changed = tuple(_other_hash(random, each) if spot == at else each for spot, each in enumerate(good))
    return random.choice([changed, changed, good[::-1]])


_MUTATORS = {"leaf": _other_hash, "sizes": _other_sizes, "proof": _other_proof, "roots": _other_roots}
