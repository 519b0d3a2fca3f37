"""Messages to students as the mail ledger stores them, and the settings of mail."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from grader.schema.base import Document
from grader.schema.described import Described

__all__ = ["CriterionSent", "GradeSent", "MailRow", "MailSettings", "MailState", "Security"]

MailState = Literal["planned", "sending", "sent", "refused", "unknown"]
"""`planned`: not handed to a server yet. `sending`: the server has the text, and its answer is not known yet. `sent`:
the server accepted it. `refused`: the server rejected it for good. `unknown`: the grader was stopped, or the connection
was lost, while the state was `sending`."""

Security = Literal["starttls", "tls", "none"]
"""Encryption of a connection: after a command, from the start, or none."""

_Text = Annotated[str, StringConstraints(min_length=1)]


class CriterionSent(Document):
    """One criterion of a grade that a student got by mail."""

    points: float
    max_points: float
    status: str


class GradeSent(Document):
    """The grade that a student got by mail, for the comparison with a later one."""

    score: float | None
    max_score: float
    pending: float
    criteria: Mapping[str, CriterionSent]


class MailRow(Document):
    """One message in the ledger."""

    message: str
    """The `Message-ID`, which follows from student, submission and grade."""
    about: str
    """Id of the submission."""
    address: str
    rubric: str
    """Id of the rubric."""
    digest: str
    """Digest of the grade in the message."""
    grade: GradeSent
    """The grade in the message."""
    parents: tuple[str, ...] = ()
    """The `Message-ID`s of the earlier messages of the thread, oldest first."""
    state: MailState
    detail: str = ""
    """The server's answer, or the reason of the state."""
    changed: float = 0.0
    """Unix time of the last change of the state."""


class MailSettings(Described):
    """Server and sender of `grader mail`; the password is only read from the environment."""

    server: _Text | None = None
    """Host name of the mail server."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Port; by default 587 for `starttls`, 465 for `tls` and 25 for `none`."""
    security: Security | None = None
    """Encryption: `starttls` (the default), `tls`, or `none`, which allows no login."""
    user: _Text | None = None
    """Name to log in with; the password is in the environment variable `GRADER_SMTP_PASSWORD`."""
    sender: _Text | None = None
    """Address in `From`, such as `Deep Learning <dl@example.org>`."""
    reply_to: _Text | None = None
    """Address of the person who answers questions; by default the sender."""
    bounces_to: _Text | None = None
    """Address that gets reports of undeliverable messages; by default the sender."""
    rate: Annotated[float, Field(gt=0)] | None = None
    """Largest number of messages a minute; by default 60."""
    objection_days: Annotated[int, Field(ge=1)] | None = None
    """Days in which a student can object to the grade, counted from the day of sending."""
    reports_at: _Text | None = None
    """Address of the published reports, as `--reports-at`."""
    scores: bool | None = None
    """Whether messages contain points; `--no-score` turns them off."""
