"""Pack a rubric for the autograders of Gradescope and PrairieLearn."""

import io
import json
import os
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.datasets.registry import KNOWN
from grader.facts.points import total_of
from grader.grading.loader import LoadedRubric
from grader.grading.translations import side_files
from grader.pipeline.reference import read_reference, reference_notebook
from grader.resources import share
from grader.schema.errors import StorageError, UsageError
from grader.version import __version__

__all__ = ["Packed", "Requirement", "pack_gradescope", "pack_prairielearn", "rubric_files"]

_EXECUTABLE, _PLAIN = 0o755, 0o644
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""Time of all entries of a zip, so that the same content gives the same file."""
_BASE = PurePosixPath("rubric/course/rubrics")
"""Folder of the rubric; files of a course folder are up to two levels above it."""
_RUBRIC_NOTE, _REQUIREMENTS, _DATASETS = "rubric.txt", "requirements.txt", "datasets.txt"
_LONGEST = 600
"""PrairieLearn's limit of `timeout`, in seconds."""
_MARGIN = 60
"""Time for everything but the notebook, in seconds."""
_NAMESPACE = uuid.UUID("5d0d4b39-43d0-4b52-9c55-6a3a5f2c1a0e")


@dataclass(frozen=True, slots=True)
class Requirement:
    """How the autograder gets the grader."""

    text: str = f"cnn-grader[cpu]=={__version__}"
    """A requirement as for `pip install`."""
    wheel: Path | None = None
    """A wheel of the grader to pack instead."""

    def line(self, folder: str) -> str:
        """Return the line for `requirements.txt`.

        Args:
            folder: Absolute path of the packed files, where the autograder is installed.
        """
        return self.text if self.wheel is None else f"cnn-grader[cpu] @ file://{folder}/{self.wheel.name}"


@dataclass(frozen=True, slots=True)
class Packed:
    """The result of packing."""

    path: Path
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """Advice for the instructor."""


def rubric_files(loaded: LoadedRubric) -> tuple[str, Mapping[str, bytes]]:
    """Collect a rubric and all files that it names.

    Args:
        loaded: The rubric.

    Returns:
        The path of the rubric in the pack, and the content of each file by its path.

    Raises:
        RubricError: The reference is missing.
        ReferenceMissingError: The reference has no current evidence.
        UsageError: A file is too far away from the rubric.
        StorageError: A file cannot be read.
    """
    read_reference(loaded)
    place = _BASE / loaded.path.name
    files: dict[str, bytes] = {}
    for name, path in _sources(loaded):
        files[_inside(name, path)] = _content(path)
    return str(place), dict(sorted(files.items()))


def _sources(loaded: LoadedRubric) -> Iterator[tuple[str, Path]]:
    """Yield all files, each with its path relative to the rubric's folder."""
    folder, rubric = loaded.path.parent, loaded.rubric
    yield loaded.path.name, loaded.path
    for path in side_files(loaded.path).values():
        yield path.name, path
    reference = reference_notebook(loaded)
    if reference is not None and rubric.reference_file is not None:
        yield rubric.reference_file, reference
        evidence = reference.with_suffix(".evidence.json")
        yield str(PurePosixPath(rubric.reference_file).with_name(evidence.name)), evidence
    if rubric.template is not None:
        own = folder / rubric.template
        yield rubric.template, own if own.is_file() else share("rubrics") / rubric.template
    for file in loaded.files:
        yield os.path.relpath(file.source, folder.resolve()), file.source
    if rubric.templates is not None:
        for path in sorted((folder / rubric.templates).rglob("*")):
            if path.is_file():
                yield os.path.relpath(path, folder), path


def _inside(name: str, path: Path) -> str:
    """Return the path of a file in the pack.

    Raises:
        UsageError: It would be outside.
    """
    joined = os.path.normpath(_BASE / name)
    if not joined.startswith(f"{_BASE.parts[0]}/"):
        msg = "the file is too far away from the rubric to be packed"
        raise UsageError(msg, where=str(path), advice="put it next to the rubric, or at most two folders above")
    return joined


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"a file cannot be read: {error.strerror or error}"
        raise StorageError(msg, where=str(path)) from error


def pack_gradescope(loaded: LoadedRubric, out: Path, requirement: Requirement | None = None) -> Packed:
    """Write the zip of a Gradescope autograder.

    Args:
        loaded: The rubric.
        out: The zip; it must not exist.
        requirement: How the autograder gets the grader.

    Raises:
        GraderError: The rubric cannot be packed, or the zip cannot be written.
    """
    requirement = requirement or Requirement()
    scripts = share("gradescope")
    files = _payload(loaded, requirement, "/autograder/source")
    files |= {name: (scripts / name).read_bytes() for name in ("setup.sh", "run_autograder")}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (_EXECUTABLE if name in {"setup.sh", "run_autograder"} else _PLAIN) << 16
            archive.writestr(entry, content)
    _write({out: (buffer.getvalue(), _PLAIN)})
    minutes = f"{loaded.rubric.run.time / 60:g} min (`run.time`)"
    note = f"the notebook may run for {minutes}: set a longer timeout of the autograder on Gradescope"
    advice = "set autograder points to {computed}, and give the other {manual} by a rubric on Gradescope"
    return Packed(out, tuple(files), (note, *_points_note(loaded, advice), *_common_notes(loaded)))


def pack_prairielearn(
    loaded: LoadedRubric, out: Path, requirement: Requirement | None = None, *, image: str = "YOUR/cnn-grader"
) -> Packed:
    """Write a question with an external grader into a course of PrairieLearn, and the files of its image.

    Args:
        loaded: The rubric.
        out: Folder of the course; files of other questions stay.
        requirement: How the image gets the grader.
        image: Name of the image.

    Raises:
        GraderError: The rubric cannot be packed, or a file exists or cannot be written.
    """
    requirement = requirement or Requirement()
    templates, name = share("prairielearn"), loaded.rubric.id
    payload = _payload(loaded, requirement, "/opt/cnn-grader/image")
    of_image = {
        key: payload.pop(key) for key in list(payload) if key in {_REQUIREMENTS, _DATASETS} or key.endswith(".whl")
    }
    script = "serverFilesCourse/cnn_grader/run.sh"
    files: dict[Path, tuple[bytes, int]] = {
        out / "questions" / name / "tests" / key: (content, _PLAIN) for key, content in payload.items()
    }
    files |= {out / "image" / key: (content, _PLAIN) for key, content in of_image.items()}
    files[out / "image" / "Dockerfile"] = ((templates / "Dockerfile").read_bytes(), _PLAIN)
    files[out / "questions" / name / "question.html"] = (
        (templates / "question" / "question.html").read_bytes(),
        _PLAIN,
    )
    files[out / "questions" / name / "info.json"] = (_question(loaded, image, templates), _PLAIN)
    shared = out / script
    content = (templates / script).read_bytes()
    if not shared.is_file() or shared.read_bytes() != content:
        files[shared] = (content, _EXECUTABLE)
    notes = []
    for path in [path for path in files if path.is_relative_to(out / "image")]:
        # A second question may share the image of the first.
        if not path.is_file():
            continue
        content, _ = files.pop(path)
        if path.read_bytes() != content:
            notes.append(f"{path} stayed as it is; this question needs: {_line(content)}")
    _write(files)
    notes = [*notes, f"build the image with `docker build --tag {image} {out / 'image'}`, and push it"]
    if loaded.rubric.run.time > _LONGEST - _MARGIN:
        notes.append(f"PrairieLearn ends a job after {_LONGEST} s: set `run.time` to at most {_LONGEST - _MARGIN} s")
    advice = "set `autoPoints` of the question to {computed} and `manualPoints` to {manual}, or to that share"
    notes += [*_points_note(loaded, advice), *_common_notes(loaded)]
    return Packed(out, tuple(path.relative_to(out).as_posix() for path in files), tuple(notes))


def _payload(loaded: LoadedRubric, requirement: Requirement, folder: str) -> dict[str, bytes]:
    place, files = rubric_files(loaded)
    datasets = "".join(f"{name}\n" for name in loaded.rubric.all_datasets if _is_fetched(loaded, name))
    payload = {
        _RUBRIC_NOTE: f"{place}\n".encode(),
        _REQUIREMENTS: f"{requirement.line(folder)}\n".encode(),
        _DATASETS: datasets.encode(),
        **files,
    }
    if requirement.wheel is not None:
        payload[requirement.wheel.name] = _content(requirement.wheel)
    return payload


def _line(content: bytes) -> str:
    return " ".join(content.decode("utf-8", "replace").split())[:200]


def _question(loaded: LoadedRubric, image: str, templates: Path) -> bytes:
    info = json.loads((templates / "question" / "info.json").read_bytes())
    info["uuid"] = str(uuid.uuid5(_NAMESPACE, loaded.rubric.id))
    info["title"] = loaded.rubric.title
    options = info["externalGradingOptions"]
    options["image"] = image
    options["timeout"] = int(min(_LONGEST, loaded.rubric.run.time + _MARGIN))
    return f"{json.dumps(info, indent=2, ensure_ascii=False)}\n".encode()


def _is_fetched(loaded: LoadedRubric, name: str) -> bool:
    """Whether the installation downloads a data set; for others notebooks get made-up images, or a person adds it."""
    return name in KNOWN and name not in loaded.rubric.stand_in


def _points_note(loaded: LoadedRubric, advice: str) -> Iterator[str]:
    """Note how the points divide into automatic points and those that a person gives on the platform.

    Args:
        loaded: The rubric.
        advice: What to do on the platform, with `{computed}` and `{manual}` points.
    """
    lines = [one for one in loaded.rubric.criteria if not one.bonus]
    if any(one.manual is not None for one in loaded.rubric.criteria):
        manual = total_of(one.points for one in lines if one.manual is not None)
        computed = total_of(one.points for one in lines if one.manual is None)
        yield "points that a person gives are not part of the autograder's score: " + advice.format(
            computed=f"{computed:g}", manual=f"{manual:g}"
        )


def _common_notes(loaded: LoadedRubric) -> Iterator[str]:
    for name in loaded.rubric.all_datasets:
        if name not in KNOWN:
            yield f"the data set {name} is the course's own: add `grader data import {name} FILE` to the installation"
    if loaded.rubric.run.kernel:
        yield f"`run.kernel` is {loaded.rubric.run.kernel}: this Python must also exist where the autograder runs"


def _write(files: Mapping[Path, tuple[bytes, int]]) -> None:
    """Write new files; no existing file is replaced.

    Raises:
        UsageError: A file exists already; nothing was written then.
        StorageError: A file cannot be written.
    """
    existing = next((path for path in files if path.exists()), None)
    if existing is not None:
        msg = "the file exists already; nothing was written"
        raise UsageError(msg, where=str(existing), advice="choose another path with `--out`, or remove it")
    for path, (content, mode) in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(content)
            path.chmod(mode)
        except OSError as error:
            msg = f"cannot write: {error.strerror or error}"
            raise StorageError(msg, where=str(path)) from error
