"""The guard lets in requests with a token and within the limits, and reads nothing of others."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from grader.schema.errors import UsageError
from grader.service.guard import Guard, Limits, Tokens, checked_token
from grader.service.refusals import RefusedRequestError, problem_answer

TOKEN = "t" * 32
TOKENS = Tokens([TOKEN, "second-" + "t" * 32], ["i" * 32])


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        body = await Request(scope, receive).body()
    except RefusedRequestError as error:
        await problem_answer(error)(scope, receive, send)
        return
    await PlainTextResponse(f"{scope['state']['caller']} {len(body)}")(scope, receive, send)


def ask(
    guard: Guard,
    parts: Iterable[bytes] = (b"",),
    *,
    method: str = "POST",
    path: str = "/v1/submissions",
    pause: float = 0.0,
    **headers: str,
) -> tuple[int, dict[str, str], bytes, int]:
    """Send a request; return the status, the headers, the body, and the number of parts that were read."""
    headers.setdefault("authorization", f"Bearer {TOKEN}")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items() if value],
    }
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    waiting[-1]["more_body"] = False
    sent: list[Message] = []
    read = 0

    async def receive() -> Message:
        nonlocal read
        await asyncio.sleep(pause)
        read += 1
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    start = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], start, sent[1]["body"], read


def a_guard(**limits: Any) -> Guard:
    return Guard(_echo, TOKENS, Limits(**limits))


def test_a_request_with_a_token_passes_with_its_caller() -> None:
    assert ask(a_guard(), [b"ab", b"c"])[2] == b"client 3"
    assert ask(a_guard(), authorization="bearer second-" + "t" * 32)[2] == b"client 0"
    assert ask(a_guard(), authorization="Bearer " + "i" * 32)[2] == b"instructor 0"


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é"]
)
def test_nothing_of_a_request_without_a_token_is_read(authorization: str) -> None:
    status, headers, body, read = ask(a_guard(), authorization=authorization)
    assert (status, read) == (401, 0)
    assert headers["www-authenticate"].startswith("Bearer")
    assert TOKEN.encode() not in body


def test_two_tokens_are_none() -> None:
    assert TOKENS.caller([f"Bearer {TOKEN}", f"Bearer {TOKEN}"]) is None
    assert TOKENS.caller([]) is None


def test_health_needs_no_token() -> None:
    assert ask(a_guard(), method="GET", path="/healthz", authorization="")[2] == b"None 0"


def test_a_body_that_is_said_to_be_too_large_is_refused_before_the_application_sees_it() -> None:
    seen: list[Scope] = []

    async def note(scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.sleep(0)
        seen.append(scope)

    status, *_ = ask(Guard(note, TOKENS, Limits(size=10)), [b"x" * 11], content_length="11")
    assert status == 413
    assert seen == []


@pytest.mark.parametrize("length", ["", "5", "nonsense"])
def test_a_body_that_grows_too_large_is_refused_whatever_its_header_says(length: str) -> None:
    status, _, body, _ = ask(a_guard(size=10), [b"x" * 6, b"x" * 6, b"x"], content_length=length)
    assert status == 413
    assert b"advice" in body


def test_a_request_that_only_reads_has_no_large_body() -> None:
    assert ask(a_guard(), [b"x" * 2000], method="GET")[0] == 413


def test_a_slow_body_is_refused() -> None:
    assert ask(a_guard(body_seconds=0.02), [b"x"] * 20, pause=0.01)[0] == 408


def test_nothing_is_unpacked() -> None:
    assert ask(a_guard(), content_encoding="gzip")[0] == 415
    assert ask(a_guard(), content_encoding="identity")[0] == 200


def test_more_requests_than_the_limit_are_told_to_come_again() -> None:
    inner: list[tuple[int, dict[str, str], bytes, int]] = []

    async def nested(scope: Scope, receive: Receive, send: Send) -> None:
        inner.append(await asyncio.to_thread(ask, guard))
        await PlainTextResponse("outer")(scope, receive, send)

    guard = Guard(nested, TOKENS, Limits(requests=1))
    assert ask(guard)[2] == b"outer"
    assert inner[0][0] == 503
    assert inner[0][1]["retry-after"]
    assert ask(guard)[2] == b"outer"


def test_every_answer_has_the_headers_and_no_other_site_may_read_it() -> None:
    for headers in (ask(a_guard())[1], ask(a_guard(), authorization="", origin="https://evil.example")[1]):
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize("text", ["", "short", "t" * 513, "t" * 31 + "é", "t t" * 20])
def test_a_weak_token_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(UsageError) as error:
        checked_token(text, "file")
    assert not text or text not in str(error.value)


def test_tokens_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show: Callable[[object], None] = print
    show(TOKENS)
    show(vars(TOKENS))
    assert TOKEN not in capsys.readouterr().out
