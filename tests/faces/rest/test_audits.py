"""Audits, findings, schedules, reports and evidence packs over HTTP."""

import io
import json
import zipfile
from datetime import timedelta

import pytest

from api.checks import CHECKS
from api.jobs import audits as worker
from api.jobs import packs as pack_worker
from api.roles import KeyScope, Role
from api.wiring import HEARTBEAT
from consent import jobs
from consent.audit import run as audits
from consent.audit.findings import Check, Finding, Judged, Severity, Yielded
from consent.register import proving
from tests.builders import START

SOON = "2026-12-01T00:00:00.000Z"


@pytest.fixture
def officer(caller):
    return caller(role=Role.OFFICER)


def changed(who, path, body, headers):
    return who.call("POST", path, json=body, headers=headers)


def look(*found: Yielded) -> Check:
    several: tuple[Yielded, ...] = (Judged(1), *found)
    return Check(key="stub", title="A check", function=lambda _: iter(several))


def broken(number: int = 1, severity: Severity = Severity.HIGH) -> Finding:
    return Finding(check="stub", severity=severity, subject=f"row {number}", why="it is wrong")


@pytest.fixture
def found(sqlite_world):
    """Run an audit with three findings."""
    with sqlite_world.store.write() as work:
        proving.sign_checkpoint(sqlite_world.deployment.desk, work, at=sqlite_world.clock())
    several = (broken(1), broken(2), broken(3, Severity.LOW))
    return audits.run(sqlite_world.deployment, [look(*several)], asked_by="staff:cy")


# ------------------------------------------------------------------------------------------------------------- audits


def test_audits_are_listed_a_page_at_a_time_and_shown_with_their_report(sqlite_world, officer, found):
    sqlite_world.clock.advance(minutes=1)
    second = audits.run(sqlite_world.deployment, [look()], asked_by="staff:cy")
    first_page = officer.get("/api/v1/audits?limit=1").get_json()
    rest = officer.get(f"/api/v1/audits?cursor={first_page['next_cursor']}").get_json()

    assert [each["audit"] for each in first_page["data"] + rest["data"]] == [second.audit, found.audit]
    assert rest["next_cursor"] is None
    assert [each["status"] for each in officer.get("/api/v1/audits?status=findings").get_json()["data"]] == ["findings"]
    shown = officer.get(f"/api/v1/audits/{found.audit}").get_json()
    assert (shown["status"], shown["report"]) == ("findings", json.loads(found.text()))


def test_an_audit_is_asked_for_and_followed_until_it_has_ended(house, officer, monkeypatch):
    monkeypatch.setattr(worker, "CHECKS", (look(),))
    asked = officer.post("/api/v1/audits")
    again = officer.post("/api/v1/audits")
    waiting = officer.get(asked.headers["Location"]).get_json()
    worker.asked(house, "a worker")
    ended = officer.get(asked.headers["Location"]).get_json()

    assert (asked.status_code, again.headers["Location"]) == (202, asked.headers["Location"])
    assert (waiting["state"], waiting["audit"], ended["state"]) == ("queued", None, "passed")
    assert officer.get(f"/api/v1/audits/{ended['audit']}").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "audits/aud_x", "audits/asked/1", "audits/asked/x", "audits/asked/999999999999999", "reports/aud_x?format=pdf",
        "findings/fnd_x", "schedules/x", "evidence-packs/epk_x",
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(officer, path):
    assert officer.get(f"/api/v1/{path}").status_code == 404


@pytest.mark.parametrize(
    ("format_", "media", "begins"),
    [("html", "text/html", b"<!doctype"), ("pdf", "application/pdf", b"%PDF-"), ("csv", "text/csv", b"kind,"),
     ("json", "application/json", b"{")],
)  # fmt: skip
def test_a_report_comes_in_each_format_as_a_file(officer, found, format_, media, begins):
    answer = officer.get(f"/api/v1/reports/{found.audit}?format={format_}")

    assert (answer.status_code, answer.mimetype, answer.data[: len(begins)]) == (200, media, begins)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{found.audit}.{format_}"'
    assert officer.get(f"/api/v1/reports/{found.audit}?format=doc").status_code == 400


# ----------------------------------------------------------------------------------------------------------- findings


@pytest.mark.usefixtures("found")
def test_findings_are_filtered_and_paged(officer):
    first = officer.get("/api/v1/findings?limit=2").get_json()
    rest = officer.get(f"/api/v1/findings?limit=2&cursor={first['next_cursor']}").get_json()
    low = officer.get("/api/v1/findings?severity=low&state=open").get_json()["data"]

    assert {each["subject"] for each in first["data"] + rest["data"]} == {"row 1", "row 2", "row 3"}
    assert ([each["subject"] for each in low], rest["next_cursor"]) == (["row 3"], None)
    assert officer.get("/api/v1/findings?state=resolved").get_json()["data"] == []
    assert officer.get("/api/v1/findings?state=gone").status_code == 400


def test_findings_of_a_check_that_there_is_not_are_refused_by_the_names_that_there_are(officer):
    assert officer.get("/api/v1/findings?check=uses").get_json()["data"] == []
    refused = officer.get("/api/v1/findings?check=use")
    [wrong] = refused.get_json()["errors"]
    assert (refused.status_code, wrong["parameter"]) == (400, "check")
    assert wrong["detail"] == f"must be one of {', '.join(each.key for each in CHECKS)}"


@pytest.mark.usefixtures("found")
def test_a_finding_is_changed_only_as_it_was_looked_at(officer):
    [finding] = officer.get("/api/v1/findings?severity=low").get_json()["data"]
    path = f"/api/v1/findings/{finding['finding']}"
    looked = officer.get(path)
    tag = looked.headers["ETag"]

    without = officer.post(f"{path}:assign", {"owner": "anna"})
    first = changed(officer, f"{path}:assign", {"owner": "anna"}, {"If-Match": tag})
    stale = changed(officer, f"{path}:accept", {"until": SOON, "reason": "soon"}, {"If-Match": tag})
    again = {"If-Match": first.headers["ETag"]}
    fresh = changed(officer, f"{path}:accept", {"until": SOON, "reason": "soon"}, again)

    assert [each.status_code for each in (without, first, stale, fresh)] == [428, 200, 412, 200]
    assert (first.get_json()["owner"], fresh.get_json()["state"]) == ("anna", "accepted")
    assert fresh.headers["ETag"] == officer.get(path).headers["ETag"]
    events = [(each["event"], each["actor"][:4]) for each in officer.get(path).get_json()["history"]]
    assert events == [("opened", "staf"), ("assigned", "key:"), ("accepted", "key:")]


@pytest.mark.parametrize("tag", ["*", 'W/"1"', "1", '"1", "2"'])
@pytest.mark.usefixtures("found")
def test_an_entity_tag_that_is_none_is_refused(officer, tag):
    [finding] = officer.get("/api/v1/findings?severity=low").get_json()["data"]
    answer = changed(officer, f"/api/v1/findings/{finding['finding']}:assign", {"owner": "anna"}, {"If-Match": tag})
    assert (answer.status_code, answer.get_json()["errors"][0]["header"]) == (400, "If-Match")


@pytest.mark.usefixtures("found")
def test_resolving_says_what_came_of_running_the_check_again(officer, monkeypatch):
    [finding] = officer.get("/api/v1/findings?severity=low").get_json()["data"]
    path = f"/api/v1/findings/{finding['finding']}"

    def resolve():
        return officer.call("POST", f"{path}:resolve", headers={"If-Match": officer.get(path).headers["ETag"]})

    unknown = resolve().get_json()
    monkeypatch.setattr("api.rest.findings.CHECKS", (look(broken(3)),))
    still = resolve().get_json()
    monkeypatch.setattr("api.rest.findings.CHECKS", (look(),))
    gone = resolve().get_json()

    assert [(each["came"], each["state"]) for each in (unknown, still, gone)] == [
        ("could_not_check", "open"), ("still_there", "open"), ("resolved", "resolved"),
    ]  # fmt: skip
    assert (unknown["rerun"], resolve().status_code) == (None, 409)


@pytest.mark.usefixtures("found")
def test_an_acceptance_without_an_end_in_time_is_refused(officer):
    [finding] = officer.get("/api/v1/findings?severity=low").get_json()["data"]
    path = f"/api/v1/findings/{finding['finding']}"
    late, tag = {"until": "2029-01-01T00:00:00Z", "reason": "x"}, officer.get(path).headers["ETag"]
    answer = changed(officer, f"{path}:accept", late, {"If-Match": tag})
    assert (answer.status_code, answer.get_json()["errors"][0]["pointer"]) == (422, "/until")


# ---------------------------------------------------------------------------------------------------------- schedules


def test_schedules_are_shown_made_and_changed(officer):
    listed = officer.get("/api/v1/schedules").get_json()
    made = officer.call("PUT", "/api/v1/schedules/weekly", json={"cron": "0 3 * * sun", "zone": "Europe/Berlin"},
                        headers={"If-Match": '"0"'})  # fmt: skip
    stale = officer.call("PUT", "/api/v1/schedules/weekly", json={"cron": "0 4 * * *"}, headers={"If-Match": '"0"'})
    off = officer.call("PUT", "/api/v1/schedules/weekly", json={"cron": "0 4 * * *", "enabled": False},
                       headers={"If-Match": made.headers["ETag"]})  # fmt: skip

    assert [(each["schedule"], each["mode"], each["version"]) for each in listed["data"]] == [
        ("hourly", "incremental", 0), ("nightly", "full", 0),
    ]  # fmt: skip
    assert (made.get_json()["next_at"], made.headers["ETag"]) == ("2026-11-22T02:00:00.000Z", '"1"')
    assert (stale.status_code, off.status_code, off.get_json()["next_at"]) == (412, 200, None)
    assert officer.get("/api/v1/schedules/weekly").get_json()["cron"] == "0 4 * * *"


def test_a_schedule_that_can_not_be_names_each_field(officer):
    wrong = {"cron": "61 * * * *", "zone": "Mars", "checks": ["x"]}
    answer = officer.call("PUT", "/api/v1/schedules/weekly", json=wrong,
                          headers={"If-Match": '"0"'})  # fmt: skip
    pointers = [each.get("pointer") for each in answer.get_json()["errors"]]
    assert (answer.status_code, sorted(pointers, key=str)) == (422, ["/checks", "/cron", "/zone"])
    assert officer.call("PUT", "/api/v1/schedules/weekly", json={"cron": "* * * * *"}).status_code == 428


# -------------------------------------------------------------------------------------------------------------- packs


def test_a_pack_is_asked_for_made_by_the_worker_and_fetched(sqlite_world, house, officer):
    asked = officer.post("/api/v1/evidence-packs", {"kind": "customer", "customer": sqlite_world.ann})
    path = asked.headers["Location"]
    waiting = officer.get(path).get_json(), officer.get(f"{path}/file").status_code
    pack_worker.queued(house, "a worker")
    ready, file = officer.get(path).get_json(), officer.get(f"{path}/file")

    assert (asked.status_code, waiting[0]["state"], waiting[1]) == (202, "queued", 409)
    assert (ready["state"], ready["personal"], file.mimetype, len(file.data)) == (
        "ready",
        False,
        "application/zip",
        ready["size"],
    )
    with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
        assert "verify.py" in archive.namelist()
    assert [each["pack"] for each in officer.get("/api/v1/evidence-packs").get_json()["data"]] == [ready["pack"]]
    sqlite_world.check_ledger()


def test_a_key_cannot_have_opened_what_a_customer_said(sqlite_world, officer):
    wanted = {"kind": "customer", "customer": sqlite_world.ann, "personal": True, "reason": "court"}
    assert officer.post("/api/v1/evidence-packs", wanted).status_code == 403
    assert officer.get("/api/v1/evidence-packs").get_json()["data"] == []


def test_a_pack_about_what_can_not_be_is_refused(officer):
    answer = officer.post("/api/v1/evidence-packs", {"kind": "period", "since": SOON, "customer": "cus_" + "0" * 32})
    assert (answer.status_code, [each["pointer"] for each in answer.get_json()["errors"]]) == (
        422,
        ["/customer", "/until"],
    )


def test_old_packs_are_let_go_of_by_the_worker(sqlite_world, house, officer):
    path = officer.post("/api/v1/evidence-packs", {"kind": "customer", "customer": sqlite_world.ann}).headers[
        "Location"
    ]
    pack_worker.queued(house, "a worker")
    sqlite_world.clock.advance(days=30)
    pack_worker.queued(house, "a worker")

    assert (officer.get(path).get_json()["state"], officer.get(f"{path}/file").status_code) == ("expired", 409)


# -------------------------------------------------------------------------------------------------------------- ready


def test_ready_says_what_is_amiss_and_answers_all_the_same(sqlite_world, stranger):
    silent = stranger.get("/readyz")
    with sqlite_world.store.write() as work:
        jobs.beat(work, HEARTBEAT, "a worker", at=sqlite_world.clock())
    sqlite_world.clock.set(START + timedelta(seconds=30))
    alive = [each["kind"] for each in stranger.get("/readyz").get_json()["alarms"]]

    assert (silent.status_code, silent.get_json()["status"]) == (200, "ok")
    assert [each["kind"] for each in silent.get_json()["alarms"]] == ["worker_silent", "audit_overdue"]
    assert alive == ["audit_overdue"]


def test_a_key_needs_the_scope(caller):
    assert caller(scopes=[KeyScope.LEDGER_READ]).get("/api/v1/findings").status_code == 403
