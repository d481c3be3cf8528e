"""The web application: what happens around every request, and which faces are mounted.

Before a view runs, the one who calls is known and may do what the view declares; a view that declares nothing is never
served. Programs identify themselves with a key and people with a session; neither is looked at on the other's paths,
so a browser can't be made to call the API in somebody's name.
"""

from datetime import datetime
from typing import Final

from flask import Blueprint, Flask, Response, current_app, g, request

from api import counting, pages, problems, rest, security
from api.actors import actor, keys, sessions
from api.actors.actor import NOBODY, Actor
from api.at_once import AtOnce
from api.bounded import Bounded
from api.pages import trouble
from api.rest.contract import contract_of
from api.rest.incoming import no_body
from api.roles import ACTIONS, action_of
from api.wiring import EXTENSION, House, here
from consent.base.errors import NotAllowed, NotSignedIn
from consent.base.ids import new_id
from consent.register import links

_READING: Final = frozenset({"GET", "HEAD"})
_CSRF: Final = "csrf/v1"
_BY_LINK: Final = frozenset({"link.withdraw"})
"""What a link in a mail does from wherever it is pressed (RFC 8058): it can make a permission smaller and no more."""

_NEVER_TOO_MANY: Final = frozenset({"health.show", "files.fetch", *_BY_LINK})
"""What isn't counted. A no is never refused: mail providers press such links for all of their customers."""

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (
    *rest.BLUEPRINTS,
    *pages.BLUEPRINTS,
)


def create_app(house: House) -> Flask:
    """Return the application of a house. Nothing connects before the first request."""
    app = Flask("api", static_folder=None)
    app.request_class = Bounded
    app.extensions[EXTENSION] = house
    app.config.update(
        TRUSTED_HOSTS=list(house.settings.trusted_hosts),
        MAX_CONTENT_LENGTH=house.settings.max_body_bytes,
        MAX_FORM_MEMORY_SIZE=house.settings.max_body_bytes,
        MAX_FORM_PARTS=1_000,
        PROVIDE_AUTOMATIC_OPTIONS=False,
        PROPAGATE_EXCEPTIONS=False,
    )
    app.url_map.merge_slashes = False
    app.jinja_env.globals["csrf_token"] = lambda: csrf_token(here())
    app.before_request(_let_in)
    app.after_request(_name)
    security.install(app, https=house.settings.https)
    problems.install(app, house.settings.base_url, shown=trouble.shown)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.wsgi_app = AtOnce(app)  # type: ignore[method-assign]  # Flask's own way of wrapping itself
    return app


def csrf_token(house: House) -> str:
    """Return the token for forms of the session that is being answered. Templates call it as `csrf_token()`."""
    return security.csrf_token(links.derived_key(house.deployment.desk, _CSRF), actor.current().session)


def _let_in() -> None:
    """Let the request on to its view, or refuse it."""
    house = here()
    at = house.deployment.clock()
    g.request_id = new_id("req", at)
    if request.endpoint is None:
        counting.address(house, at=at)
        return  # there is no such page, or not with this method: Flask says so itself
    view = current_app.view_functions[request.endpoint]
    declared = action_of(view)
    if declared is None:
        raise NotAllowed("nobody may: this address doesn't say who may")
    who = _counted(house, declared, at)
    actor.welcome(who)
    actor.require(who, declared)
    promised = contract_of(view)
    if promised and not promised.body and request.method not in _READING:
        no_body()
    if request.method not in _READING and declared not in _BY_LINK and not problems.for_programs(request.path):
        _require_own_form(house, who)


def _counted(house: House, declared: str, at: datetime) -> Actor:
    """Return who asks, once he is counted: programs by their key, people by their address; customers are, besides."""
    programs = problems.for_programs(request.path)
    if declared not in _NEVER_TOO_MANY and (ACTIONS[declared].public or not programs):
        counting.address(house, at=at)
    if ACTIONS[declared].public:
        return NOBODY
    try:
        who = _identified(house, at)
    except NotSignedIn:
        if programs:
            counting.address(house, at=at)
        raise
    counting.actor(house, who, at=at)
    return who


def _identified(house: House, at: datetime) -> Actor:
    store = house.deployment.store
    if problems.for_programs(request.path):
        return keys.bearer(store, request.headers.get("Authorization"), at=at)
    cookie = request.cookies.get(sessions.cookie_name(house.settings))
    return sessions.visitor(store, cookie, at=at, settings=house.settings)


def _require_own_form(house: House, who: Actor) -> None:
    """Refuse forms of other sites. Who has no session lends no authority to a form: its link is all there is."""
    security.require_own_site(dict(request.headers), house.settings.base_url)
    if who.session:
        key = links.derived_key(house.deployment.desk, _CSRF)
        security.require_token(key, who.session, request.form.get(security.FIELD, ""))


def _name(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.get("request_id", "")
    response.headers.update(counting.told())
    return response
