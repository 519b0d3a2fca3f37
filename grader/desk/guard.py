"""Check each request before the desk sees it: its token, its host, its origin and its size."""

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grader.schema.judgement import Judgement
from grader.web.headers import with_headers

__all__ = ["CSRF_FIELD", "CSRF_HEADER", "ENTER", "LARGEST_BODY", "POLICY", "Door", "Form", "Guard", "Visitor"]

CSRF_HEADER: Final = "x-desk-csrf"
CSRF_FIELD: Final = "csrf"
ENTER: Final = "/enter"
"""Path that exchanges the token for a cookie."""
LARGEST_BODY: Final = 2 << 20
"""Maximum size of a request's body in bytes."""
_MOST_FIELDS: Final = 10_000
_MOST_VISITORS: Final = 500
_READING: Final = frozenset({"GET", "HEAD"})
_FORM_TYPE: Final = "application/x-www-form-urlencoded"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'none'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content policy of the desk's pages. The pages of students' reports have their own, stricter one."""
_HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    # Not `no-referrer`: the browser would then send `Origin: null` with the desk's own forms.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_ENTERED: Final = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/">'
    '<title>Desk</title></head><body><main><p><a href="/">Open the desk</a></p></main></body></html>'
)
# A redirect would lose the strict cookie if the address was opened from another page, such as a chat.
_NO_TOKEN: Final = "Open the address that `grader desk` printed in the terminal. It contains the token."  # noqa: S105

Form = ImmutableMultiDict[str, str]
"""The fields of a request's body."""


@dataclass(eq=False)
class Visitor:
    """A browser that was opened with the token."""

    id: str
    csrf: str
    name: str = ""
    """The person who judges; empty until it is entered."""
    done: list[tuple[Judgement, ...]] = field(default_factory=list)
    """The recorded judgements, for undo; those that were recorded together are one item."""


class Door:
    """The token, the addresses of the desk, and the browsers that were admitted."""

    def __init__(self, port: int, *, name: str = "", public: str = "", token: str = "") -> None:
        """Create a door with a random token.

        Args:
            port: Port of the desk on this machine.
            name: Name of the person who judges; empty to ask for it.
            public: Origin of the desk at a proxy, such as `https://desk.example.org`; empty without a proxy.
            token: The token; by default a random one.
        """
        self.token = token or secrets.token_urlsafe(32)
        self.name = name
        self.cookie = f"grader-desk-{port}"
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.origins = {f"http://{host}" for host in self.hosts}
        self.secure = public.startswith("https://")
        if public:
            self.hosts.add(public.partition("://")[2])
            self.origins.add(public)
        self.address = f"{public or f'http://127.0.0.1:{port}'}{ENTER}?token={self.token}"
        self._visitors: OrderedDict[str, Visitor] = OrderedDict()

    def admit(self) -> Visitor:
        """Make a new visitor; the oldest is forgotten if there are very many."""
        visitor = Visitor(secrets.token_urlsafe(32), secrets.token_urlsafe(32), self.name)
        self._visitors[visitor.id] = visitor
        while len(self._visitors) > _MOST_VISITORS:
            self._visitors.popitem(last=False)
        return visitor

    def visitor(self, cookies: str) -> Visitor | None:
        """Find the visitor of a `Cookie` header."""
        try:
            cookie = SimpleCookie(cookies).get(self.cookie)
        except CookieError:
            return None
        return None if cookie is None else self._visitors.get(cookie.value)

    @property
    def names(self) -> frozenset[str]:
        """The names of the people who are at the desk."""
        return frozenset(visitor.name for visitor in self._visitors.values() if visitor.name)


class Guard:
    """Middleware that refuses requests without the token, of other hosts, and of other sites.

    A request that passes has its visitor in `request.state.visitor`, and its fields in `request.state.form`.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        """Set the application that receives the admitted requests."""
        self.app = app
        self.door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        send = with_headers(send, _HEADERS)
        try:
            answer = await self._checked(scope, receive)
        except _RefusedError as refused:
            answer = PlainTextResponse(f"{refused}\n", status_code=refused.status)
        if answer is None:
            await self.app(scope, _without_body(receive), send)
        else:
            await answer(scope, receive, send)

    async def _checked(self, scope: Scope, receive: Receive) -> Response | None:
        """Check a request. Return an answer only to the one with the token.

        Raises:
            _RefusedError: The request is not passed on.
        """
        headers = Headers(scope=scope)
        if headers.getlist("host") not in ([host] for host in self.door.hosts):
            msg = "This is not the address of the desk."
            raise _RefusedError(msg, 421)
        if scope["path"] == ENTER:
            return self._entered(scope)
        visitor = self.door.visitor("; ".join(headers.getlist("cookie")))
        if visitor is None:
            raise _RefusedError(_NO_TOKEN)
        reading = scope["method"] in _READING
        if not _from_here(headers, reading=reading):
            msg = "Another site asked for this page."
            raise _RefusedError(msg)
        form = Form() if reading else await self._form(scope, headers, receive, visitor)
        scope.setdefault("state", {})
        scope["state"] |= {"visitor": visitor, "form": form}
        return None

    def _entered(self, scope: Scope) -> Response:
        token = Request(scope).query_params.get("token", "")
        if scope["method"] != "GET" or not hmac.compare_digest(token.encode(), self.door.token.encode()):
            raise _RefusedError(_NO_TOKEN)
        response = HTMLResponse(_ENTERED)
        response.set_cookie(
            self.door.cookie,
            self.door.admit().id,
            httponly=True,
            samesite="strict",
            secure=self.door.secure,
        )
        return response

    async def _form(self, scope: Scope, headers: Headers, receive: Receive, visitor: Visitor) -> Form:
        """Read the fields of a request that may change something."""
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["method"] != "POST" or kind != _FORM_TYPE:
            msg = "The desk accepts only forms."
            raise _RefusedError(msg, 405 if scope["method"] != "POST" else 415)
        if headers.get("origin") not in self.door.origins:
            msg = "Another site sent this."
            raise _RefusedError(msg)
        body = await _body(receive)
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
        except ValueError as error:
            msg = "This is not a form."
            raise _RefusedError(msg, 400) from error
        form = Form(pairs)
        given = headers.get(CSRF_HEADER) or form.get(CSRF_FIELD) or ""
        if not hmac.compare_digest(given.encode(), visitor.csrf.encode()):
            msg = "This form is not from the desk, or is older than it. Open the page again."
            raise _RefusedError(msg)
        return form


class _RefusedError(Exception):
    """A request that is not passed on."""

    def __init__(self, text: str, status: int = 403) -> None:
        super().__init__(text)
        self.status = status


def _from_here(headers: Headers, *, reading: bool) -> bool:
    """Return whether a request comes from the desk or from a person, as far as the browser says so."""
    site = headers.get("sec-fetch-site", "same-origin")
    opened = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest", "document") == "document"
    return site in {"same-origin", "none"} or (reading and opened)


async def _body(receive: Receive) -> bytes:
    """Read the body of a request.

    Raises:
        _RefusedError: It is too large, or incomplete.
    """
    parts, size, more = list[bytes](), 0, True
    while more:
        message = await receive()
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY or message["type"] != "http.request":
            msg = "This is too large." if size > LARGEST_BODY else "This is incomplete."
            raise _RefusedError(msg, 413)
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _without_body(receive: Receive) -> Receive:
    """Replace the body of a request, which the guard has read."""
    waiting = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receiving() -> Message:
        return waiting.pop() if waiting else await receive()

    return receiving
