"""The power goes at any operation of an append: it is there whole or not at all, and it can be appended again."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from consent.base.clock import rfc3339


@pytest.mark.timeout(240)
@pytest.mark.parametrize("fault", ["keep", "lose", "torn"])
def test_an_append_cut_off_at_any_operation_is_whole_or_nothing(sqlite_world, fault):
    """Fault 1: what was written stays, or all of it since the last sync is lost, or the write at hand is half done."""
    world = sqlite_world
    size = world.size()
    world.store.close()
    path = str(sa.make_url(world.url).database)
    argv = [path, str(world.keyring), rfc3339(world.clock()), world.bo, fault]

    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.cutting", *argv],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2], timeout=220,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    cuts = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(cuts) > 10
    assert {cut["status"] for cut in cuts} == {signal.SIGKILL}
    assert [cut["acknowledged"] for cut in cuts] == [False] * (len(cuts) - 1) + [True]
    for cut in cuts:
        assert cut["size"] in (size, size + 1), cut
        assert (cut["then"], cut["seq"], cut["faults"]) == (size + 1, size, []), cut
    # A cut early on leaves nothing, and one that comes after the answer takes nothing away.
    assert (cuts[0]["size"], cuts[-1]["size"]) == (size, size + 1)
