"""Create a large class from a few submissions that were really executed and graded.

    python bench/make_class.py demo-results class-of-1000 --size 1000

Each submission is a copy of an existing one, with its evidence, executed notebook and grade, under its own name. That
name is added as a comment to every code cell, so that caches by content cannot serve two submissions. Large files
(models, arrays) are hard links, since grading does not read them. Nothing is executed.
"""

import argparse
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from grader.store.seal import SEAL, seal_of

_FIRST = ("Ada", "Bruno", "Chidi", "Dana", "Emre", "Farah", "Goro", "Hana", "Ivo", "Jun", "Kofi", "Lena", "Mei", "Nils")
_LAST = ("Abara", "Berg", "Costa", "Diaz", "Eze", "Fink", "Garcia", "Haas", "Ito", "Joshi", "Kaya", "Lopez", "Mori")


def names(size: int) -> Iterator[str]:
    """Yield distinct names of people."""
    for number in range(size):
        first, last = _FIRST[number % len(_FIRST)], _LAST[number // len(_FIRST) % len(_LAST)]
        yield f"{first} {last} {number:05d}"


def make_class(source: Path, target: Path, size: int) -> int:
    """Create the class.

    Args:
        source: A results folder of `grader grade` or `grader demo`.
        target: A folder that does not exist yet.
        size: Number of submissions.

    Returns:
        Number of different submissions that were copied.

    Raises:
        SystemExit: There is nothing to copy, or the target exists.
    """
    kinds = sorted(p.parent.parent for p in source.glob("*/evidence/evidence.json"))
    if not kinds:
        sys.exit(f"{source} holds no kept evidence")
    if target.exists():
        sys.exit(f"{target} exists already")
    target.mkdir(parents=True)
    shutil.copy(source / "grader.sqlite", target / "grader.sqlite")
    shutil.copy(source / "rubric.json", target / "rubric.json")
    copies = [(name.lower().replace(" ", "-"), name, kinds[at % len(kinds)]) for at, name in enumerate(names(size))]
    for ident, student, kind in copies:
        _copy(kind, target / ident, student)
    _copy_executions(target / "grader.sqlite", [(ident, kind.name) for ident, _, kind in copies])
    return len(kinds)


def _copy_executions(database_path: Path, copies: Sequence[tuple[str, str]]) -> None:
    """Replace the rows of the executions by those of the copies, and forget all gradings.

    Args:
        database_path: A copy of the source's database.
        copies: The id of each copy, and the id of its source.
    """
    with closing(sqlite3.connect(database_path)) as database, database:
        stored = database.execute("SELECT * FROM execution")
        # Name each column, so that the number and order of columns do not matter.
        columns = [column[0] for column in stored.description]
        rows = [dict(zip(columns, row, strict=True)) for row in stored]
        database.execute("DELETE FROM execution")
        database.execute("DELETE FROM grading")
        values = ", ".join(f":{column}" for column in columns)
        database.executemany(
            f"INSERT INTO execution ({', '.join(columns)}) VALUES ({values})",  # noqa: S608 - names of the schema
            [{**row, "submission": ident} for ident, kind in copies for row in rows if row["submission"] == kind],
        )


def _copy(kind: Path, target: Path, student: str) -> None:
    """Copy one submission under another name."""
    (target / "evidence").mkdir(parents=True)
    for path in sorted((kind / "evidence").rglob("*")):
        place = target / path.relative_to(kind)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        elif path.name not in {"evidence.json", "rendered.parts", "graded.parts"}:
            os.link(path, place)
    evidence = json.loads((kind / "evidence" / "evidence.json").read_bytes())
    for cell in evidence["cells"]:
        if cell["kind"] == "code":
            cell["source"] += f"\n# {student}"
    text = json.dumps(evidence, ensure_ascii=False, separators=(",", ":"))
    (target / "evidence" / "evidence.json").write_text(text, encoding="utf-8")
    notebook = json.loads((kind / "executed.ipynb").read_bytes())
    for one in notebook["cells"]:
        if one["cell_type"] == "code":
            one["source"] = "".join(one["source"]) + f"\n# {student}"
    (target / "executed.ipynb").write_text(json.dumps(notebook, ensure_ascii=False, indent=1), encoding="utf-8")
    _copy_grade(kind, target, student)
    for page in ("report.html", "instructor.html"):
        # Results of an earlier version have only the first one.
        if (kind / page).exists():
            shutil.copy(kind / page, target / page)


def _copy_grade(kind: Path, target: Path, student: str) -> None:
    grade = json.loads((kind / "grade.json").read_bytes())
    grade["submission"] |= {"id": target.name, "student": student}
    if SEAL in grade:
        grade[SEAL] = seal_of(grade)
    (target / "grade.json").write_text(json.dumps(grade, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Create the class that the command line describes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--size", type=int, default=1000)
    chosen = parser.parse_args()
    kinds = make_class(chosen.source, chosen.target, chosen.size)
    print(f"{chosen.target}: {chosen.size} submissions, made from {kinds}")


if __name__ == "__main__":
    main()
