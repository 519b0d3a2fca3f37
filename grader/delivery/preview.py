"""Render the preview of a mailing: a page that lists who gets what, and each message as a page."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.delivery.rendering import Rendered
from grader.delivery.roster import Student
from grader.facts.language import Language, language
from grader.report.templating import asset, environment, policy
from grader.schema.message import Message, MessageLike, say

__all__ = ["PREVIEW", "Row", "preview_html", "render_index"]

PREVIEW = "mail"
"""Folder of the preview in the results folder."""
_STATES: Mapping[str, Message] = {
    "would be sent": say("would be sent"),
    "sent": say("sent"),
    "waiting": say("not sent yet"),
    "done": say("nothing new"),
    "held": say("held back"),
    "skipped": say("left out"),
    "unknown": say("unknown: perhaps sent"),
    "refused": say("refused"),
}
"""The states of a message in words."""


@dataclass(frozen=True, slots=True)
class Row:
    """One submission in the table."""

    submission: str
    name: str
    address: str
    subject: str
    """Empty if there is no message."""
    state: str
    detail: MessageLike

    @property
    def words(self) -> Message:
        """The state in words."""
        return _STATES[self.state]


def preview_html(rendered: Rendered, picture: str) -> str:
    """Make the HTML part a page of its own, with the picture in it.

    Args:
        rendered: The message.
        picture: Content id of the picture.
    """
    if rendered.picture is None:
        return rendered.html
    data = f"data:image/png;base64,{base64.b64encode(rendered.picture).decode('ascii')}"
    return rendered.html.replace(f"cid:{picture}", data)


def render_index(
    rows: Sequence[Row], missing: Sequence[Student], templates: Path, spoken: Language | None = None
) -> str:
    """Render the page of a mailing.

    Args:
        rows: The submissions.
        missing: Students without a submission.
        templates: Folder of `mail-index.html.j2` and `mail.css`.
        spoken: Language of the page; None for English.
    """
    style = asset(templates, "mail.css")
    counts = [(words, sum(row.state == state for row in rows)) for state, words in _STATES.items()]
    view = {
        "rows": rows,
        "missing": missing,
        "counts": [(words, count) for words, count in counts if count],
        "style": style,
        "policy": policy(style),
    }
    return environment(templates, spoken or language("en")).get_template("mail-index.html.j2").render(view)
