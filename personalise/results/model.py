"""What is found of a campaign: its arms, what addressing did, and what that cost in goodwill."""

from dataclasses import asdict, dataclass
from typing import Any

from personalise.measure.cuped import Adjusted, Uneven
from personalise.measure.effects import Effect, SampleRatio, TooFew
from personalise.measure.holdout import Price, Target, Withheld


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One arm: whom chance put into it, of how many the outcome is known, and what became of them.

    `mean` is the outcome's, None where nobody's is known; of a flag it is the share. `opted_out` are those of whom a no
    stands, said after the first contact, to anything that the campaign asks for; a no taken back is none.
    """

    customers: int
    known: int
    mean: float | None
    opted_out: int
    complained: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodwill:
    """What the campaign took from customers' goodwill, and what it gave back, in points.

    `contacts` is what its contacts cost; `taken` what else its decisions took: ignored messages, opt-outs, complaints.
    """

    contacts: float
    taken: float
    given: float
    budget: float | None = None
    """What the campaign's newest version may cost in all; None where it says nothing."""

    @property
    def spent(self) -> float:
        """All that was taken."""
        return self.contacts + self.taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What can be concluded. Each is None where the results are withheld, or nobody was held out."""

    effect: Effect | TooFew | None = None
    adjusted: Adjusted | Uneven | TooFew | None = None
    opt_outs: Effect | TooFew | None = None
    complaints: Effect | TooFew | None = None
    per_outcome: Price | None = None
    reached: Target | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What a campaign did, by its holdout. Where something is `withheld`, the counts stand and nothing is concluded.

    Attributes:
        together: all campaigns were judged, by the company's own holdout; by what this one measures.
        flag: the outcome is a yes or no, so that its mean is a share.
        share: what was to be held out; 0 where there is no holdout, so that nothing can be concluded.
        misplaced: customers who are in another arm than their ids say; they count in neither.
        early: customers whose outcome came in before their first contact; it isn't of it, and counts as not known.
        late: customers whose outcome first came in when the window was over. A flag then counts as a no, a number as
            not known.
        untimed: customers of whose outcome nobody knows when it came in: it may be from before.
        covariate: what the effect was adjusted by, "" for nothing.
    """

    campaign: str
    together: bool
    version: int
    outcome: str
    flag: bool
    share: float
    addressed: Arm
    held_out: Arm
    misplaced: int
    early: int
    late: int
    untimed: int
    sample_ratio: SampleRatio | TooFew | None
    known_ratio: SampleRatio | TooFew | None
    withheld: tuple[Withheld, ...]
    covariate: str
    goodwill: Goodwill
    target: float
    judgement: Judgement

    def as_json(self) -> dict[str, Any]:
        """Return the results as the faces show them."""
        told = self.judgement
        return {
            "together": self.together,
            "version": self.version,
            "outcome": self.outcome,
            "flag": self.flag,
            "share": self.share,
            "addressed": asdict(self.addressed),
            "held_out": asdict(self.held_out),
            "misplaced": self.misplaced,
            "early": self.early,
            "late": self.late,
            "untimed": self.untimed,
            "sample_ratio": _found(self.sample_ratio),
            "known_ratio": _found(self.known_ratio),
            "withheld": [str(each) for each in self.withheld],
            "effect": _found(told.effect),
            "covariate": self.covariate or None,
            "adjusted": _found(told.adjusted),
            "opt_outs": _found(told.opt_outs),
            "complaints": _found(told.complaints),
            "goodwill": {**asdict(self.goodwill), "spent": self.goodwill.spent},
            "goodwill_per_outcome": asdict(told.per_outcome) if told.per_outcome else None,
            "target": self.target,
            "reached": told.reached and str(told.reached),
        }


def _found(found: Effect | SampleRatio | Adjusted | Uneven | TooFew | None) -> dict[str, Any] | None:
    """Return what was found, or under `too_few` (or `uneven`) why it wasn't; None where it wasn't looked for."""
    if isinstance(found, TooFew):
        return {"too_few": asdict(found)}
    if isinstance(found, Uneven):
        return {"uneven": asdict(found.difference)}
    return asdict(found) if found else None
