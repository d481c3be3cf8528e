"""The pages in Chinese: whoever speaks it gets it, whole, and set as Chinese is."""

import re
from dataclasses import asdict
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from api.jobs import outbox
from api.pages.words import words
from consent.base.ids import Scope
from consent.catalogue.reading import DEFAULT, read_catalogue
from consent.register import confirmations
from personalise import engine
from personalise.steps.personalise.sentences import CHINESE
from tests.builders import CATALOGUE, toml
from tests.campaigns import TABLES, publish, willing
from tests.faces.pages.conftest import house_of
from tests.flows.test_contact_policy import rule
from tests.printed import leaves

HILLSTROM = Path(__file__).parents[3] / "examples" / "hillstrom" / "catalogue.toml"
NEWS = "contact:email:newsletter"
HAN = "[\u3400-\u9fff]"
NAMES = {
    "A",
    "shop",
    "UTC",
    "JSON",
    "LD",
    "Global",
    "Privacy",
    "Control",
    "STOP",
    "HTTP",
    "English",
    "Deutsch",
    "Français",
}
"""What is written in Latin letters in Chinese, too: the company, standards, what to answer, the other languages."""
PAGES = ("choices", "history", "remembered", "requests", "erase", "wishes", "why", "goodwill")


@pytest.fixture
def world(sqlite_world):
    return sqlite_world


@pytest.mark.parametrize("tag", ["zh", "zh-CN", "zh-Hans-CN", "zh-TW", "ZH-hk"])
def test_whoever_speaks_chinese_is_spoken_to_in_chinese(world, customer, tag):
    bo = customer(world.bo)
    page = bo.open("/p/choices", **{"Accept-Language": f"{tag},en;q=0.5"})
    assert (page.heading, page.tree.one("html").attrs["lang"]) == ("您的选择", "zh-Hans")


def test_what_is_said_in_chinese_is_recorded_so(world, customer):
    bo = customer(world.bo)
    fields = bo.open("/p/choices?lang=zh").form("保存我的选择").fields
    saved = bo.send("/p/choices?lang=zh", {**fields, f"answer:{NEWS}": "yes"})
    assert saved.heading == "已保存"
    assert "联系：电子邮件（用于“店铺简报”）" in saved.main.text
    assert "您于2026年11月21日表示同意，有效至2028年11月21日。" in saved.main.text
    told = bo.open("/p/history?lang=zh").main.one("ol", class_="rows").text
    assert "表态时间：2026年11月21日 10:00 UTC，通过网页。记录簿第" in told


def test_no_page_has_english_left_in_it(world, customer):
    """Terms that a campaign promises, and values, are in whatever language they were written in."""
    [who] = willing(world, 1)
    rule(world, goodwill={"opening": 100, "floor": 20, "prices": {"email": 1.5}})
    first, guide = TABLES["offer"]
    publish(world, cap=[], campaign={"holdout": {"share": 0, "salt": "s"}}, offer=[{**first, "terms": {}}, guide])
    engine.decide_one(world.deployment, who, campaign="spring", actor="key:k")
    visitor = customer(who)
    left = {}
    for name in PAGES:
        tree = visitor.open(f"/p/{name}?lang=zh").tree
        said = " ".join(node.text for node in (tree.one("title"), tree.one("header"), tree.one("main")))
        left[name] = set(re.findall("[A-Za-z]+", said)) - NAMES
    assert {name: found for name, found in left.items() if found} == {}


def test_the_mail_that_asks_to_confirm_is_in_chinese(world):
    world.publish(toml(CATALOGUE))
    world.grant(world.bo, Scope("contact:email:offers"), language="zh-CN")
    with world.store.read() as work:
        catalogue = world.deployment.desk.catalogues.current(work)
        [waiting] = confirmations.outgoing(world.deployment.desk, work, 10)
    sent = outbox.mail(house_of(world), waiting, catalogue).as_bytes(policy=policy.SMTP)
    mail = message_from_bytes(sent, policy=policy.default)
    assert (mail["Content-Language"], mail["Subject"]) == ("zh", "请确认：A small shop")
    assert "链接有效至2026-11-28 10:00 UTC。" in mail.get_content()


# ------------------------------------------------------------------------------------------------------- how it is set


def chinese():
    """Return everything that a customer reads in Chinese."""
    sentences = asdict(CHINESE)
    spoken = {key: sentences[key] for key in ("given", "grounds", "unknown", "left", "because", "stages", "asked")}
    found = [*leaves(dict(words("zh").texts)), *leaves(spoken), *leaves(list(outbox.WORDS["zh"]))]
    for file in (DEFAULT, HILLSTROM):
        shipped = read_catalogue(file)
        kinds = (shipped.purposes, shipped.categories, shipped.channels, shipped.recipients)
        found += [each.titles["zh"] for kind in kinds for each in kind.values() if "zh" in each.titles]
        found += [each.benefits["zh"] for each in shipped.in_order if "zh" in each.benefits]
        found += [notice.wording["zh"] for notice in shipped.notices.values()]
    return found


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (f"{HAN}[,.:;?!()\"']|[,.:;?!()\"']{HAN}", "signs are full-width"),
        (f"{HAN} +{HAN}|[，。：；？！、] | [，。：；？！、]", "no space between characters, or at a sign"),
        ("[０-９Ａ-Ｚａ-ｚ]", "digits and letters are half-width"),
        ("[「」『』„«»]", "quotation marks are “these”"),
        ("[你妳](?!们)", "a customer is 您"),
    ],
)
def test_chinese_is_set_as_chinese_is(wrong, what):
    assert [text for text in chinese() if re.search(wrong, text)] == [], what


@pytest.mark.parametrize("file", [DEFAULT, HILLSTROM])
def test_a_question_promises_the_same_numbers_as_in_english(file):
    spelt = {"two years": "两年", "at most two": "最多两", "at most one": "最多一", "13 months": "13个月",
             "30 days": "30天", "STOP": "STOP"}  # fmt: skip
    for notice in read_catalogue(file).notices.values():
        english, ours = notice.wording["en"], notice.wording["zh"]
        assert {key for key in spelt if key in english} == {key for key, said in spelt.items() if said in ours}
        assert english.count("?") == ours.count("？")
