"""The database of executions and grades, and resuming from it."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from threading import Barrier

import pytest

from grader.schema.errors import ArtefactError, StorageError
from grader.schema.grade import Grade, RubricStamp, SubmissionStamp
from grader.schema.rubric import RunSettings
from grader.store.database import MIGRATIONS, Database, ExecutionKey, digest_of

KEY = ExecutionKey(notebook="n", settings="s", runtime="r", data="d")


def grade(submission: str = "ann", sha256: str = "1", *, graded: bool = True) -> Grade:
    return Grade(
        submission=SubmissionStamp(id=submission, student="Ann", files=(), sha256="0"),
        rubric=RubricStamp(id="mnist-cnn", sha256=sha256),
        status="graded" if graded else "not_graded",
        reason=None if graded else "the sandbox did not start",
        score=5 if graded else None,
        max_score=10,
        pending=0,
    )


def test_what_was_never_executed_needs_it_and_then_no_more(tmp_path: Path) -> None:
    database = Database(tmp_path / "grader.sqlite")
    assert database.needs_execution("ann", KEY)
    database.record_execution("ann", KEY, seconds=2.5)
    assert not database.needs_execution("ann", KEY)
    assert database.needs_execution("bob", KEY)
    assert database.needs_execution("ann", KEY, attempt=2)
    assert not Database(tmp_path / "grader.sqlite").needs_execution("ann", KEY)


@pytest.mark.parametrize("part", [field.name for field in fields(ExecutionKey)])
def test_any_other_part_of_the_key_needs_a_new_execution(tmp_path: Path, part: str) -> None:
    database = Database(tmp_path / "grader.sqlite")
    database.record_execution("ann", KEY, seconds=1)
    assert database.needs_execution("ann", replace(KEY, **{part: "other"}))


def test_what_of_the_rubric_an_execution_was_made_with_is_noted(tmp_path: Path) -> None:
    database = Database(tmp_path / "grader.sqlite")
    database.record_execution("ann", KEY, seconds=1, parts='{"dataset": "mnist"}')
    database.record_execution("bob", KEY, seconds=1)
    assert [row.parts for row in database.executions()] == ['{"dataset": "mnist"}', ""]
    assert not database.needs_execution("ann", KEY)


def test_a_failure_of_the_grader_is_tried_again(tmp_path: Path) -> None:
    database = Database(tmp_path / "grader.sqlite")
    database.record_execution("ann", KEY, seconds=1, failure="no sandbox")
    assert database.needs_execution("ann", KEY)
    assert database.executions()[0].reason == "no sandbox"
    database.record_execution("ann", KEY, seconds=1)
    assert not database.needs_execution("ann", KEY)
    assert [row.status for row in database.executions()] == ["executed"]


def test_grading_is_needed_once_for_each_rubric_and_execution(tmp_path: Path) -> None:
    database = Database(tmp_path / "grader.sqlite", clock=lambda: 5.0)
    database.record_execution("ann", KEY, seconds=1)
    assert database.needs_grading("ann", "mnist-cnn", "1")
    database.record_grading(grade(), basis="1")
    assert not database.needs_grading("ann", "mnist-cnn", "1")
    assert database.needs_grading("ann", "mnist-cnn", "2")
    assert database.needs_grading("ann", "other", "1")
    assert (database.gradings("ann")[0].score, database.gradings("ann")[0].finished) == (5.0, 5.0)
    database.record_execution("ann", KEY, seconds=1)
    assert database.needs_grading("ann", "mnist-cnn", "1")


def test_what_could_not_be_graded_is_tried_again(tmp_path: Path) -> None:
    database = Database(tmp_path / "grader.sqlite")
    database.record_grading(grade(graded=False))
    assert database.needs_grading("ann", "mnist-cnn", "1")
    assert (database.gradings()[0].score, database.gradings()[0].reason) == (None, "the sandbox did not start")


def test_threads_write_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "grader.sqlite"

    def work(number: int) -> bool:
        database = Database(path)
        database.record_execution(f"s{number}", KEY, seconds=1)
        database.record_grading(grade(f"s{number}"), basis="1")
        return database.needs_grading(f"s{number}", "mnist-cnn", "1")

    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(work, range(40)))
    assert len(Database(path).executions()) == 40
    assert len(Database(path).gradings()) == 40


def _opened(path: Path, together: Barrier) -> int:
    together.wait()
    return len(Database(path).executions())


@pytest.mark.slow
def test_a_new_file_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    together = Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        for number in range(100):
            opened = [pool.submit(_opened, tmp_path / f"{number}.sqlite", together) for _ in range(8)]
            assert [one.result() for one in opened] == [0] * 8


def test_a_submission_s_rows_travel_to_another_database_and_back(tmp_path: Path) -> None:
    home, away = Database(tmp_path / "home.sqlite"), Database(tmp_path / "away.sqlite")
    home.record_execution("ann", KEY, seconds=1, failure="no sandbox")
    home.record_execution("bob", KEY, seconds=1)
    away.replace_rows("ann", home.rows_of("ann"))
    assert away.executions() == home.executions("ann")
    away.record_execution("ann", KEY, seconds=2)
    away.record_execution("ann", KEY, seconds=3, attempt=2)
    away.record_grading(grade())
    home.replace_rows("ann", away.rows_of("ann"))
    assert (home.executions("ann"), home.gradings()) == (away.executions(), away.gradings())
    assert [row.submission for row in home.executions("bob")] == ["bob"]
    home.replace_rows("ann", {})
    assert ([row.submission for row in home.executions()], home.gradings()) == (["bob"], ())


def test_rows_that_do_not_fit_change_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "grader.sqlite")
    database.record_execution("ann", KEY, seconds=1)
    before = database.rows_of("ann")
    with pytest.raises(StorageError):
        database.replace_rows("ann", {"execution": [("ann", 1)]})
    assert database.rows_of("ann") == before


def test_a_table_that_a_newer_version_adds_travels_with_the_others(tmp_path: Path) -> None:
    newer = (*MIGRATIONS, "CREATE TABLE sent (submission TEXT, how TEXT) STRICT; CREATE TABLE other (x TEXT) STRICT;")
    home, away = (Database(tmp_path / name, migrations=newer) for name in ("home.sqlite", "away.sqlite"))
    home.replace_rows("ann", {"sent": [("ann", "by mail")]})
    away.replace_rows("ann", home.rows_of("ann"))
    assert away.rows_of("ann") == {"execution": [], "grading": [], "standing": [], "sent": [("ann", "by mail")]}


def test_a_file_of_an_older_version_is_brought_up_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "grader.sqlite"
    Database(path).record_execution("ann", KEY, seconds=1)
    newer = (*MIGRATIONS, "CREATE TABLE sent (submission TEXT) STRICT; ALTER TABLE grading ADD COLUMN note TEXT;")
    upgraded = Database(path, migrations=newer)
    assert [row.submission for row in upgraded.executions()] == ["ann"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(newer),)
        assert connection.execute("SELECT count(*) FROM sent").fetchone() == (0,)


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "grader.sqlite"
    Database(path).record_execution("ann", KEY, seconds=1)
    with pytest.raises(StorageError):
        Database(path, migrations=(*MIGRATIONS, "DROP TABLE execution; CREATE NONSENSE;"))
    assert len(Database(path).executions()) == 1


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "grader.sqlite"
    Database(path, migrations=(*MIGRATIONS, "CREATE TABLE more (x TEXT);"))
    with pytest.raises(ArtefactError, match=f"version {len(MIGRATIONS) + 1}"):
        Database(path)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "grader.sqlite"
    path.write_bytes(b"this is no database, but long enough to be looked at" * 50)
    with pytest.raises(ArtefactError, match="damaged"):
        Database(path)


def test_a_database_with_text_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "grader.sqlite"
    database = Database(path)
    database.record_execution("ann-lee", KEY, seconds=1.0)
    path.write_bytes(path.read_bytes().replace(b"ann-lee", b"ann-\xffee"))
    with pytest.raises(ArtefactError, match="damaged"):
        database.executions()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError):
        Database(tmp_path / "file" / "grader.sqlite")
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(StorageError):
        Database(tmp_path / "folder.sqlite")


def test_digests_do_not_depend_on_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": 2}, "x") == digest_of({"b": 2, "a": 1}, "x")
    assert digest_of(RunSettings()) != digest_of(RunSettings(seed=1))
    assert digest_of(RunSettings()) == digest_of(RunSettings())


def test_executions_of_a_file_of_version_2_are_kept_and_nothing_more_is_known_of_them(tmp_path: Path) -> None:
    path = tmp_path / "grader.sqlite"
    Database(path, migrations=MIGRATIONS[:2])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO execution VALUES ('ann', 1, 'n', 's', 'r', 'd', 'executed', '', 1, 2)")
        connection.commit()
    (row,) = Database(path).executions()
    assert (row.submission, row.key, row.finished, row.parts) == ("ann", KEY, 2, "")
