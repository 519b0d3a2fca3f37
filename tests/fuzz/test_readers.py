"""Every reader of data that a sandbox wrote or a person sent behaves, whatever the data are.

`python -m tests.fuzz --seconds 60` gives each reader more documents; `docs/security.md` has the figures.
"""

import ast
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import grader
from tests.fuzz.bounds import examine
from tests.fuzz.mutating import mutated
from tests.fuzz.target import Target, all_targets

PACKAGE = Path(grader.__file__).parent
FINDINGS = Path(__file__).parent / "findings"
TARGETS = all_targets()
EXAMPLES, SLOW_EXAMPLES = 8, 2
PARSERS = {
    "HTMLParser",
    "HeaderParser",
    "Image.open",
    "ast.literal_eval",
    "ast.parse",
    "csv.DictReader",
    "csv.reader",
    "from_json",
    "json.load",
    "json.loads",
    "message_from_bytes",
    "model_validate_json",
    "nbformat.reads",
    "np.frombuffer",
    "np.load",
    "parse_qsl",
    "sqlite3.connect",
    "tarfile.open",
    "yaml.compose",
    "yaml.parse",
    "zipfile.ZipFile",
}
"""Functions and classes of libraries that parse data."""
TRUSTED = {
    "authoring.students_version": "the instructor's notebook",
    "datasets.store": "files that the store itself made",
    "delivery.formats.csv_folder": "`grades.csv`, which the grader wrote",
    "delivery.formats.moodle_feedback": "only writes",
    "delivery.formats.nbgrader": "the instructor's database, in a copy",
    "delivery.messages": "only writes",
    "delivery.nbgrader_program": "the grader's own request",
    "desk.publish": "tables that the grader wrote",
    "execution.sandbox.layout": "the answer of the instructor's Python",
    "execution.sandbox.warm": "answers of a process that runs no student's code",
    "facts.npy": "called by `evidence.artefacts` and `execution.predict`, which have targets",
    "pipeline.changes": "the grader's own journal",
    "pipeline.code_digest": "the grader's own code",
    "pipeline.course": "rows of the grader's database; arrays that the store made",
    "pipeline.drafting": "evidence of the instructor's own notebook",
    "pipeline.exporting": "`grades.csv`, which the grader wrote",
    "pipeline.kept_work": "parts of grades that the grader wrote, with a checksum",
    "pipeline.mailing": "a notebook that the grader wrote; every error means no source",
    "pipeline.packing": "templates of the grader",
    "pipeline.reference": "evidence of the reference solution",
    "pipeline.rubrics": "a note that the grader wrote",
    "pipeline.standing": "rows of the grader's database",
    "report.fragments": "parts of pages that the grader wrote, with a checksum",
    "schema.described": "the source of a class of the grader or of the instructor",
}
"""Modules that parse only data of the grader, of this machine or of the instructor, each with these data."""


def _calls(source: str) -> Iterator[str]:
    """Names of all called functions and base classes of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)
        elif isinstance(node, ast.ClassDef):
            yield from map(ast.unparse, node.bases)


def _parses(module: Path) -> bool:
    source = module.read_text(encoding="utf-8")
    return any(name in source for name in PARSERS) and any(
        name in PARSERS or name.rpartition(".")[2] in PARSERS for name in _calls(source)
    )


def test_every_module_that_parses_data_has_a_target_or_parses_trusted_data() -> None:
    modules = {path.relative_to(PACKAGE).with_suffix(""): path for path in PACKAGE.rglob("*.py")}
    # Code in a sandbox harms nobody else.
    parsing = {".".join(name.parts) for name, path in modules.items() if name.parts[0] != "inside" and _parses(path)}
    covered = {module.removeprefix("grader.") for target in TARGETS.values() for module in target.covers}
    assert parsing - covered == TRUSTED.keys()
    assert covered <= {".".join(name.parts) for name in modules}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_reader_bears_damaged_documents(target: Target, tmp_path: Path) -> None:
    documents = target.seeds()
    examine(target, documents[0], tmp_path, slower=100)  # imports and caches are nobody's time

    @settings(max_examples=SLOW_EXAMPLES if target.slow else EXAMPLES, database=None)
    @given(st.integers(0, 2**32))
    def bears(number: int) -> None:
        rng = random.Random(number)  # noqa: S311 - not for secrets
        document = mutated(target.form, rng.choice(documents), documents, rng)
        finding = examine(target, document, tmp_path, slower=20)
        assert finding is None, f"{finding}\n{document[:2000]!r}"

    bears()


def _patterns_at_line_starts() -> Iterator[str]:
    """Regular expressions with `MULTILINE` that skip white space at the start of a line, and with it whole lines."""
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if "MULTILINE" not in source or path.relative_to(PACKAGE).parts[0] == "inside":
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and "MULTILINE" in ast.unparse(node):
                texts = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant)]
                yield from (f"{path.name}:{node.lineno}" for text in texts if r"^\s*" in str(text))


def test_no_pattern_starts_at_each_of_many_empty_lines() -> None:
    # The time for `^\s*x` grows with the square of the number of empty lines, which a student chooses.
    assert list(_patterns_at_line_starts()) == []


@pytest.mark.parametrize("file", sorted(FINDINGS.glob("*/*")), ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_document_that_once_had_a_finding_has_none(file: Path, tmp_path: Path) -> None:
    target = TARGETS[file.parent.name]
    examine(target, target.seeds()[0], tmp_path, slower=100)
    assert examine(target, file.read_bytes(), tmp_path, slower=20) is None
