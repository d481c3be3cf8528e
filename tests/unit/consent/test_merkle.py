"""Trees, edges and proofs, case by case."""

import pytest

from consent.base.errors import EntryUnknown, LedgerBroken
from consent.ledger.merkle import (
    EMPTY_ROOT,
    GREATEST_SIZE,
    Frontier,
    ProofRefused,
    append_all,
    consistency_nodes,
    consistency_path,
    consistency_proof,
    frontier_positions,
    inclusion_nodes,
    inclusion_path,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    root_of,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(bytes([number])) for number in range(7)]
A, B, C, D, E, F, G = LEAVES
AB, CD, EF = node_hash(A, B), node_hash(C, D), node_hash(E, F)
ABCD = node_hash(AB, CD)
NODES = {(0, index): leaf for index, leaf in enumerate(LEAVES)} | {(1, 0): AB, (1, 1): CD, (1, 2): EF, (2, 0): ABCD}
ROOT = node_hash(ABCD, node_hash(EF, G))


def test_seven_leaves_make_the_tree_of_the_rfc():
    assert root(LEAVES) == ROOT
    assert root(LEAVES[:1]) == A
    assert root([]) == EMPTY_ROOT
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_leaf_and_a_node_of_the_same_bytes_differ():
    assert leaf_hash(A + B) != node_hash(A, B)


def test_appending_names_each_subtree_as_it_becomes_perfect():
    first, of_first = append_all(Frontier(), LEAVES[:3])
    second, of_second = append_all(first, LEAVES[3:])

    assert (first, of_first) == (Frontier(size=3, hashes=(AB, C)), [(1, 0, AB)])
    assert (second, of_second) == (Frontier(size=7, hashes=(ABCD, EF, G)), [(1, 1, CD), (1, 2, EF), (2, 0, ABCD)])
    assert (root_of(first), root_of(second)) == (node_hash(AB, C), ROOT)


def test_appending_nothing_changes_nothing():
    frontier, _ = append_all(Frontier(), LEAVES)

    assert append_all(frontier, []) == (frontier, [])
    assert append_all(Frontier(), []) == (Frontier(), [])
    assert root_of(Frontier()) == EMPTY_ROOT


def test_the_edge_of_a_tree_follows_the_bits_of_its_size():
    assert [frontier_positions(size) for size in range(9)] == [
        [],
        [(0, 0)],
        [(1, 0)],
        [(1, 0), (0, 2)],
        [(2, 0)],
        [(2, 0), (0, 4)],
        [(2, 0), (1, 2)],
        [(2, 0), (1, 2), (0, 6)],
        [(3, 0)],
    ]


@pytest.mark.parametrize(
    ("size", "hashes"), [(0, (A,)), (1, ()), (2, (A, B)), (3, (AB,)), (1, (A[:31],)), (-1, (A,)), (2**64, (A,))]
)
def test_an_edge_that_does_not_fit_its_size_is_a_broken_ledger(size, hashes):
    with pytest.raises(LedgerBroken):
        Frontier(size=size, hashes=hashes)


def test_an_inclusion_path_climbs_from_the_leaf():
    assert inclusion_path(4, 7) == [(5, 6), (6, 7), (0, 4)]
    assert inclusion_nodes(4, 7) == [(0, 5), (0, 6), (2, 0)]
    assert inclusion_proof(4, 7, nodes=NODES) == [F, G, ABCD]


def test_the_ragged_edge_of_a_proof_is_folded_from_perfect_subtrees():
    assert inclusion_path(0, 7) == [(1, 2), (2, 4), (4, 7)]
    assert inclusion_nodes(0, 7) == [(0, 1), (1, 1), (1, 2), (0, 6)]
    assert inclusion_proof(0, 7, nodes=NODES) == [B, CD, node_hash(EF, G)]


def test_the_only_leaf_needs_no_proof():
    assert inclusion_proof(0, 1, nodes={}) == []
    verify_inclusion(A, index=0, size=1, proof=[], root=A)


def test_a_consistency_proof_is_that_of_the_rfc():
    assert consistency_path(3, 7) == [(2, 3), (3, 4), (0, 2), (4, 7)]
    assert consistency_nodes(3, 7) == [(0, 2), (0, 3), (1, 0), (1, 2), (0, 6)]
    assert consistency_proof(3, 7, nodes=NODES) == [C, D, AB, node_hash(EF, G)]
    assert consistency_proof(4, 7, nodes=NODES) == [node_hash(EF, G)]
    assert consistency_proof(6, 7, nodes=NODES) == [EF, G, ABCD]
    assert consistency_proof(7, 7, nodes={}) == []


@pytest.mark.parametrize(("index", "size"), [(0, 0), (7, 7), (8, 7), (-1, 7)])
def test_no_proof_is_made_of_an_entry_that_is_not_there(index, size):
    with pytest.raises(EntryUnknown):
        inclusion_nodes(index, size)


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 7), (8, 7), (-1, 7)])
def test_no_proof_is_made_of_a_beginning_that_is_not_there(old, new):
    with pytest.raises(EntryUnknown):
        consistency_nodes(old, new)


def test_a_missing_node_is_a_broken_ledger_and_is_named():
    nodes = {position: each for position, each in NODES.items() if position != (1, 1)}

    with pytest.raises(LedgerBroken) as broken:
        inclusion_proof(0, 7, nodes=nodes)

    assert broken.value.detail == "the tree's node (1, 1) is missing"


@pytest.mark.parametrize(
    "wrong",
    [
        {"leaf": B},
        {"leaf": A[:31]},
        {"leaf": bytearray(A)},
        {"leaf": None},
        {"index": 1},
        {"index": 7},
        {"index": -1},
        {"index": 2**63},
        {"index": 10**4000},
        {"index": 0.0},
        {"index": False},
        {"index": "0"},
        {"size": 0},
        {"size": 2},
        {"size": 9},
        {"size": -7},
        {"size": 10**4000},
        {"size": None},
        {"proof": []},
        {"proof": [B, CD]},
        {"proof": [B, CD, node_hash(EF, G), G]},
        {"proof": [CD, B, node_hash(EF, G)]},
        {"proof": [B + CD, node_hash(EF, G)]},
        {"proof": [B, CD, None]},
        {"proof": [B, CD, "a" * 32]},
        {"proof": [B] * 100_000},
        {"proof": b"a" * 32},
        {"proof": None},
        {"proof": {0: B}},
        {"root": ABCD},
        {"root": b""},
        {"root": "root"},
        {"root": None},
    ],
)
def test_a_wrong_inclusion_proof_is_refused_and_nothing_else(wrong):
    good = {"leaf": A, "index": 0, "size": 7, "proof": [B, CD, node_hash(EF, G)], "root": ROOT}
    _verify_inclusion(good)

    with pytest.raises(ProofRefused):
        _verify_inclusion(good | wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"old_size": 0},
        {"old_size": 0, "proof": []},
        {"old_size": 2},
        {"old_size": 4},
        {"old_size": 8},
        {"old_size": -3},
        {"old_size": 10**4000},
        {"old_size": 3.0},
        {"old_size": True},
        {"old_size": GREATEST_SIZE, "new_size": GREATEST_SIZE + 1},
        {"new_size": 3},
        {"new_size": 2},
        {"new_size": 9},
        {"new_size": None},
        {"proof": []},
        {"proof": [C, D, AB]},
        {"proof": [D, AB, node_hash(EF, G)]},
        {"proof": [C, D, AB, node_hash(EF, G), G]},
        {"proof": [C, D, AB + node_hash(EF, G)]},
        {"proof": [C, D, AB, None]},
        {"proof": (each for each in [C, D])},
        {"old_root": ROOT},
        {"old_root": b""},
        {"old_root": None},
        {"new_root": ABCD},
        {"new_root": "root"},
    ],
)
def test_a_wrong_consistency_proof_is_refused_and_nothing_else(wrong):
    good = {
        "old_size": 3,
        "new_size": 7,
        "proof": [C, D, AB, node_hash(EF, G)],
        "old_root": node_hash(AB, C),
        "new_root": ROOT,
    }
    _verify_consistency(good)

    with pytest.raises(ProofRefused):
        _verify_consistency(good | wrong)


@pytest.mark.parametrize(
    ("proof", "old_root", "new_root"), [([A], ROOT, ROOT), ([], ROOT, ABCD), ([], None, None), ([], "root", "root")]
)
def test_one_size_needs_one_root_and_no_proof(proof, old_root, new_root):
    verify_consistency(7, 7, proof=[], old_root=ROOT, new_root=ROOT)

    with pytest.raises(ProofRefused):
        verify_consistency(7, 7, proof=proof, old_root=old_root, new_root=new_root)


def test_no_tree_is_larger_than_a_signed_64_bit_number_can_count():
    verify_consistency(GREATEST_SIZE, GREATEST_SIZE, proof=[], old_root=ROOT, new_root=ROOT)

    with pytest.raises(ProofRefused):
        verify_consistency(GREATEST_SIZE + 1, GREATEST_SIZE + 1, proof=[], old_root=ROOT, new_root=ROOT)


def _verify_inclusion(case):
    verify_inclusion(case["leaf"], index=case["index"], size=case["size"], proof=case["proof"], root=case["root"])


def _verify_consistency(case):
    sizes = case["old_size"], case["new_size"]
    verify_consistency(*sizes, proof=case["proof"], old_root=case["old_root"], new_root=case["new_root"])
