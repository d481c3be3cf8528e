"""PURE: whether a catalogue may be published: rules that a version of before may break and is still read.

What was published once is read for ever, so a rule that came later is asked of new catalogues alone.
"""

from collections.abc import Iterable, Iterator, Mapping

from consent.base.counting import counted
from consent.base.errors import CatalogueInvalid, Place
from consent.catalogue.model import ASKED, SERVICE, Catalogue, Category, LegalBasis, Notice, ScopeRule

MADE = ("derived", "inferred")
"""Where a category comes from that is made out of others."""

_STRENGTH = {LegalBasis.LEGITIMATE_INTEREST: 0, LegalBasis.CONSENT: 1, LegalBasis.EXPLICIT_CONSENT: 2}
"""What a yes is worth that was given on a basis; on any other nobody gives one."""


def require_fit(
    catalogue: Catalogue, shown: Mapping[tuple[str, int], Notice], earlier: Iterable[Catalogue] = ()
) -> None:
    """Refuse a catalogue that may not be published.

    Args:
        catalogue: as it was read.
        shown: every notice version that was published before, by key and version.
        earlier: every catalogue that was published before.

    Raises:
        CatalogueInvalid: with every place that is wrong.
    """
    places = [
        *_opted_out(catalogue), *_made(catalogue), *_reworded(catalogue, shown), *_asked_anew(catalogue, earlier),
        *_forgotten(catalogue, earlier),
    ]  # fmt: skip
    if places:
        raise CatalogueInvalid(f"{counted(len(places), 'place')} in it can't be published", places=places)


def _opted_out(catalogue: Catalogue) -> Iterator[Place]:
    for rule in catalogue.in_order:
        if rule.gpc and rule.legal_basis in SERVICE:
            why = f"{rule.legal_basis} serves what was ordered: a browser's wish not to be sold or shared can't stop it"
            yield Place(f"scope {rule.scope}, gpc", why)


def _made(catalogue: Catalogue) -> Iterator[Place]:
    """Walk the categories made from others: what they come from is known, and nothing special is laundered."""
    for category in catalogue.categories.values():
        where = f"category {category.key}, from"
        if category.sources and category.origin not in MADE:
            yield Place(where, f"belongs to a category that is derived or inferred; this one is {category.origin}")
        for key in category.sources:
            source = catalogue.categories.get(key)
            if source is None or key == category.key:
                yield Place(where, f"{key!r} is not another category")
            elif source.special and not category.special:
                why = f"what is made from {key} is a special category as {key} is (GDPR Art. 9): set special = true"
                yield Place(f"category {category.key}, special", why)
        yield from _inferred(category, catalogue)


def _inferred(category: Category, catalogue: Catalogue) -> Iterator[Place]:
    if not category.special or category.origin not in MADE:
        return
    remember = catalogue.scopes.get(f"remember:{category.key}")
    if remember is None or remember.legal_basis is not LegalBasis.EXPLICIT_CONSENT:
        why = (
            f"to infer a special category takes the customer's explicit consent (GDPR Art. 9(2)(a)): declare "
            f"remember:{category.key} on explicit_consent, or infer nothing of the kind"
        )
        yield Place(f"category {category.key}, origin", why)


def _reworded(catalogue: Catalogue, shown: Mapping[tuple[str, int], Notice]) -> Iterator[Place]:
    """Walk the notices whose version was shown to customers already, in other words: what they saw must stay."""
    for key, notice in catalogue.notices.items():
        before = shown.get(key)
        if before is None:
            continue
        for language, words in notice.wording.items():
            if before.wording.get(language, words) != words:
                where = f"notice {notice.key} version {notice.version}, wording.{language}"
                yield Place(where, "was published in other words: give it a new version")
        if before.material != notice.material:
            was = "material" if before.material else "minor"
            yield Place(
                f"notice {notice.key} version {notice.version}, material",
                f"was published as a {was} version: give it a new one",
            )


def _asked_anew(catalogue: Catalogue, earlier: Iterable[Catalogue]) -> Iterator[Place]:
    """Walk the scopes where a yes to other words, or of less weight, would count for what is asked now.

    What stands knows the number of the version that was shown. So another notice, or a stronger basis, begins above
    every number that was shown for the scope before.
    """
    shown: dict[str, dict[tuple[str, LegalBasis], int]] = {}
    for each in earlier:
        for rule in each.scopes.values():
            if rule.legal_basis in _STRENGTH:
                versions = shown.setdefault(rule.scope, {})
                spoken = rule.notice, rule.legal_basis
                newest = each.current_notice(rule.notice)
                versions[spoken] = max(versions.get(spoken, 0), newest.version if newest else 0)
    for rule in catalogue.in_order:
        if rule.legal_basis in ASKED:
            yield from _too_low(rule, shown.get(rule.scope, {}))


def _forgotten(catalogue: Catalogue, earlier: Iterable[Catalogue]) -> Iterator[Place]:
    """Walk the scopes whose material wording is in the file no more: who had been asked again would count as asked."""
    for rule in catalogue.in_order:
        before = [each.scopes[rule.scope] for each in earlier if rule.scope in each.scopes]
        newest = max((each.material_since for each in before if each.notice == rule.notice), default=0)
        if (
            rule.legal_basis in ASKED
            and newest > rule.material_since
            and (rule.notice, newest) not in catalogue.notices
        ):
            why = f"version {newest} of notice {rule.notice} was published as a material one: keep it in the file"
            yield Place(f"scope {rule.scope}, notice", why)


def _too_low(rule: ScopeRule, shown: Mapping[tuple[str, LegalBasis], int]) -> Iterator[Place]:
    for (notice, basis), newest in shown.items():
        less = _STRENGTH[basis] < _STRENGTH[rule.legal_basis]
        if (less or notice != rule.notice) and rule.material_since <= newest:
            before = f"notice {notice or '(none)'} up to version {newest}, on {basis}"
            why = (
                f"a yes to {before}, would count as one to {rule.notice} on {rule.legal_basis}: "
                f"give {rule.notice} a material version above {newest}"
            )
            yield Place(f"scope {rule.scope}, notice", why)
