"""Account for every file at the given paths: each is a part of a submission, or is skipped for a reason."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.intake.candidates import DEEPEST, printable, why_ignored
from grader.intake.find import CLASS_FILES, Findings
from grader.intake.unpack import skipped_members
from grader.schema.message import Message, say

__all__ = ["Account", "Skipped", "account_for"]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that is a part of no submission."""

    path: str
    """Its path below the given one; files in a zip are below the zip. A folder ends with `/` and includes all in it."""
    reason: Message


@dataclass(frozen=True, slots=True)
class Account:
    """The place of every file."""

    parts: Mapping[str, tuple[str, ...]]
    """Id of a submission → the paths of its files."""
    skipped: tuple[Skipped, ...]


def account_for(paths: Sequence[Path], findings: Findings) -> Account:
    """List the parts of each submission, and what was skipped.

    Args:
        paths: The paths that were given to `grader.intake.find.find_all`.
        findings: What it found; the folder for unpacked zips must still exist.
    """
    claims = {
        source.resolve() if not source.is_symlink() else source.absolute(): one.id
        for one, origin in zip(findings.found, findings.origins, strict=True)
        for source in origin.sources
    }
    ledger = _Ledger(claims, {zip_.resolve(): folder for folder, zip_ in findings.unpacked.items()})
    for path in dict.fromkeys(paths):
        ledger.add(path.resolve(), printable(str(path)), path_given=True)
    return Account({name: tuple(parts) for name, parts in ledger.parts.items()}, tuple(ledger.skipped))


@dataclass(slots=True)
class _Ledger:
    """Walks through the paths and notes where each file belongs."""

    claims: Mapping[Path, str]
    """File or folder → the submission that it was read for."""
    zips: Mapping[Path, Path]
    """Zip → the folder with its content."""
    parts: dict[str, list[str]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)

    def add(self, path: Path, shown: str, *, path_given: bool = False) -> None:
        """Note a path and all files below it; a loop, since students' folders can be nested to any depth."""
        pending = [_Place(path, shown, given=path_given)]
        while pending:
            place = pending.pop()
            owner = self.claims.get(place.path)
            if owner is not None:
                place = _Place(place.path, place.shown, owner, 0, given=place.given)
            pending += reversed(list(self._one(place)))

    def _one(self, place: "_Place") -> "Iterator[_Place]":
        """Note one file, or yield what is in a folder."""
        path = place.path
        reason = None if place.given else why_ignored(path)
        if reason is None and place.owner is not None and place.depth > DEEPEST + 1:
            reason = say("in more than {limit:number} folders", limit=DEEPEST)
        if reason is not None:
            self._skip(place, reason)
        elif path.is_dir():
            yield from self._inside(place)
        elif place.owner is not None:
            self.parts.setdefault(place.owner, []).append(place.shown)
            yield from self._of_zip(place)
        elif path in self.zips:
            yield from self._of_zip(place)
        elif path.name in CLASS_FILES:
            self._skip(place, say("a file of the platform or of the system"))
        else:
            self._skip(place, say("it belongs to no submission"))

    def _inside(self, place: "_Place") -> "Iterator[_Place]":
        try:
            inner = sorted(place.path.iterdir())
        except OSError as error:
            self._skip(place, say("it cannot be read ({error})", error=error.strerror or str(error)))
            return
        for path in inner:
            yield _Place(path, f"{place.shown}/{printable(path.name)}", place.owner, place.depth + 1)

    def _of_zip(self, place: "_Place") -> "Iterator[_Place]":
        """Note what was left out of an unpacked zip, and yield the rest unless it belongs to the zip's student."""
        folder = self.zips.get(place.path)
        if folder is None:
            return
        plan = skipped_members(place.path)
        for names, reason in (
            (plan.skipped, say("a link, or a hidden or temporary file, or one of the system")),
            (plan.replaced, say("a later file in the zip has the same name")),
        ):
            self.skipped += [Skipped(f"{place.shown}/{printable(name)}", reason) for name in names]
        yield _Place(folder, place.shown, place.owner, given=True)

    def _skip(self, place: "_Place", reason: Message) -> None:
        is_folder = place.path.is_dir() and not place.path.is_symlink()
        self.skipped.append(Skipped(f"{place.shown}/" if is_folder else place.shown, reason))


@dataclass(frozen=True, slots=True)
class _Place:
    """A file or folder that is still to be noted."""

    path: Path
    shown: str
    """Its path for people."""
    owner: str | None = None
    """The submission that it was read for."""
    depth: int = 0
    """Levels below the folder that was read for the submission."""
    given: bool = False
    """Whether it is on the command line or the content of a zip, so that its name does not count."""
