"""Exports of the sample class: the tables agree with the grades and the evidence, in each format."""

import csv
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.delivery.data_schema import columns_of
from grader.delivery.data_tables import facts_of
from grader.delivery.export import Export, Exported, Format, Record
from grader.delivery.format_registry import all_formats, find_format
from grader.pipeline.exporting import ClassExport, Damage, ExportOptions, export_class
from grader.pipeline.publish import row_of
from grader.report.classrow import RosterCell, absent_row
from grader.report.csvfile import guarded, rows_csv, unguarded
from grader.schema.data import DATA_VERSION, FACTS, TABLES, Personal, TrainingRow
from grader.schema.errors import HarnessError, SubmissionPathError, UsageError
from grader.schema.evidence import FitFact
from grader.schema.grade import Grade
from grader.schema.judgement import CommentGrade, FlagGrade, JudgedGrade, RequestGrade, ReviewGrade
from grader.store.results import ResultsFolder
from tests.support.sample_results import sample_results

SCHEMA = Path(__file__).with_name("data_schema.json")
"""The released columns: name, type, unit."""
NOW = datetime(2026, 5, 1, 18, tzinfo=UTC)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ResultsFolder]:
    """The sample submissions of all assignments; tests do not change them."""
    return sample_results(tmp_path_factory.mktemp("results"))


@pytest.fixture
def out(classes: dict[str, ResultsFolder], tmp_path: Path) -> ResultsFolder:
    """A copy of one assignment, which a test may change."""
    shutil.copytree(classes["mnist-cnn"].root, tmp_path / "mnist-cnn")
    return ResultsFolder(tmp_path / "mnist-cnn")


def export(out: ResultsFolder, to: str = "parquet", target: Path | None = None, **options: Any) -> ClassExport:
    return export_class(out, ExportOptions(find_format(to), target, **options))


def rows_of(result: ClassExport, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(result.target / f"{table}.parquet").to_pylist()
    return rows


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def grades_of(out: ResultsFolder) -> dict[str, Grade]:
    grades = {name: out.read_grade(name) for name in out.submissions()}
    return {name: grade for name, grade in grades.items() if grade is not None}


# --- the tables --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rubric", ["mnist-cnn", "keras-mnist-cnn", "cifar-deep", "fashion-transfer", "parameter-golf"])
def test_the_tables_have_everything_that_grades_and_evidence_have(
    classes: dict[str, ResultsFolder], tmp_path: Path, rubric: str
) -> None:
    out = classes[rubric]
    result, grades = export(out, target=tmp_path / "data"), grades_of(out)
    assert result.damaged == ()
    assert [row["submission"] for row in rows_of(result, "submissions")] == list(out.submissions())
    assert {(row["submission"], row["score"], row["pending"]) for row in rows_of(result, "submissions")} == {
        (name, grade.score, grade.pending) for name, grade in grades.items()
    }
    criteria = [(row["submission"], row["criterion"], row["points"] or 0.0) for row in rows_of(result, "criteria")]
    assert criteria == [(name, line.id, line.points) for name, grade in grades.items() for line in grade.criteria]
    layers = [(row["submission"], row["model"], row["name"]) for row in rows_of(result, "layers")]
    assert layers == [
        (name, model.id, layer.name)
        for name, grade in grades.items()
        for model in grade.models
        for layer in model.layers
    ]
    accuracies = {
        (row["submission"], row["model"], row["images"]): row["accuracy"] for row in rows_of(result, "accuracies")
    }
    assert accuracies == {
        (name, model.id, images): one.value
        for name, grade in grades.items()
        for model in grade.models
        for images, one in model.accuracy.items()
    }
    fits = {name: evidence.fits for name in grades if (evidence := out.read_evidence(name)) is not None}
    trainings = [(row["submission"], row["event"], row["epochs"]) for row in rows_of(result, "trainings")]
    assert trainings == [(name, fit.event, fit.epochs_done) for name, group in fits.items() for fit in group]
    assert len(rows_of(result, "epochs")) == sum(_epochs(fit) for group in fits.values() for fit in group)
    assert result.rows == {name: len(rows_of(result, name)) for name in TABLES}


def _epochs(fit: FitFact) -> int:
    return max(fit.epochs_done, *(len(values) for values in fit.history.values()), 0)


def test_a_training_has_its_optimizer_learning_rate_and_metrics(out: ResultsFolder) -> None:
    (row,) = [one for one in rows_of(export(out), "trainings") if one["submission"] == "amara"]
    assert (row["optimizer"], row["learning_rate"], row["batch_size"], row["epochs"]) == ("Adam", 0.003, 64, 5)
    assert (row["first_rate"], row["last_rate"], row["callbacks"]) == (0.003, 0.0001875, "LearningRateScheduler")
    assert row["final_accuracy"] == pytest.approx(0.99035, abs=1e-5)
    assert row["best_val_accuracy"] == pytest.approx(0.99233, abs=1e-5)
    assert (row["images"], row["dataset"], row["test_images"], row["overlap"]) == (54_000, "mnist", 0, 0)
    assert row["graded"]


def test_frozen_and_changed_layers_of_transfer_learning_are_counted(classes: dict[str, ResultsFolder]) -> None:
    trainings = rows_of(export(classes["fashion-transfer"]), "trainings")
    gita = [(row["frozen_layers"], row["changed_layers"]) for row in trainings if row["submission"] == "gita"]
    assert any(frozen > 0 and frozen + changed <= 10 for frozen, changed in gita)
    assert all(row["changed_layers"] <= row["layers_with_weights"] - row["frozen_layers"] for row in trainings)


def test_pending_points_are_empty_and_not_lost(out: ResultsFolder) -> None:
    pending = [row for row in rows_of(export(out), "criteria") if row["status"] == "pending"]
    assert {row["criterion"] for row in pending} == {"critique", "explanation", "sketch"}
    assert {(row["points"], row["lost"]) for row in pending} == {(None, None)}


def test_the_long_table_has_each_value_of_the_others_once(out: ResultsFolder) -> None:
    result = export(out)
    facts = rows_of(result, FACTS)
    places = [(row["submission"], row["kind"], row["item"], row["name"]) for row in facts]
    assert len(set(places)) == len(places)
    accuracy = next(
        row for row in facts if (row["submission"], row["kind"], row["name"]) == ("amara", "accuracies", "accuracy")
    )
    assert (accuracy["item"], accuracy["model"], accuracy["number"]) == ("m1/mnist/test", "m1", 0.9926)
    assert (accuracy["unit"], accuracy["assurance"]) == ("fraction of 1", "verified")
    measured = {(row["item"], row["name"]): row["number"] for row in facts if row["submission"] == "amara"}
    assert measured["accuracy", "measured.at_least"] == 0.99
    assert {row["kind"] for row in facts} == {
        *("submissions", "criteria", "models", "layers", "trainings", "accuracies", "notes", "errors"),
    }
    assert all((row["number"] is None) != (row["text"] is None) for row in facts)


def test_decisions_of_people_are_rows(out: ResultsFolder) -> None:
    grade = grades_of(out)["amara"]
    judged = JudgedGrade(by="Ada", at=NOW, kind="points", computed_status="pending")
    line = grade.criteria[-1].model_copy(
        update={
            "judged": judged,
            "points": 2.0,
            "status": "passed",
            "comments": (CommentGrade(by="Ada", at=NOW, text="Good."),),
        }
    )
    request = RequestGrade(
        criterion="accuracy", by="amara", at=NOW, why="I have 99 %.", answer="Yes.", answered_by="Ada", answered_at=NOW
    )
    out.write_grade(
        grade.model_copy(
            update={
                "criteria": (*grade.criteria[:-1], line),
                "flags": (FlagGrade(criterion="*", by="Ben", at=NOW, why="Look."),),
                "requests": (request,),
                "review": (
                    ReviewGrade(criterion="sketch", kind="points", reason="points", by="Ada", at=NOW, points=1.0),
                ),
            }
        )
    )
    result = export(out)
    judgements = rows_of(result, "judgements")
    assert [(row["kind"], row["criterion"], row["by"], row["points"], row["text"]) for row in judgements] == [
        ("points", line.id, "Ada", 2.0, None),
        ("comment", line.id, "Ada", None, "Good."),
        ("flag", None, "Ben", None, "Look."),
        ("request", "accuracy", "amara", None, "I have 99 %."),
        ("answer", "accuracy", "Ada", None, "Yes."),
        ("review", "sketch", "Ada", 1.0, None),
    ]
    assert {row["at"] for row in judgements} == {NOW}
    (row,) = [one for one in rows_of(result, "criteria") if one["judged_by"] == "Ada"]
    assert (row["judged_at"], row["judged_kind"], row["computed_status"]) == (NOW, "points", "pending")
    anonymous = export(out, anonymous=True, target=out.root.parent / "anonymous")
    assert {row["text"] for row in rows_of(anonymous, "judgements")} == {None}
    assert not {row["by"] for row in rows_of(anonymous, "judgements")} & {"Ada", "Ben", "amara"}


def test_a_loss_that_is_not_a_number_is_empty_and_named(out: ResultsFolder) -> None:
    evidence = out.read_evidence("ben")
    assert evidence is not None
    history = {"loss": (0.5, float("nan"), float("inf")), "accuracy": (0.4, 0.1, 0.1)}
    fit = evidence.fits[0].model_copy(update={"history": history, "epochs_done": 3})
    out.write_evidence("ben", evidence.model_copy(update={"fits": (fit,)}))
    result = export(out)
    (row,) = [one for one in rows_of(result, "trainings") if one["submission"] == "ben"]
    assert (row["diverged"], row["final_loss"], row["final_accuracy"]) == (True, None, 0.1)
    assert [one["loss"] for one in rows_of(result, "epochs") if one["submission"] == "ben"] == [0.5, None, None]


def test_students_of_the_roster_are_rows_also_without_a_submission(out: ResultsFolder, tmp_path: Path) -> None:
    amara, ben = (row_of(grades_of(out)[name], None) for name in ("amara", "ben"))
    cells = [
        RosterCell(id="7", name="=Amara", email="a@example.org", section="A", group="red"),
        RosterCell(id="8", name="Ben", email="b@example.org", section="A", group="red"),
        RosterCell(id="9", name="Zoe", email="z@example.org", section="B"),
    ]
    rows = [
        replace(amara, roster=cells[0]),
        replace(amara, roster=cells[1]),
        absent_row("Zoe", "missing", 100.0, cells[2]),
    ]
    out.write_page("grades.csv", rows_csv([*rows, ben]))
    result = export(out)
    students = rows_of(result, "students")
    assert [(row["student"], row["name"], row["submission"], row["group"], row["status"]) for row in students] == [
        ("7", "=Amara", "amara", "red", "graded"),
        ("8", "Ben", "amara", "red", "graded"),
        ("9", "Zoe", None, None, "missing"),
    ]
    assert {row["rubric"] for row in students} == {"mnist-cnn"}
    anonymous = rows_of(export(out, anonymous=True, target=tmp_path / "anonymous"), "students")
    assert {(row["name"], row["email"]) for row in anonymous} == {(None, None)}
    assert [row["student"] for row in anonymous] == sorted(row["student"] for row in anonymous)
    assert {row["submission"] for row in anonymous if row["submission"]} < {
        row["submission"] for row in rows_of(export(out, anonymous=True, target=tmp_path / "anonymous"), "submissions")
    }
    assert rows_of(export(out, tables=("students",)), "students") == students


# --- the formats -------------------------------------------------------------------------------------------------


def test_both_formats_have_the_same_tables_and_values(out: ResultsFolder) -> None:
    result = export(out)
    folder = export(out, "csv").target
    for name, row in TABLES.items():
        lines, kinds = lines_of(folder / f"{name}.csv"), {column.name: column.type for column in columns_of(row)}
        expected = [{key: _as_csv(value) for key, value in one.items()} for one in rows_of(result, name)]
        assert [{key: _number(kinds[key], text) for key, text in line.items()} for line in lines] == expected


def _as_csv(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return guarded(value) if isinstance(value, str) else value


def _number(kind: str, text: str) -> Any:
    return float(text) if text and kind in {"integer", "number"} else text


def test_the_table_of_grades_is_the_file_of_the_results_folder(out: ResultsFolder, tmp_path: Path) -> None:
    single = export(out, "csv", tmp_path / "all" / "marks.csv")
    assert single.rows == {"grades": 6}
    assert single.target.read_bytes() == (out.root / "grades.csv").read_bytes()
    assert (export(out, "csv").target / "grades.csv").read_bytes() == single.target.read_bytes()


def test_one_table_can_be_a_file(out: ResultsFolder, tmp_path: Path) -> None:
    result = export(out, "parquet", tmp_path / "t.parquet", tables=("trainings",))
    assert pq.read_table(result.target).num_rows == result.rows["trainings"] == 4
    assert [path.name for path in tmp_path.iterdir() if path.name != "mnist-cnn"] == ["t.parquet"]
    long = export(out, "parquet", tmp_path / "f.parquet")
    assert list(long.rows) == [FACTS]


def test_files_tell_their_version_units_and_meanings(out: ResultsFolder) -> None:
    folder = export(out).target
    described = json.loads((folder / "schema.json").read_text())
    assert described["version"] == DATA_VERSION
    assert set(described["tables"]) == set(TABLES)
    for name, row in TABLES.items():
        schema = pq.read_schema(folder / f"{name}.parquet")
        assert schema.metadata[b"grader.version"] == str(DATA_VERSION).encode()
        assert schema.names == [column["name"] for column in described["tables"][name]["columns"]]
        for field, column in zip(schema, columns_of(row), strict=True):
            assert field.nullable is column.nullable
            assert field.metadata[b"description"].decode() == column.note != ""
            assert field.metadata.get(b"unit", b"").decode() == (column.unit or "")


def test_text_that_a_spreadsheet_would_run_is_disarmed_in_csv_and_kept_in_parquet(out: ResultsFolder) -> None:
    grade = grades_of(out)["ben"]
    formula = '=HYPERLINK("http://x")'
    out.write_grade(grade.model_copy(update={"submission": grade.submission.model_copy(update={"student": formula})}))
    assert formula in {row["student"] for row in rows_of(export(out), "submissions")}
    assert f"'{formula}" in {row["student"] for row in lines_of(export(out, "csv").target / "submissions.csv")}


def test_lone_surrogates_do_not_stop_an_export(out: ResultsFolder) -> None:
    path = out.evidence_folder("ben") / "evidence.json"
    evidence = json.loads(path.read_text(encoding="utf-8"))
    evidence["models"][0]["layers"][0]["name"] = "a\udc80b"
    path.write_text(json.dumps(evidence), encoding="ascii")
    assert "a?b" in {row["name"] for row in rows_of(export(out), "layers")}
    assert "a?b" in {row["name"] for row in lines_of(export(out, "csv").target / "layers.csv")}


def test_without_pyarrow_the_error_names_the_command_and_csv_works(
    out: ResultsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match="pyarrow") as caught:
        export(out)
    assert "pip install 'cnn-grader[data]'" in caught.value.advice
    assert export(out, "csv").submissions == 6


def test_every_format_is_found_by_its_name_and_a_wrong_one_gets_the_nearest() -> None:
    assert set(all_formats()) == {"csv", "parquet"}
    assert all(one.title and one.tables for one in all_formats().values())
    with pytest.raises(UsageError, match="did you mean 'parquet'"):
        find_format("parkett")


# --- errors ------------------------------------------------------------------------------------------------------


def test_damaged_submissions_are_listed_and_the_others_exported(out: ResultsFolder) -> None:
    out.grade_path("ben").write_text("{")
    (out.evidence_folder("amara") / "evidence.json").write_text("[]")
    shutil.rmtree(out.evidence_folder("chiara"))
    result = export(out)
    assert [one.submission for one in result.damaged] == ["amara", "ben"]
    states = {row["submission"]: (row["status"], row["evidence"]) for row in rows_of(result, "submissions")}
    assert states["ben"] == ("unreadable", "missing")
    assert states["amara"] == ("graded", "unreadable")
    assert states["chiara"] == ("graded", "missing")
    assert {row["submission"] for row in rows_of(result, "trainings")} == {"dmitri"}
    assert {row["submission"] for row in rows_of(result, "layers")} == set(out.submissions()) - {"ben"}
    assert {row["submission"] for row in rows_of(result, "criteria")} == set(out.submissions()) - {"ben"}


def test_a_grade_that_somebody_edited_by_hand_is_listed_and_not_exported(out: ResultsFolder) -> None:
    text = out.grade_path("ben").read_text(encoding="utf-8")
    out.grade_path("ben").write_text(text.replace('"score": 70.86', '"score": 100.0'), encoding="utf-8")
    result = export(out)
    assert result.damaged == (Damage("ben", "somebody edited this grade by hand"),)
    (row,) = [one for one in rows_of(result, "submissions") if one["submission"] == "ben"]
    assert (row["status"], row["score"], row["reason"]) == ("unreadable", None, "somebody edited this grade by hand")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tables": ("training",)}, "did you mean 'trainings'"),
        ({"target": Path("x.csv")}, "not the suffix of the format parquet"),
        ({"target": Path("x.parquet"), "tables": ("notes", "errors")}, "only one table"),
        ({"tables": ("grades",)}, "no table 'grades'"),
    ],
)
def test_wrong_options_are_refused(out: ResultsFolder, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        export(out, **options)


def test_a_folder_with_other_files_is_not_touched(out: ResultsFolder, tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.tex").write_text("text")
    with pytest.raises(UsageError, match="other files"):
        export(out, target=folder)
    assert [path.name for path in folder.iterdir()] == ["chapter.tex"]


def test_a_folder_without_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SubmissionPathError):
        export(ResultsFolder(tmp_path))


def test_an_export_that_fails_keeps_the_earlier_one(out: ResultsFolder) -> None:
    before = {path.name: path.read_bytes() for path in export(out).target.iterdir()}

    def stop(done: int, _all: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_class(out, ExportOptions(find_format("parquet")), stop)
    folder = out.root / "export"
    assert {path.name: path.read_bytes() for path in (folder / "parquet").iterdir()} == before
    assert [path.name for path in folder.iterdir()] == ["parquet"]


def test_the_next_export_removes_tables_that_it_does_not_have(out: ResultsFolder) -> None:
    assert len(list(export(out).target.glob("*.parquet"))) == len(TABLES)
    assert [path.name for path in export(out, tables=("notes",)).target.glob("*.parquet")] == ["notes.parquet"]


def test_submissions_are_read_one_after_the_other(out: ResultsFolder, tmp_path: Path) -> None:
    alive, most = 0, 0

    class Counting:
        def __init__(self) -> None:
            nonlocal alive, most
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

        def __call__(self) -> None:
            return None

    grade = grades_of(out)["ben"]
    records = (Record("ben", grade, "", Counting()) for _ in range(20))
    (tmp_path / "target").mkdir()
    find_format("parquet").write(records, Export(out.root, tmp_path / "target"))
    assert most <= 2


# --- without names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_an_anonymous_export_contains_no_name_and_no_words(
    classes: dict[str, ResultsFolder], tmp_path: Path, to: str
) -> None:
    out = classes["cifar-deep"]
    result = export(out, to, tmp_path / "data", anonymous=True, key=tmp_path / "key")
    assert "grades" not in result.rows
    content = "".join(str(pq.read_table(path).to_pylist()) for path in result.target.glob("*.parquet"))
    content += "".join(path.read_text() for path in result.target.glob("*.csv"))
    words = {"greta", "oskar"} | {grade.submission.sha256 for grade in grades_of(out).values()}
    words |= {line.message for grade in grades_of(out).values() for line in grade.criteria if line.message}
    assert content
    assert {word for word in words if word in content} == set()


def test_pseudonyms_stay_the_same_with_their_key_and_sort_the_rows(
    classes: dict[str, ResultsFolder], tmp_path: Path
) -> None:
    def names(rubric: str, key: str) -> list[tuple[str, str]]:
        result = export(classes[rubric], target=tmp_path / rubric, anonymous=True, key=tmp_path / key)
        return [(row["submission"], row["student"]) for row in rows_of(result, "submissions")]

    assert names("mnist-cnn", "a") == names("mnist-cnn", "a") == sorted(names("mnist-cnn", "a"))
    assert not set(names("mnist-cnn", "a")) & set(names("mnist-cnn", "b"))
    # `hugo` and `ines` have submissions in both assignments.
    assert len(set(names("fashion-transfer", "a")) & set(names("parameter-golf", "a"))) == 2


def test_an_anonymous_table_of_grades_is_refused(out: ResultsFolder) -> None:
    with pytest.raises(UsageError, match="names students"):
        export(out, "csv", anonymous=True, tables=("grades",))


# --- the contract ------------------------------------------------------------------------------------------------


def test_a_released_column_changes_only_with_the_version() -> None:
    """Add new columns to `data_schema.json`; any other difference needs a larger `DATA_VERSION`, there too."""
    released = json.loads(SCHEMA.read_text())
    current = {
        name: {column.name: [column.type, column.unit] for column in columns_of(row)} for name, row in TABLES.items()
    }
    assert released == {"version": DATA_VERSION, "tables": current}


def test_every_column_has_a_meaning_and_text_of_people_is_marked() -> None:
    for row in TABLES.values():
        assert row.__doc__
        assert [column.name for column in columns_of(row) if not column.note] == []
    words = {column.name for row in TABLES.values() for column in columns_of(row) if column.personal is Personal.WORDS}
    assert {"name", "message", "reason", "text", "cause", "custom", "notebook_sha256"} <= words


@given(st.data())
def test_facts_are_the_values_of_a_row(data: st.DataObject) -> None:
    strategies = {
        "text": st.text(),
        "integer": st.integers(-(2**53), 2**53),
        "number": st.floats(allow_nan=False),
        "boolean": st.booleans(),
    }
    columns = columns_of(TrainingRow)
    cells = tuple(
        data.draw(strategies[column.type] | st.none() if column.nullable else strategies[column.type])
        for column in columns
    )
    names = [column.name for column in columns_of(TABLES[FACTS])]
    facts = [dict(zip(names, fact, strict=True)) for fact in facts_of(TrainingRow, cells)]
    values = {column.name: value for column, value in zip(columns, cells, strict=True)}
    labels = {*TrainingRow.labels, *TrainingRow.key}
    assert {fact["name"] for fact in facts} == {
        name for name, value in values.items() if value is not None and name not in labels
    }
    assert all(values[fact["name"]] in {fact["number"], fact["text"]} for fact in facts)
    assert {fact["cell"] for fact in facts} <= {values["cell"]}


@given(st.text())
def test_the_apostrophe_against_formulas_can_be_removed(text: str) -> None:
    clean = text.replace("\x00", "")
    if not clean.startswith("'"):
        assert unguarded(guarded(clean)) == clean


def test_a_format_can_fail_without_leaving_files(out: ResultsFolder, tmp_path: Path) -> None:
    def write(records: Iterator[Record], export: Export) -> Exported:
        (export.target / "half.csv").write_text(next(iter(records)).submission)
        msg = "no more"
        raise HarnessError(msg)

    broken = Format("broken", "", ".csv", ("half",), lambda: None, write)  # type: ignore[arg-type]  # reads one record
    with pytest.raises(HarnessError, match="no more"):
        export_class(out, ExportOptions(broken, tmp_path / "data"))
    assert [path.name for path in tmp_path.iterdir()] == ["mnist-cnn"]


def test_damage_is_a_name_and_a_reason(out: ResultsFolder) -> None:
    shutil.rmtree(out.folder("ben"))
    (out.folder("ben") / "evidence").mkdir(parents=True)
    assert export(out).damaged == (Damage("ben", "there is no grade.json"),)
