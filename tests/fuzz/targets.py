"""What reads bytes from outside, and what it may do with them: an answer, or a refusal of its own. Nothing else.

A target is the reader under its own laws; `run.py` looks for bytes that break one for as long as it is given, and
`test_targets.py` for a moment, in CI.
"""

import random
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Final, cast

from consent.audit.packs import verify
from consent.base import canonical, strict_json
from consent.base.errors import CatalogueInvalid, ExpressionInvalid, ImportInvalid, Invalid, SignalInvalid
from consent.catalogue.model import Attribute as Declared
from consent.catalogue.model import AttributeType
from consent.catalogue.reading import DEFAULT, parse_catalogue
from consent.imports.faults import Faults
from consent.imports.json_records import elements
from consent.imports.records import pieces, records
from consent.ledger import checkpoint, entry, note, proof
from consent.ledger.merkle import ProofRefused
from consent.ledger.note import NoteRefused
from consent.receipts import checking
from consent.receipts.checking import Refused
from consent.signals import gpp, tcf, us, usp
from personalise.language.expressions import condition
from tests import receipts

SIGNALS: Final = (
    "CPPiNEAPPiNEAuWjjsENB4FkAP9gAAPAALLIDIBF2H55__wvd_ur_ed_erS3tO92vfxvjp2_7r839jeeJ6fZ6n_93Z89vj_yTyt6f-u2fA",
    "DBABMA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA",
    "DBACNYA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN",
    "BVVqAAAAAAA.QA",
    "1YNN",
)  # fmt: skip
CONDITIONS: Final = (
    "months_since_purchase <= 6 AND (mens = 1 OR NOT likes LIKE 'gar%')",
    "mens IN (1, 2.0) AND kept IS TRUE",
    "spent BETWEEN 1.5 AND -2",
    "mens = 1 -- a remark",
)
KINDS: Final[dict[str, AttributeType]] = {
    "months_since_purchase": "integer", "mens": "integer", "spent": "number", "likes": "text", "kept": "boolean",
}  # fmt: skip
ATTRIBUTES: Final = {name: Declared(name=name, category="c", type=kind) for name, kind in KINDS.items()}
LETTERS: Final = "\x00\t\r\n\x1f\x7f\u2028 \"',;=<>(){}[]\\+-/_.~—é\ud800\U0001f600\uff10"
"""Letters that have broken parsers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A reader: `read` raises nothing but what `refuses` names; `seeds` are what it takes."""

    name: str
    read: Callable[[bytes], object]
    refuses: type[Exception] | tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]

    def __call__(self, raw: bytes) -> None:
        """Read bytes; what is raised from here is a fault of ours."""
        try:
            self.read(raw)
        except self.refuses:
            return


def _text(raw: bytes) -> str:
    """Return any text: bytes that are no UTF-8 make halves of surrogate pairs."""
    return raw.decode("utf-8", "surrogateescape")


def _us(raw: bytes) -> object:
    sections = tuple(us.SECTIONS)
    return us.read(sections[raw[0] % len(sections) if raw else 0], _text(raw[1:]))


def _read_canonical(raw: bytes) -> None:
    value = canonical.parse(raw)
    written = canonical.encode(value)
    assert (canonical.parse(written), canonical.is_canonical(written)) == (value, True)


def _read_csv(raw: bytes) -> None:
    faults = Faults("a file")
    lines = [line for batch in records(pieces(_file(raw), faults), faults) for line in batch.lines]
    faults.check()
    assert lines == sorted(set(lines))


def _read_json_records(raw: bytes) -> None:
    faults = Faults("a file", "record")
    for each in elements(_file(raw), "content", faults):
        strict_json.parse(each)
    faults.check()


def _file(raw: bytes) -> BufferedReader:
    return cast("BufferedReader", BytesIO(raw))


def _read_condition(raw: bytes) -> None:
    found = condition(_text(raw), ATTRIBUTES)
    assert condition(found.text, ATTRIBUTES) == found  # as it is written back, it means the same


GOOD: Final = receipts.typical()
VERIFIERS: Final = (receipts.VERIFIER,)
PROOF: Final = next(receipts.varied())
PATH: Final = proof.write(2, PROOF.path, checkpoint_note=PROOF.checkpoint)
TEXT: Final = PROOF.checkpoint.partition("\n\n")[0] + "\n"


def _read_receipt(raw: bytes) -> None:
    found = checking.verdict(raw, VERIFIERS)
    assert isinstance(found, Refused) or receipts.means_the_same(raw, GOOD)


def _read_entry(raw: bytes) -> None:
    found = entry.read(raw)
    assert found is None or canonical.is_canonical(raw)


def _read_pack(raw: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(raw)
        file.flush()
        verify.Pack(verify.load(Path(file.name)), []).verify()
    msg = "a pack that nobody made holds"
    raise AssertionError(msg)


TARGETS: Final = tuple(
    Target(name=name, read=read, refuses=refuses, seeds=seeds)
    for name, read, refuses, seeds in (
        ("tcf", lambda raw: tcf.read(_text(raw)), SignalInvalid, tuple(each.encode() for each in SIGNALS)),
        ("gpp", lambda raw: gpp.read(_text(raw)), SignalInvalid, tuple(each.encode() for each in SIGNALS)),
        ("us", _us, SignalInvalid, tuple(bytes([spot]) + b"BAAAAAAA.YA" for spot in range(5))),
        ("usp", lambda raw: usp.read(_text(raw)), SignalInvalid, tuple(each.encode() for each in SIGNALS)),
        ("canonical", _read_canonical, Invalid, (b'{"a":[1,"\xc3\xa9",true,{"b":-9007199254740991}]}', b'"x"')),
        ("json", strict_json.parse, Invalid, (b'{"a": [1, 2.5, null, {"b": "\\u00e9\\ud83d\\ude00"}]}', GOOD)),
        ("csv", _read_csv, ImportInvalid, (b'a,b\r\n1,"x, ""y"""\r\n"two\nlines",2\r\n', b"\xef\xbb\xbfa;b\n")),
        (
            "json_records",
            _read_json_records,
            Invalid,
            (b'[{"a": "]"}, {"b": [1]}]', b'{"n": [0], "content": [{"a": 1}]}', b'{"a": 1}\n{"a": 2}\n'),
        ),
        ("conditions", _read_condition, ExpressionInvalid, tuple(each.encode() for each in CONDITIONS)),
        ("catalogue", lambda raw: parse_catalogue(_text(raw)), CatalogueInvalid, (DEFAULT.read_bytes(),)),
        ("receipt", _read_receipt, (), (GOOD,)),
        ("note", lambda raw: note.open_note(_text(raw), VERIFIERS), NoteRefused, (PROOF.checkpoint.encode(),)),
        ("checkpoint", lambda raw: checkpoint.parse(_text(raw)), NoteRefused, (TEXT.encode(),)),
        ("proof", lambda raw: proof.read(_text(raw)), (ProofRefused, NoteRefused), (PATH.encode(),)),
        ("entry", _read_entry, (), (PROOF.body,)),
        ("pack", _read_pack, verify.Refused, (verify.zip_bytes({"manifest.json": b"{}", "vkey": b"x"}),)),
    )
)  # fmt: skip
BY_NAME: Final = {target.name: target for target in TARGETS}


def spoilt(seeds: Iterable[bytes], count: int, *, seed: int) -> Iterator[bytes]:
    """Yield seeds with something changed in them: a byte, a piece cut out, doubled or moved, a letter that breaks."""
    chance, good = random.Random(seed), list(seeds)  # noqa: S311 -- a seeded choice of places, no secret
    for _ in range(count):
        raw = bytearray(chance.choice(good))
        for _ in range(chance.randint(1, 4)):
            start, end = sorted(chance.randrange(len(raw) + 1) for _ in range(2))
            piece = raw[start:end]
            letter = chance.choice(LETTERS).encode("utf-8", "surrogatepass")
            raw[start:end] = chance.choice((b"", piece * 2, letter, piece[::-1], chance.randbytes(3)))
        yield bytes(raw)
