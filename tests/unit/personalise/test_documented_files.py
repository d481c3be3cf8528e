"""`docs/campaign-files.md` shows every key that a campaign file and a contact policy can have, in files that hold."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import pytest

from consent.base.form import Form
from consent.catalogue.model import Catalogue
from consent.catalogue.reading import DEFAULT, read_catalogue
from personalise.campaigns.reading import parse_campaign
from personalise.contact_policy.reading import parse_contact_policy

DOC = Path(__file__).parents[3] / "docs" / "campaign-files.md"
CAMPAIGN, POLICY = re.findall(r"```toml\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
CATALOGUE = read_catalogue(DEFAULT)
READERS: Mapping[str, Callable[[str, Literal["toml"], Catalogue], object]] = {
    CAMPAIGN: parse_campaign,
    POLICY: parse_contact_policy,
}


ALIKE = {"exclusion.one", "exclusion.other", "order.first", "order.then"}
"""Tables of one form: it is enough that one of them shows a key."""


@pytest.mark.parametrize("text", READERS, ids=["campaign", "contact policy"])
def test_a_documented_file_holds_and_has_every_key_that_is_read(text, monkeypatch: pytest.MonkeyPatch):
    read: list[Form] = []
    unknown = Form.unknown

    def noting(form: Form) -> None:
        read.append(form)
        unknown(form)

    monkeypatch.setattr(Form, "unknown", noting)
    READERS[text](text, "toml", CATALOGUE)

    own = [form for form in read if form.places is read[-1].places]  # packs of laws are files of their own
    wanted, shown = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for form in own:
        kind = re.sub(r"\[\d+\]", "", form.where)
        kind = "matching" if kind in ALIKE else kind
        wanted[kind] |= form._asked
        shown[kind] |= set(form._table)
    assert {kind: keys - shown[kind] for kind, keys in wanted.items() if keys - shown[kind]} == {}
    assert len(wanted) >= 6
