"""PURE: a receipt's readable part, written from its proof: JSON-LD in the shape of ISO/IEC TS 27560 and DPV 2.3.

All that is in it follows from the entry, the payload and the terms, and from nothing else. Lists are lists even of one;
no key stands twice; what is not known is left out. Names of things are URNs under the log's own name, so that receipts
of two companies can be put together without mixing up what they tell.

Source:
    ISO/IEC TS 27560:2023; "Consent Records and Receipts as per ISO/IEC TS 27560:2023 using DPV", W3C DPVCG final report
    of 15 February 2026, with the terms as DPV 2.3 has them; JSON-LD 1.1.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from consent.catalogue import dpv
from consent.catalogue.model import ASKED, LegalBasis
from consent.permission.statement import Act, Method
from consent.receipts import statuses
from consent.receipts.form import PROOF, Proof
from consent.receipts.form import written as proof_written

TYPE: Final = "application/ld+json"
NAMESPACE: Final = "urn:byleave:v1:"
"""Of the words that no published vocabulary has. The version is that of the whole form of a receipt."""

_RECEIPT: Final = "https://w3id.org/dpv/schema/dpv-27560#receipt-eu-gdpr"
_RECORD: Final = "https://w3id.org/dpv/schema/dpv-27560#record-eu-gdpr"
_CONTEXT: Final[Mapping[str, Any]] = {
    **dpv.CONTEXT,
    "byleave": NAMESPACE,
    "byleave:payload": {"@id": "byleave:payload", "@type": "@json"},
    "byleave:terms": {"@id": "byleave:terms", "@type": "@json"},
    "byleave:path": {"@id": "byleave:path", "@container": "@list"},
}
_OPTED_OUT: Final = ("dpv:SellDataToThirdParties", "dpv:TargetedAdvertising")
"""What a browser's general opt-out (a refusal of no one scope) is about."""

_EXERCISED: Final = frozenset({Act.OBJECT, Act.RESTRICT, Act.LIFT})


def receipt(proof: Proof) -> dict[str, Any]:
    """Return the whole receipt: the readable part, then the proof."""
    return {**readable(proof), PROOF: proof_written(proof)}


def readable(proof: Proof) -> dict[str, Any]:
    """Return all of a receipt but its proof."""
    names = _Names(proof)
    identifier = f"{proof.entry.log}/{proof.entry.seq}"
    return {
        "@context": dict(_CONTEXT),
        "@id": names.receipt,
        "@type": "dpv:ConsentReceipt",
        "dct:conformsTo": _ref(_RECEIPT),
        "dct:identifier": identifier,
        "dpv:hasIdentifier": identifier,
        "dct:created": _time(proof.entry.at),
        "dct:publisher": _ref(names.controller),
        "dpv:hasRecordOfActivity": [_record(proof, names)],
    }


class _Names:
    """What things are called in one receipt."""

    def __init__(self, proof: Proof) -> None:
        host = proof.entry.log.partition("/")[0]
        self.receipt = f"urn:byleave:{proof.entry.log}/{proof.entry.seq}"
        self.controller = f"urn:byleave:{host}"
        self.customer = f"urn:byleave:{host}/{proof.payload['customer']}"

    def part(self, name: str) -> str:
        return f"{self.receipt}#{name}"

    def notice(self, notice: Mapping[str, Any]) -> str:
        return self.part(f"notice-{notice['key']}-{notice['version']}-{notice['language']}")

    def recipient(self, recipient: Mapping[str, str]) -> str:
        return f"{self.controller}/recipient/{recipient.get('key', '')}"


def _record(proof: Proof, names: _Names) -> dict[str, Any]:
    said, act = proof.said, Act(proof.said["act"])
    scopes: list[dict[str, Any]] = proof.terms["scopes"]
    return _present(
        {
            "@id": names.part("record"),
            "@type": ["dpv:ConsentRecord", *(["dpv:RightExerciseRecord"] if act in _EXERCISED else [])],
            "dct:conformsTo": _ref(_RECORD),
            "dct:identifier": f"{proof.entry.log}/{proof.entry.seq}#record",
            "dpv:hasIdentifier": f"{proof.entry.log}/{proof.entry.seq}#record",
            "dct:language": said.get("language", ""),
            "dpv:hasDataSubject": {"@id": names.customer, "@type": "dpv:Customer"},
            "dpv:hasNotice": list(_notices(scopes, names)),
            "dpv:hasApplicableLaw": _ref(dpv.GDPR),
            "dpv:hasProcess": [_process(each, spot, proof, names) for spot, each in enumerate(scopes)]
            or [_whole(proof, names)],
            "dpv:hasEntity": [_controller(proof, names), *_recipients(scopes, names)],
            "byleave:act": said["act"],
            "byleave:method": said["method"],
            "byleave:actor": proof.payload["actor"],
            "byleave:evidence": said.get("evidence", ""),
            "byleave:attestedAge": said.get("age", 0),
            "byleave:guardian": said.get("guardian", False),
            "byleave:catalogueVersion": proof.entry.catalogue_version,
        }
    )


def _process(terms: Mapping[str, Any], spot: int, proof: Proof, names: _Names) -> dict[str, Any]:
    """Return one scope: what it is about, and what the statement makes of it."""
    said, scope = proof.said, terms["scope"]
    basis = LegalBasis(terms["legal_basis"]) if "legal_basis" in terms else None
    ends = said.get("valid_until", [])
    recipient = terms.get("recipient", {})
    process = {
        "@id": names.part(scope),
        "@type": "dpv:Process",
        "dct:identifier": scope,
        "dpv:hasPurpose": [_purpose(terms["purpose"])] if "purpose" in terms else [],
        "dpv:hasPersonalData": [_data(terms["data"])] if "data" in terms else [],
        "dpv:hasProcessing": [_ref(each) for each in terms.get("processing", [])],
        "dpv:hasLegalBasis": _ref(terms["basis"]) if "basis" in terms else {},
        "dpv:hasDataController": _ref(names.controller),
        "dpv:hasRecipient": [_ref(names.controller), *([_ref(names.recipient(recipient))] if recipient else [])],
        "dpv:hasNotice": _ref(names.notice(terms["notice"])) if "notice" in terms else {},
        "dpv:hasStorageCondition": _storage(terms.get("retention", "")),
        "byleave:channel": terms.get("channel", {}).get("title", ""),
        "byleave:benefit": terms.get("benefit", ""),
        **_said(proof, basis, names, awaiting=scope in said.get("awaiting", []), until=ends[spot] if ends else ""),
    }
    return _present(process)


def _whole(proof: Proof, names: _Names) -> dict[str, Any]:
    """Return what a statement makes of everything, where it names no scope."""
    opted_out = _OPTED_OUT if proof.said["act"] == Act.REFUSE else ()
    process = {
        "@id": names.part("everything"),
        "@type": "dpv:Process",
        "dpv:hasPurpose": [{"@type": "dpv:Purpose", "skos:broader": [_ref(each)]} for each in opted_out],
        "dpv:hasDataController": _ref(names.controller),
        **_said(proof, None, names, awaiting=False, until=proof.said.get("until", "")),
    }
    return _present(process)


def _said(proof: Proof, basis: LegalBasis | None, names: _Names, *, awaiting: bool, until: str) -> dict[str, Any]:
    """Return the status that the statement gives, and the rights that go with it."""
    said, act, method = proof.said, Act(proof.said["act"]), Method(proof.said["method"])
    under, types = statuses.status(act, method, basis, awaiting=awaiting)
    status = {
        "@type": types,
        "dpv:isIndicatedAtTime": _time(said["said_at"]),
        "dpv:isIndicatedBy": _speaker(said, names),
        "dpv:hasIndicationMethod": said["method"].replace("_", " "),
        "dpv:hasDuration": {"@type": "dpv:UntilTimeDuration", "rdf:value": _time(until)} if until else {},
    }
    rights = [{"@type": ["dpv:DataSubjectRight", each]} for each in statuses.rights(act, basis)]
    return {under: [_present(status)], "dpv:hasRight": rights}


def _speaker(said: Mapping[str, Any], names: _Names) -> dict[str, str]:
    if said["act"] in statuses.COMPANYS or said["method"] == Method.MERGED:
        return _ref(names.controller)
    if said.get("guardian"):
        return {"@id": names.part("guardian"), "@type": "dpv:GuardianOfDataSubject"}
    return _ref(names.customer)


def _purpose(purpose: Mapping[str, Any]) -> dict[str, Any]:
    return _present(
        {
            "@type": "dpv:Purpose",
            "skos:broader": [_ref(each) for each in purpose.get("terms", [])],
            "skos:prefLabel": purpose.get("title", ""),
            "dct:description": purpose.get("description", ""),
        }
    )


def _data(data: Mapping[str, Any]) -> dict[str, Any]:
    return _present(
        {
            "@type": data.get("origin", dpv.UNNAMED),
            "skos:broader": [_ref(each) for each in data.get("terms", [])],
            "skos:prefLabel": data.get("title", ""),
        }
    )


def _storage(retention: str) -> list[dict[str, Any]]:
    length = {"@value": retention, "@type": "xsd:duration"}
    return [{"@type": "dpv:StorageDuration", "dpv:hasDuration": length}] if retention else []


def _notices(scopes: Iterable[Mapping[str, Any]], names: _Names) -> Iterator[dict[str, Any]]:
    """Yield each wording that was shown, once."""
    seen = set()
    for terms in scopes:
        notice = terms.get("notice")
        if notice is None or names.notice(notice) in seen:
            continue
        seen.add(names.notice(notice))
        yield {
            "@id": names.notice(notice),
            "@type": "dpv:ConsentNotice" if terms.get("legal_basis") in ASKED else "dpv:PrivacyNotice",
            "dct:identifier": notice["key"],
            "byleave:version": notice["version"],
            "dct:language": notice["language"],
            "dct:description": {"@value": notice["text"], "@language": notice["language"]},
            "byleave:sha256": hashlib.sha256(notice["text"].encode()).hexdigest(),
        }


def _controller(proof: Proof, names: _Names) -> dict[str, Any]:
    who = proof.terms["controller"]
    return _present(
        {
            "@id": names.controller,
            "@type": "dpv:DataController",
            "dpv:hasName": who["name"],
            "dpv:hasAddress": who.get("address", ""),
            "dpv:hasContact": who.get("email", ""),
        }
    )


def _recipients(scopes: Iterable[Mapping[str, Any]], names: _Names) -> Iterator[dict[str, Any]]:
    """Yield each recipient, once."""
    seen = set()
    for terms in scopes:
        recipient = terms.get("recipient")
        if recipient and names.recipient(recipient) not in seen:
            seen.add(names.recipient(recipient))
            yield {
                "@id": names.recipient(recipient),
                "@type": "dpv:Recipient",
                "dpv:hasName": recipient.get("title", ""),
            }


def _ref(name: str) -> dict[str, str]:
    return {"@id": name}


def _time(at: str) -> dict[str, str]:
    return {"@value": at, "@type": "xsd:dateTime"}


def _present(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node without what is empty."""
    return {name: value for name, value in node.items() if value}
