"""The customer's sentence in each language that it is said in: why he gets something, or why he doesn't.

Every table has the same sentences. {braces} are filled in: what he allowed, or would have to allow, by the catalogue's
own titles; never what is known of him.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from consent.catalogue.model import ASKED, SERVICE, LegalBasis
from consent.permission.verdict import Reason
from personalise.steps.personalise.stages import Stage

_OBJECTABLE: Final = frozenset({LegalBasis.LEGITIMATE_INTEREST})


class Joints(NamedTuple):
    """What stands between the last two of several parts, and between the others."""

    last: str
    others: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentences:
    """What is said in one language."""

    code: str
    given: str
    """Of {grounds}, for {purpose}."""
    grounds: Sequence[tuple[str, frozenset[LegalBasis]]]
    unknown: str
    left: str
    """Of a {why} out of `because`."""
    because: Mapping[Reason, str]
    stages: Mapping[Stage, str]
    full: str
    """Where there was only so much of it."""
    together: str
    """Where others of his household count, too: not who, nor that there was any."""
    asked: Mapping[str, str]
    """What a scope is about: its {title}, by operation."""
    this: str
    conjunction: str
    between: tuple[Joints, Joints] | None = None
    """What joins things, and what joins whole clauses, in a language that writes neither " and " nor ", "."""

    @property
    def things(self) -> Joints:
        """What stands between several things."""
        return self.between[0] if self.between else Joints(f" {self.conjunction} ", ", ")

    @property
    def clauses(self) -> Joints:
        """What stands between several clauses."""
        return self.between[1] if self.between else self.things


ENGLISH: Final = Sentences(
    code="en",
    given="You get this because {grounds}, for “{purpose}”.",
    grounds=(
        ("you allowed {what}", ASKED),
        ("you have not objected to {what}", _OBJECTABLE),
        ("serving you takes {what}", SERVICE),
    ),
    unknown="We don't know you, so nothing here is chosen for you in person.",
    left="You get nothing of this, because {why}.",
    because={
        Reason.CUSTOMER_ERASED: "you were forgotten, as you asked",
        Reason.SUPPRESSED: "you asked never to be contacted",
        Reason.RESTRICTED: "you restricted what may be done with your data",
        Reason.PAUSED: "you paused us",
        Reason.UNKNOWN_SCOPE: "nobody asked you for {what}",
        Reason.MINOR: "you are too young for {what}",
        Reason.OBJECTED: "you objected to {what}",
        Reason.WITHDRAWN: "you withdrew your permission for {what}",
        Reason.REFUSED: "you refused {what}",
        Reason.GPC: "your browser asks not to share what it does",
        Reason.NOTICE_STALE: "the wording of {what} has changed since you agreed to it",
        Reason.EXPIRED: "your permission for {what} has run out",
        Reason.PENDING_CONFIRMATION: "you have not confirmed {what} yet",
        Reason.REQUESTED: "you have not answered yet whether you allow {what}",
        Reason.NO_RECORD: "you have not allowed {what}",
        Reason.REMEMBER_MISSING: "you have not allowed us to remember what {what} needs",
    },
    stages={
        Stage.ELIGIBILITY: "You get nothing of this, because it is not meant for your situation.",
        Stage.HOLDOUT: (
            "You get nothing of this: a few customers, picked by chance, are left out to see whether it helps."
        ),
        Stage.CONTACT_POLICY: "You get nothing of this now, because you have heard from us often enough lately.",
        Stage.GOODWILL: "You get nothing of this now: we have asked enough of your time and patience lately.",
        Stage.COMMITMENTS: "You get nothing else of this, because what you were offered before still holds.",
        Stage.ARBITRATION: "You get nothing of this, because nothing we could send would be worth your time.",
    },
    full="You get nothing of this, because there was not enough of it for everybody.",
    together="You get nothing of this now, because a household hears from us only so often.",
    asked={
        "contact": "contact by {title}",
        "share": "sharing with {title}",
        "use": "the use of “{title}”",
        "remember": "the use of “{title}”",
    },
    this="this",
    conjunction="and",
)
GERMAN: Final = Sentences(
    code="de",
    given="Sie bekommen dies, weil {grounds}; der Zweck ist „{purpose}“.",
    grounds=(
        ("Sie {what} erlaubt haben", ASKED),
        ("Sie gegen {what} nichts eingewandt haben", _OBJECTABLE),
        ("es für Ihre Bedienung {what} braucht", SERVICE),
    ),
    unknown="Wir kennen Sie nicht, deshalb ist hier nichts für Sie persönlich ausgewählt.",
    left="Sie bekommen hiervon nichts, weil {why}.",
    because={
        Reason.CUSTOMER_ERASED: "wir Sie auf Ihren Wunsch vergessen haben",
        Reason.SUPPRESSED: "Sie nie kontaktiert werden möchten",
        Reason.RESTRICTED: "Sie eingeschränkt haben, was mit Ihren Daten geschehen darf",
        Reason.PAUSED: "Sie eine Pause von uns wünschen",
        Reason.UNKNOWN_SCOPE: "Sie niemand um die Erlaubnis für {what} gebeten hat",
        Reason.MINOR: "Sie für {what} zu jung sind",
        Reason.OBJECTED: "Sie gegen {what} Widerspruch eingelegt haben",
        Reason.WITHDRAWN: "Sie Ihre Erlaubnis für {what} widerrufen haben",
        Reason.REFUSED: "Sie {what} abgelehnt haben",
        Reason.GPC: "Ihr Browser darum bittet, nicht weiterzugeben, was er tut",
        Reason.NOTICE_STALE: "sich der Wortlaut geändert hat, seit Sie {what} erlaubt haben",
        Reason.EXPIRED: "Ihre Erlaubnis für {what} abgelaufen ist",
        Reason.PENDING_CONFIRMATION: "Sie {what} noch nicht bestätigt haben",
        Reason.REQUESTED: "Sie noch nicht geantwortet haben, ob Sie {what} erlauben",
        Reason.NO_RECORD: "Sie {what} nicht erlaubt haben",
        Reason.REMEMBER_MISSING: "wir uns nicht merken dürfen, was es für {what} braucht",
    },
    stages={
        Stage.ELIGIBILITY: "Sie bekommen hiervon nichts, weil es nicht für Ihre Situation gedacht ist.",
        Stage.HOLDOUT: (
            "Sie bekommen hiervon nichts: Einige durch Zufall bestimmte Kunden bleiben außen vor, damit sich zeigt, "
            "ob es hilft."
        ),
        Stage.CONTACT_POLICY: "Sie bekommen hiervon jetzt nichts, weil Sie zuletzt oft genug von uns gehört haben.",
        Stage.GOODWILL: (
            "Sie bekommen hiervon jetzt nichts: Wir haben Ihre Zeit und Geduld zuletzt genug in Anspruch genommen."
        ),
        Stage.COMMITMENTS: "Sie bekommen hiervon nichts anderes, weil noch gilt, was Ihnen vorher angeboten wurde.",
        Stage.ARBITRATION: ("Sie bekommen hiervon nichts, weil nichts, was wir schicken könnten, Ihre Zeit wert wäre."),
    },
    full="Sie bekommen hiervon nichts, weil es nicht für alle gereicht hat.",
    together="Sie bekommen hiervon jetzt nichts, weil ein Haushalt nur so oft von uns hören soll.",
    asked={
        "contact": "den Kontakt per „{title}“",
        "share": "die Weitergabe an „{title}“",
        "use": "die Nutzung von „{title}“",
        "remember": "die Nutzung von „{title}“",
    },
    this="dies",
    conjunction="und",
)
FRENCH: Final = Sentences(
    code="fr",
    given="Vous recevez ceci parce {grounds}, pour «\u00a0{purpose}\u00a0».",
    grounds=(
        ("que vous avez autorisé {what}", ASKED),
        ("que vous n’avez pas soulevé d’objection contre {what}", _OBJECTABLE),
        ("que vous servir demande {what}", SERVICE),
    ),
    unknown="Nous ne vous connaissons pas, donc rien ici n’est choisi pour vous personnellement.",
    left="Vous ne recevez rien ici, car {why}.",
    because={
        Reason.CUSTOMER_ERASED: "nous avons tout oublié de vous, comme vous l’aviez demandé",
        Reason.SUPPRESSED: "vous avez demandé que nous ne vous contactions jamais",
        Reason.RESTRICTED: "vous avez limité ce qui peut être fait de vos données",
        Reason.PAUSED: "vous avez tout mis en pause",
        Reason.UNKNOWN_SCOPE: "personne ne vous a demandé votre accord pour {what}",
        Reason.MINOR: "vous êtes trop jeune pour {what}",
        Reason.OBJECTED: "vous vous opposez à {what}",
        Reason.WITHDRAWN: "vous avez retiré votre accord pour {what}",
        Reason.REFUSED: "vous avez refusé {what}",
        Reason.GPC: "votre navigateur demande de ne pas transmettre ce qu’il fait",
        Reason.NOTICE_STALE: "la formulation a changé depuis que vous avez autorisé {what}",
        Reason.EXPIRED: "votre accord pour {what} a expiré",
        Reason.PENDING_CONFIRMATION: "vous n’avez pas encore confirmé {what}",
        Reason.REQUESTED: "vous n’avez pas encore dit si vous autorisez {what}",
        Reason.NO_RECORD: "vous n’avez pas autorisé {what}",
        Reason.REMEMBER_MISSING: "vous ne nous avez pas autorisés à garder en mémoire ce qu’il faut pour {what}",
    },
    stages={
        Stage.ELIGIBILITY: "Vous ne recevez rien ici, car cela ne s’adresse pas à votre situation.",
        Stage.HOLDOUT: (
            "Vous ne recevez rien ici\u00a0: quelques clients, tirés au sort, sont laissés de côté pour voir si c’est "
            "utile."
        ),
        Stage.CONTACT_POLICY: (
            "Vous ne recevez rien pour l’instant, car vous avez eu assez de nos nouvelles ces derniers temps."
        ),
        Stage.GOODWILL: (
            "Vous ne recevez rien pour l’instant\u00a0: ces derniers temps, nous avons assez demandé de votre temps et "
            "de votre patience."
        ),
        Stage.COMMITMENTS: (
            "Vous ne recevez rien d’autre ici, car ce que nous vous avons proposé auparavant tient toujours."
        ),
        Stage.ARBITRATION: (
            "Vous ne recevez rien ici, car rien de ce que nous pourrions envoyer ne vaudrait votre temps."
        ),
    },
    full="Vous ne recevez rien ici, car il n’y en avait pas assez pour tout le monde.",
    together="Vous ne recevez rien pour l’instant, car un même foyer ne doit pas trop souvent avoir de nos nouvelles.",
    asked={
        "contact": "la prise de contact par «\u00a0{title}\u00a0»",
        "share": "la transmission à «\u00a0{title}\u00a0»",
        "use": "l’utilisation de «\u00a0{title}\u00a0»",
        "remember": "l’utilisation de «\u00a0{title}\u00a0»",
    },
    this="ceci",
    conjunction="et",
)
CHINESE: Final = Sentences(
    code="zh",
    given="您收到这个，是因为{grounds}；用途是“{purpose}”。",
    grounds=(
        ("您允许了{what}", ASKED),
        ("您没有反对{what}", _OBJECTABLE),
        ("为您服务需要{what}", SERVICE),
    ),
    unknown="我们不认识您，所以这里没有专门为您挑选的内容。",
    left="您没有收到这个，因为{why}。",
    because={
        Reason.CUSTOMER_ERASED: "我们已按您的要求彻底删除了您的数据",
        Reason.SUPPRESSED: "您要求过永远不要联系您",
        Reason.RESTRICTED: "您限制了您的数据可以怎样使用",
        Reason.PAUSED: "您已暂停一切",
        Reason.UNKNOWN_SCOPE: "没有人问过您是否允许{what}",
        Reason.MINOR: "按您的年龄，还不能允许{what}",
        Reason.OBJECTED: "您反对{what}",
        Reason.WITHDRAWN: "您撤回了许可，不再允许{what}",
        Reason.REFUSED: "您不同意{what}",
        Reason.GPC: "您的浏览器要求不要把它的活动提供给他人",
        Reason.NOTICE_STALE: "您允许{what}之后，措辞有了改动",
        Reason.EXPIRED: "您允许{what}的期限已过",
        Reason.PENDING_CONFIRMATION: "您还没有确认允许{what}",
        Reason.REQUESTED: "您还没有回答是否允许{what}",
        Reason.NO_RECORD: "您没有允许{what}",
        Reason.REMEMBER_MISSING: "您没有允许我们记住{what}所需的数据",
    },
    stages={
        Stage.ELIGIBILITY: "您没有收到这个，因为它不是为您这样的情况准备的。",
        Stage.HOLDOUT: "您没有收到这个：我们随机留出了少数顾客，看看它到底有没有帮助。",
        Stage.CONTACT_POLICY: "您现在没有收到这个，因为您最近收到我们的消息已经够多了。",
        Stage.GOODWILL: "您现在没有收到这个：我们最近占用您的时间和耐心已经够多了。",
        Stage.COMMITMENTS: "您没有收到别的，因为之前给您的优惠仍然有效。",
        Stage.ARBITRATION: "您没有收到这个，因为我们能发的都不值得占用您的时间。",
    },
    full="您没有收到这个，因为数量不够，不是每个人都能有。",
    together="您现在没有收到这个，因为我们不会太频繁地打扰同一个家庭。",
    asked={
        "contact": "通过{title}联系您",
        "share": "向“{title}”提供您的数据",
        "use": "使用“{title}”",
        "remember": "使用“{title}”",
    },
    this="这样做",
    conjunction="和",
    between=(Joints("和", "、"), Joints("，而且", "，")),
)
LANGUAGES: Final[Mapping[str, Sentences]] = MappingProxyType({"en": ENGLISH, "de": GERMAN, "fr": FRENCH, "zh": CHINESE})


def spoken(language: str) -> Sentences:
    """Return the sentences of a language ("de-AT" is German's); who speaks none of these gets English.

    >>> spoken("de-AT").conjunction, spoken("it").conjunction
    ('und', 'and')
    """
    return LANGUAGES.get(language.partition("-")[0], ENGLISH)
