"""PURE: an export in the words of the W3C Data Privacy Vocabulary (DPV) 2.3, as JSON-LD.

Each section becomes nodes of the vocabulary: what is remembered is personal data, what stands is a process, what was
said, decided, done and asked for are records. What the vocabulary has no word for stands under `byleave:row` as it is
in the plain export, so that nothing is lost by the choice of form. Terms come from `consent.catalogue.dpv` and from
here, and all of them are published ones: a test holds every term against the vocabulary.

Source:
    https://w3id.org/dpv (version 2.3), https://w3id.org/dpv/legal/eu/gdpr; JSON-LD 1.1.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from consent.base.ids import Scope
from consent.catalogue import dpv, terms
from consent.catalogue.model import ASKED, Catalogue, LegalBasis
from consent.permission.statement import Act, Method
from consent.permission.verdict import Reason
from consent.receipts import statuses
from consent.receipts.document import NAMESPACE

PROPERTIES: Final[Mapping[str, tuple[str, ...]]] = {
    "dpv:hasPersonalData": ("remembered",),
    "dpv:hasProcess": ("permissions",),
    "dpv:hasRecordOfActivity": ("statements", "decisions", "contacts", "outcomes", "goodwill", "uses", "requests"),
    "dpv:hasNotice": ("notices",),
    "byleave:recognisedBy": ("identities",),
    "byleave:household": ("households",),
    "byleave:receipt": ("receipts",),
    "byleave:commitment": ("commitments",),
    "byleave:wish": ("wishes",),
}
"""What each property lists; all sections of the plain export, each once."""

_CONTEXT: Final[Mapping[str, Any]] = {
    **dpv.CONTEXT,
    "byleave": NAMESPACE,
    "byleave:row": {"@id": "byleave:row", "@type": "@json"},
}
_RIGHTS: Final[Mapping[str, str]] = {
    "access": "eu-gdpr:A15",
    "rectification": "eu-gdpr:A16",
    "erasure": "eu-gdpr:A17",
    "restriction": "eu-gdpr:A18",
    "portability": "eu-gdpr:A20",
    "objection": "eu-gdpr:A21",
    "complaint": "eu-gdpr:A77",
}
_CONSENT: Final[Mapping[Reason, str]] = {
    Reason.PERMIT: "dpv:ConsentGiven",
    Reason.WITHDRAWN: "dpv:ConsentWithdrawn",
    Reason.OBJECTED: "dpv:ConsentWithdrawn",
    Reason.REFUSED: "dpv:ConsentRefused",
    Reason.NOTICE_STALE: "dpv:ConsentInvalidated",
    Reason.EXPIRED: "dpv:ConsentExpired",
    Reason.PENDING_CONFIRMATION: "dpv:ConsentRequested",
    Reason.REQUESTED: "dpv:ConsentRequested",
    Reason.NO_RECORD: "dpv:ConsentUnknown",
}
_HINDERED: Final = "dpv:ConsentStatusInvalidForProcessing"
"""What was said stands, and something about the customer as a whole stands in its way."""

_INTEREST: Final[Mapping[bool, str]] = {
    True: "dpv:LegitimateInterestNotObjected",
    False: "dpv:LegitimateInterestObjected",
}
_REQUESTS: Final[Mapping[str, str]] = {
    "received": "dpv:RequestAcknowledged",
    "in_hand": "dpv:RequestAccepted",
    "fulfilled": "dpv:RequestFulfilled",
    "partly": "dpv:RequestUnfulfilled",
    "refused": "dpv:RequestRejected",
    "withdrawn": "dpv:RequestUnfulfilled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What things are called: URNs under the deployment's own name, as in receipts."""

    host: str
    customer: str

    @property
    def controller(self) -> str:
        """The company."""
        return f"urn:byleave:{self.host}"

    @property
    def subject(self) -> str:
        """The customer."""
        return f"{self.controller}/{self.customer}"

    def part(self, *path: object) -> str:
        """Something of the customer's."""
        return "/".join((self.subject, *map(str, path)))


def head(plain: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Return what has one value, from the head of the plain export."""
    return {
        "@context": dict(_CONTEXT),
        "@id": f"{names.controller}/export/{plain['export']}",
        "@type": ["dpv:RightExerciseRecord", "eu-gdpr:SARNotice"],
        "dct:conformsTo": f"{NAMESPACE}{plain['format'].removeprefix('byleave/')}",
        "dct:identifier": plain["export"],
        "dct:created": _time(plain["made_at"]),
        "byleave:position": plain["position"],
        "byleave:catalogueVersion": plain["catalogue"],
        "dpv:hasApplicableLaw": _ref(dpv.GDPR),
        "dpv:hasDataController": _present(
            {
                "@id": names.controller,
                "@type": "dpv:DataController",
                "dpv:hasName": plain["controller"]["name"],
                "dpv:hasAddress": plain["controller"]["address"],
                "dpv:hasContact": plain["controller"]["email"],
            }
        ),
        "dpv:hasDataSubject": {
            "@id": names.subject,
            "@type": "dpv:Customer",
            "dct:created": _time(plain["customer"]["enrolled_at"]),
        },
        "dpv:hasRight": [{"@type": ["dpv:DataSubjectRight", _RIGHTS[right]]} for right in plain["rights"]],
    }


def node(section: str, row: Mapping[str, Any], names: Names, catalogue: Catalogue) -> dict[str, Any]:
    """Return the node of a row.

    Args:
        section: of the plain export.
        row: of that section.
        names: what things are called.
        catalogue: in force.
    """
    return _present(_NODES[section](row, names, catalogue))


def _identity(row: Mapping[str, Any], _names: Names, _catalogue: Catalogue) -> dict[str, Any]:
    return {"byleave:kind": row["kind"], "byleave:count": row["count"]}


def _receipt(row: Mapping[str, Any], names: Names, _catalogue: Catalogue) -> dict[str, Any]:
    return _ref(names.part("statement", row["position"]))


def _remembered(row: Mapping[str, Any], names: Names, catalogue: Catalogue) -> dict[str, Any]:
    category = catalogue.categories.get(row["category"])
    return {
        "@id": names.part("data", row["category"]),
        "@type": dpv.origin_term(row["origin"]) if row["origin"] else dpv.UNNAMED,
        "dct:identifier": row["category"],
        "skos:prefLabel": row["title"],
        "skos:broader": [_ref(each) for each in (dpv.data_terms(category) if category else (dpv.UNNAMED,))],
        "dct:modified": _time(row["remembered_at"]),
        "byleave:fact": [{"byleave:name": each["name"], "rdf:value": each["value"]} for each in row["facts"]],
    }


def _process(row: Mapping[str, Any], names: Names, catalogue: Catalogue) -> dict[str, Any]:
    [told] = terms.told(catalogue, [Scope(row["scope"])], None, "")["scopes"]
    basis, reason = LegalBasis(row["legal_basis"]), Reason[row["reason"]]
    status: dict[str, Any] = {}
    if basis in ASKED:
        status = {"dpv:hasConsentStatus": {"@type": _CONSENT.get(reason, _HINDERED)}}
    elif basis is LegalBasis.LEGITIMATE_INTEREST:
        status = {"dpv:hasStatus": {"@type": _INTEREST[reason is not Reason.OBJECTED]}}
    duration = {"@value": row["kept_for"], "@type": "xsd:duration"}
    return {
        "@id": names.part("permission", row["scope"]),
        "@type": "dpv:Process",
        "dct:identifier": row["scope"],
        "dpv:hasPurpose": _purpose(told.get("purpose", {})),
        "dpv:hasPersonalData": _data(told.get("data", {})),
        "dpv:hasProcessing": [_ref(each) for each in told.get("processing", [])],
        "dpv:hasLegalBasis": _ref(dpv.basis_term(basis)),
        "dpv:hasDataController": _ref(names.controller),
        "dpv:hasRecipient": _recipient(told.get("recipient", {}), names),
        "dpv:hasStorageCondition": [{"@type": "dpv:StorageDuration", "dpv:hasDuration": duration}]
        if row["kept_for"]
        else [],
        **status,
        "byleave:row": dict(row),
    }


def _statement(row: Mapping[str, Any], names: Names, catalogue: Catalogue) -> dict[str, Any]:
    record = names.part("statement", row["position"])
    return {
        "@id": record,
        "@type": "dpv:ConsentRecord",
        "dct:identifier": str(row["position"]),
        "dct:created": _time(row["recorded_at"]),
        "dpv:isIndicatedAtTime": _time(row["said_at"]),
        "dpv:hasIndicationMethod": row["method"].replace("_", " "),
        "dpv:hasProcess": [_said(row, scope, record, catalogue) for scope in row.get("scopes", [])],
        "dpv:hasNotice": [_ref(_notice_name(each, names)) for each in row["notices"]],
        "byleave:row": dict(row),
    }


def _said(row: Mapping[str, Any], scope: str, record: str, catalogue: Catalogue) -> dict[str, Any]:
    """Return what a statement made of a scope: a process of that record, not the one that stands now."""
    rule = catalogue.scopes.get(scope)
    under, types = statuses.status(
        Act(row["act"]),
        Method(row["method"]),
        rule.legal_basis if rule else None,
        awaiting=scope in row.get("awaiting", ()),
    )
    return {"@id": f"{record}#{scope}", "@type": "dpv:Process", "dct:identifier": scope, under: [{"@type": types}]}


def _record(kind: str) -> Callable[[Mapping[str, Any], Names, Catalogue], dict[str, Any]]:
    """Return the writer of records of what was done with data: decided, sent, come of it, read."""

    def write(row: Mapping[str, Any], names: Names, catalogue: Catalogue) -> dict[str, Any]:
        purpose = catalogue.purposes.get(row.get("purpose", ""))
        by_rule = kind == "decision"
        return {
            "@type": "dpv:DataProcessingRecord",
            "dct:type": kind,
            "dct:created": _time(row["at"]),
            "dct:description": row.get("explanation") or row.get("reason", ""),
            "dpv:hasPurpose": {
                "@type": "dpv:Purpose",
                "skos:broader": [_ref(each) for each in dpv.purpose_terms(purpose)],
                "skos:prefLabel": purpose.title,
            }
            if purpose
            else {},
            "dpv:hasPersonalData": [_ref(names.part("data", each)) for each in _categories(row)],
            "dpv:hasAutomationLevel": _ref("dpv:FullAutomation") if by_rule else {},
            "byleave:row": dict(row),
        }

    return write


def _plain(row: Mapping[str, Any], _names: Names, _catalogue: Catalogue) -> dict[str, Any]:
    """Return the node of what the vocabulary has no word for."""
    return {"dct:created": _time(row["at"]), "byleave:row": dict(row)}


def _categories(row: Mapping[str, Any]) -> list[str]:
    return list(row.get("categories_used") or row.get("categories") or ())


def _request(row: Mapping[str, Any], names: Names, _catalogue: Catalogue) -> dict[str, Any]:
    return {
        "@id": names.part("request", row["request"]),
        "@type": "dpv:RightExerciseRecord",
        "dct:identifier": row["request"],
        "dct:created": _time(row["received_at"]),
        "dpv:hasRight": [{"@type": ["dpv:DataSubjectRight", _RIGHTS[row["kind"]]]}],
        "dpv:hasRequestStatus": {"@type": _REQUESTS[row["outcome"] or row["state"]]},
        "byleave:row": dict(row),
    }


def _notice(row: Mapping[str, Any], names: Names, _catalogue: Catalogue) -> dict[str, Any]:
    return {
        "@id": _notice_name(row, names),
        "@type": "dpv:PrivacyNotice",
        "dct:identifier": row["notice"],
        "byleave:version": row["version"],
        "dct:language": row["language"],
        "dct:description": {"@value": row["text"], "@language": row["language"]},
        "byleave:sha256": row["sha256"],
    }


_NODES: Final[Mapping[str, Callable[[Mapping[str, Any], Names, Catalogue], dict[str, Any]]]] = {
    "identities": _identity,
    "households": _plain,
    "remembered": _remembered,
    "permissions": _process,
    "statements": _statement,
    "notices": _notice,
    "receipts": _receipt,
    "decisions": _record("decision"),
    "contacts": _record("contact"),
    "outcomes": _record("outcome"),
    "goodwill": _record("goodwill"),
    "commitments": _plain,
    "wishes": _plain,
    "uses": _record("use"),
    "requests": _request,
}


def _notice_name(row: Mapping[str, Any], names: Names) -> str:
    return f"{names.controller}/notice/{row['notice']}/{row['version']}/{row['language']}"


def _purpose(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    broader = [_ref(each) for each in told.get("terms", [])]
    made = {"@type": "dpv:Purpose", "skos:broader": broader, "skos:prefLabel": told.get("title", "")}
    return [_present(made)] if told else []


def _data(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    broader = [_ref(each) for each in told.get("terms", [])]
    made = {"@type": told.get("origin", dpv.UNNAMED), "skos:broader": broader, "skos:prefLabel": told.get("title", "")}
    return [_present(made)] if told else []


def _recipient(told: Mapping[str, Any], names: Names) -> list[dict[str, Any]]:
    name = f"{names.controller}/recipient/{told.get('key', '')}"
    return [{"@id": name, "@type": "dpv:Recipient", "dpv:hasName": told["title"]}] if told else []


def _ref(name: str) -> dict[str, str]:
    return {"@id": name}


def _time(at: str) -> dict[str, str]:
    return {"@value": at, "@type": "xsd:dateTime"}


def _present(made: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node without what is empty."""
    return {name: value for name, value in made.items() if value not in ("", [], {}, None)}
