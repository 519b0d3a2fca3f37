"""Every answer gets the headers that its application has not set."""

import asyncio

from starlette.types import Message

from grader.web.headers import with_headers


def test_only_missing_headers_are_added() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def answer() -> None:
        sending = with_headers(send, {"cache-control": "no-store", "x-own": "added"})
        await sending({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"own")]})
        await sending({"type": "http.response.body", "body": b"text"})

    asyncio.run(answer())
    assert dict(sent[0]["headers"]) == {b"x-own": b"own", b"cache-control": b"no-store"}
    assert sent[1] == {"type": "http.response.body", "body": b"text"}
