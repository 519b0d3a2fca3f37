"""Preview and send the mails of a class from the desk: nothing is sent without a confirmed preview."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from threading import Lock, Thread
from typing import Final

from grader.delivery.plan import Selection
from grader.delivery.roster import Student, read_roster
from grader.facts.language import language
from grader.pipeline.mail_settings import SITE_FILE, courier_of, preview_sender, sending_sender
from grader.pipeline.mailing import Mailing, MailOptions, last_day, mail_class
from grader.schema.errors import GraderError, UsageError
from grader.schema.mail import MailSettings
from grader.store.results import ResultsFolder

__all__ = ["MailChoice", "MailSetup", "MailState", "Mailer", "Preview"]

_RUNNING: Final = "messages are being sent"
_CHANGED: Final = "the class has changed since this preview, so that other messages would be sent"


@dataclass(frozen=True, slots=True)
class MailSetup:
    """Settings of mails that do not change while the desk runs."""

    settings: MailSettings | None = None
    """Server and sender; None if there are none, and then nothing can be sent."""
    settings_file: str = SITE_FILE
    """Name of the file that should have them."""
    roster: Path | None = None
    """The class; None if it is unknown, and then nobody has an address."""
    reports_at: str = ""
    """Address of the published reports; empty for none."""
    release: datetime | None = None
    """Time before which nothing is sent."""
    zone: tzinfo = UTC
    """Time zone in which it is shown."""
    site_language: str | None = None
    password: str | None = field(default=None, repr=False)
    pause: float = 15.0
    """Seconds before messages are tried again that the server rejected for now."""


@dataclass(frozen=True, slots=True)
class MailChoice:
    """The options that a person chooses on the page."""

    with_pending: bool = False
    only_changed: bool = False
    attach: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """The messages that would be sent, and the words that confirm them."""

    choice: MailChoice
    mailing: Mailing

    @property
    def count(self) -> int:
        """Number of messages."""
        return sum(one.entry.sends for one in self.mailing.outcomes)

    @property
    def words(self) -> str:
        """Words to type before they are sent."""
        return f"send {self.count}"

    @property
    def digest(self) -> str:
        """Digest of the messages and their recipients."""
        parts = [
            f"{one.entry.thread.message} {one.entry.student.email}\n"
            for one in self.mailing.outcomes
            if one.entry.thread is not None and one.entry.student is not None
        ]
        return hashlib.sha256("".join(parts).encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class MailState:
    """The progress of sending."""

    running: bool = False
    done: int = 0
    total: int = 0
    problem: str = ""
    """Why the last sending stopped; empty if it did not."""
    result: Mailing | None = None
    """The result of the last sending."""


class Mailer:
    """Makes previews and sends the confirmed one in the background, one sending at a time."""

    def __init__(self, setup: MailSetup, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Set the settings, and the function that returns the time."""
        self.setup = setup
        self._clock = clock
        self._lock = Lock()
        self._state = MailState()
        self._preview: Preview | None = None
        self._thread: Thread | None = None

    @property
    def state(self) -> MailState:
        """The progress of the current or the last sending."""
        return self._state

    @property
    def preview(self) -> Preview | None:
        """The last preview; None if there is none since the last sending."""
        return self._preview

    def obstacles(self) -> tuple[str, ...]:
        """List the reasons why nothing can be sent, whatever the grades."""
        setup = self.setup
        reasons = []
        if setup.roster is None:
            reasons.append("The desk knows no roster: name it in course.yaml, or start the desk with --roster FILE.")
        try:
            sending_sender(setup.settings, setup.settings_file)
            courier_of(setup.settings, setup.password, setup.settings_file).close()
        except UsageError as error:
            reasons.append(f"{error.message[:1].upper()}{error.message[1:]}: {error.advice}.")
        if setup.release is not None and self._clock() < setup.release:
            reasons.append(
                f"The course releases the grades on {language('en').in_zone(setup.zone).time(setup.release)}."
            )
        return tuple(reasons)

    def make_preview(self, out: ResultsFolder, choice: MailChoice) -> Preview:
        """Write the messages as a preview; nothing is sent.

        Raises:
            UsageError: There is no roster, messages are being sent, or another grader uses the folder.
        """
        with self._lock:
            if self._state.running:
                raise UsageError(_RUNNING)
            with out.at_work():
                self._preview = self._preview_of(out, choice)
            return self._preview

    def send(self, out: ResultsFolder, *, words: str, digest: str) -> None:
        """Send the messages of the last preview in the background.

        Args:
            out: The results folder.
            words: The words that a person typed.
            digest: Digest of the preview that the person saw.

        Raises:
            UsageError: The words are wrong, the preview is not the last one, or nothing can be sent.
        """
        with self._lock:
            preview = self._confirmed(words, digest)
            self._state = MailState(running=True, total=preview.count)
            self._thread = Thread(target=self._send, args=(out, preview), name="desk-mail", daemon=False)
            self._thread.start()

    def wait(self) -> None:
        """Wait until the current sending has ended."""
        if self._thread is not None:
            self._thread.join()

    def _confirmed(self, words: str, digest: str) -> Preview:
        preview = self._preview
        if self._state.running:
            raise UsageError(_RUNNING)
        if obstacles := self.obstacles():
            raise UsageError(obstacles[0])
        if preview is None or preview.digest != digest:
            raise UsageError(_CHANGED, advice="make the preview again")
        if preview.count == 0:
            msg = "there is nothing to send"
            raise UsageError(msg)
        if words.strip().casefold() != preview.words:
            msg = f"type `{preview.words}` to send {preview.count} messages"
            raise UsageError(msg)
        return preview

    def _send(self, out: ResultsFolder, preview: Preview) -> None:
        try:
            with out.at_work():
                self._check_same(out, preview)
                self._state = replace(self._state, result=self._mail(out, preview.choice, send=True), running=False)
        except GraderError as error:
            self._state = replace(self._state, problem=str(error), running=False)
        except Exception as error:  # noqa: BLE001 - the page must show that it stopped; the ledger has what was sent
            self._state = replace(self._state, problem=f"an error in the grader: {type(error).__name__}", running=False)
        finally:
            self._preview = None

    def _check_same(self, out: ResultsFolder, preview: Preview) -> None:
        """Refuse to send other messages than those that a person has seen.

        Raises:
            UsageError: The grades, the roster or the ledger have changed.
        """
        if self._preview_of(out, preview.choice).digest != preview.digest:
            raise UsageError(_CHANGED, advice="make the preview again")

    def _preview_of(self, out: ResultsFolder, choice: MailChoice) -> Preview:
        return Preview(choice, self._mail(out, choice, send=False))

    def _mail(self, out: ResultsFolder, choice: MailChoice, *, send: bool) -> Mailing:
        setup, settings = self.setup, self.setup.settings
        days = settings.objection_days if settings is not None else None
        options = MailOptions(
            sender=sending_sender(settings) if send else preview_sender(settings),
            selection=Selection(only_changed=choice.only_changed, with_pending=choice.with_pending),
            site_language=setup.site_language,
            scores=settings is None or settings.scores is not False,
            object_until=None if days is None else last_day(days, self._clock().astimezone().date()),
            reports_at=setup.reports_at,
            attach=choice.attach,
        )
        courier = courier_of(settings, setup.password) if send else None
        return mail_class(
            out, self._students(), options, courier, now=self._clock, listener=self._count, pause=setup.pause
        )

    def _students(self) -> Sequence[Student]:
        if self.setup.roster is None:
            msg = "the desk knows no roster"
            raise UsageError(msg, advice="name it in course.yaml, or start the desk with `--roster FILE`")
        return read_roster(self.setup.roster)

    def _count(self, done: int, total: int) -> None:
        self._state = replace(self._state, done=done, total=total)
