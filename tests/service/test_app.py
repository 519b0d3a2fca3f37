"""The service answers each upload with its own grade, in the student's edition, and refuses the rest clearly."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.pipeline.regrade import regrade_class
from grader.schema.errors import HarnessError, StorageError
from grader.schema.progress import Step
from grader.schema.service import ProblemAnswer, SubmissionAnswer
from grader.service import app as app_module
from grader.service import rooms as rooms_module
from grader.service.guard import Limits
from grader.service.openapi import describe
from tests.service.conftest import Stand
from tests.support.serving_class import CLIENT, a_notebook, notebook_bytes


def problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    ProblemAnswer.model_validate(response.json())
    error: dict[str, Any] = response.json()["error"]
    return error


def test_a_notebook_is_accepted_graded_and_kept(stand: Stand) -> None:
    sent = stand.upload()
    assert sent.status_code == 202
    first = SubmissionAnswer.model_validate(sent.json())
    assert sent.headers["location"] == first.links.self
    done = SubmissionAnswer.model_validate(stand.client.get(first.links.self, params={"wait": 30}).json())
    assert (done.id, done.status, done.position) == (first.id, "done", None)
    assert done.result is not None
    # Without the hidden criterion.
    assert (done.result.status, done.result.score, done.result.max_score) == ("graded", 4.0, 4.0)
    assert stand.room.out.submissions() == (first.id,)
    grade = stand.room.out.read_grade(first.id)
    assert grade is not None
    assert (grade.submission.student, grade.max_score) == ("ada", 7)


def test_students_see_nothing_of_hidden_criteria(stand: Stand) -> None:
    links = stand.graded()["links"]
    grade, report = stand.client.get(links["grade"]), stand.client.get(links["report"])
    assert [line["id"] for line in grade.json()["criteria"]] == ["runs"]
    assert "seal" not in grade.json()
    assert "secret" not in grade.text + report.text
    for link in (links["grade"], links["report"]):
        address = f"{link}?edition=instructor"
        assert problem(stand.client.get(address), 403)["where"] == "Authorization"
        assert "secret" in stand.client.get(address, headers=stand.as_instructor()).text
    assert problem(stand.client.get(f"{links['grade']}?edition=all"), 400)["where"] == "edition"


def test_a_report_runs_and_loads_nothing(stand: Stand) -> None:
    report = stand.client.get(stand.graded()["links"]["report"])
    policy = report.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script-src" not in policy
    assert "access-control-allow-origin" not in report.headers


def test_the_same_notebook_is_not_executed_twice(stand: Stand) -> None:
    graded: list[str] = []
    stand.grader.before = lambda found, _listener: graded.append(found.id)
    first = stand.graded()
    again = stand.upload()
    assert (again.status_code, again.json()["id"], again.json()["status"]) == (200, first["id"], "done")
    other = stand.graded(student="ben")
    assert graded == [first["id"], other["id"]]


def test_a_key_for_repeated_requests_names_one_notebook(stand: Stand) -> None:
    first = stand.upload(headers={"idempotency-key": "homework-7"})
    assert stand.upload(headers={"idempotency-key": "homework-7"}).json()["id"] == first.json()["id"]
    error = problem(stand.upload(notebook_bytes("x = 2"), headers={"idempotency-key": "homework-7"}), 409)
    assert error["where"] == "Idempotency-Key"
    assert problem(stand.upload(headers={"idempotency-key": "k" * 201}), 400)["where"] == "Idempotency-Key"


def test_a_notebook_can_be_the_body_itself(stand: Stand) -> None:
    headers = {"content-type": "application/json"}
    params = {"student": "ada", "rubric": "served"}
    sent = stand.client.post("/v1/submissions", content=notebook_bytes(), headers=headers, params=params)
    assert sent.status_code == 202
    assert stand.upload().json()["id"] == sent.json()["id"]


def test_progress_and_position_are_told(stand: Stand) -> None:
    goes_on, begun = threading.Event(), threading.Event()

    def hold(found: Any, listener: Any) -> None:
        listener(Step(found.id, "working", "cell 2 of 5", done=1, total=5))
        begun.set()
        goes_on.wait()

    stand.grader.before = hold
    first, second = stand.upload(), stand.upload(student="ben")
    begun.wait()
    running = stand.client.get(first.headers["location"]).json()
    assert (running["status"], running["progress"]["cells_done"], running["progress"]["cells_total"]) == (
        "running",
        1,
        5,
    )
    waiting = stand.client.get(second.headers["location"]).json()
    assert (waiting["status"], waiting["position"]) == ("queued", 1)
    assert problem(stand.client.get(second.json()["links"]["grade"]), 409)["advice"]
    assert problem(stand.client.delete(first.headers["location"], headers=stand.as_instructor()), 409)
    goes_on.set()
    stand.settled()


def test_a_client_that_went_away_is_not_waited_for(stand: Stand) -> None:
    goes_on = threading.Event()

    def hold(*_: Any) -> None:
        goes_on.wait()

    stand.grader.before = hold
    link = stand.upload().headers["location"]
    messages = [{"type": "http.request", "body": b""}, {"type": "http.disconnect"}]
    scope = {
        "type": "http",
        "method": "GET",
        "path": link,
        "query_string": b"wait=60",
        "headers": [(b"authorization", f"Bearer {CLIENT}".encode())],
    }

    async def ask() -> None:
        async def receive() -> Any:
            return messages.pop(0)

        async def send(_message: Any) -> None:
            pass

        app: Any = stand.client.app
        await asyncio.wait_for(app(scope, receive, send), 50)

    try:
        asyncio.run(ask())
    finally:
        goes_on.set()
    assert messages == []
    stand.settled()


def test_progress_says_nothing_about_points_of_hidden_criteria(stand: Stand) -> None:
    goes_on, begun = threading.Event(), threading.Event()

    def hold(found: Any, listener: Any) -> None:
        listener(Step(found.id, "done", "7 of 7"))
        begun.set()
        goes_on.wait()

    stand.grader.before = hold
    link = stand.upload().headers["location"]
    begun.wait()
    assert stand.client.get(link).json()["progress"] is None
    goes_on.set()
    stand.settled()


def test_a_full_queue_says_when_to_try_again(stand: Stand) -> None:
    goes_on, begun = threading.Event(), threading.Event()

    def hold(*_: Any) -> None:
        begun.set()
        goes_on.wait()

    stand.grader.before = hold
    assert stand.upload(student="first").status_code == 202
    begun.wait()
    statuses = [stand.upload(student=f"s{number}").status_code for number in range(8)]
    refused = stand.upload(student="late")
    assert statuses == [202] * 5 + [429] * 3
    assert problem(refused, 429)["kind"] == "UsageError"
    assert int(refused.headers["retry-after"])
    goes_on.set()
    stand.settled()
    assert stand.upload(student="late").status_code == 202


def test_a_fault_of_the_grader_is_no_score(stand: Stand) -> None:
    stand.grader.fault = HarnessError("no sandbox")
    done = stand.graded()
    assert done["result"]["status"] == "not_graded"
    assert done["result"]["score"] is None
    assert "no sandbox" in done["result"]["reason"]
    # It was tried twice, and it is tried again when it is sent again.
    assert [event.kind for event in stand.events] == ["started", "again", "started", "done"]
    stand.grader.fault = None
    assert stand.graded()["result"]["status"] == "graded"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty (0 bytes)"),
        (b"import numpy", "the file is a Python script, not a notebook"),
        (b"PK\x03\x04" + b"\0" * 100, "the file is a renamed zip or office document, not a notebook"),
        (b"[" * 90_000, "the file is nested too deeply to be a notebook"),
        (b'{"a": 1}', "the file is JSON, but not a notebook"),
        (json.dumps(a_notebook()).encode(), "the notebook has no cells"),
    ],
)
def test_an_upload_that_is_no_notebook_is_refused_and_not_kept(stand: Stand, content: bytes, says: str) -> None:
    error = problem(stand.upload(content), 422)
    assert error["kind"] == "NotebookError"
    assert error["says"]["id"] == says
    assert error["where"] == "notebook.ipynb"
    assert error["advice"]
    assert stand.queue.counts() == {"queued": 0, "running": 0, "done": 0}
    assert not list((stand.queue.root / ".serve").rglob("*.ipynb"))


def test_a_wrong_form_is_refused(stand: Stand) -> None:
    post = stand.client.post
    assert problem(post("/v1/submissions", files={"other": b"x"}, data={"student": "a"}), 400)["where"] == "notebook"
    assert problem(post("/v1/submissions", content=b"x", headers={"content-type": "text/csv"}), 415)
    assert problem(post("/v1/submissions", content=b"x", headers={"content-type": "multipart/form-data"}), 400)
    assert problem(stand.upload(student=" "), 422)["where"] == "student"
    assert problem(stand.upload(student="a\x00b"), 422)["where"] == "student"
    assert problem(stand.upload(student="a" * 101), 422)["where"] == "student"
    error = problem(stand.upload(rubric="servd"), 400)
    assert "served" in error["message"]


@pytest.mark.parametrize("student", ["../../etc/passwd", "a/b", "Zoë Ø", "-rf", ".serve", "CON"])
def test_a_student_is_never_a_path(stand: Stand, student: str) -> None:
    done = stand.graded(student=student)
    assert done["student"] == student
    assert stand.room.out.submissions() == (done["id"],)
    assert {path.name for path in stand.queue.root.iterdir()} <= {
        *(done["id"], ".serve", "grader.sqlite", "grader.sqlite-wal", "grader.sqlite-shm", "rubric.json"),
        *("index.html", "grades.csv"),
    }


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=300), kind=st.sampled_from(["application/json", "multipart/form-data; boundary=b"]))
def test_no_body_is_an_error_of_the_grader(stand: Stand, body: bytes, kind: str) -> None:
    response = stand.client.post("/v1/submissions?student=a", content=body, headers={"content-type": kind})
    assert response.status_code in {400, 422}
    problem(response, response.status_code)


def test_an_unexpected_error_says_nothing_and_keeps_nothing(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        msg = "the-secret-detail"
        raise ZeroDivisionError(msg)

    monkeypatch.setattr(app_module, "check_notebook", fail)
    response = stand.upload()
    error = problem(response, 500)
    assert error["kind"] == "HarnessError"
    assert "secret" not in response.text
    assert [type(one) for one in stand.errors] == [ZeroDivisionError]
    assert stand.queue.counts()["queued"] == 0


def test_a_full_disk_is_no_fault_of_the_notebook(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        msg = "cannot write: the disk is full"
        raise StorageError(msg, where="/a/path")

    monkeypatch.setattr(stand.queue, "add", fail)
    response = stand.upload()
    assert problem(response, 503)["where"] == ""
    assert response.headers["retry-after"]


def test_unknown_addresses_and_submissions_are_not_found(stand: Stand) -> None:
    assert problem(stand.client.get("/v1/submissions/" + "0" * 32), 404)["where"] == "id"
    assert problem(stand.client.get("/v1/submissions/..%2f..%2fetc"), 404)
    assert problem(stand.client.get("/v1/nothing"), 404)
    assert problem(stand.client.put("/v1/submissions"), 405)
    assert problem(stand.client.get("/v1/queue/"), 404)  # and no redirection, which might leave TLS


@pytest.mark.parametrize("wait", ["61", "-1", "1.5", "9" * 5000])
def test_a_wrong_time_to_wait_is_refused(wait: str, stand: Stand) -> None:
    response = stand.client.get(f"/v1/submissions/{stand.graded()['id']}", params={"wait": wait})
    assert problem(response, 400)["where"] == "wait"


def test_a_field_that_is_given_twice_is_refused(stand: Stand) -> None:
    files = {"notebook": ("x.ipynb", notebook_bytes())}
    sent = stand.client.post("/v1/submissions", files=files, data={"student": ["ada", "ben"]})
    assert problem(sent, 400)["where"] == "student"
    address = "/v1/submissions?student=ada&student=ben"
    sent = stand.client.post(address, content=notebook_bytes(), headers={"content-type": "application/json"})
    assert problem(sent, 400)["where"] == "student"
    assert problem(stand.upload(student=" "), 422)["message"] == "the request names no student"


def test_a_question_with_a_body_is_refused_without_words_about_notebooks(stand: Stand) -> None:
    error = problem(stand.client.request("GET", "/v1/queue", content=b"x" * 5000), 413)
    assert "notebook" not in error["advice"]


def test_an_instructor_deletes_a_submission(stand: Stand) -> None:
    done = stand.graded()
    link = done["links"]["self"]
    assert problem(stand.client.delete(link), 403)
    assert stand.client.delete(link, headers=stand.as_instructor()).status_code == 204
    assert problem(stand.client.get(link), 404)
    assert stand.room.out.submissions() == ()
    assert stand.graded()["id"] != done["id"]


def test_a_submission_in_a_folder_that_another_grader_uses_is_deleted_later(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = stand.graded()["links"]["self"]
    stand.room.keeper.settle(0.0)
    monkeypatch.setattr(rooms_module, "_WAIT", 0.0)
    with stand.room.out.at_work():
        assert problem(stand.client.delete(link, headers=stand.as_instructor()), 503)["where"] == ""
        assert stand.client.get(link).json()["status"] == "done"
    assert stand.client.delete(link, headers=stand.as_instructor()).status_code == 204
    assert stand.room.out.submissions() == ()


def test_a_draining_service_answers_but_accepts_nothing(stand: Stand) -> None:
    done = stand.graded()
    stand.workshop.drain()
    assert stand.client.get("/healthz").json() == {"status": "draining"}
    assert stand.client.get(done["links"]["self"]).json()["status"] == "done"
    assert problem(stand.upload(student="ben"), 503)


def test_the_service_says_what_it_grades(stand: Stand) -> None:
    assert stand.client.get("/v1/rubrics").json() == {
        "rubrics": [{"id": "served", "title": "A served rubric", "max_score": 4.0}]
    }
    assert stand.client.get("/v1/queue").json() == {"queued": 0, "running": 0, "done": 0, "most": 5}


def test_the_description_has_every_route(stand: Stand) -> None:
    described = json.loads(describe(Limits()))
    inner: Any = stand.client.app
    routes = {(route.path, method) for route in inner.app.routes for method in route.methods if method != "HEAD"} - {
        ("/v1/openapi.json", "GET")
    }
    assert routes == {(path, method.upper()) for path, methods in described["paths"].items() for method in methods}
    assert stand.client.get("/v1/openapi.json").json()["openapi"] == "3.1.0"
    references = set(json.dumps(described).split('"#/components/schemas/')[1:])
    assert {text.partition('"')[0] for text in references} <= set(described["components"]["schemas"])


def test_results_can_be_graded_again_while_the_service_is_idle(stand: Stand) -> None:
    done = stand.graded()
    stand.room.keeper.settle(0.0)
    with stand.room.out.at_work():
        again = regrade_class(stand.room.course, stand.room.out, workers=1)
    assert (again.total, again.changed) == (1, 0)
    assert done["id"] in (Path(stand.room.out.root) / "index.html").read_text(encoding="utf-8")
