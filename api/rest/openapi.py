"""`/openapi.json`: the description of the API, written from the routes and their contracts."""

import inspect
from collections.abc import Collection
from typing import Any, Final

import orjson
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Blueprint, Flask, Response, current_app
from typing_extensions import override
from werkzeug.routing import Rule

from api.problems import JSON as PROBLEM_JSON
from api.problems import for_programs
from api.rest.contract import TEXT, Contract, ProblemForm, contract_of
from api.rest.incoming import IDEMPOTENCY_KEY, IF_MATCH, KEY_FORM, TAG_FORM
from api.rest.requests import REQUEST
from api.rest.shapes import CUSTOMER
from api.roles import ACTIONS, KeyScope, Role, Who, action, action_of
from api.wiring import here
from consent.signals import gpc

blueprint: Final = Blueprint("openapi", __name__)

VERSION: Final = "1"
_BEARER: Final = "key"
_PATHS: Final = {
    "audit": {"type": "string", "pattern": "^aud_[0-9a-f]{32}$"},
    "campaign": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,62}$"},
    "decision": {"type": "string", "pattern": "^dec_[0-9a-f]{32}\\.[0-9]{1,9}$"},
    "asked": {"type": "string", "pattern": "^[0-9]{1,15}$"},
    "finding": {"type": "string", "pattern": "^fnd_[0-9a-f]{32}$"},
    "pack": {"type": "string", "pattern": "^epk_[0-9a-f]{32}$"},
    "schedule": {"type": "string", "pattern": "^[a-z0-9_-]{1,40}$"},
    "customer": {"type": "string", "pattern": CUSTOMER},
    "seq": {"type": "string", "pattern": "^(0|[1-9][0-9]{0,15})$"},
    "request": {"type": "string", "pattern": REQUEST},
    "notice": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,62}$"},
    "version": {"type": "string", "pattern": "^[1-9][0-9]{0,5}$"},
}
_CALLED: Final = {"asked": "audit that was asked for", "pack": "evidence pack", "seq": "entry"}
"""Parts of paths that are called otherwise in a sentence."""
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_WORDS: Final = {
    400: "The request is not of the right form",
    401: "No key, or none that is in use",
    403: "The key may not do this",
    404: "There is no such thing",
    409: "The idempotency key was used for something else, or this can't be done as things stand",
    412: "It has changed since you looked at it",
    413: "The body is too large",
    415: "The body is not JSON in UTF-8",
    422: "Right in form, but it says what can't be",
    429: "Too many requests within a minute: `Retry-After` says when to ask again",
    428: "Say with If-Match which version you have looked at",
    500: "Our fault",
    503: "Try again later; nothing was recorded",
}


class _Converter(OpenAPIConverter):
    """Writes what apispec doesn't know of our forms."""

    @override
    def schema2jsonschema(self, schema: Any) -> dict[str, Any]:
        written: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]  # apispec leaves it untyped
        least = getattr(schema, "least", 0)
        return {**written, "minProperties": least} if least else written


class _Plugin(MarshmallowPlugin):
    Converter = _Converter


@blueprint.get("/openapi.json")
@action("openapi.show")
def openapi() -> Response:
    """Return the description of this API."""
    found = description(current_app._get_current_object(), here().settings.base_url)  # type: ignore[attr-defined]  # noqa: SLF001 -- the application itself, not its proxy
    return Response(orjson.dumps(found), mimetype="application/json")


def description(app: Flask, base_url: str) -> dict[str, Any]:
    """Describe every route of `app` that has a contract.

    Source:
        OpenAPI 3.1.
    """
    spec = APISpec(
        title="Byleave",
        version=VERSION,
        openapi_version="3.1.0",
        plugins=[_Plugin(schema_name_resolver=_name)],
        info={"description": "Permissions of customers, what they stand on, and the proof of it."},
        servers=[{"url": base_url}],
    )
    scopes = ", ".join(scope.value for scope in KeyScope)
    scheme = {"type": "http", "scheme": "bearer", "description": f"An API key, made for some of: {scopes}."}
    spec.components.security_scheme(_BEARER, scheme)
    for rule in sorted(app.url_map.iter_rules(), key=lambda each: each.rule):
        view = app.view_functions[rule.endpoint]
        promised, does = contract_of(view), action_of(view)
        if promised and does and for_programs(rule.rule):
            spec.path(_path(rule), operations={_method(rule): _operation(rule, view, promised, does)})
    written: dict[str, Any] = spec.to_dict()
    return written


def _name(schema: Any) -> str:  # noqa: ANN401 -- a schema, its class or its name
    kind = schema if isinstance(schema, type) else type(schema)
    return str(kind.__name__).removesuffix("Form")


def _path(rule: Rule) -> str:
    return rule.rule.replace("<", "{").replace(">", "}")


def _method(rule: Rule) -> str:
    [method] = (rule.methods or set()) - {"HEAD", "OPTIONS"}
    return method.lower()


def _description(view: object, who: Who) -> str:
    """Say what a route does, in its view's own words, and who may call it."""
    does, _, _ = (inspect.getdoc(view) or "").partition("\n\nRaises:")
    others = " or ".join(sorted(role.value for role in who.roles - {Role.ADMIN}))
    by = f"by a key that was made for `{who.scope}`" if who.scope else "by nobody through a key"
    by += f", as {others}" if who.scope and Role.INTEGRATOR not in who.roles else ""
    return f"{does}\n\nMay be called {'by everybody, without a key' if who.public else by}."


def _operation(rule: Rule, view: object, promised: Contract, does: str) -> dict[str, Any]:
    who = ACTIONS[does]
    written: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_"),
        "summary": promised.summary,
        "description": _description(view, who),
        "tags": [rule.endpoint.partition(".")[0]],
        "security": [] if who.public else [{_BEARER: [who.scope.value] if who.scope else []}],
        "parameters": [*_parameters(rule, promised)],
        "responses": _responses(rule, promised, public=who.public),
    }
    if promised.body:
        written["requestBody"] = {
            "required": not promised.body_left_out,
            "content": {"application/json": {"schema": promised.body}},
        }
    return written


def _parameters(rule: Rule, promised: Contract) -> list[Any]:
    found: list[Any] = [
        {"name": name, "in": "path", "required": True, "schema": _PATHS[name]} for name in sorted(rule.arguments)
    ]
    if promised.query:
        found.append({"in": "query", "schema": promised.query})
    if promised.if_match:
        found.append(
            {
                "name": IF_MATCH,
                "in": "header",
                "required": True,
                "schema": {"type": "string", "pattern": TAG_FORM, "minLength": 3, "maxLength": 202},
                "description": "The ETag of what you have looked at: what has changed since is not changed.",
            }
        )
    if promised.signal:
        found.append(
            {
                "name": gpc.HEADER,
                "in": "header",
                "required": False,
                "schema": {"type": "string", "maxLength": 200},
                "description": "Hand the browser's header on: 1 denies what sells or shares, for this call.",
            }
        )
    if promised.idempotent:
        key = {"type": "string", "pattern": KEY_FORM, "minLength": 1, "maxLength": 200}
        found.append(
            {
                "name": IDEMPOTENCY_KEY,
                "in": "header",
                "required": True,
                "schema": key,
                "description": "Your own. The same key with the same body records once and answers the same.",
            }
        )
    return found


def _responses(rule: Rule, promised: Contract, *, public: bool) -> dict[str, Any]:
    good = {"description": promised.summary, "content": _content(promised)}
    statuses = {400, 429, 500, 503, *promised.errors, *promised.wrong} | (set() if public else {401, 403})
    statuses |= {413} if (rule.methods or set()) - _READING else set()
    statuses |= {415, 422} if promised.body else set()
    statuses |= {409} if promised.idempotent else set()
    statuses |= {412, 428} if promised.if_match else set()
    content = {PROBLEM_JSON: {"schema": ProblemForm}}
    words = {**_WORDS, 404: _unknown(rule.arguments), **promised.wrong}
    bad = {str(each): {"description": words[each], "content": content} for each in sorted(statuses)}
    return {str(promised.status): good, **bad}


def _unknown(named: Collection[str]) -> str:
    """Say what there is none of, by what stands in the path.

    >>> _unknown({"campaign"}), _unknown(())
    ('There is no such campaign', 'There is no such thing')
    """
    return f"There is no such {' or '.join(_CALLED.get(name, name) for name in sorted(named)) or 'thing'}"


def _content(promised: Contract) -> dict[str, Any]:
    if promised.files:
        return {media: {"schema": {"type": "string", "format": "binary"}} for media in promised.files}
    if promised.answer is None:
        return {TEXT: {"schema": {"type": "string"}}}
    forms = {promised.media: promised.answer, **promised.others}
    return {media: {"schema": form} for media, form in forms.items()}
