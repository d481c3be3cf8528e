"""Checks that are answered before Flask: as Flask would have answered them, and nothing else is."""

import io
import json
import re
from unittest.mock import Mock, patch

import pytest

from api.actors import keys
from api.at_once import PATH, AtOnce
from api.roles import KeyScope

NEWSLETTER = "contact:email:newsletter"
PURCHASES = "use:purchases:recommendations"
NOBODY = "cus_" + "0" * 32
LENGTHS = ("", "0", "-1", "+1", "1_0", "²", "9" * 13, "99999999")


class Front:
    """An application as it is called by a server: with what stands before Flask, and without."""

    def __init__(self, world, app, token):
        self.world, self.app, self.token = world, app, token
        self.front: AtOnce = app.wsgi_app
        assert isinstance(self.front, AtOnce)

    def environ(self, body, **more):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {
            "REQUEST_METHOD": "POST", "PATH_INFO": PATH, "SCRIPT_NAME": "", "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8000", "HTTP_AUTHORIZATION": f"Bearer {self.token}",
            "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(raw)), "wsgi.input": io.BytesIO(raw),
            "wsgi.url_scheme": "http", "wsgi.errors": io.StringIO(), "wsgi.version": (1, 0), "wsgi.multithread": True,
            "wsgi.multiprocess": True, "wsgi.run_once": False,
        }  # fmt: skip
        return {name: value for name, value in {**given, **more}.items() if value is not None}

    def call(self, asked, body, **more):
        said = []
        answer = asked(self.environ(body, **more), lambda status, headers, _fault=None: said.append((status, headers)))
        raw = b"".join(answer)
        [(status, headers)] = said
        told = json.loads(raw) if raw else None
        if isinstance(told, dict):
            told.pop("request_id", None)
        names = sorted(name.lower() for name, _ in headers)
        kept = {
            name.lower(): value for name, value in headers if name.lower() not in ("x-request-id", "content-length")
        }
        if "ratelimit" in kept:  # each request is one less
            kept["ratelimit"] = re.sub(r";r=\d+;t=\d+$", "", kept["ratelimit"])
        return status, names, kept, told

    def both(self, body, **more):
        """Return one answer to a request, that of Flask alone and of all together being the same."""
        alone = self.call(self.front._behind, body, **more)
        assert self.call(self.front, body, **more) == alone
        return alone

    def at_once(self, body, **more):
        """Say whether Flask is not asked."""
        with patch.object(self.front, "_behind", wraps=self.front._behind) as behind:
            self.call(self.front, body, **more)
        return not behind.called


def checks(*asked, **more):
    return {"checks": [{"customer": customer, "scope": scope} for customer, scope in asked], **more}


@pytest.fixture
def front(sqlite_world, app, caller):
    return Front(sqlite_world, app, caller([KeyScope.CONSENT_READ]).token)


def test_who_asks_plainly_is_answered_at_once_as_flask_would(front):
    ann, bo = front.world.ann, front.world.bo
    for body, more in (
        (checks((ann, NEWSLETTER)), {}),
        (checks((ann, NEWSLETTER), (bo, NEWSLETTER), (ann, "use:dreams:profit")), {}),
        (checks((ann, NEWSLETTER), as_of="2026-11-20T12:00:00Z"), {}),
        (checks((ann, "share:identity:partners")), {"HTTP_SEC_GPC": "1"}),
        (checks((ann, PURCHASES)), {"CONTENT_TYPE": "application/json; charset=UTF-8"}),
        ({"checks": [{"customer": ann, "scope": PURCHASES, "remembered": True}]}, {"HTTP_HOST": "localhost"}),
    ):
        status, _, _, told = front.both(body, **more)
        assert (status, len(told["data"])) == ("200 OK", len(body["checks"]))
        assert front.at_once(body, **more)


def test_a_withdrawal_counts_at_once(front):
    body = checks((front.world.ann, NEWSLETTER))
    before = front.both(body)[3]["data"][0]["reason"]
    front.world.withdraw(front.world.ann, NEWSLETTER)
    assert (before, front.both(body)[3]["data"][0]["reason"]) == ("PERMIT", "WITHDRAWN")


def test_a_key_that_was_revoked_opens_nothing_from_then_on(front):
    body = checks((front.world.ann, NEWSLETTER))
    assert front.both(body)[0] == "200 OK"
    with front.world.store.write() as work:
        [key] = keys.listed(work)
        keys.revoke(work, key.id, at=front.world.clock())
    assert front.both(body)[0] == "401 UNAUTHORIZED"


def test_what_is_wrong_is_said_by_flask(front):
    """Each kind of wrong request: the same status, headers and places, whoever looked at it first."""
    ann = front.world.ann
    good = checks((ann, NEWSLETTER))
    for status, body, more in (
        ("400", b"{", {}),
        ("400", b'{"checks": [], "checks": []}', {}),
        ("400", {"checks": []}, {}),
        ("400", checks(("ann", NEWSLETTER)), {}),
        ("400", checks((ann, NEWSLETTER), more=1), {}),
        ("400", checks((ann, NEWSLETTER), as_of="yesterday"), {}),
        ("422", checks((ann, NEWSLETTER), as_of="2031-01-01T00:00:00Z"), {}),
        ("404", checks((ann, NEWSLETTER), (NOBODY, NEWSLETTER)), {}),
        ("401", good, {"HTTP_AUTHORIZATION": None}),
        ("401", good, {"HTTP_AUTHORIZATION": "Bearer bl_00000000_" + "A" * 43}),
        ("401", good, {"HTTP_AUTHORIZATION": "Basic eDp5"}),
        ("400", good, {"HTTP_HOST": "evil.example"}),
        ("400", good, {"HTTP_HOST": "127.0.0.1:8000, evil.example"}),
        ("415", good, {"CONTENT_TYPE": "text/plain"}),
        ("415", good, {"CONTENT_TYPE": None}),
        ("415", good, {"CONTENT_TYPE": "application/json; charset=latin-1"}),
        ("415", good, {"HTTP_CONTENT_ENCODING": "gzip"}),
        ("405", good, {"REQUEST_METHOD": "GET"}),
        ("404", good, {"PATH_INFO": PATH + "/"}),
        ("413", b"[" * (front.front._most + 1), {}),
    ):
        assert front.both(body, **more)[0][:3] == status, (body, more)
        assert not front.at_once(body, **more)


def test_of_whoever_may_not_nothing_is_read(front):
    unread = Mock(read=Mock(side_effect=AssertionError("it was read")))
    body = checks((front.world.ann, NEWSLETTER))
    answer = front.call(front.front, body, HTTP_AUTHORIZATION="Bearer none", **{"wsgi.input": unread})
    assert answer[0] == "401 UNAUTHORIZED"


def test_a_body_that_comes_in_pieces_is_read_whole(front):
    raw = json.dumps(checks((front.world.ann, NEWSLETTER))).encode()
    stream = io.BytesIO(raw)
    slow = Mock(read=lambda size: stream.read(min(size, 7)))
    status, _, _, told = front.call(front.front, raw, **{"wsgi.input": slow})
    assert (status, told["data"][0]["reason"]) == ("200 OK", "PERMIT")


def test_a_key_without_the_right_is_refused(front, caller):
    front.token = caller([KeyScope.CONSENT_WRITE]).token
    assert front.both(checks((front.world.ann, NEWSLETTER)))[0] == "403 FORBIDDEN"


@pytest.mark.parametrize("length", LENGTHS)
def test_a_length_that_is_none_is_flasks_to_judge(front, length):
    front.both(checks((front.world.ann, NEWSLETTER)), CONTENT_LENGTH=length)


def test_a_body_that_broke_off_is_flasks_to_judge(front):
    body = json.dumps(checks((front.world.ann, NEWSLETTER))).encode()
    assert front.both(body, CONTENT_LENGTH=str(len(body) + 9))[0][:3] == "400"


def test_what_goes_wrong_inside_is_answered_by_flask(front, monkeypatch):
    def breaks(*_given, **_more):
        raise ZeroDivisionError

    monkeypatch.setattr("api.rest.permissions.judge", breaks)
    status, _, _, told = front.both(checks((front.world.ann, NEWSLETTER)))
    assert (status[:3], told["code"]) == ("500", "internal")
