"""PURE: how far a run is: n of N, rate, time left, and what holds it up."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.pages import present
from personalise.runs import run as runs
from personalise.runs.run import Run

_STATES: Final = {
    runs.RUNNING: "Running",
    runs.PAUSED: "Paused",
    runs.STOPPED: "Stopped",
    runs.FINISHED: "Finished",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A run as pages show it."""

    id: str
    campaign: str
    version: int
    model: str
    state: str
    state_name: str
    open: bool
    """Whether it is neither finished nor stopped."""
    done: int
    total: int
    of: str
    percent: str
    deferred: str
    """How many are held back for now, and decided about again; "" for none."""
    rate: str
    left: str
    began: str
    asked_by: str
    last: str
    ended: str
    took: str
    stamp: str
    """Changes whenever anything on the page about it does."""


def progress(run: Run, *, at: datetime) -> Progress:
    """Return how a run stands."""
    rate = run.done / run.seconds if run.seconds > 0 else 0.0
    running = run.state == runs.RUNNING
    left = (run.total - run.done) / rate if rate and running else 0.0
    return Progress(
        id=run.id,
        campaign=run.campaign,
        version=run.version,
        model=f"model {run.model}" if run.model else "the campaign's own rules",
        state=run.state,
        state_name=_STATES[run.state],
        open=run.state in (runs.RUNNING, runs.PAUSED),
        done=run.done,
        total=run.total,
        of=f"{present.number(run.done)} of {present.counted(run.total, 'customer')}",
        percent=present.share(run.done, run.total),
        deferred=present.counted(run.counts.deferred, "customer") if run.counts.deferred else "",
        rate=f"{present.counted(round(rate), 'customer')} a second" if rate else "",
        left=_roughly(left) if left else "",
        began=present.moment(run.at),
        asked_by=run.asked_by,
        last=present.ago(run.beat_at, at),
        ended=present.moment(run.ended_at) if run.ended_at else "",
        took=present.span(run.seconds) if run.seconds else "",
        stamp=f"{run.state}-{run.done}",
    )


def _roughly(seconds: float) -> str:
    return present.span(seconds) if seconds < 1 else f"about {present.span(seconds)}"
