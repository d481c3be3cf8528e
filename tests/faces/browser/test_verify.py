"""A receipt checked in the browser: the same verdict as in Python, in plain words, and the file stays on the page."""

import base64
import json
from collections.abc import Iterable
from itertools import islice

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from consent.ledger.note import verifier_of
from consent.receipts import checking, issuing
from consent.receipts.checking import Holds
from tests.faces.browser.conftest import DESK, PHONE, enter, follow
from tests.faces.browser.test_every_page import RULES
from tests.receipts import (
    FIRST,
    FIRST_KEY,
    MUTATIONS,
    VERIFIER,
    VKEY,
    forgeries,
    means_the_same,
    spoilt,
    typical,
    varied,
    written,
)

AT_ONCE = 500
VERDICTS = """async ([address, files, lines]) => {
  const { verdict, verifierKeys } = await import(address);
  const keys = await verifierKeys(lines);
  const found = [];
  for (const file of files) {
    found.push((await verdict(Uint8Array.from(atob(file), (sign) => sign.charCodeAt(0)), keys)).outcome);
  }
  return found;
}"""
"""Calls the page's own script as the page does, for many files."""

OTHER_KEY = "other.example/consent/2026h2+6c6a9f99+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
SHOWN = "[data-outcome]:not([hidden])"
STATES = """() => [...document.querySelectorAll('[data-step]')].map(
  (step) => [...step.querySelectorAll('[data-is]:not([hidden])')].map((each) => each.dataset.is).join())"""


def outcomes(page: Page, files: Iterable[bytes], key: str = VKEY) -> list[str]:
    """Return what the script in the page says of each file."""
    address = page.get_attribute("script[type=module]", "src")
    found: list[str] = []
    left = iter(files)
    while some := [base64.b64encode(file).decode() for file in islice(left, AT_ONCE)]:
        found += page.evaluate(VERDICTS, [address, some, key])
    return found


def check(page: Page, raw: bytes, name: str = "receipt.jsonld") -> str:
    """Choose a file, as somebody does, and return what is shown."""
    result = page.locator("[data-result]")
    times = int(result.get_attribute("data-done") or 0)
    page.set_input_files("#receipt", {"name": name, "mimeType": "application/ld+json", "buffer": raw})
    expect(result).to_have_attribute("data-done", str(times + 1))
    return shown(page)


def shown(page: Page) -> str:
    [outcome] = page.locator(SHOWN).evaluate_all("found => found.map(each => each.dataset.outcome)")
    return str(outcome)


@pytest.fixture
def granted(served):
    """Return a receipt of the deployment that serves the page."""
    world = served.world
    done = world.grant(world.bo, "use:purchases:recommendations", "contact:email:newsletter", language="de")
    deployment = world.deployment
    return issuing.issue(deployment.store, deployment.desk, done.seq, at=world.clock()).body


# ----------------------------------------------------------------------------------------- the same verdict as Python


@pytest.mark.timeout(400)
def test_ten_thousand_mutations_are_judged_as_in_python(visit):
    page = visit().open("/verify")
    raw = typical()
    files = [raw, *forgeries(raw, MUTATIONS)]
    expected = ["holds" if means_the_same(file, raw) else "refused" for file in files]
    assert outcomes(page, files) == expected


def test_receipts_of_every_kind_hold(visit):
    files = [written(proof) for proof in varied()]
    assert set(outcomes(visit().open("/verify"), files)) == {"holds"}


@pytest.mark.timeout(300)
def test_what_the_ledgers_own_signer_made_up_is_judged_as_in_python(visit):
    files = list(spoilt(600))
    verdicts = [checking.verdict(file, [VERIFIER]) for file in files]
    assert outcomes(visit().open("/verify"), files) == [
        "holds" if isinstance(each, Holds) else "refused" for each in verdicts
    ]


@pytest.mark.parametrize(
    "key",
    [
        FIRST_KEY,
        f"\n  {FIRST_KEY}  \n",
        "shop.example/consent/2031h1-2+1160a065+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
        "shop.example/consent/2026h2+1fe55b26+AWO97O0eTGUZCXZDClXPq6tm2frf3s1CgtK1SGE5/D9L",
        OTHER_KEY,
    ],
)
def test_a_key_counts_as_it_does_in_python(visit, key):
    found = outcomes(visit().open("/verify"), [FIRST.read_bytes()], key)
    held = checking.verdict(FIRST.read_bytes(), [verifier_of(key.strip())])
    # Of another ledger's receipt the page says that it has no key for it: nobody has said that it is of this one.
    refused = "unchecked" if key == OTHER_KEY else "refused"
    assert found == ["holds" if isinstance(held, Holds) else refused]


# ---------------------------------------------------------------------------------------------------- as somebody does


def test_a_receipt_that_holds_is_told_in_words(visit, granted):
    visitor = visit()
    page = visitor.open("/verify")
    assert check(page, granted) == "holds"
    told = page.locator("[data-told]")
    expect(told).to_contain_text("You said yes to")
    expect(told).to_contain_text("Dürfen wir Ihre Einkäufe verwenden")
    expect(told).to_contain_text("21 November 2026 at 10:00:00 UTC")
    expect(told.locator("p[lang=de]")).to_have_count(2)
    assert page.evaluate(STATES) == ["passed"] * 7
    assert visitor.complaints == []


def test_a_forged_receipt_is_refused_and_says_where(visit, granted):
    page = visit().open("/verify?lang=de")
    for old, new, step in (
        (b"{", b"[", 0),
        (b'"byleave:salt"', b'"byleave:pepper"', 1),
        (b'"actor": "customer"', b'"actor": "somebody"', 2),
        (b'"title": "Newsletter"', b'"title": "Nothing"', 3),
        (b"dpv:ConsentGiven", b"dpv:ConsentRefused", 4),
        ("\N{EM DASH} ".encode(), "\N{EM DASH}  ".encode(), 5),
    ):
        assert check(page, granted.replace(old, new)) == "refused"
        assert page.evaluate(STATES) == ["passed"] * step + ["failed"] + ["open"] * (6 - step)
        expect(page.locator(SHOWN)).to_contain_text("Die Quittung ist nicht echt")
        expect(page.locator("[data-told]")).to_be_hidden()
    assert check(page, granted) == "holds"


def test_a_file_can_be_dropped(visit, granted):
    page = visit().open("/verify")
    page.evaluate(
        """(text) => {
          const data = new DataTransfer();
          data.items.add(new File([text], "dropped.jsonld"));
          window.dispatchEvent(new DragEvent("dragover", { dataTransfer: data, cancelable: true }));
          window.dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
        }""",
        granted.decode(),
    )
    expect(page.locator(SHOWN)).to_contain_text("The receipt holds")
    expect(page.locator("[data-fill=file]")).to_have_text("dropped.jsonld")


def test_the_file_never_leaves_the_page(visit, granted):
    page = visit().open("/verify")
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    assert check(page, granted) == "holds"
    blocked = page.evaluate("fetch('/healthz', {method: 'POST', body: 'x'}).then(() => 'sent', () => 'blocked')")
    assert (asked, blocked) == ([], "blocked")


def test_another_key_is_tried_as_soon_as_it_is_put_in(visit):
    page = visit().open("/verify")
    assert check(page, FIRST.read_bytes()) == "refused"
    page.fill("#key", FIRST_KEY)
    page.locator("#key").blur()
    expect(page.locator("[data-result]")).to_have_attribute("data-done", "2")
    assert shown(page) == "holds"


WITHOUT = {
    "a key": ("", "document.querySelector('#key').value = ''", 5),
    "a key that is one": ("", "document.querySelector('#key').value += 'x'", 5),
    "this ledger's key": ("", f"document.querySelector('#key').value = '{OTHER_KEY}'", 5),
    "Ed25519": (
        """const own = SubtleCrypto.prototype.importKey;
        SubtleCrypto.prototype.importKey = function (format, data, cipher, ...more) {
          if (cipher.name === "Ed25519") {
            return Promise.reject(new DOMException("not here", "NotSupportedError"));
          }
          return own.call(this, format, data, cipher, ...more);
        };""",
        "null",
        5,
    ),
    "cryptography": ("Object.defineProperty(Crypto.prototype, 'subtle', { get: () => undefined });", "null", 2),
}
"""What is missing: how it is taken away, before and after the page is loaded; how many steps can be taken without."""


@pytest.mark.parametrize("lack", WITHOUT)
def test_what_could_not_be_checked_never_looks_as_if_it_had_passed(visit, granted, lack):
    before, after, passed = WITHOUT[lack]
    visitor = visit()
    visitor.context.add_init_script(before)
    page = visitor.open("/verify")
    page.evaluate(after)
    assert check(page, granted) == "unchecked"
    expect(page.locator(SHOWN)).to_contain_text("Could not check")
    expect(page.locator("[data-told]")).to_be_hidden()
    assert page.evaluate(STATES) == ["passed"] * passed + ["unchecked"] + ["open"] * (6 - passed)
    # What is shown as passed was looked at: of a file that is none, nothing is.
    assert (check(page, b"no receipt"), page.evaluate(STATES)) == ("refused", ["failed"] + ["open"] * 6)


def test_what_is_wrong_is_refused_even_where_a_signature_could_not_be_checked(visit, granted):
    visitor = visit()
    visitor.context.add_init_script(WITHOUT["Ed25519"][0])
    page = visitor.open("/verify")
    assert check(page, granted.replace(b"ConsentGiven", b"ConsentRefused")) == "refused"


def test_who_runs_no_script_is_told_of_the_command(visit):
    page = visit(java_script_enabled=False, viewport=PHONE).open("/verify")
    expect(page.locator("pre")).to_contain_text("byleave ledger verify-receipt receipt.jsonld --key 'shop.example/")
    assert [page.locator(part).is_visible() for part in ("[data-verify]", "#receipt", "[data-without-script]")] == [
        False, False, True,
    ]  # fmt: skip
    assert page.locator(SHOWN).count() == 0


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (DESK, "light")], ids=["narrow-dark", "wide-light"])
def test_the_page_is_accessible_in_every_state(visit, granted, size, scheme):
    visitor = visit(viewport=size, color_scheme=scheme)
    page = visitor.open("/verify")
    found = {"before": look(page)}
    for name, raw in (("refused", granted.replace(b"Given", b"Taken")), ("holds", granted)):
        assert check(page, raw) == name
        found[name] = look(page)
    page.fill("#key", "")
    page.locator("#key").blur()
    expect(page.locator("[data-result]")).to_have_attribute("data-done", "3")
    found[shown(page)] = look(page)
    assert found == dict.fromkeys(("before", "holds", "refused", "unchecked"), ([], False, 1))
    assert visitor.complaints == []


def look(page: Page) -> tuple[list[str], bool, int]:
    """Return what axe finds, whether the page scrolls sideways, and how many headings of the first rank it has."""
    violations = Axe().run(page, options=RULES).response["violations"]
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return [each["id"] for each in violations], bool(wide), page.locator("h1").count()


def test_a_customer_takes_a_receipt_home_and_checks_it(served, visit):
    world = served.world
    world.grant(world.bo, "contact:email:newsletter")
    visitor = visit()
    enter(visitor, served.customer_door(world.bo))
    page = visitor.open("/p/history")
    with page.expect_download() as waiting:
        page.click("text=Download the receipt")
    raw = waiting.value.path().read_bytes()
    follow(page, "text=check a receipt")
    assert check(page, raw, waiting.value.suggested_filename) == "holds"
    assert json.loads(raw)["@type"] == "dpv:ConsentReceipt"
