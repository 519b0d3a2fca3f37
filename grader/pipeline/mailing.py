"""Mail a class its feedback: read grades and roster, write a preview, and send."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import make_msgid
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlsplit

from grader.delivery.letter import Curves, grade_sent, letter
from grader.delivery.messages import Envelope, Sender, Thread, build, content_id, envelope, to_student
from grader.delivery.plan import Entry, Selection, member_name, plan
from grader.delivery.preview import PREVIEW, Row, preview_html, render_index
from grader.delivery.rendering import Rendered, render
from grader.delivery.roster import Matching, Student, match
from grader.delivery.smtp import Courier, deliver
from grader.facts.graded_model import main_model
from grader.facts.language import Language, language
from grader.facts.metrics import fit_curves
from grader.facts.nearest import did_you_mean
from grader.facts.rubric_texts import with_titles
from grader.grading.loader import LoadedRubric
from grader.pipeline.class_list import latest_of
from grader.pipeline.course_folder import Assignment
from grader.pipeline.publish import edited_grades
from grader.pipeline.rubrics import find_rubric, noted_language, noted_rubric
from grader.report.edition import edition
from grader.report.templating import Templates
from grader.resources import share
from grader.schema.errors import ArtefactError, SubmissionPathError, UsageError
from grader.schema.grade import Grade, SubmissionStamp
from grader.schema.mail import MailRow, MailState
from grader.schema.message import MessageLike, say
from grader.store.database import Database
from grader.store.files import Batch
from grader.store.ledger import MailLedger
from grader.store.results import ResultsFolder

__all__ = ["MailOptions", "Mailing", "Outcome", "last_day", "mail_class", "report_address"]

_MOST_EPOCHS = 2_000
_NOTHING_BEFORE = "no message was sent before, so that no grade changed since one; send without `--only-changed` first"
_EDITED = say("somebody edited its grade.json by hand: `grader regrade DIR` restores it")


@dataclass(frozen=True, slots=True)
class MailOptions:
    """Options of a mailing."""

    sender: Sender
    selection: Selection = field(default_factory=Selection)
    only: tuple[str, ...] = ()
    """Submissions or students by id, name or address; empty for all."""
    resend: tuple[str, ...] = ()
    """The same, for messages that were refused or are perhaps lost."""
    to_me: Address | None = None
    """Recipient of all messages instead of the students; the ledger stays as it is."""
    language: str | None = None
    """Language of students for whom the roster names none; None for the language of the reports."""
    site_language: str | None = None
    """Language of the reports if neither the results folder nor the rubric names one; None for English."""
    scores: bool = True
    object_until: date | None = None
    reports_at: str = ""
    attach: bool = False
    templates: tuple[tuple[str, str], ...] | None = None
    """Names and texts of the course's own templates; None for those of the rubric."""
    rubric: LoadedRubric | None = None
    """The rubric; None for the rubric that each grade names."""
    assignment: Assignment | None = None
    """The assignment of the course folder, whose groups share messages; None outside of a course folder."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one submission."""

    entry: Entry
    state: str
    """`would be sent`, `sent`, `waiting`, or the entry's action."""
    detail: MessageLike
    """Why, for people; the answer of the server stays as it is."""


@dataclass(frozen=True, slots=True)
class Mailing:
    """The result of a mailing."""

    outcomes: tuple[Outcome, ...]
    missing: tuple[Student, ...]
    preview: Path
    sent: bool
    """Whether messages were sent, or only written as a preview."""
    hint: str = ""
    """Advice if the options leave out the whole class; empty otherwise."""

    def count(self, *states: str) -> int:
        """Count the submissions in any of some states."""
        return sum(one.state in states for one in self.outcomes)


def mail_class(  # noqa: PLR0913 - each has a default that tests replace
    out: ResultsFolder,
    students: Sequence[Student],
    options: MailOptions,
    courier: Courier | None = None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    listener: Callable[[int, int], None] = lambda _done, _all: None,
    pause: float = 15.0,
) -> Mailing:
    """Write the messages of a class as a preview, and send them if there is a courier.

    Each message is sent at most once: the ledger in `grader.sqlite` stores its state before and after the moment at
    which the server takes it. The caller must lock the folder (`ResultsFolder.at_work`).

    Args:
        out: The results folder.
        students: The roster.
        options: Options.
        courier: The connection to a server; None writes only the preview.
        now: Function that returns the time, with its zone.
        listener: Called with the number of finished messages and the total.
        pause: Seconds before messages are tried again that a server rejected for now.

    Raises:
        SubmissionPathError: The folder has no results.
        UsageError: An option names nobody.
        RubricError: The rubric of a grade is missing.
        DeliveryError: The server cannot be used.
        StorageError: The preview or the ledger cannot be written.
    """
    rubrics = _rubrics(out, options)
    grades = _grades(out, rubrics)
    stamps = [grade.submission for grade in grades.values() if grade is not None]
    matching = _matching(students, stamps, options.assignment)
    ledger = MailLedger(Database(out.database_path))
    if courier is not None and options.to_me is None:
        ledger.settle()
    selection = replace(
        options.selection,
        only=_named(options.only, grades, matching, "--only") if options.only else None,
        resend=_named(options.resend, grades, matching, "--resend") or (),
    )
    rows = ledger.rows()
    hint = _NOTHING_BEFORE if selection.only_changed and not _sent_before(rows, grades) else ""
    planned = plan(grades, matching, rows, selection, options.sender.sender.domain)
    edited = frozenset(edited_grades(out))
    entries = tuple(
        replace(one, reason=_EDITED) if one.submission in edited and one.action == "held" else one for one in planned
    )
    writer = _Writer(out, grades, rubrics, options, now())
    messages = {entry.name: writer.message(entry) for entry in entries if entry.sends}
    states: dict[str, tuple[str, str]] = {}
    spoken = _page_language(grades, rubrics, options)
    if courier is None:
        outcomes = _outcomes(entries, messages, states, "would be sent")
        page = _write_preview(out.root, messages, outcomes, matching.missing, spoken)
        return Mailing(outcomes, matching.missing, page, sent=False, hint=hint)
    _write_preview(out.root, messages, _outcomes(entries, messages, states, "waiting"), matching.missing, spoken)
    book: MailLedger | _NoLedger = ledger
    if options.to_me is not None:
        book = _NoLedger(states)
    else:
        ledger.plan([_row(entry, messages[entry.name], grades) for entry in entries if entry.sends])
    try:
        deliver([one.envelope for one in messages.values()], courier, book, pause=pause, listener=listener)
    finally:
        courier.close()
        if options.to_me is None:
            states |= {row.message: (row.state, row.detail) for row in ledger.rows()}
        outcomes = _outcomes(entries, messages, states, "waiting")
        page = _write_preview(out.root, messages, outcomes, matching.missing, spoken)
    return Mailing(outcomes, matching.missing, page, sent=True, hint=hint)


def _sent_before(rows: Iterable[MailRow], grades: Mapping[str, Grade | None]) -> bool:
    """Return whether a message about any of the grades was sent, perhaps without an answer of the server."""
    rubrics = {grade.rubric.id for grade in grades.values() if grade is not None}
    return any(row.rubric in rubrics and row.state in {"sent", "sending", "unknown"} for row in rows)


class _NoLedger:
    """Keeps states in memory, for messages to the person who tries the command."""

    def __init__(self, states: dict[str, tuple[str, str]]) -> None:
        self._states = states

    def mark(self, message: str, state: MailState, detail: str = "") -> None:
        self._states[message] = (state, detail)


@dataclass(frozen=True, slots=True)
class _Made:
    """A message in all its forms."""

    message: EmailMessage
    envelope: Envelope
    rendered: Rendered
    address: str


class _Writer:
    """Makes the messages of one mailing."""

    def __init__(
        self,
        out: ResultsFolder,
        grades: Mapping[str, Grade | None],
        rubrics: Callable[[str], LoadedRubric],
        options: MailOptions,
        now: datetime,
    ) -> None:
        self._out = out
        self._grades = grades
        self._options = options
        self._now = now
        self._rubrics = rubrics

    def message(self, entry: Entry) -> _Made:
        """Make the message of an entry that sends one."""
        student, grade, thread, options = entry.student, self._grades[entry.submission], entry.thread, self._options
        if student is None or grade is None or thread is None:
            msg = f"no message is planned for {entry.submission}"
            raise ValueError(msg)
        if options.to_me is not None:
            # Another Message-ID each time, since mail programs hide a message that they have already.
            thread = Thread(make_msgid(domain=options.sender.sender.domain))
        rubric = self._rubrics(grade.rubric.id)
        zone = UTC if options.assignment is None else options.assignment.course.settings.zone
        spoken = rubric.writer(student.language or options.language).in_zone(zone)
        content = letter(
            with_titles(grade, spoken),
            name=student.name,
            before=entry.before,
            sources=self._sources(grade),
            curves=self._curves(grade),
            scores=options.scores,
            object_until=options.object_until,
            report=report_address(options.reports_at, entry.submission),
            attached=options.attach,
        )
        to = options.to_me or to_student(student)
        picture = f"cid:{content_id(thread.message)}"
        own = rubric.templates if options.templates is None else options.templates
        rendered = render(content, spoken, Templates(share("templates"), own), picture=picture)
        report = self._out.report_path(entry.submission).read_bytes() if options.attach else None
        message = build(rendered, to, options.sender, thread, now=self._now, language=spoken.tag, report=report)
        return _Made(message, envelope(message, to, options.sender), rendered, student.email)

    def _curves(self, grade: Grade) -> Curves | None:
        model = main_model(grade)
        try:
            evidence = self._out.read_evidence(grade.submission.id) if model is not None else None
        except ArtefactError:
            return None
        if model is None or evidence is None:
            return None
        columns: dict[str, list[float | None]] = {}
        for fit in evidence.fits_of(model.id):
            epochs = min(max(fit.epochs_done, *(len(one) for one in fit.history.values()), 0), _MOST_EPOCHS)
            for name, values in fit_curves(fit, epochs).items():
                columns.setdefault(name, []).extend(values)
        return Curves(columns)

    def _sources(self, grade: Grade) -> Mapping[int, str]:
        """Read the cells with errors from the executed notebook."""
        cells = {error.cell for error in grade.execution.errors} if grade.execution is not None else set()
        if not cells:
            return {}
        try:
            notebook = json.loads(self._out.executed_path(grade.submission.id).read_bytes())
            sources = {index: cell["source"] for index, cell in enumerate(notebook["cells"]) if index in cells}
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return {index: "".join(source) for index, source in sources.items() if isinstance(source, (str, list))}


def _grades(out: ResultsFolder, rubrics: Callable[[str], LoadedRubric]) -> dict[str, Grade | None]:
    """Read the student's edition of each grade.

    Raises:
        SubmissionPathError: The folder has no results.
        RubricError: A rubric is missing, without which nobody knows what students may see.
    """
    names = out.submissions()
    if not names:
        msg = "the folder has no results"
        raise SubmissionPathError(
            msg, where=str(out.root), advice="give the `--out` folder of a `grader grade` command"
        )
    grades: dict[str, Grade | None] = {}
    for name in names:
        try:
            grade = out.read_grade(name)
        except ArtefactError:
            grade = None
        grades[name] = None if grade is None else edition(grade, rubrics(grade.rubric.id).rubric, "student")
    return grades


def _rubrics(out: ResultsFolder, options: MailOptions) -> Callable[[str], LoadedRubric]:
    """Make a function that finds the rubric of a grade by its id, with its language, and reads each rubric once."""
    chosen = noted_language(out)

    def rubric(name: str) -> LoadedRubric:
        loaded = options.rubric or find_rubric(noted_rubric(out, name))
        return replace(loaded, language=chosen or loaded.rubric.language or options.site_language)

    return cache(rubric)


def _page_language(
    grades: Mapping[str, Grade | None], rubrics: Callable[[str], LoadedRubric], options: MailOptions
) -> Language:
    """Return the language of the page that lists the messages: that of `--language`, else of the reports."""
    reports = (rubrics(grade.rubric.id).page_language for grade in grades.values() if grade is not None)
    return language(options.language or next(reports, "en"))


def _matching(
    students: Sequence[Student], stamps: Sequence[SubmissionStamp], assignment: Assignment | None
) -> Matching:
    """Match students with submissions. Each member of a group belongs to the group's latest submission."""
    if assignment is None or not assignment.settings.groups:
        return match(students, stamps)
    groups: dict[tuple[Student, ...], list[SubmissionStamp]] = {}
    rest = list[SubmissionStamp]()
    for stamp in stamps:
        members = assignment.members_of(stamp)
        if len(members) > 1:
            groups.setdefault(members, []).append(stamp)
        else:
            rest.append(stamp)
    counting = {latest_of(own).id: members for members, own in groups.items()}
    replaced = {
        stamp.id: say(
            "the group handed in another submission that counts: {submission:raw}", submission=latest_of(own).id
        )
        for own in groups.values()
        for stamp in own
        if stamp.id not in counting
    }
    grouped = {one.line for members in groups for one in members}
    alone = match([one for one in students if one.line not in grouped], rest)
    pairs = {name: members[0] for name, members in counting.items()}
    return replace(alone, pairs={**alone.pairs, **pairs}, unmatched={**alone.unmatched, **replaced}, members=counting)


def _named(words: Iterable[str], grades: Mapping[str, Grade | None], matching: Matching, option: str) -> frozenset[str]:
    """Find messages by the id of the submission, or by the id, name or address of the student.

    Raises:
        UsageError: A word names none.
    """
    names: dict[str, set[str]] = {}
    for submission in grades:
        members = matching.members.get(submission, ())
        for student in members or (matching.pairs.get(submission),):
            own = f"{submission}~{member_name(student)}" if members and student is not None else submission
            texts = (student.id, student.name, student.email) if student is not None else ()
            for text in filter(None, (submission, own, *texts)):
                names.setdefault(text.casefold(), set()).add(own)
    chosen: set[str] = set()
    for word in words:
        if word.casefold() not in names:
            msg = f"{word!r} names no submission of this class{did_you_mean(word, names)}"
            raise UsageError(msg, where=option, advice="give a submission, or a name or an address of the roster")
        chosen |= names[word.casefold()]
    return frozenset(chosen)


def report_address(base: str, submission: str) -> str:
    """Return the address of a student's published report.

    Args:
        base: Address of the published results folder, or an address with `{submission}`; empty for none.
        submission: Id of the submission.

    Raises:
        UsageError: It is no address of the web.
    """
    if not base:
        return ""
    if urlsplit(base).scheme not in {"http", "https"} or not urlsplit(base).netloc:
        msg = f"{base!r} is not an address of the web"
        raise UsageError(msg, where="--reports-at", advice="give `https://…`")
    name = quote(submission, safe="")
    return base.replace("{submission}", name) if "{submission}" in base else f"{base.rstrip('/')}/{name}/report.html"


def last_day(days: int, today: date) -> date:
    """Return the last day for objections."""
    return today + timedelta(days=days)


def _row(entry: Entry, made: _Made, grades: Mapping[str, Grade | None]) -> MailRow:
    grade = grades[entry.submission]
    if grade is None or entry.thread is None:
        msg = f"no message is planned for {entry.submission}"
        raise ValueError(msg)
    return MailRow(
        message=entry.thread.message,
        about=entry.name,
        address=made.address,
        rubric=grade.rubric.id,
        digest=entry.digest,
        grade=grade_sent(grade),
        parents=entry.thread.parents,
        state="planned",
    )


def _outcomes(
    entries: Sequence[Entry], messages: Mapping[str, _Made], states: Mapping[str, tuple[str, str]], default: str
) -> tuple[Outcome, ...]:
    """Combine the plan with the states of the sent messages."""
    outcomes = []
    for entry in entries:
        if not entry.sends:
            outcomes.append(Outcome(entry, entry.action, entry.reason or ""))
            continue
        state, detail = states.get(messages[entry.name].envelope.message, (default, ""))
        outcomes.append(Outcome(entry, default if state == "planned" else state, detail or entry.reason or ""))
    return tuple(outcomes)


def _write_preview(
    root: Path,
    messages: Mapping[str, _Made],
    outcomes: Sequence[Outcome],
    missing: Sequence[Student],
    spoken: Language,
) -> Path:
    """Write the messages and the page that lists them; messages of an earlier preview are removed."""
    folder = root / PREVIEW
    folder.mkdir(exist_ok=True)
    kept = {f"{name}{suffix}" for name in messages for suffix in (".eml", ".html")}
    for old in (*folder.glob("*.eml"), *folder.glob("*.html")):
        if old.name not in kept:
            old.unlink()
    batch = Batch(root)
    for name, made in messages.items():
        batch.add(folder / f"{name}.eml", made.message.as_bytes())
        batch.add(folder / f"{name}.html", preview_html(made.rendered, content_id(made.envelope.message)))
    rows = [
        Row(
            submission=one.entry.name,
            name=one.entry.student.label if one.entry.student is not None else "",
            address=one.entry.student.email if one.entry.student is not None else "",
            subject=str(messages[one.entry.name].message["Subject"]) if one.entry.name in messages else "",
            state=one.state,
            detail=one.detail,
        )
        for one in outcomes
    ]
    batch.add(folder / "index.html", render_index(rows, missing, share("templates"), spoken))
    batch.commit()
    return folder / "index.html"
