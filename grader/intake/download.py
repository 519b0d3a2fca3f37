"""Read one student's files and folders in the download of a learning platform."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader.facts.times import moment_of, sortable_time
from grader.intake import gradescope, repositories
from grader.intake.candidates import (
    LISTED_FILES,
    Candidate,
    Mentions,
    Search,
    content_of,
    free_name,
    is_notebook_name,
    is_work,
    no_notebook,
    safe_id,
    some,
    unexpected,
    unreadable,
    walk,
)
from grader.intake.gather import gather, safe_member
from grader.intake.platforms import (
    BlackboardNote,
    Person,
    canvas_version,
    read_blackboard_note,
    without_late_mark,
)
from grader.intake.student import read_student, single, student_zip
from grader.intake.teams import PLATFORM, version_number
from grader.schema.errors import StorageError, UnreadableError
from grader.schema.message import Message, say, say_count
from grader.schema.submission import SubmittedFrom

__all__ = ["Piece", "read_pieces"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A file or folder of a platform's download."""

    path: Path
    person: Person


def read_pieces(pieces: Sequence[Piece], search: Search) -> Candidate:
    """Read all files and folders of one student; reject the student if any part is unreadable."""
    first = min(piece.path for piece in pieces)
    try:
        return _readable_pieces(pieces, search)
    except OSError as error:
        problem = unreadable(error, Path(error.filename or first), "file or folder")
    except UnreadableError as error:
        problem = error
    except StorageError:
        raise
    except Exception as error:  # noqa: BLE001 - one student's files must not stop the class
        problem = unexpected(error, first)
    names = tuple(sorted(piece.person.rest or piece.path.name for piece in pieces))
    sources = tuple(piece.path for piece in pieces)
    return Candidate(person=pieces[0].person, place=first, files=names, error=problem, sources=sources)


def _readable_pieces(pieces: Sequence[Piece], search: Search) -> Candidate:
    person, originals = _named_person(pieces)
    first = min(piece.path for piece in pieces)
    if len(pieces) == 1 and first.is_dir() and not _has_late_marks(pieces[0]):
        whole = replace(read_student(first, person, search), attempt=pieces[0].person.attempt)
        return _timed(whole, pieces, search)
    attempts = _attempts(pieces)
    counted = max((i for i, own in enumerate(attempts) if any(map(_has_work, own))), default=len(attempts) - 1)
    members, earlier = _members(attempts[counted], originals, search)
    for own in attempts[counted + 1 :]:
        later, _ = _members(own, originals, search)
        members = later | members
    notes = _attempt_notes(attempts, counted, earlier)
    listed = (*_earlier_names(attempts[:counted], originals, search), *earlier)
    found = _of_members(members, person, first, search)
    found = replace(
        found,
        files=(*found.files, *listed)[:LISTED_FILES],
        notes=(*notes, *found.notes),
        origin=first,
        attempt=attempts[counted][0].person.attempt,
        others=tuple(own[0].person.attempt for i, own in enumerate(attempts) if i != counted),
        sources=tuple(piece.path for piece in pieces),
    )
    return _timed(found, attempts[counted], search)


def _timed(found: Candidate, pieces: Sequence[Piece], search: Search) -> Candidate:
    """Add the time of submission from the names of an attempt's files, or the platform's mark of a late one."""
    late = any(one.person.late or _has_late_marks(one) for one in pieces)
    found = replace(found, late=late)
    platform = pieces[0].person.platform
    times = [moment for one in pieces if (moment := moment_of(one.person.attempt, search.zone)) is not None]
    if times:
        source: SubmittedFrom = "metadata" if platform == gradescope.PLATFORM else "name"
        return replace(found, submitted=max(times), submitted_from=source)
    if platform == repositories.PLATFORM:
        moment = repositories.last_commit(pieces[0].path, search.unpack_to)
        return found if moment is None else replace(found, submitted=moment, submitted_from="commit")
    return replace(found, submitted_from="mark") if late and found.submitted is None else found


def _has_late_marks(piece: Piece) -> bool:
    """Return whether the names of late files have ILIAS's words in front."""
    if piece.person.platform != "ilias" or not piece.path.is_dir():
        return False
    return any(without_late_mark(path.name) != path.name for path in walk(piece.path))


def _of_members(members: Mapping[str, Path], person: Person, first: Path, search: Search) -> Candidate:
    """Make one submission of files at different places."""
    name, path = next(iter(members.items())) if members else ("", first)
    if len(members) == 1 and path.suffix.lower() == ".zip":
        return replace(student_zip(path, search), person=person)
    # A notebook that was named by its path must not get the files of others next to it.
    if len(members) == 1 and is_notebook_name(path.name) and path not in search.named and "/" not in name:
        return single(path, replace(person, rest=name))
    if len(members) == 1 and not is_notebook_name(path.name):
        return Candidate(person=person, place=path, files=(name,), error=no_notebook([name]))
    folder = gather(members, search.unpack_to, safe_id(person.id))
    return read_student(folder, person, search)


def _has_work(piece: Piece) -> bool:
    if piece.path.is_dir():
        return any(is_work(path) for path in walk(piece.path))
    return is_work(piece.path)


def _named_person(pieces: Sequence[Piece]) -> tuple[Person, Mapping[str, str]]:
    """Return the student with the name in Blackboard's texts, and the files' own names from there."""
    person = replace(pieces[0].person, rest="", attempt="")
    originals: dict[str, str] = {}
    note = BlackboardNote()
    for piece in pieces:
        if piece.person.platform == "blackboard" and piece.person.kind == "text":
            note = read_blackboard_note(content_of(piece.path).decode("utf-8", "replace"))
            originals |= note.originals
    if note.student:
        login = note.login or person.id
        person = replace(person, student=note.student, id=f"{note.student}-{login}")
    return person, originals


def _attempts(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Group pieces by attempt, the latest last."""
    groups: dict[str, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(piece.person.attempt, []).append(piece)
    times = {attempt: sortable_time(attempt) for attempt in groups}
    if pieces[0].person.platform == PLATFORM:
        times = {attempt: f"{version_number(attempt):06d}" for attempt in groups}
    if len(groups) > 1 and not all(times.values()):
        times = {attempt: f"{_newest(own):020.3f}" for attempt, own in groups.items()}
    return [groups[attempt] for attempt in sorted(groups, key=lambda attempt: (times[attempt], attempt))]


def _newest(pieces: Sequence[Piece]) -> float:
    """Return the newest time of the files of an attempt."""
    files = [f for piece in pieces for f in (walk(piece.path) if piece.path.is_dir() else (piece.path,))]
    return max((path.stat().st_mtime for path in files), default=0.0)


@dataclass(frozen=True, slots=True)
class _Version:
    """A file whose name may end with the number that Canvas adds to a later version."""

    number: int
    name: str
    path: Path


def _members(
    pieces: Sequence[Piece], originals: Mapping[str, str], search: Search
) -> tuple[dict[str, Path], tuple[str, ...]]:
    """List the files of one attempt by their own names, and the names of earlier versions of the same file."""
    members: dict[str, Path] = {}
    versions: dict[tuple[str, str], list[_Version]] = {}
    for piece in pieces:
        if piece.path.is_dir():
            for path in walk(piece.path):
                own_name = without_late_mark(path.name) if piece.person.platform == "ilias" else path.name
                name = path.relative_to(piece.path).with_name(own_name).as_posix()
                members[free_name(name, members, piece.person.kind)] = path
        else:
            own = safe_member(originals.get(piece.path.name) or piece.person.rest or piece.path.name)
            base, number = canvas_version(own) if piece.person.platform == "canvas" else (own, 0)
            versions.setdefault((piece.person.kind, base), []).append(_Version(number, own, piece.path))
    code = [v.path for same in versions.values() for v in same if v.path.suffix.lower() in {".ipynb", ".py"}]
    mentions = Mentions(code, share=0)
    earlier = list[str]()
    for (kind, base), same in sorted(versions.items(), key=lambda item: item[0]):
        same.sort(key=lambda version: (version.number, len(version.path.name), version.path))
        numbered = [version.name for version in same if version.number]
        if len(numbered) == len(same) > 1 or any(n.casefold() in search.usual or mentions(n) for n in numbered):
            # The numbers are the student's own, as in `part-1.csv` and `part-2.csv`.
            current, older = {version.name: version.path for version in same}, []
        else:
            current, older = {base: same[-1].path}, same[:-1]
        members |= {free_name(name, members, kind): path for name, path in current.items()}
        earlier += [f"earlier/{version.path.name}" for version in older]
    return dict(sorted(members.items())), tuple(earlier)


def _earlier_names(attempts: Sequence[Sequence[Piece]], originals: Mapping[str, str], search: Search) -> Iterator[str]:
    for own in attempts:
        label = own[0].person.attempt or "earlier"
        for name in _members(own, originals, search)[0]:
            yield f"earlier/{label}/{name}"


def _attempt_notes(attempts: Sequence[Sequence[Piece]], counted: int, earlier: Sequence[str]) -> tuple[Message, ...]:
    notes = list[Message]()
    if len(attempts) > 1:
        times = [own[0].person.attempt for own in attempts]
        others = [time for i, time in enumerate(times) if i != counted]
        notes.append(_other_attempts(attempts[counted][0].person, others))
    if earlier:
        names = some(name.removeprefix("earlier/") for name in earlier)
        notes.append(say("the newest version of each file counts, not {names:list}", names=names))
    return tuple(notes)


def _other_attempts(counted: Person, others: Sequence[str]) -> Message:
    if counted.platform == PLATFORM:
        return say_count(
            "{version} counts; {count:number} other version does not: {others:list}",
            "{version} counts; {count:number} other versions do not: {others:list}",
            len(others),
            version=counted.attempt,
            others=some(others),
        )
    return say_count(
        "the attempt of {time} counts; {count:number} other attempt does not: {others:list}",
        "the attempt of {time} counts; {count:number} other attempts do not: {others:list}",
        len(others),
        time=counted.attempt,
        others=some(others),
    )
