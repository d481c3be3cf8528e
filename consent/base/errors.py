"""The one tree of errors. An error carries a stable code and a title, and knows nothing of HTTP.

ByleaveError
├── Invalid                what came in is wrong; `places` says where and why
│   ├── CatalogueInvalid
│   ├── CampaignInvalid
│   ├── ContactPolicyInvalid
│   ├── HouseholdInvalid
│   ├── WishInvalid
│   ├── ExpressionInvalid
│   ├── ImportInvalid
│   ├── RequestInvalid
│   ├── RequestUnfit
│   ├── SettingsInvalid
│   ├── SignalInvalid
│   ├── StatementInvalid
│   └── VersionMissing
├── NotFound
│   ├── CampaignUnknown
│   ├── ContactPolicyUnknown
│   ├── CustomerUnknown
│   ├── DecisionUnknown
│   ├── EntryUnknown
│   ├── RightsRequestUnknown
│   └── RunUnknown
├── Conflict               right in form, but not as things stand
│   ├── CampaignUnready
│   ├── CustomerErased
│   ├── HeadMoved
│   ├── IdempotencyConflict
│   ├── IdentityTaken
│   ├── NothingToRenew
│   ├── StateConflict
│   │   └── Fenced
│   └── VersionMoved
├── NotSignedIn            nobody known is asking
├── NotAllowed             the one who asks may not
├── Unavailable            try again later; nothing was recorded
│   ├── ClockBehind
│   ├── DatabaseDown
│   ├── EngineDown
│   ├── KmsDown
│   ├── LedgerForked
│   └── RolledBack
├── KeyLost                a key does not open what it should
└── LedgerBroken           the only fatal one: stop, and verify

A refusal of permission is not in the tree: it is an answer (`consent.permission.verdict.Denial`).
No message may carry personal data: it is shown, logged and sent.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from typing_extensions import override


class Place(NamedTuple):
    """Where something is wrong (a JSON pointer, "line 3, column email", "--at") and why."""

    where: str
    why: str


def counted(places: Sequence[Place]) -> str:
    """Say how many places are wrong.

    >>> counted([Place("a", "is empty")]), counted([])
    ('1 place', '0 places')
    """
    return f"{len(places)} place{'s' * (len(places) != 1)}"


class ByleaveError(Exception):
    """The root. `detail` is one sentence for a person; `places` names each spot that is wrong."""

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str = "", *, places: Iterable[Place] = ()) -> None:
        """Keep the sentence and the places."""
        super().__init__(detail)
        self.detail = detail
        self.places = tuple(places)

    @override
    def __str__(self) -> str:
        """Return the title, the detail and every place, on one line."""
        spots = "; ".join(f"{place.where}: {place.why}" for place in self.places)
        return ": ".join(part for part in (self.title, self.detail, spots) if part)


class Invalid(ByleaveError):
    """What came in is wrong in itself."""

    code = "invalid"
    title = "That is not valid"


class CatalogueInvalid(Invalid):
    """A catalogue file breaks a rule."""

    code = "catalogue_invalid"
    title = "The catalogue is not valid"


class ContactPolicyInvalid(Invalid):
    """A contact policy breaks a rule."""

    code = "contact_policy_invalid"
    title = "The contact policy is not valid"


class HouseholdInvalid(Invalid):
    """A household can't be kept as it is named."""

    code = "household_invalid"
    title = "The household is not valid"


class WishInvalid(Invalid):
    """What a customer wishes can't be kept as it is."""

    code = "wish_invalid"
    title = "The wish is not valid"


class CampaignInvalid(Invalid):
    """A campaign file breaks a rule."""

    code = "campaign_invalid"
    title = "The campaign is not valid"


class ExpressionInvalid(Invalid):
    """A condition or score can't be read, or may not be asked."""

    code = "expression_invalid"
    title = "The expression is not valid"


class ImportInvalid(Invalid):
    """Rows of an import are wrong; nothing was brought in."""

    code = "import_invalid"
    title = "The import is not valid"


class RequestInvalid(Invalid):
    """A request's form is wrong."""

    code = "request_invalid"
    title = "The request is not valid"


class RequestUnfit(Invalid):
    """A request is right in form, but asks for what can't be."""

    code = "request_unfit"
    title = "That can't be asked"


class SettingsInvalid(Invalid):
    """One or more settings are wrong; all of them are named."""

    code = "settings_invalid"
    title = "The settings are not valid"


class SignalInvalid(Invalid):
    """A privacy signal (a TCF, GPP or US Privacy string) can't be read; the place names its segment and field."""

    code = "signal_invalid"
    title = "The signal is not valid"


class StatementInvalid(Invalid):
    """A statement names something the catalogue doesn't know, or contradicts itself."""

    code = "statement_invalid"
    title = "The statement is not valid"


class VersionMissing(Invalid):
    """A change has to say which version of the thing it is meant for."""

    code = "version_missing"
    title = "Say which version you have looked at"


class NotFound(ByleaveError):
    """Nothing by that name."""

    code = "not_found"
    title = "Not found"


class CampaignUnknown(NotFound):
    """No campaign by that key."""

    code = "campaign_unknown"
    title = "No such campaign"


class ContactPolicyUnknown(NotFound):
    """No contact policy of that version."""

    code = "contact_policy_unknown"
    title = "No such contact policy"


class CustomerUnknown(NotFound):
    """Nobody is enrolled under that."""

    code = "customer_unknown"
    title = "No such customer"


class DecisionUnknown(NotFound):
    """No decision by that id."""

    code = "decision_unknown"
    title = "No such decision"


class EntryUnknown(NotFound):
    """The ledger has no such entry, or is not that long."""

    code = "entry_unknown"
    title = "No such entry"


class RightsRequestUnknown(NotFound):
    """No request by right by that id."""

    code = "rights_request_unknown"
    title = "No such request"


class RunUnknown(NotFound):
    """No run by that id."""

    code = "run_unknown"
    title = "No such run"


class Conflict(ByleaveError):
    """Right in form, but not as things stand."""

    code = "conflict"
    title = "That can't be done as things stand"


class CampaignUnready(Conflict):
    """The campaign breaks rules that bind; each place says where, what is wrong, and what to do."""

    code = "campaign_unready"
    title = "The campaign is not ready"


class CustomerErased(Conflict):
    """The customer was erased: nothing new can be allowed in his name. What says "no" is still taken."""

    code = "customer_erased"
    title = "This customer was erased"


class HeadMoved(Conflict):
    """Somebody else appended first; nothing was written, try again."""

    code = "head_moved"
    title = "The ledger moved on meanwhile"


class IdempotencyConflict(Conflict):
    """The idempotency key was used before, with another body."""

    code = "idempotency_conflict"
    title = "That idempotency key was used for something else"


class IdentityTaken(Conflict):
    """A name that is to be a customer's is another's already; nothing was changed."""

    code = "identity_taken"
    title = "That is another customer's"


class NothingToRenew(Conflict):
    """A renewal needs a permission that was once given."""

    code = "nothing_to_renew"
    title = "There is no permission to renew"


class StateConflict(Conflict):
    """The thing is in a state that doesn't allow this."""

    code = "state_conflict"
    title = "Not in this state"


class Fenced(StateConflict):
    """Somebody else has taken the work over: whoever was paused for too long writes nothing more."""

    code = "fenced"
    title = "Somebody else has taken this over"


class VersionMoved(Conflict):
    """The thing has changed since it was looked at; nothing was changed now."""

    code = "version_moved"
    title = "It has changed since you looked at it"


class NotSignedIn(ByleaveError):
    """Nobody known is asking."""

    code = "not_signed_in"
    title = "Please identify yourself"


class NotAllowed(ByleaveError):
    """The one who asks may not."""

    code = "not_allowed"
    title = "You may not do that"


class Unavailable(ByleaveError):
    """Try again later; nothing was recorded."""

    code = "unavailable"
    title = "Not recorded: please try again"


class ClockBehind(Unavailable):
    """The clock is more than five seconds behind the ledger's own time."""

    code = "clock_behind"
    title = "Not recorded: the clock runs behind the ledger"


class DatabaseDown(Unavailable):
    """The database can't be reached, or is locked or full."""

    code = "database_down"
    title = "Not recorded: the database does not answer"


class CommitUnknown(DatabaseDown):
    """It broke off while it was committed. Ask again with the same idempotency key: it is recorded once."""

    code = "commit_unknown"
    title = "Nobody knows yet whether this was recorded: ask again"


class EngineDown(Unavailable):
    """What carried a run on gave it up. What it had done stays done; the run can be carried on."""

    code = "engine_down"
    title = "The run is not at its end: its engine failed"


class KmsDown(Unavailable):
    """The key management system can't be reached, is sealed, or refuses us. Nothing goes on without its keys."""

    code = "kms_down"
    title = "Not recorded: the key management system does not answer"


class LedgerForked(Unavailable):
    """The witness knows this ledger with other entries: there are two of it. Nothing is taken before it is settled."""

    code = "ledger_forked"
    title = "Not recorded: the ledger was forked"


class RolledBack(Unavailable):
    """The database is older than what is known outside it: a backup was restored. First that has to be settled."""

    code = "rolled_back"
    title = "Not recorded: the ledger was rolled back"


class KeyLost(ByleaveError):
    """A key does not open what it should: the data stay sealed."""

    code = "key_lost"
    title = "A sealed record does not open"


class LedgerBroken(ByleaveError):
    """What is stored contradicts itself. Stop appending, and verify."""

    code = "ledger_broken"
    title = "The ledger is broken"
