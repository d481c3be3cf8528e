"""HTML mails: what is decided and handed out is what was compiled when the version was published, and approved."""

import json

import pytest

from consent.base.errors import LedgerBroken, StateConflict
from personalise import engine
from personalise.campaigns.model import digest_of
from personalise.campaigns.reading import parse_campaign
from personalise.content.mail import key as key_of
from personalise.life import approving
from personalise.reach.dispatch import Message
from personalise.runs import run
from tests.attacker import Attacker
from tests.builders import toml
from tests.campaigns import SHOP, TABLES, claim, open_run, publish, tables, willing

BROWSING = ("use:browsing:recommendations", "remember:browsing")
PAGE = "<mjml><mj-body><mj-section><mj-column><mj-text>%s</mj-text></mj-column></mj-section></mj-body></mjml>"
OWN = PAGE % "You looked at {{ last_viewed_category }}."
GENERAL = PAGE % "Something new."
MAIL = {
    **TABLES["treatment"][0],
    "content": "New & now.",
    "general": "News.",
    "channel": "email",
    "mjml": OWN,
    "general_mjml": GENERAL,
}
CAMPAIGN = {"campaign": {"holdout": {"share": 0, "salt": "s"}}, "treatment": [MAIL]}


@pytest.fixture
def vera(world):
    """Return a customer whom the mail suits; what she looked at is known, and she lets us use it."""
    publish(world, **CAMPAIGN)
    [who] = willing(world, 1)
    world.grant(who, *BROWSING)
    world.remember(who, last_viewed_category="<tents>")
    return who


def decide(world, who, **how):
    return engine.decide_one(world.deployment, who, campaign="spring", actor="mia", **how)


def test_who_permits_what_the_mail_reads_gets_both_parts_in_his_own_wording(world, vera):
    made = decide(world, vera)
    assert (made.content, made.wording, made.categories_used) == ("New & now.", "personal", ("browsing", "purchases"))
    assert "You looked at &lt;tents&gt;." in made.html
    assert made.as_json()["html"] == made.html
    assert engine.replay(world.deployment, made.id, actor="otto").outcome == "same"
    world.check_ledger()


def test_who_does_not_permit_it_gets_both_parts_in_general(world, vera):
    world.withdraw(vera, "use:browsing:recommendations")
    made = decide(world, vera)
    assert (made.content, made.wording) == ("News.", "general")
    assert "Something new." in made.html
    assert ("tents" in made.html, made.categories_used) == (False, ("purchases",))


@pytest.mark.usefixtures("vera")
def test_a_message_is_handed_out_with_both_parts_in_one_wording(world):
    run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"))
    [contact] = world.rows("SELECT customer, decision FROM contact")
    message = claim(world, contact)
    assert isinstance(message, Message)
    assert (message.content, "You looked at &lt;tents&gt;." in message.html) == ("New & now.", True)


@pytest.mark.usefixtures("vera")
def test_a_mail_is_kept_as_it_was_compiled_and_the_versions_hash_covers_it(world):
    [(body, compiled, digest)] = world.rows("SELECT body, compiled, hash FROM campaign_version")
    read = parse_campaign(body, "toml", SHOP)
    assert sorted(json.loads(compiled)) == sorted([key_of(OWN), key_of(GENERAL)])
    assert (compiled, bytes(digest)) == (read.compiled, read.digest)
    with pytest.raises(StateConflict, match="exactly this file"), world.store.write() as work:
        approving.publish(world.deployment.desk, work, read, actor="mia", four_eyes=False, at=world.clock())


def test_what_another_compiler_makes_of_the_same_file_is_another_version_and_changes_no_old_one(world, vera):
    first = decide(world, vera)
    other = {key_of(OWN): "<p>{{ last_viewed_category }}</p>", key_of(GENERAL): "<p>News</p>"}
    read = parse_campaign(toml(tables(**CAMPAIGN)), "toml", SHOP, other)
    with world.store.write() as work:
        version = approving.publish(world.deployment.desk, work, read, actor="mia", four_eyes=False, at=world.clock())
    assert (version, decide(world, vera).html) == (2, "<p>&lt;tents&gt;</p>")
    assert engine.replay(world.deployment, first.id, actor="otto").outcome == "same"


def test_a_mail_that_was_changed_behind_our_back_is_found_by_the_replay(world, vera):
    made = decide(world, vera)
    [(body, compiled)] = world.rows("SELECT body, compiled FROM campaign_version")
    new = compiled.replace("You looked", "We looked")
    Attacker(world).do("UPDATE campaign_version SET compiled = :new", new=new)
    with pytest.raises(LedgerBroken, match="version 1 of campaign spring was changed since it was published"):
        decide(world, vera)
    Attacker(world).do("UPDATE campaign_version SET hash = :hash", hash=digest_of(body, new))
    found = engine.replay(world.deployment, made.id, actor="otto")
    assert (found.outcome, found.columns) == ("differs", ("policy",))


def test_a_version_without_mails_has_the_hash_of_its_file_alone(world):
    publish(world)
    [(body, compiled, digest)] = world.rows("SELECT body, compiled, hash FROM campaign_version")
    assert (compiled, bytes(digest)) == ("", parse_campaign(body, "toml", SHOP).digest)
