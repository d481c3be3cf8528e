"""A process is killed in the middle of appends: what it acknowledged is there, nothing is half there, it goes on."""

import signal
import time
from itertools import islice

import pytest

from tests.faults.test_concurrent_appends import appender

KILLS = 3


def killed_after(world, name, acknowledgements, delay, *people):
    """Let a process append until it has acknowledged some, kill it, and return all that it acknowledged."""
    process = appender(world, name, 2, 0, *people)
    assert process.stdout is not None
    first = list(islice(process.stdout, acknowledgements))
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    rest, errors = process.communicate()
    assert (process.returncode, errors) == (-signal.SIGKILL, "")
    # The last line may have been cut off; what was not said in whole was not acknowledged.
    whole = "".join([*first, rest]).rpartition("\n")[0].splitlines()
    return [(key, int(seq)) for key, seq in map(str.split, whole)]


@pytest.mark.timeout(110)
def test_what_a_killed_process_acknowledged_is_there_and_the_ledger_holds(world):
    people = world.enrol("K1", "K2")
    before = world.size()
    positions: dict[str, int] = {}
    for kill in range(KILLS):
        acknowledged = killed_after(world, f"k{kill}", 10 + 7 * kill, kill * 0.0017, *people)
        positions |= dict(acknowledged)

        stored = dict(world.rows("SELECT seq, owner FROM ledger_payload WHERE seq >= :before", before=before))
        assert len(acknowledged) >= 10 + 7 * kill
        assert [seq for _, seq in acknowledged if stored.get(seq) not in people] == []
        # At most one a thread was committed without its acknowledgement getting out, and PostgreSQL may still be
        # committing it when its process is gone: so all are counted that there were since the first.
        assert 0 <= len(stored) - len(positions) <= 2 * (kill + 1)
        world.check_ledger()

    assert len(set(positions.values())) == len(positions)
    world.grant(world.bo, "use:purchases:recommendations")
    world.check_ledger()
