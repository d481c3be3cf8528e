"""What a witness answers, rule by rule of c2sp.org/tlog-witness: a log of our own making asks it."""

import threading
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.base.clock import to_ms
from consent.base.errors import SettingsInvalid, StateConflict
from consent.ledger import checkpoint, cosignature, merkle, note
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.note import Signer
from consent.witness import book, own_key, request
from consent.witness.judge import Answer
from tests import reference
from tests.witnesses import NAME, made

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
ORIGIN = "log.example/consent/2026h2"
LEAVES = [sha256(b"\x00" + bytes([number])).digest() for number in range(64)]
OTHER = [LEAVES[0], *(sha256(leaf).digest() for leaf in LEAVES[1:])]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


class Log:
    """A log with some leaves, which signs whatever it is told to."""

    def __init__(self, origin=ORIGIN, key=KEY, leaves=LEAVES):
        self.signer, self.leaves = Signer(name=origin, key=key), leaves

    @property
    def vkey(self):
        return note.vkey(self.signer.name, self.signer.verifier.public_key)

    def note(self, size, root=None):
        root = merkle.root(self.leaves[:size]) if root is None else root
        return checkpoint.sign(Checkpoint(origin=self.signer.name, size=size, root=root), self.signer)

    def proof(self, old, new):
        _, nodes = merkle.append_all(merkle.Frontier(), self.leaves[:new])
        known = {(0, n): leaf for n, leaf in enumerate(self.leaves)} | {(lv, n): node for lv, n, node in nodes}
        return merkle.consistency_proof(old, new, nodes=known) if 0 < old < new else []

    def asks(self, old, new, **how):
        return request.write(old, how.get("proof", self.proof(old, new)), note=how.get("note", self.note(new)))


@pytest.fixture
def witness(tmp_path):
    """Return a witness that trusts the log, and hasn't seen anything."""
    return made(tmp_path / "witness", Log().vkey, clock=lambda: AT)


@pytest.fixture
def ask(witness):
    judge = witness.judge()
    return lambda body, at=AT: judge.add_checkpoint(body, at=at)


def status(answer):
    return int(answer.status)


def test_the_first_checkpoint_is_cosigned_from_nothing(ask, witness):
    log = Log()
    answer = ask(log.asks(0, 5))

    assert (status(answer), answer.body.count("\n"), answer.body[:2]) == (200, 1, "— ")
    [line] = note.signatures(answer.body)
    key = witness.place.key
    assert (line.name, line.key_id) == (NAME, sha256(f"{NAME}\n\x04".encode() + key.public_key).digest()[:4])
    at = int.from_bytes(line.signature[:8], "big")
    text = f"{ORIGIN}\n5\n{b64encode(reference.root(LEAVES[:5])).decode()}\n"
    signed = f"cosignature/v1\ntime {at}\n{text}"
    own_key.open_key(witness.folder).key.public_key().verify(line.signature[8:], signed.encode())
    assert at == to_ms(AT) // 1000
    assert cosignature.cosigned_at(log.note(5) + answer.body, key) == at


def test_what_goes_on_is_cosigned(ask, witness):
    log = Log()
    answers = [ask(log.asks(old, new)) for old, new in ((0, 1), (1, 2), (2, 3), (3, 8), (8, 8), (8, 33), (33, 64))]

    assert [status(each) for each in answers] == [200] * 7
    assert [(one.origin, one.size, one.root) for one in witness.seen()] == [(ORIGIN, 64, merkle.root(LEAVES))]


def test_an_empty_log_can_be_cosigned_and_grows(ask):
    log = Log()
    assert [status(ask(log.asks(old, new))) for old, new in ((0, 0), (0, 0), (0, 3))] == [200] * 3


@pytest.mark.parametrize("old", [0, 3, 4, 6])
def test_another_old_size_gets_the_one_that_is_known(ask, old):
    log = Log()
    ask(log.asks(0, 5))

    answer = ask(log.asks(old, 8))

    assert (status(answer), answer.body, answer.type) == (409, "5\n", "text/x.tlog.size")


def test_an_old_size_before_anything_was_cosigned_gets_nought(ask):
    assert ask(Log().asks(3, 8)) == Answer(status=HTTPStatus.CONFLICT, body="0\n", type="text/x.tlog.size")


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda log: log.asks(5, 8, proof=[]), id="no proof"),
        pytest.param(lambda log: log.asks(5, 8, proof=log.proof(4, 8)), id="the proof of another size"),
        pytest.param(lambda log: log.asks(5, 8, proof=log.proof(5, 8)[::-1]), id="a proof in another order"),
        pytest.param(lambda log: log.asks(5, 8, proof=[*log.proof(5, 8), bytes(32)]), id="a hash too many"),
        pytest.param(lambda log: log.asks(5, 8, note=log.note(8, bytes(32))), id="another root"),
        pytest.param(lambda _: Log(leaves=OTHER).asks(5, 8), id="another history"),
        pytest.param(lambda log: log.asks(5, 5, note=log.note(5, bytes(32))), id="another root at the same size"),
        pytest.param(lambda log: log.asks(5, 5, proof=[bytes(32)]), id="a proof where none belongs"),
    ],
)
def test_a_log_that_did_not_only_grow_is_refused_and_both_notes_are_kept(ask, witness, wrong):
    log = Log()
    mine = ask(log.asks(0, 5))
    body = wrong(log)

    answer = ask(body)

    assert (status(answer), [one.size for one in witness.seen()]) == (422, [5])
    [kept] = witness.contradictions()
    assert (kept.origin, kept.old, kept.mine, kept.theirs) == (
        ORIGIN, 5, log.note(5) + mine.body, body.decode().partition("\n\n")[2],
    )  # fmt: skip
    assert status(ask(log.asks(5, 8))) == 200


def test_from_nothing_a_proof_is_empty(ask, witness):
    assert status(ask(Log().asks(0, 5, proof=[bytes(32)]))) == 422
    assert (witness.seen(), witness.contradictions()) == ([], [])


def test_an_old_size_beyond_the_checkpoint_is_a_bad_request(ask):
    log = Log()
    ask(log.asks(0, 5))
    assert status(ask(log.asks(5, 3, proof=[]))) == 400


@pytest.mark.parametrize("origin", ["log.example/consent/2026h2x", "other.example/consent/2026h2", "log.example", ""])
def test_a_log_that_nobody_told_it_of_is_unknown(ask, origin):
    text = Log().note(5).replace(f"{ORIGIN}\n5", f"{origin}\n5")
    assert status(ask(request.write(0, [], note=text))) == 404


def test_a_strange_key_is_forbidden(ask):
    assert status(ask(Log(key=Ed25519PrivateKey.generate()).asks(0, 5))) == 403


def test_a_known_key_whose_signature_fails_is_forbidden(ask):
    log = Log()
    assert status(ask(request.write(0, [], note=log.note(5).replace("\n5\n", "\n6\n")))) == 403


def test_signatures_of_strangers_beside_the_log_s_own_are_ignored_and_not_kept(ask, witness):
    log, stranger = Log(), Log(key=Ed25519PrivateKey.generate())
    both = log.note(5) + note.split(stranger.note(5))[1][0].line

    assert status(ask(request.write(0, [], note=both))) == 200
    assert [len(note.split(one.note)[1]) for one in witness.seen()] == [2]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\n", b"old\n\n", b"old 1", b"old 00\n\n(note)\n", b"old -1\n\n(note)\n", b"old 1 \n\n(note)\n",
        b"OLD 0\n\n(note)\n", b"old 0\nAAAA\n\n(note)\n", b"old 0\n" + b64encode(bytes(31)) + b"\n\n(note)\n",
        b"old 0\n\n", b"\xff", b"old 0\n" + b"A" * 43 + b"=\n" * 64 + b"\n(note)\n", b"old 0\n\n" + b"x" * (1 << 17),
        b"old 0\n" + (b64encode(bytes(32)) + b"\n") * 64 + b"\n(note)\n",
    ],
)  # fmt: skip
def test_what_is_no_request_is_a_bad_one(ask, body):
    assert status(ask(body)) == 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{ORIGIN}\n5\n{b64encode(bytes(32)).decode()}\nan extension line\n", 400),
        (f"{ORIGIN}\nfive\n{b64encode(bytes(32)).decode()}\n", 400),
        (f"{ORIGIN}\n05\n{b64encode(bytes(32)).decode()}\n", 400),
        (f"{ORIGIN}\n5\nAAAA\n", 400),
        (f"{ORIGIN}\n0\n{b64encode(bytes(32)).decode()}\n", 422),
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(ask, text, expected):
    signed = note.sign(text, [Log().signer])
    assert status(ask(request.write(0, [], note=signed))) == expected


def test_a_new_log_of_the_same_deployment_is_known_under_the_same_key(ask, witness):
    ask(Log().asks(0, 5))
    later = Log("log.example/consent/2027h1", leaves=OTHER)

    assert [status(ask(later.asks(old, new))) for old, new in ((0, 3), (3, 9))] == [200, 200]
    assert [(one.origin, one.size) for one in witness.seen()] == [(ORIGIN, 5), ("log.example/consent/2027h1", 9)]


def test_after_a_rotation_it_knows_both_keys(ask, witness):
    old, new = Log(), Log(key=Ed25519PrivateKey.generate())
    ask(old.asks(0, 5))
    before = status(ask(new.asks(5, 6)))
    witness.trust(new.vkey)

    assert (before, status(ask(new.asks(5, 6))), status(ask(old.asks(6, 7)))) == (403, 200, 200)


def test_the_newest_checkpoint_is_shown_with_both_signatures(ask, witness):
    log = Log()
    answer = ask(log.asks(0, 5))
    judge = witness.judge()

    shown = judge.newest(sha256(ORIGIN.encode()).hexdigest())

    assert (status(shown), shown.body) == (200, log.note(5) + answer.body)
    assert status(judge.newest(sha256(b"other").hexdigest())) == 404


def test_it_remembers_what_it_saw_when_it_starts_again(ask, witness):
    log = Log()
    ask(log.asks(0, 5))
    again = witness.judge()

    assert status(again.add_checkpoint(Log(leaves=OTHER).asks(5, 8), at=AT)) == 422
    assert status(again.add_checkpoint(log.asks(5, 8), at=AT)) == 200


def test_of_two_that_ask_at_once_one_is_told_to_ask_again(witness):
    log = Log()
    witness.judge().add_checkpoint(log.asks(0, 5), at=AT)
    answers, start = [], threading.Barrier(8)

    def one(size):
        judge = witness.judge()
        start.wait()
        answers.append((size, status(judge.add_checkpoint(log.asks(5, size), at=AT))))

    threads = [threading.Thread(target=one, args=(size,)) for size in range(6, 14)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    won = [size for size, code in answers if code == 200]
    assert (len(won), sorted(code for _, code in answers)) == (1, [200] + [409] * 7)
    assert [one.size for one in witness.seen()] == won


def test_no_witness_begins_without_its_book(witness, tmp_path):
    (witness.folder / book.FILE).unlink()
    with pytest.raises(SettingsInvalid, match="there is no witness"):
        book.open_book(witness.folder)
    with pytest.raises(StateConflict, match="has a witness's key already"):
        own_key.create(witness.folder, NAME)
    with pytest.raises(SettingsInvalid, match="there is no witness's key"):
        own_key.open_key(tmp_path / "elsewhere")


def test_a_key_that_others_can_read_is_refused(witness):
    (witness.folder / own_key.FILE).chmod(0o644)
    with pytest.raises(SettingsInvalid, match="can be read by others"):
        own_key.open_key(witness.folder)
