"""PURE: the README.txt of a pack: what is in it, how to check it, what follows; for readers who are no engineers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from consent.base.clock import rfc3339

_TEXT: Final = """\
EVIDENCE PACK {pack}
made {made} for {asked_by}

This folder shows what a consent ledger holds about
{about}
and lets anybody check that it was not changed afterwards. No network and no software of the company is needed.


HOW TO CHECK IT

1. Install Python 3.9 or newer (python.org). Nothing else.
2. Get the ledger's verifier key from somewhere else than this pack: from the company's website, from a receipt that a
   customer holds, from a witness. It begins like this:
   {vkey_start}...
3. Run:   python verify.py PACK.zip --vkey KEY
   It prints what the pack proves and what it does not, or REFUSED and why.

verify.py is one file of plain Python, written to be read. If you do not trust the copy in this pack, take one from
another pack, or from the published source, or write your own: the formats are public standards, named in its head.


WHAT IS IN IT

manifest.json      every file below with its size and SHA-256
export.json        the ledger's own entry that this pack was handed out, with the manifest's hash
entries.jsonl      {entries} ledger entries, byte by byte as they were recorded, one a line
proofs.jsonl       for each of them the way through the Merkle tree (RFC 6962) to the root that a checkpoint signs
checkpoints/       signed statements of the ledger: so many entries, this root
consistency.jsonl  for each earlier checkpoint the proof that the ledger only grew from it to the last
keys.txt           the keys that sign, to compare; rotations.jsonl: how one key handed over to the next
openings.jsonl     what entries say, where it is opened in this pack, with what shows that they always said so
catalogues/        the company's catalogues of what it may ask, as published
notices/           the wordings shown to customers, byte by byte, one file for each version and language
findings.jsonl     what audits found about this, and what became of it
{more}README.txt         this text; verify.py: the program that checks


WHAT AN ENTRY SAYS

An entry names a time, a kind, the catalogue then in force, and a commitment: a fingerprint of what was said that gives
nothing of it away. Nobody can read a person out of an entry.
{opened}


WHAT FOLLOWS FROM IT, AND WHAT DOES NOT

If the check passes: each entry stood in the ledger when its checkpoint was signed, and stands there unchanged; what is
opened is what was recorded then; the documents are the ones that were published or reported then.

It does not follow that everything that happened was entered in the ledger, or that what was entered is true. It does
not follow that the ledger's clock was right, or that everybody was shown the same ledger: compare a checkpoint with one
that a witness or a customer holds.
"""


_OPENED: Final = """In this pack what this customer said is opened: it is personal data.
Keep it accordingly, and no longer than you need it."""
_SEALED: Final = "In this pack nothing that a customer said is opened."


def readme(
    *,
    pack: str,
    about: Mapping[str, str],
    asked_by: str,
    at: datetime,
    entries: int,
    personal: bool,
    vkey: str,
    names: frozenset[str],
) -> str:
    """Return the text.

    Args:
        pack: its id.
        about: as of `About.as_text`.
        asked_by: who asked for it.
        at: when it was made.
        entries: how many there are.
        personal: whether a customer's payloads are opened.
        vkey: a verifier key of the log.
        names: of the other files.
    """
    told = "\n".join(f"    {name}: {value}" for name, value in sorted(about.items()))
    opened = _OPENED if personal else _SEALED
    more = ""
    if "audit/report.json" in names:
        more += "audit/             the report of an audit, as the ledger committed to it, and in readable forms\n"
    if "shown.jsonl" in names:
        more += "shown.jsonl        which wording the customer was shown at each of his statements\n"
    return _TEXT.format(
        pack=pack, made=rfc3339(at), asked_by=asked_by, about=told, vkey_start=vkey[:60], entries=f"{entries:,}",
        more=more, opened=opened,
    )  # fmt: skip
