"""Check each request before the service reads its body: its token, and the limits on requests and sizes."""

import asyncio
import hashlib
import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grader.schema.errors import UsageError
from grader.service.refusals import RefusedRequestError, problem_answer
from grader.web.headers import with_headers

__all__ = ["OPEN_PATHS", "Caller", "Guard", "Limits", "Tokens", "checked_token"]

Caller = Literal["client", "instructor"]
"""Who sends a request: the client reads only students' editions."""

OPEN_PATHS: Final = frozenset({"/healthz", "/v1/openapi.json"})
"""Paths that need no token; they say nothing about submissions."""
_SHORTEST_TOKEN: Final = 32
_LONGEST_TOKEN: Final = 512
_READING: Final = frozenset({"GET", "HEAD", "DELETE"})
_LARGEST_READING: Final = 1024
"""Maximum size in bytes of the body of a request that needs none."""
_HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
}
_DISCARD_SECONDS: Final = 10.0
_DISCARD_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the service."""

    size: int = 20 << 20
    """Maximum size in bytes of a request."""
    body_seconds: float = 60.0
    """Seconds in which a request must be complete."""
    requests: int = 200
    """Requests at the same time, including those that wait for a result."""
    connections: int = 400
    """Open connections."""


def checked_token(text: str, where: str) -> str:
    """Return a token without the blanks at both ends.

    Args:
        text: The token.
        where: Its file or variable, for errors; the error does not contain the token.

    Raises:
        UsageError: It is too short to be safe, or has characters that a header cannot have.
    """
    token = text.strip()
    if not _SHORTEST_TOKEN <= len(token) <= _LONGEST_TOKEN:
        msg = f"a token must have {_SHORTEST_TOKEN} to {_LONGEST_TOKEN} characters"
        raise UsageError(msg, where=where, advice="make one with `openssl rand -hex 32`")
    if not all("!" <= letter <= "~" for letter in token):
        msg = "a token must have only visible ASCII characters"
        raise UsageError(msg, where=where, advice="make one with `openssl rand -hex 32`")
    return token


class Tokens:
    """The tokens of the service, as digests."""

    def __init__(self, client: Collection[str], instructor: Collection[str] = ()) -> None:
        """Set the tokens.

        Args:
            client: Tokens that may upload notebooks and read students' editions.
            instructor: Tokens that may also read instructors' editions and delete submissions.
        """
        self._digests: tuple[tuple[bytes, Caller], ...] = (
            *((_digest(token), "client") for token in client),
            *((_digest(token), "instructor") for token in instructor),
        )

    def caller(self, authorizations: Collection[str]) -> Caller | None:
        """Find who sends a request; None without a valid token.

        Args:
            authorizations: All `Authorization` headers of the request.
        """
        if len(authorizations) != 1:
            return None
        scheme, _, token = next(iter(authorizations)).partition(" ")
        if scheme.lower() != "bearer":
            return None
        given, found = _digest(token.strip()), None
        # Compare with all of them, so that the time says nothing.
        for digest, caller in self._digests:
            if hmac.compare_digest(given, digest):
                found = caller
        return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


class Guard:
    """Middleware that refuses requests without a token or beyond the limits.

    A request that passes has its caller in `request.state.caller`. Its body ends with an error beyond the limits.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens, limits: Limits) -> None:
        """Set the application that receives the admitted requests."""
        self.app = app
        self._tokens = tokens
        self._limits = limits
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        send = with_headers(send, _HEADERS)
        if self._open >= self._limits.requests:
            msg = "the service answers too many requests at the moment"
            error = RefusedRequestError(msg, 503, advice="send the same request again later")
            await problem_answer(error)(scope, receive, send)
            return
        self._open += 1
        try:
            await self._admitted(scope, receive, send)
        finally:
            self._open -= 1

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check(scope)
        except RefusedRequestError as refused:
            if refused.status == 413:  # noqa: PLR2004 - too large
                await _discard(receive)
            await problem_answer(refused)(scope, receive, send)
            return
        await self.app(scope, self._limited(scope, receive), send)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        caller = self._tokens.caller(headers.getlist("authorization"))
        if caller is None and scope["path"] not in OPEN_PATHS:
            msg = "the request has no valid token"
            raise RefusedRequestError(msg, 401, where="Authorization", advice="send `Authorization: Bearer TOKEN`")
        if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            msg = "the service unpacks nothing"
            raise RefusedRequestError(msg, 415, where="Content-Encoding", advice="send the notebook as it is")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._most(scope):
            raise self._too_large(scope)
        scope.setdefault("state", {})
        scope["state"]["caller"] = caller

    def _most(self, scope: Scope) -> int:
        return _LARGEST_READING if scope["method"] in _READING else self._limits.size

    def _too_large(self, scope: Scope) -> RefusedRequestError:
        if scope["method"] in _READING:
            return RefusedRequestError(f"a request with {scope['method']} needs no body", 413, advice="send none")
        msg = f"the request is larger than {self._most(scope) / (1 << 20):,.3g} MiB"
        return RefusedRequestError(msg, 413, advice="clear the notebook's outputs, save it and send it again")

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        """Count the bytes of a body while it arrives, and limit its time."""
        most, size, complete = self._most(scope), 0, False
        ends: float | None = None

        async def receiving() -> Message:
            nonlocal size, complete, ends
            if complete:  # waits for the end of the connection
                return await receive()
            loop = asyncio.get_running_loop()
            ends = loop.time() + self._limits.body_seconds if ends is None else ends
            try:
                async with asyncio.timeout_at(ends):
                    message = await receive()
            except TimeoutError as error:
                msg = f"the request was not complete after {self._limits.body_seconds:g} seconds"
                raise RefusedRequestError(msg, 408, advice="send it again over a faster connection") from error
            size += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if size > most:
                if not complete:
                    await _discard(receive)
                raise self._too_large(scope)
            return message

        return receiving


async def _discard(receive: Receive) -> None:
    """Read the rest of a body without keeping it, because many clients read the answer only after they sent all."""
    size = 0
    try:
        async with asyncio.timeout(_DISCARD_SECONDS):
            while size < _DISCARD_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return
