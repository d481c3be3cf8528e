"""What surrounds every page: the files it loads, the way in, the navigation of who is signed in; and the start page.

Nothing in here asks the database: error pages have the same frame, and the database may be the error.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, render_template, request
from werkzeug.exceptions import NotFound as NoSuchPage

from api.actors import actor
from api.roles import action
from api.wiring import here

STATIC: Final = Path(__file__).parent / "static"
FILES: Final[Mapping[str, str]] = {
    "app.css": "text/css",
    "mark.svg": "image/svg+xml",
    "progress.js": "text/javascript",
    "verify.js": "text/javascript",
}
"""What the pages load, and of which type it is; nothing else in the folder is served."""

_KEPT: Final = "public, max-age=31536000, immutable"
_ROOMS: Final[Mapping[str, tuple[tuple[str, str, str], ...]]] = {
    "Console": (
        ("/console", "Overview", "console.show"),
        ("/console/contact-policy", "Contact policy", "contact_policy.show"),
        ("/console/compare", "Compare", "campaigns.dry_run"),
    ),
    "Audit": (
        ("/audit", "Overview", "audits.show"),
        ("/audit/audits", "Audits", "audits.show"),
        ("/audit/schedules", "Schedules", "audits.show"),
        ("/audit/findings", "Findings", "findings.show"),
        ("/audit/packs", "Evidence packs", "packs.show"),
        ("/audit/requests", "Requests", "requests.show"),
        ("/audit/file", "Customer file", "customers.file"),
        ("/audit/processing", "Records of processing", "processing.show"),
        ("/audit/uses", "Access log", "uses.show"),
    ),
}
"""The rooms of staff, and the pages of each with what they need: a room's door leads to the first that one may open."""

_WAY_IN: Final = (
    "Staff sign in by a link that is good once and for ten minutes. "
    "Whoever looks after this installation makes one with: byleave user invite NAME --role ROLE"
)
"""What somebody can do who isn't signed in, and isn't a customer."""

blueprint: Final = Blueprint("shell", __name__, template_folder="templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One entry of the navigation; `current` is "page", "true" or "" as `aria-current` has it."""

    href: str
    name: str
    current: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """The frame of a page of staff, or of nobody. `inside` are the pages of the room that one is in, if it has more."""

    doors: tuple[Door, ...]
    inside: tuple[Door, ...]
    who: str
    badge: str
    way_in: str


@cache
def _content(name: str) -> bytes:
    return (STATIC / name).read_bytes()


@cache
def _digest(name: str) -> str:
    return hashlib.sha256(_content(name)).hexdigest()[:12]


def asset(name: str) -> str:
    """Return the address of a file that pages load: another content has another address."""
    return f"/static/{name}?v={_digest(name)}"


@blueprint.app_context_processor
def surround() -> dict[str, object]:
    """Give every template its frame, and `asset`."""
    return {"asset": asset, "shell": _shell()}


def _shell() -> Shell:
    who, path = actor.current(), request.path
    staff = who.kind == "staff"
    rooms = {name: _doors(pages, who, path) for name, pages in _ROOMS.items()} if staff else {}
    open_ = {name: pages for name, pages in rooms.items() if pages}
    here_ = next((pages for pages in open_.values() if any(page.current for page in pages)), ())
    return Shell(
        doors=tuple(_into(name, pages) for name, pages in open_.items()),
        inside=here_ if len(here_) > 1 else (),
        who=f"{who.subject}, {who.role}" if staff else "",
        badge="" if here().settings.environment == "production" else "not production",
        way_in=_WAY_IN,
    )


def _doors(pages: tuple[tuple[str, str, str], ...], who: actor.Actor, path: str) -> tuple[Door, ...]:
    """Return the pages that somebody may open; the current one is that whose address goes furthest along his path."""
    along = max((href for href, _, _ in pages if path == href or path.startswith(href + "/")), key=len, default="")
    return tuple(
        Door(href=href, name=name, current="page" if path == href else "true" if href == along else "")
        for href, name, needs in pages
        if who.may(needs)
    )


def _into(name: str, pages: tuple[Door, ...]) -> Door:
    """Return the door of a room."""
    current = next((page.current for page in pages if page.current), "")
    return Door(href=pages[0].href, name=name, current=current if pages[0].current or not current else "true")


@blueprint.get("/")
@action("start.show")
def start() -> str:
    """Say what this is, and where the doors are."""
    return render_template("start.html")


@blueprint.get("/static/<name>")
@action("files.fetch")
def static(name: str) -> Response:
    """Return a file that pages load; kept by browsers if its address names this content."""
    if name not in FILES:
        raise NoSuchPage
    current = request.args.get("v") == _digest(name)
    return Response(_content(name), mimetype=FILES[name], headers={"Cache-Control": _KEPT if current else "no-cache"})
