"""A real SMTP server on loopback that stores messages and answers as a test asks for."""

import asyncio
import socket
import ssl
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

__all__ = ["Inbox", "mail_server", "server_certificate"]


@dataclass
class Inbox:
    """What the server got, and what it answers."""

    host: str = ""
    port: int = 0
    messages: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Sender, recipient and content of each accepted message."""
    to_recipient: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Answers to `RCPT TO` by address, in order; later ones are accepted."""
    to_data: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Answers to the message by address, in order."""
    logins: list[str] = field(default_factory=list)
    steps: int = 0
    """Number of commands so far."""
    at_step: Callable[[int], None] | None = None
    """Called with the number of each command, before it is answered."""
    drop_at_answer: bool = False
    """Whether the connection is closed instead of the next answer to a message."""

    def recipients(self) -> list[str]:
        """List the recipients of the accepted messages."""
        return [recipient for _, recipient, _ in self.messages]

    def step(self) -> None:
        """Count a command."""
        self.steps += 1
        if self.at_step is not None:
            self.at_step(self.steps)


class _Controller(Controller):  # type: ignore[misc]  # aiosmtpd has no types
    """A server on a free port; the original one needs the port in advance."""

    def __init__(self, *words: Any, **keys: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        super().__init__(*words, hostname="127.0.0.1", port=self._socket.getsockname()[1], **keys)

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._socket, ssl=self.ssl_context)


class _Handler:
    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _s: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.inbox.step()
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _s: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        self.inbox.step()
        if self.inbox.to_recipient[address]:
            return self.inbox.to_recipient[address].pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.inbox.step()
        recipient = envelope.rcpt_tos[0]
        if self.inbox.to_data[recipient]:
            return self.inbox.to_data[recipient].pop(0)
        assert isinstance(envelope.original_content, bytes)
        self.inbox.messages.append((envelope.mail_from or "", recipient, envelope.original_content))
        self.inbox.step()
        if self.inbox.drop_at_answer:
            self.inbox.drop_at_answer = False
            server.transport.abort()
            await asyncio.sleep(0)
        return "250 accepted"


def server_certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Make a certificate for loopback; return the server's context and the file of the authority to trust."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    return context, file


@contextmanager
def mail_server(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, password: str | None = None
) -> Iterator[Inbox]:
    """Run a server.

    Args:
        starttls: Certificate for `STARTTLS`, which the server then requires.
        tls: Certificate for connections that are encrypted from the start.
        password: Password of the user `course`, who then has to log in.
    """
    inbox = Inbox()

    def authenticate(_s: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        inbox.logins.append(data.login.decode())
        return AuthResult(success=data.password == (password or "").encode(), handled=False)

    options: dict[str, Any] = {"enable_SMTPUTF8": True, "data_size_limit": 1 << 24}
    if starttls is not None:
        options |= {"tls_context": starttls, "require_starttls": True}
    if password is not None:
        options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": starttls is not None}
    controller = _Controller(_Handler(inbox), ssl_context=tls, **options)
    inbox.host, inbox.port = "127.0.0.1", controller.port
    try:
        controller.start()
        yield inbox
    finally:
        controller.stop()
