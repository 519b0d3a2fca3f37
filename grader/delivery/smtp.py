"""Hand messages to a mail server, each at most once."""

import re
import smtplib
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from grader.delivery.messages import Envelope
from grader.schema.errors import DeliveryError
from grader.schema.mail import MailState, Security

__all__ = ["PORTS", "Courier", "Ledger", "Server", "deliver"]

PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}
"""Default port of each encryption."""
_TEMPORARY, _PERMANENT = 400, 500
_START_DATA, _ACCEPTED = 354, 250
_CLOSING = 421
"""Code of a server that closes the connection."""


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server and the way to reach it."""

    host: str
    port: int
    security: Security = "starttls"
    user: str | None = None
    password: str | None = None
    timeout: float = 60.0


class Ledger(Protocol):
    """Stores the state of each message durably."""

    def mark(self, message: str, state: MailState, detail: str = "") -> None:
        """Store a state, before the method returns."""


class _TemporaryError(Exception):
    """The message was not accepted, and can be sent again."""


class _UnreachableError(_TemporaryError):
    """No connection could be made, so that no message can be sent now."""


class _RefusedError(Exception):
    """The message was rejected for good."""


class _UnknownError(Exception):
    """The server got the whole message, and its answer is not known."""


class Courier:
    """A connection to a mail server that is opened when it is needed, and opened again when it is lost."""

    def __init__(
        self,
        server: Server,
        *,
        rate: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect to nothing yet.

        Args:
            server: The server.
            rate: Largest number of messages a minute.
            sleep: Function that waits for seconds.
            clock: Function that returns seconds.
        """
        self._server = server
        self._pause = 60.0 / rate
        self._sleep = sleep
        self._clock = clock
        self._next = 0.0
        self._smtp: smtplib.SMTP | None = None

    def send(self, envelope: Envelope, ledger: Ledger) -> None:
        """Try once to hand over a message, and store the outcome.

        The state `sending` is stored after the text and before the dot that ends it: a server accepts nothing before
        the dot (RFC 5321, 4.1.1.4), so a grader that is stopped earlier sends the message again.

        Raises:
            DeliveryError: The server cannot be used at all.
        """
        self._wait()
        try:
            detail = self._transfer(envelope, ledger)
        except _RefusedError as error:
            ledger.mark(envelope.message, "refused", str(error))
        except _UnknownError as error:
            self._drop()
            ledger.mark(envelope.message, "unknown", str(error))
        else:
            ledger.mark(envelope.message, "sent", detail)

    def close(self) -> None:
        """End the connection politely."""
        if self._smtp is not None:
            with suppress(OSError, smtplib.SMTPException):
                self._smtp.quit()
            self._drop()

    def _transfer(self, envelope: Envelope, ledger: Ledger) -> str:
        smtp = self._connection()
        options = self._options(smtp, envelope)
        try:
            _expect(smtp.mail(envelope.sender, options), sender=envelope.sender)
            _expect(smtp.rcpt(envelope.recipient))
            answer = smtp.docmd("DATA")
            if answer[0] != _START_DATA:
                _expect(answer)
            smtp.send(_dotted(envelope.content))
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise _TemporaryError(_words(error)) from error
        except (_TemporaryError, _RefusedError) as error:
            self._reset(error)
            raise
        ledger.mark(envelope.message, "sending")
        try:
            smtp.send(b".\r\n")
            answer = smtp.getreply()
        except (OSError, smtplib.SMTPException) as error:
            msg = f"the connection was lost before the server answered ({_words(error)})"
            raise _UnknownError(msg) from error
        try:
            _expect(answer)
        except _TemporaryError as error:
            ledger.mark(envelope.message, "planned", str(error))
            self._reset(error)
            raise
        return _text(answer)

    def _options(self, smtp: smtplib.SMTP, envelope: Envelope) -> list[str]:
        if not envelope.utf8:
            return []
        if not smtp.has_extn("smtputf8"):
            msg = "the server does not accept addresses with characters other than ASCII (SMTPUTF8)"
            raise _RefusedError(msg)
        smtp.command_encoding = "utf-8"
        return ["SMTPUTF8", "BODY=8BITMIME"]

    def _connection(self) -> smtplib.SMTP:
        if self._smtp is None:
            server = self._server
            try:
                self._smtp = self._open()
            except smtplib.SMTPNotSupportedError as error:
                raise DeliveryError(_words(error), where=server.host) from error
            except smtplib.SMTPAuthenticationError as error:
                if error.smtp_code < _PERMANENT:
                    raise _UnreachableError(_words(error)) from error
                msg = f"the login of {server.user} was refused: {_words(error)}"
                raise DeliveryError(msg, where=server.host) from error
            except ssl.SSLError as error:
                msg = f"the connection is not secure: {error}"
                raise DeliveryError(msg, where=server.host) from error
            except (OSError, smtplib.SMTPException) as error:
                raise _UnreachableError(_words(error)) from error
        return self._smtp

    def _open(self) -> smtplib.SMTP:
        server = self._server
        context = ssl.create_default_context()
        if server.security == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout, context=context)
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=server.timeout)
        try:
            if server.security == "starttls":
                smtp.starttls(context=context)
            smtp.ehlo_or_helo_if_needed()
            if server.user is not None:
                smtp.login(server.user, server.password or "")
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _reset(self, error: Exception) -> None:
        """Make the connection ready for another message, or drop it."""
        try:
            if self._smtp is None or str(error).startswith(str(_CLOSING)) or self._smtp.rset()[0] != _ACCEPTED:
                self._drop()
        except (OSError, smtplib.SMTPException):
            self._drop()

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    def _wait(self) -> None:
        """Wait until the rate allows another message."""
        now = self._clock()
        if now < self._next:
            self._sleep(self._next - now)
        self._next = max(now, self._next) + self._pause


def deliver(  # noqa: PLR0913 - each has a default that tests replace
    envelopes: Sequence[Envelope],
    courier: Courier,
    ledger: Ledger,
    *,
    rounds: int = 5,
    pause: float = 15.0,
    sleep: Callable[[float], None] = time.sleep,
    listener: Callable[[int, int], None] = lambda _done, _all: None,
) -> None:
    """Send messages; those that were rejected for now are tried again after all others.

    Args:
        envelopes: The messages, planned in the ledger.
        courier: The connection.
        ledger: Where each state is stored.
        rounds: Largest number of tries of one message.
        pause: Seconds before the second round; each further pause is twice as long.
        sleep: Function that waits for seconds.
        listener: Called with the number of finished messages and the total.

    Raises:
        DeliveryError: The server cannot be used; the remaining messages stay planned.
    """
    waiting, problem = list(envelopes), ""
    for number in range(rounds):
        if not waiting:
            return
        if number:
            sleep(pause * 2 ** (number - 1))
        waiting, problem = _round(
            waiting, courier, ledger, lambda left: listener(len(envelopes) - left, len(envelopes))
        )
    if problem:
        msg = f"the server cannot be reached: {problem}"
        raise DeliveryError(msg)


def _round(
    waiting: Sequence[Envelope], courier: Courier, ledger: Ledger, listener: Callable[[int], None]
) -> tuple[list[Envelope], str]:
    """Try each message once.

    Returns:
        The messages that can be tried again, and the reason if the server could not be reached.
    """
    again: list[Envelope] = []
    for index, envelope in enumerate(waiting):
        try:
            courier.send(envelope, ledger)
        except _UnreachableError as error:
            return [*again, *waiting[index:]], str(error)
        except _TemporaryError as error:
            again.append(envelope)
            ledger.mark(envelope.message, "planned", str(error))
        listener(len(waiting) - index - 1 + len(again))
    return again, ""


def _expect(answer: tuple[int, bytes], *, sender: str | None = None) -> None:
    """Accept a positive answer.

    Args:
        answer: Code and text of the server.
        sender: The sender's address, if the answer is about it; its rejection concerns every message.

    Raises:
        DeliveryError: The sender was rejected for good.
    """
    code = answer[0]
    if code < _TEMPORARY:
        return
    if code < _PERMANENT:
        raise _TemporaryError(_text(answer))
    if sender is not None:
        msg = f"the server does not accept the sender {sender}: {_text(answer)}"
        raise DeliveryError(msg)
    raise _RefusedError(_text(answer))


def _text(answer: tuple[int, bytes]) -> str:
    return f"{answer[0]} {' '.join(answer[1].decode('utf-8', 'replace').split())}"


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        raw = error.smtp_error
        return _text((error.smtp_code, raw if isinstance(raw, bytes) else str(raw).encode()))
    return " ".join(str(error).split()) or type(error).__name__


def _dotted(content: bytes) -> bytes:
    """Double dots at the start of lines, as SMTP asks for."""
    text = re.sub(rb"(?m)^\.", b"..", content)
    return text if text.endswith(b"\r\n") else text + b"\r\n"
