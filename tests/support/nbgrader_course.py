"""A small course of nbgrader, with a gradebook of any version of its tables."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

__all__ = ["FORMER_TABLES", "TABLES", "a_nbgrader_course", "cell", "notebook", "write_gradebook"]

_COMMON = """
CREATE TABLE student (id VARCHAR(128) PRIMARY KEY, first_name VARCHAR, last_name VARCHAR, email VARCHAR{student});
CREATE TABLE assignment (id VARCHAR(32) PRIMARY KEY, name VARCHAR, duedate DATETIME{assignment});
CREATE TABLE notebook (id VARCHAR(32) PRIMARY KEY, name VARCHAR, assignment_id VARCHAR);
CREATE TABLE submitted_assignment (
    id VARCHAR(32) PRIMARY KEY, assignment_id VARCHAR, student_id VARCHAR, timestamp DATETIME, extension DATETIME);
CREATE TABLE submitted_notebook (
    id VARCHAR(32) PRIMARY KEY, assignment_id VARCHAR, notebook_id VARCHAR, flagged BOOLEAN,
    late_submission_penalty FLOAT);
CREATE TABLE grade (
    id VARCHAR(32) PRIMARY KEY, notebook_id VARCHAR, cell_id VARCHAR, auto_score FLOAT, manual_score FLOAT,
    needs_manual_grade BOOLEAN{grade});
CREATE TABLE comment (
    id VARCHAR(32) PRIMARY KEY, notebook_id VARCHAR, cell_id VARCHAR, auto_comment TEXT, manual_comment TEXT);
"""
FORMER_TABLES = (
    _COMMON.format(student="", assignment="", grade="")
    + """
CREATE TABLE grade_cell (
    id VARCHAR(32) PRIMARY KEY, name VARCHAR, max_score FLOAT, cell_type VARCHAR, notebook_id VARCHAR);
CREATE TABLE solution_cell (id VARCHAR(32) PRIMARY KEY, name VARCHAR, notebook_id VARCHAR);
INSERT INTO grade_cell VALUES ('c1', 'accurate', 2, 'code', 'n1'), ('c2', 'explain', 3, 'markdown', 'n1');
INSERT INTO solution_cell VALUES ('s2', 'explain', 'n1');
INSERT INTO grade VALUES ('g1', 'sn1', 'c1', 2, NULL, 0), ('g2', 'sn1', 'c2', NULL, 2.5, 0);
"""
)
"""The tables of nbgrader 0.4."""
TABLES = (
    _COMMON.format(student=", lms_user_id VARCHAR", assignment=", course_id VARCHAR", grade=", extra_credit FLOAT")
    + """
CREATE TABLE course (id VARCHAR(128) PRIMARY KEY);
CREATE TABLE base_cell (id VARCHAR(32) PRIMARY KEY, name VARCHAR, notebook_id VARCHAR, type VARCHAR);
CREATE TABLE grade_cells (id VARCHAR(32) PRIMARY KEY, max_score FLOAT, cell_type VARCHAR);
CREATE TABLE solution_cells (id VARCHAR(32) PRIMARY KEY);
CREATE TABLE task_cells (id VARCHAR(32) PRIMARY KEY, max_score FLOAT, cell_type VARCHAR);
INSERT INTO course VALUES ('dl-2026');
INSERT INTO base_cell VALUES
    ('c1', 'accurate', 'n1', 'GradeCell'), ('c2', 'explain', 'n1', 'GradeCell'),
    ('s2', 'explain', 'n1', 'SolutionCell'), ('t1', 'draw', 'n1', 'TaskCell');
INSERT INTO grade_cells VALUES ('c1', 2, 'code'), ('c2', 3, 'markdown');
INSERT INTO solution_cells VALUES ('s2');
INSERT INTO task_cells VALUES ('t1', 4, 'markdown');
INSERT INTO grade VALUES ('g1', 'sn1', 'c1', 2, NULL, 0, NULL), ('g2', 'sn1', 'c2', NULL, 2.5, 0, 1.5);
UPDATE student SET lms_user_id = '77' WHERE id = 'ann';
"""
)
"""The tables of nbgrader 0.9."""
_PEOPLE = """
INSERT INTO student (id, first_name, last_name, email) VALUES
    ('ann', 'Ann', 'Müller', 'ann@example.org'), ('ben', NULL, NULL, NULL);
INSERT INTO assignment (id, name, duedate) VALUES ('a1', 'hw 1', '2026-11-08 17:00:00.000000');
INSERT INTO notebook VALUES ('n1', 'cnn', 'a1');
INSERT INTO submitted_assignment VALUES
    ('sa1', 'a1', 'ann', '2026-11-09 09:30:00.000000', '1970-01-03 00:00:00.000000');
INSERT INTO submitted_notebook VALUES ('sn1', 'sa1', 'n1', 0, 0.5);
INSERT INTO comment VALUES ('k1', 'sn1', 's2', 'No response.', 'Well explained.');
"""
_CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "dl-2026"
c.Exchange.timezone = "Europe/Berlin"
c.Execute.timeout = 600
"""


def cell(kind: str, source: str, **marks: Any) -> dict[str, Any]:
    """Make a cell; `marks` are its nbgrader metadata."""
    metadata = {"nbgrader": marks} if marks else {}
    outputs: dict[str, Any] = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "source": source, "metadata": metadata, **outputs}


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    """Make a notebook of format 4."""
    return {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": list(cells)}


def write_gradebook(path: Path, tables: str = TABLES) -> Path:
    """Write a gradebook with two students and one submission."""
    start, people = tables.split("INSERT", 1)
    with closing(sqlite3.connect(path)) as book:
        book.executescript(f"{start}{_PEOPLE}INSERT{people}")
    return path


def a_nbgrader_course(folder: Path, tables: str | None = TABLES) -> Path:
    """Make a course with one assignment, one notebook, and the work of one student."""
    solved = notebook(
        cell("markdown", "# Handwritten digits\n\n## Part A (2 points)\nTrain a model."),
        cell("code", "from tensorflow.keras.datasets import mnist\n### BEGIN SOLUTION\nsecret = 1\n### END SOLUTION"),
        cell(
            *("code", "assert test_acc > 0.97"),
            schema_version=3,
            grade=True,
            solution=False,
            locked=True,
            grade_id="accurate",
            points=2,
        ),
        cell("markdown", "## Part B\nExplain the *curve*."),
        cell(
            *("markdown", "It overfits after 5 epochs."),
            schema_version=3,
            grade=True,
            solution=True,
            locked=False,
            grade_id="explain",
            points=3,
        ),
        cell(
            *("markdown", "## Part C\nDraw it.\n=== BEGIN MARK SCHEME ===\n4 for all layers\n=== END MARK SCHEME ==="),
            schema_version=3,
            grade=False,
            solution=False,
            task=True,
            grade_id="draw",
            points=4,
        ),
    )
    for place in ("source/hw 1", "submitted/ann/hw 1"):
        (folder / place).mkdir(parents=True)
        (folder / place / "cnn.ipynb").write_text(json.dumps(solved), encoding="utf-8")
    (folder / "source" / "hw 1" / "data").mkdir()
    (folder / "source" / "hw 1" / "data" / "more.csv").write_text("1,2\n", encoding="utf-8")
    (folder / "nbgrader_config.py").write_text(_CONFIG, encoding="utf-8")
    if tables is not None:
        write_gradebook(folder / "gradebook.db", tables)
    return folder
