"""Turn the settings of mail into a sender and a connection to a server."""

from typing import Final

from grader.delivery.messages import Sender, sender_of
from grader.delivery.smtp import PORTS, Courier, Server
from grader.schema.course import COURSE_FILE
from grader.schema.errors import UsageError
from grader.schema.mail import MailSettings

__all__ = ["COURSE_SETTINGS", "PASSWORD_VARIABLE", "SITE_FILE", "courier_of", "preview_sender", "sending_sender"]

SITE_FILE: Final = "the site file"
COURSE_SETTINGS: Final = f"the course's {COURSE_FILE}"
"""Names of the files with the settings, for errors."""
PASSWORD_VARIABLE = "GRADER_SMTP_PASSWORD"  # noqa: S105 - the name of a variable
"""Environment variable with the password of the mail server."""
_RATE = 60.0
_DRY_SENDER = "nobody@localhost"
_ADVICE = "add `mail: {sender: …, server: …}`; see docs/mail.md"


def preview_sender(mail: MailSettings | None) -> Sender:
    """Return the sender of a preview, which works without settings."""
    if mail is None or mail.sender is None:
        return sender_of(_DRY_SENDER, None, None)
    return sender_of(mail.sender, mail.reply_to, mail.bounces_to)


def sending_sender(mail: MailSettings | None, file: str = SITE_FILE) -> Sender:
    """Return the sender of messages.

    Args:
        mail: The settings.
        file: Name of the file that should have them, for the error.

    Raises:
        UsageError: The settings name none.
    """
    if mail is None or mail.sender is None:
        msg = f"{file} names no sender"
        raise UsageError(msg, where="mail.sender", advice=_ADVICE)
    return preview_sender(mail)


def courier_of(mail: MailSettings | None, password: str | None, file: str = SITE_FILE) -> Courier:
    """Prepare the connection to the server of the settings.

    Args:
        mail: The settings.
        password: The password of their user; None if it is unknown.
        file: Name of the file that should have them, for the error.

    Raises:
        UsageError: The settings name no server, or the login is incomplete.
    """
    if mail is None or mail.server is None:
        msg = f"{file} names no mail server"
        raise UsageError(msg, where="mail.server", advice=_ADVICE)
    security = mail.security or "starttls"
    if mail.user is not None and security == "none":
        msg = "a login needs an encrypted connection"
        raise UsageError(msg, where="mail.security", advice="use `starttls` or `tls`, or leave out `user`")
    if mail.user is not None and not password:
        msg = f"the password of {mail.user} is missing"
        raise UsageError(msg, where="mail.user", advice=f"set the environment variable {PASSWORD_VARIABLE}")
    server = Server(mail.server, mail.port or PORTS[security], security, mail.user, password)
    return Courier(server, rate=mail.rate or _RATE)
