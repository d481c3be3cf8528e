"""The witness is killed at every step of an answer: it knows what it knew, or what it stored; and nothing else ever."""

import signal
from itertools import count

import pytest

from consent.ledger import cosignature
from consent.witness import request
from tests.advancing import started
from tests.faults.stepping import cosign
from tests.flows.test_witness_rules import AT, OTHER, Log, status
from tests.witnesses import made


@pytest.fixture
def witness(tmp_path):
    return made(tmp_path / "witness", Log().vkey, clock=lambda: AT)


@pytest.mark.timeout(240)
def test_a_witness_killed_between_storing_and_answering_says_how_far_it_got_and_cosigns_the_same_again(witness):
    log = Log()
    assert status(witness.judge().add_checkpoint(log.asks(0, 5), at=AT)) == 200
    [before] = witness.seen()
    ends, seen = [], [before]
    for step in count():
        process = started(cosign, witness.folder, log.asks(5, 8), step)
        process.join()
        ends.append(process.exitcode)
        seen = witness.seen()
        if seen != [before]:
            break
    [after] = seen
    judge = witness.judge()
    lost = judge.add_checkpoint(log.asks(5, 8), at=AT)
    again = judge.add_checkpoint(log.asks(8, 8), at=AT)
    forked = judge.add_checkpoint(Log(leaves=OTHER).asks(8, 9), at=AT)

    assert set(ends) == {-signal.SIGKILL}  # the last of them too: stored, and never answered
    assert len(ends) > 20
    assert (after.size, after.note.startswith(log.note(8))) == (8, True)
    assert (status(lost), lost.body, lost.type) == (409, "8\n", request.SIZE_TYPE)
    assert status(again) == 200
    assert cosignature.cosigned_at(log.note(8) + again.body, witness.place.key) == int(AT.timestamp())
    assert status(forked) == 422
