"""Our tree against the published ones: transparency-dev/merkle, and the Merkle tree certificates' draft."""

import json
from base64 import b64decode
from hashlib import sha256
from itertools import pairwise

import pytest

from consent.ledger.merkle import (
    Frontier,
    ProofRefused,
    append_all,
    inclusion_nodes,
    inclusion_proof,
    leaf_hash,
    root,
    root_of,
    verify_consistency,
    verify_inclusion,
)

SUBTREE_LEAVES = 130


@pytest.fixture(scope="session")
def tree(published):
    return json.loads((published / "rfc6962-roots.json").read_text("utf-8"))


def test_the_classic_leaves_give_the_published_roots_at_every_size(tree):
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in tree["leaves_hex"]]

    roots = [root(leaves[:size]).hex() for size in range(len(leaves) + 1)]

    assert roots == tree["roots_hex"]


def test_appending_the_classic_leaves_one_by_one_passes_through_the_published_roots(tree):
    frontiers = [Frontier()]
    for leaf in tree["leaves_hex"]:
        frontiers.append(append_all(frontiers[-1], [leaf_hash(bytes.fromhex(leaf))])[0])

    assert [root_of(frontier).hex() for frontier in frontiers] == tree["roots_hex"]
    assert [later.size - earlier.size for earlier, later in pairwise(frontiers)] == [1] * 8


def test_the_root_of_every_subtree_of_130_leaves_rolls_up_to_the_published_hash(tree):
    leaves = [leaf_hash(bytes([number])) for number in range(SUBTREE_LEAVES)]
    rolling = sha256()
    for start, end in _subtrees():
        rolling.update(f"[{start}, {end}) {root(leaves[start:end]).hex()}\n".encode())

    assert rolling.hexdigest() == tree["mtc_subtree_hash_rolling_sha256_n130"]


def test_every_inclusion_proof_in_every_subtree_of_130_leaves_rolls_up_to_the_published_hash(tree):
    leaves = [leaf_hash(bytes([number])) for number in range(SUBTREE_LEAVES)]
    rolling = sha256()
    for start, end in _subtrees():
        nodes = _stored(leaves[start:end])
        for index in range(end - start):
            proof = inclusion_proof(index, end - start, nodes=_only(nodes, inclusion_nodes(index, end - start)))
            line = " ".join([f"{start + index} [{start}, {end})", *(each.hex() for each in proof)])
            rolling.update(f"{line}\n".encode())

    assert rolling.hexdigest() == tree["mtc_subtree_inclusion"]


def test_every_published_inclusion_probe_is_judged_as_published(published):
    probes = _probes(published / "merkle" / "inclusion")
    assert len(probes) == 98

    astray = [name for name, probe in probes.items() if _includes(probe) == probe["wantErr"]]

    assert astray == []


def test_every_published_consistency_probe_is_judged_as_published(published):
    probes = _probes(published / "merkle" / "consistency")
    assert len(probes) == 98

    astray = [name for name, probe in probes.items() if _agrees(probe) == probe["wantErr"]]

    assert astray == []


def _probes(folder):
    return {str(file.relative_to(folder)): json.loads(file.read_text("utf-8")) for file in folder.rglob("*.json")}


def _includes(probe):
    try:
        verify_inclusion(
            b64decode(probe["leafHash"]),
            index=probe["leafIdx"],
            size=probe["treeSize"],
            proof=[b64decode(each) for each in probe["proof"] or []],
            root=b64decode(probe["root"]),
        )
    except ProofRefused:
        return False
    return True


def _agrees(probe):
    try:
        verify_consistency(
            probe["size1"],
            probe["size2"],
            proof=[b64decode(each) for each in probe["proof"] or []],
            old_root=b64decode(probe["root1"]),
            new_root=b64decode(probe["root2"]),
        )
    except ProofRefused:
        return False
    return True


def _subtrees():
    """Yield every range that may stand as a subtree: it begins at a multiple of its width's next power of two."""
    for end in range(SUBTREE_LEAVES + 1):
        for start in range(end + 1):
            if start % (1 << max(0, end - start - 1).bit_length()) == 0:
                yield start, end


def _stored(leaves):
    _, nodes = append_all(Frontier(), leaves)
    return {(0, index): leaf for index, leaf in enumerate(leaves)} | {node[:2]: node[2] for node in nodes}


def _only(nodes, positions):
    return {position: nodes[position] for position in positions}
