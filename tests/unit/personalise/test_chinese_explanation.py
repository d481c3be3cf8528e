"""What a customer is told in Chinese: things and clauses are joined as Chinese joins them."""

import re

import pytest

from consent.catalogue.reading import DEFAULT, read_catalogue
from consent.permission.verdict import Reason
from personalise.steps.personalise.explanation import explanation
from personalise.steps.personalise.sentences import CHINESE
from personalise.steps.personalise.stages import Stage
from tests.campaigns import INTERESTS, LETTER, MAIL, PURCHASES, TEXT
from tests.unit.personalise.test_explanation import ALL, POLICY, of_service, row_of


def told(chosen=POLICY, **row):
    return explanation(row_of(chosen, **row), chosen, language="zh-CN")


def test_several_things_are_listed_without_spaces():
    assert told() == "您收到这个，是因为您允许了使用“您的购买记录”和通过电子邮件联系您；用途是“为您推荐”。"
    assert told(main_interest="garden") == (
        "您收到这个，是因为您允许了使用“您告诉我们的喜好”、使用“您的购买记录”和通过信件联系您；用途是“为您推荐”。"
    )


def test_several_grounds_are_clauses_of_their_own():
    chosen = of_service()
    assert told(chosen, opened=2, spent=3.0) == (
        "您收到这个，是因为您没有反对使用“Replies”，而且为您服务需要使用“Purchases”和通过E-mail联系您；"
        "用途是“Service”。"
    )


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.PERMIT])
@pytest.mark.parametrize("scopes", [ALL, (PURCHASES, INTERESTS), (MAIL,), (TEXT,), (LETTER,)])
def test_every_reason_makes_a_sentence_with_nothing_else_in_it(reason, scopes):
    sentence = told(**{f"permit:{scope}": reason for scope in scopes})
    assert sentence.startswith("您")
    assert re.findall(r"[A-Za-z{} ]|[,.:;]", sentence) == []


def test_every_stage_has_a_sentence():
    stages = {Stage.ELIGIBILITY, Stage.HOLDOUT, Stage.CONTACT_POLICY, Stage.GOODWILL, Stage.COMMITMENTS}
    assert set(CHINESE.stages) == stages | {Stage.ARBITRATION}
    spoken = [*CHINESE.stages.values(), CHINESE.unknown, CHINESE.full, CHINESE.together]
    assert [text for text in spoken if re.search(r"[A-Za-z{} ]", text) or not text.endswith("。")] == []


def test_whatever_may_be_asked_is_said_in_chinese():
    catalogue = read_catalogue(DEFAULT)
    kinds = {"contact": catalogue.channels, "share": catalogue.recipients}
    for rule in catalogue.in_order:
        thing = kinds.get(rule.operation, catalogue.categories)[rule.target]
        assert re.findall("[A-Za-z{}]", CHINESE.asked[rule.operation].format(title=thing.title_in("zh"))) == []
