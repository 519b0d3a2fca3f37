"""Generate pages of `docs/` from the code: checks, diagnostics, rubric keys, commands, the record.

The sources are docstrings and parameter documents; the same code always produces the same bytes. `make docs` writes the
pages. `--check` reports outdated pages and changes nothing.
"""

import argparse
import ast
import functools
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType, NoneType
from typing import Any, Literal, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

import typer
from pydantic import BaseModel

from grader.checks.registry import all_checks, all_diagnostics
from grader.cli.app import app
from grader.delivery.data_schema import columns_of, paragraph
from grader.facts.case import CheckSpec, DiagnosticSpec
from grader.facts.roles import resolve_roles
from grader.facts.system_calls import GROUPS, MACHINES, system_calls
from grader.grading.drafting.draft import Plan, make_draft
from grader.grading.drafting.registry import all_topics
from grader.grading.mutations.base import Mutation
from grader.grading.mutations.registry import all_mutations
from grader.inside.record import events, predictions, session
from grader.pipeline.reference import read_reference
from grader.pipeline.rubrics import find_rubric, shipped_rubrics
from grader.schema import rubric as rubric_schema
from grader.schema.course import AssignmentSettings, CourseSettings, LateRules
from grader.schema.data import DATA_VERSION, TABLES, DataRow
from grader.schema.described import field_notes, notes_below
from grader.schema.evidence import Evidence
from grader.schema.mail import MailSettings
from grader.schema.rubric import Criterion, DiagnosticSettings, OutputSettings, Rubric, RunSettings
from grader.schema.site import SiteSettings

__all__ = ["commands", "documents", "main", "pages", "record_notes", "sections", "stale"]

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
_WIDTH = 100
_NOTE = "<!-- Written by tools/make_docs.py from the code; change it there and run `make docs`. -->"
_SIZE = "whole number or text"
"""Accepted values of a size in bytes."""
_HEADINGS = ("What it does", "Why it matters", "Parameters", "Example")

_RUBRIC_INTRODUCTION = """\
A rubric is a YAML file. `grader rubric validate FILE` checks it and names the file, the line and the nearest valid name
for every mistake; `grader rubric schema` prints the JSON Schema that editors use. There is no expression language: a
rubric can require only what a [check](checks/README.md) can determine.

```yaml
version: 1
id: mnist-cnn
title: A convolutional model for MNIST
dataset: mnist
reference: mnist-cnn.ipynb
run: {dialect: auto, seed: 7, time: 30 min, fit_time: 10 min, memory: 6 GiB}
roles:
  cnn: {has_layer: Conv2D, pick: last_trained}
criteria:
  - id: accuracy
    title: 99 % of the test images
    points: 40
    check: accuracy
    with: {model: cnn, at_least: 0.99, partial_from: 0.97}
    advice: Scale the pixels to 0 to 1, and train for more epochs.
```

Points may sum to any total. A criterion is judged in exactly one way: by a `check`, by the best (`any_of`) or the worst
(`all_of`) of several, or by a person (`manual`). Points of `bonus` criteria are added to the total. Students do not see
`hidden` criteria. A criterion with 0 points is only advice.

`files` lists files of the course, such as `utils.py`, `data/train.csv` or a base model. Every notebook gets them
next to it, read-only; [files of a notebook](files.md) describes them.

`run: {allow_system_calls: [...]}` allows [system calls](system-calls.md) that the sandbox otherwise refuses.

Titles, advice and guides can be in several languages, also in a file next to the rubric such as `mnist-cnn.de.yaml`;
[languages](translating.md) describes them.
"""

_SYSTEM_CALLS_INTRODUCTION = """\
A program asks Linux for everything by system calls. In the sandbox, a notebook can use the calls of this list. Every
other call fails, and the program goes on. The error is EPERM (operation not permitted) for a call of this page, and
ENOSYS (function not implemented) for calls of newer versions of Linux, so that a library uses an older call.

The filter is for bubblewrap and `--isolation user`, on x86-64 and ARM 64. A container has the filter of its engine.
32-bit programs and programs of the x32 ABI do not run. `grader doctor` tries the filter in a sandbox.

## If a call is refused

The report and `grade.json` (`problems`) name the call, the program, the cell (or the predictor) and the number of
refusals. If the cell failed, the student also reads which call was refused.. If a package of the course needs a call on
request, allow it in the rubric:

```yaml
run:
  allow_system_calls: [io_uring_setup, io_uring_enter, io_uring_register]
```

A change of this list executes the notebooks again. It allows nothing to the predictor. Allow only what you need: each
of these calls is listed with its risk. Nothing can allow the calls of the last section.

The grader reports at most 20 different calls, and names the first five in detail. After 2,000 refused calls it stops
counting. Refusals are not reported on a Linux before 5.0, or if another program already listens (as some container
engines do); the calls are refused there too.

## How the list was made

The calls in the column *recorded* were seen with `strace` on x86-64 while programs trained models in Keras 3 and
Keras 2, saved and loaded them in Keras 2, read data sets, used pandas, scikit-learn, matplotlib, Pillow, h5py, joblib
and TensorBoard, started processes in all ways of Python, and ran shell commands, git and pip; and while a notebook with
widgets, magics and progress bars ran. In Keras 3, saving and callbacks were not seen with `strace`; a notebook that
uses them ran with the list and was refused nothing. The column *added* has calls of the same families: older and newer
forms, and those of other machines and C libraries. [Trust](trust.md) has the measurements. The filter for ARM 64 is
tested by an interpreter; it was not run on such a machine.

Some allowed calls are checked further: `clone` makes no namespaces; `socket` and `socketpair` have four families
(others: EAFNOSUPPORT); `ioctl` types nothing into terminals; `setsockopt` cannot enlarge the buffers of sockets;
`personality` sets common modes only; `seccomp` installs no listener.
"""

_COURSE_INTRODUCTION = """\
`grader new FOLDER` makes a course folder. It is optional: all commands also work without one. Inside it, commands find
the rubric, the submissions, the results, the roster and the judgements by themselves.

```text
course.yaml              assignments, due dates, rules for late submissions
roster.csv               the students
judgements.jsonl         what people decided; it is only ever appended to
rubrics/                 the rubrics of the course
submissions/ASSIGNMENT/  what students handed in
results/ASSIGNMENT/      what the grader writes; it can be deleted and made again
release/ASSIGNMENT/      what students get, made by grader release
```

```bash
grader new dl --assignment mnist-cnn --timezone Europe/Berlin
cd dl
grader grade submissions/mnist-cnn      # or: grader grade, if there is one assignment
grader regrade results/mnist-cnn        # after a change of course.yaml, the roster or the rubric
```

`grader new` replaces no file. `--samples` also copies the sample submissions of the grader, to try it. `grader grade`
takes the assignment of its paths, else the assignment of the current folder, else the only one; `--assignment ID`
chooses another one, for example for a download at another place. `--rubric` and `--out` override the course. If the
results are outside of the course folder, they remember the course.

```yaml
version: 1
title: Deep Learning
language: en
timezone: Europe/Berlin
roster: roster.csv
judgements: judgements.jsonl
graders: [Ann Lee, Ben Roth]
mail: {server: smtp.example.org, sender: Deep Learning <dl@example.org>}
assignments:
  mnist-cnn:
    rubric: rubrics/mnist-cnn.yaml
    due: 2026-11-08 18:00
    late: {grace: 30 min, per_day: 10 %, at_most: 50 %}
    starter: rubrics/mnist-cnn-assignment.ipynb
    files: [data/digits.csv]
    times: mnist-cnn-times.csv
    groups: true
    reports_at: https://example.org/dl/mnist-cnn
    release: 2026-11-20 12:00
```

Paths are relative to the course folder. A mistake is an error with its file, its line and the nearest valid name.
`grader rubric schema --of course` prints the JSON Schema for editors.
"""
_COURSE_DETAILS = """\
## Late submissions

The time of submission comes from the first of these sources that has one:

1. the file that `times` names;
2. Gradescope's `submission_metadata.yml`;
3. the name of the file or folder: Blackboard, Brightspace, nbgrader's exchange;
4. the last commit of a [clone](downloads.md#clones-of-repositories), as its author's computer wrote it;
5. `timestamp.txt` in the student's folder: nbgrader, Sakai.

Times of modification are not used, because copying changes them. **A submission of an unknown time is never late.** The
terminal counts such submissions. Canvas and ILIAS only mark late ones in the name (`_LATE`): the terminal lists them,
and a file with `times` decides.

A submission is late if it was handed in after the due date and the `grace` period. Each started day after that costs
`per_day`: 24 hours and one minute are two days. The deduction is at most `at_most`, it is rounded to two decimals, and
the score never becomes negative. Percentages are of the most points of the assignment without bonus.

The deduction is a line of its own in the report, in `grade.json` (`late`) and in `grades.csv` (`late_points`). The
criteria do not change, and neither do points that wait for a person. If the rule gives more points than the score has,
only the score is deducted, and the report says so: "The rule gives 20 points; the score cannot fall below 0."
(`late.rule` in `grade.json`).

## Extensions and excuses

```bash
grader extend results/mnist-cnn "Ann Lee" --until "2026-11-10 18:00" --by "Ben Roth" --why "was ill"
grader excuse results/mnist-cnn s1234 --by "Ben Roth" --why "left the course"
grader extend results/mnist-cnn "Ann Lee" --withdraw --by "Ben Roth"
```

Both are judgements, lines of `judgements.jsonl`. They name a submission, or a student of the roster by id, address or
name, who may not have handed in anything yet. An extension moves the due date to a later one. An excused student has no
deduction, and in `grades.csv` the status `excused` and no score. The grade changes at once.

## Students without a submission

With a roster, every list has all students: the class page, `grades.csv`, the summary on the terminal, `--json`
(`absent`), mail and exports. A student who handed in nothing has the status `missing` and an empty score. The
instructor decides whether that is 0 points.

## Groups

With `groups: true`, students with the same value in the roster's column `group` share one submission. It may have the
name of the group or of any member. Every member has its grade, gets the mail, and has a row in `grades.csv`. Of several
submissions of one group, the latest counts, and a notice says so. An extension for one member counts for the group; an
excuse counts only for the member.

## The roster

A CSV file with a heading. The [mail](mail.md#the-roster) page describes its columns. Gradebooks of Canvas and grading
worksheets of Moodle work as they are, and columns that the grader does not know are kept.
"""

_DIALECTS = {"keras3": "Keras 3", "keras2": "Keras 2"}
_ERRORS_INTRODUCTION = """\
The most common errors of students in Keras, with the message that the grader gives for each: the cause, taken from the
text of the exception, and in bold the advice. A dialect that is missing accepts the code. An error because of a name
that an earlier failed cell defines is not listed here: its advice names that cell.
"""

_EVENTS_INTRODUCTION = f"""\
Version {events.RECORD_VERSION}. What the recorder (`grader/inside/`) writes while a notebook runs, and what
`grader/evidence/` reads. The types are declared in `grader/inside/record/events.py`. Everything here is a *claim*: it
was written in the student's process.
"""

_SESSION_INTRODUCTION = """\
The kernel is started as `python -m inside.kernel -f CONNECTION_FILE`. The folder that contains `inside/` is on
`sys.path`, and `GRADER_SESSION` names a JSON file:
"""

_LINES_INTRODUCTION = """\
One JSON object per line, flushed at once. Not-a-number and infinities are written as `null`. A reader skips unknown
kinds and keys, which a newer recorder may have written; a record of a newer version is reported as a problem.
"""

_DESCRIPTIONS_INTRODUCTION = """\
Events hold these objects as values of their keys.
"""

_FINGERPRINTS = """\
`inside/describe/fingerprint.py`: each image is brought to the range 0 to 1 by its own minimum and maximum, quantized,
and hashed, so that `x / 255`, `x / 255 - 0.5` and per-image standardization keep the fingerprint of the raw image.
Constant images have fingerprint 0. A negative scale changes it.
"""

_PREDICTOR_INTRODUCTION = f"""\
`python -m inside.predictor REQUEST.json` runs in its own sandbox, without student code and labels. For each job
of the request it writes `out/<id>.npy` (float32, one row of outputs per image, at most {predictions.MAX_OUTPUTS:,}
columns) and appends a line to `out/results.jsonl`. With `socket`, both go to a socket that operations on files cannot
open. A crash in one job loses only that job: the rest are tried in a new process.
"""

_DIAGNOSTICS_SETTINGS = """\
All diagnostics are on by default. A rubric's `diagnostics` turns some off (`leave_out`), turns on only some (`only`),
limits notes to the models of some roles (`models`), and sets parameters (`tune`):

```yaml
diagnostics:
  leave_out: [figure-without-labels]
  models: [cnn]
  tune:
    large-kernels: {side_above: 9}
    still-rising: {rise: 0.01}
```

A changed setting takes effect with `grader regrade`; nothing is executed again.
"""

_SETTINGS_INTRODUCTION = """\
No setting needs a change of the code. Settings of an assignment are in its [rubric](rubric.md), and settings of a
machine are in a site file. An option of the command line overrides both.

| what | where | takes effect with |
|---|---|---|
| execution of notebooks: `run` | rubric | `grader grade`, which executes affected notebooks again |
| notes in a report: `diagnostics` | rubric | `grader regrade`; nothing is executed again |
| data sets, tasks, roles, criteria, ranking | rubric | see [rubrics](rubric.md) |
| jobs, sandbox, device, engine, data folder | site file | the next command |
| a single run | options, see [commands](commands.md) | this command |
"""

_RUN_INTRODUCTION = """\
A budget that is used up ends the notebook, and the grade says which. Times are seconds or a text such as `30 min`;
sizes are bytes or a text such as `512 MiB` or `6 GiB`.

```yaml
run:
  time: 30 min
  memory: 6 GiB
  disk: 8 GiB
  processes: 200
  kept_models: 1 GiB
  predictor_time: 10 min
  output: {cell_text: 50000, total_images: 100}
```

A changed setting other than `attempts` and `take` makes the next `grader grade` execute the class again. A setting
with its default value changes nothing.
"""

_SITE_INTRODUCTION = """\
A site file is a YAML file with the defaults of one machine or one user. It is read from two places; the second
overrides the first, key by key:

1. `cnn-grader/config.yaml` in the configuration folder of the machine: `/etc/xdg` on Linux, or `XDG_CONFIG_DIRS`;
2. `cnn-grader/config.yaml` in the configuration folder of the user: `~/.config` on Linux, or `XDG_CONFIG_HOME`.
   The environment variable `GRADER_CONFIG` names another file instead.

```yaml
version: 1
jobs: 4
isolation: bubblewrap
data: /srv/datasets
```

An option of the command line overrides the file, and so do the environment variables `GRADER_DATA` and `RAY_ADDRESS`.
`jobs`, `engine`, `address` and `warm` are used by `grader grade`, and `jobs` and `warm` also by `grader demo`;
`isolation` and `device` by every command that executes notebooks; `data` by every command that needs data sets. Workers
of a Ray cluster and the Python API do not read the file: give them `GRADER_DATA`.

`grader doctor` shows which files are used and the values in effect; the `--help` of a command shows its defaults. An
unknown key is an error with its line and the nearest key. `grader rubric schema --of site` prints the JSON Schema.
"""


_MAIL_SETTINGS = """\
```yaml
version: 1
mail:
  server: smtp.example.org
  user: course
  sender: Deep Learning <deep-learning@example.org>
  reply_to: Ada Example <ada@example.org>
  objection_days: 14
```

[Mail](mail.md) describes the command.
"""

_DATA_INTRODUCTION = f"""\
Version {DATA_VERSION}. The tables that `grader export --to parquet|csv` writes; [a class as data](class-as-data.md)
shows how to use them. Each table is a file with its name, and each folder has a `schema.json` with the same description
as this page. The metadata of a Parquet file has the version as `grader.version`, and the unit and meaning of columns.

The version becomes larger when a column or a table is removed, or when a name, a type, a unit or a meaning changes. New
columns and tables do not change it, so select columns by name.

| type | Parquet | CSV |
|---|---|---|
| `text` | string | UTF-8; an apostrophe before text that a spreadsheet would take for a formula |
| `integer` | int64 | digits |
| `number` | double | decimal fraction |
| `boolean` | boolean | `true`, `false` |
| `time` | timestamp in microseconds, UTC | `2026-05-01T18:00:00.000000Z` |

A value that is unknown or does not apply is null in Parquet and empty in CSV. Only the columns with "yes" under "can be
empty" have such values. In an anonymous export, columns marked *pseudonym* have a pseudonym, and columns marked *left
out* are empty.

With `--to csv`, the table `grades` is the file `grades.csv` of the results folder: one row for each submission, with
`points.<id>` and `status.<id>` for each criterion. An anonymous export does not have it.
"""


def pages() -> dict[Path, str]:
    """Return every generated page: its path relative to `docs/` and its text."""
    checks, notes = all_checks(), all_diagnostics()
    texts = {Path("checks") / f"{name}.md": _check_page(spec) for name, spec in checks.items()}
    texts[Path("checks/README.md")] = _check_index(checks)
    texts[Path("diagnostics.md")] = _diagnostics_page(notes)
    texts[Path("mutations.md")] = _mutations_page(all_mutations())
    texts[Path("rubric.md")] = _rubric_page()
    texts[Path("settings.md")] = _settings_page()
    texts[Path("course-folder.md")] = _course_page()
    texts[Path("commands.md")] = _commands_page()
    texts[Path("events.md")] = _events_page()
    texts[Path("data.md")] = _data_page()
    texts[Path("system-calls.md")] = _system_calls_page()
    texts[Path("errors.md")] = _errors_page()
    texts[Path("drafting-a-rubric.md")] = _drafting_page()
    return texts


def _errors_page() -> str:
    """Show the message for each known error, from the exceptions that the tests recorded."""
    known = json.loads((ROOT / "tests" / "execution" / "known_errors.json").read_text(encoding="utf-8"))
    lines = ["# Messages for errors", "", _NOTE, "", _ERRORS_INTRODUCTION]
    for row in known:
        lines += [f"## {row['title']}", "", "```python", row["source"], "```", ""]
        by_advice: dict[str, list[str]] = {}
        for dialect, raised in row["raised"].items():
            text = f"{_DIALECTS[dialect]}: {raised['name']} ({raised['cause']})"
            by_advice.setdefault(raised["advice"], []).append(text)
        for advice, texts in by_advice.items():
            lines += ["```text", *texts, "```", "", *([f"**{advice}**", ""] if advice else [])]
    return _joined(lines)


def stale(texts: Mapping[Path, str]) -> list[Path]:
    """List pages that are outdated, missing, or belong to a removed check."""
    differing = [path for path, text in texts.items() if not _same(DOCS / path, text)]
    strays = [page.relative_to(DOCS) for page in (DOCS / "checks").glob("*.md") if page.relative_to(DOCS) not in texts]
    return sorted([*differing, *strays])


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


# --- docstrings ------------------------------------------------------------------------------------------------


def sections(doc: str) -> tuple[str, dict[str, str]]:
    """Split a docstring at its headings.

    Args:
        doc: A docstring from `inspect.getdoc`, with the headings that CONTRIBUTING requires.

    Returns:
        The text before the first heading, and each heading's text without indentation.
    """
    parts = re.split(rf"^({'|'.join(_HEADINGS)}):[ ]*$", doc, flags=re.MULTILINE)
    texts = {name: textwrap.dedent(text).strip("\n") for name, text in zip(parts[1::2], parts[2::2], strict=True)}
    return parts[0].strip(), {name: text.rstrip() for name, text in texts.items()}


def _paragraph(text: str) -> str:
    """Convert a docstring's paragraphs to Markdown; line breaks inside a paragraph have no meaning."""
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip()))


def _check_page(spec: CheckSpec) -> str:
    head, parts = sections(spec.doc)
    lines = [f"# `{spec.name}`", "", _NOTE, "", _paragraph(head), ""]
    for name in ("What it does", "Why it matters"):
        if name in parts:
            lines += [f"## {name}", "", _paragraph(parts[name]), ""]
    lines += ["## Parameters", "", *_parameters(spec.parameters)]
    if "Example" in parts:
        lines += ["## Example", "", "```yaml", parts["Example"].strip("`\n "), "```", ""]
    lines.append("[All checks](README.md)")
    return _joined(lines)


def _parameters(document: type[BaseModel]) -> Iterator[str]:
    if not document.model_fields:
        yield from ("None.", "")
        return
    yield from _table(document)
    for nested in documents(document)[1:]:
        yield from (f"### {_spoken(nested)}", "", _paragraph(inspect.getdoc(nested) or ""), "", *_table(nested))


def _check_index(checks: Mapping[str, CheckSpec]) -> str:
    rows = [f"| [`{name}`]({name}.md) | {_cell(sections(spec.doc)[0])} |" for name, spec in checks.items()]
    text = "What a criterion's `check` may name, and what each of them says when it is fulfilled."
    return _joined(["# Checks", "", _NOTE, "", text, "", "| check | it is passed when |", "|---|---|", *rows, ""])


def _diagnostics_page(notes: Mapping[str, DiagnosticSpec]) -> str:
    text = (
        "Mistakes that the grader writes into the margin of a report, whether or not the rubric gives points for them. "
        "They are part of every grade (`diagnostics` in `grade.json`) and never change its score."
    )
    lines = ["# Diagnostics", "", _NOTE, "", text, "", _DIAGNOSTICS_SETTINGS]
    lines += [f"- [`{name}`](#{name}): {_cell(sections(spec.doc)[0])}" for name, spec in notes.items()]
    for name, spec in notes.items():
        head, parts = sections(spec.doc)
        lines += ["", f"## `{name}`", "", _paragraph(head)]
        lines += [f"\n**{title}.** {_paragraph(parts[title])}" for title in _HEADINGS[:2] if title in parts]
        if "Example" in parts:
            lines += ["", "```text", parts["Example"].replace("`", ""), "```"]
        if spec.parameters is not None:
            lines += ["", "**Parameters.**", "", *_table(spec.parameters)]
    return _joined([*lines, ""])


_MUTATIONS_INTRODUCTION = """\
`grader rubric test RUBRIC --sensitivity` makes these mistakes, one at a time, in the stored evidence of the rubric's
reference solution and grades the result. A check that is named here must notice the mistake if its parameters concern
it; other criteria may react too. [Writing an assignment](writing-an-assignment.md) shows an example.
"""


def _mutations_page(mutations: Sequence[Mutation]) -> str:
    lines = ["# Mistakes of the sensitivity test", "", _NOTE, "", _MUTATIONS_INTRODUCTION]
    lines += ["| id | mistake | checks that must notice it |", "|---|---|---|"]
    for one in mutations:
        checks = ", ".join(f"[`{check}`](checks/{check}.md)" for check in one.concerns)
        lines.append(f"| `{one.id}` | {_cell(one.title)} | {checks} |")
    return _joined([*lines, ""])


# --- drafts --------------------------------------------------------------------------------------------------------


_DRAFTING_INTRODUCTION = """\
`grader rubric draft` writes the first version of a rubric. It executes a notebook that solves the assignment, like a
submission and in the same sandbox, and turns the recorded evidence into roles and criteria:

```sh
grader rubric draft digits.ipynb --out digits.yaml
```

Without `--out` the rubric is printed. An existing file is never replaced. `--points` sets the total, 100 by default.
`--dataset NAME` names the data set that models are judged on; by default the names in the code count.

With `--from results/`, nothing is executed: the command uses kept evidence of the same, unchanged notebook, from a
results folder or from `grader rubric test --update`.

A draft has only checks that are installed, and the loader accepts it. The command grades the solution with the draft:

- The solution gets full marks for every criterion that needs no person. If it misses a proposed criterion, a more
  lenient form is tried. If it misses this one too, the criterion is only a comment at the end of the file, with the
  reason.
- Choices that another right solution may not make are comments, too: the optimizer, a schedule of the learning rate,
  callbacks, clipped gradients, plots, the length of the text; and, in a notebook with a single model, dropout, batch
  normalization and penalties. Each has its points and its advice: remove the `#` of those that the assignment asks for.
- The table of [mistakes](mutations.md) shows which mistakes each criterion notices, as
  `grader rubric test --sensitivity` does.

The exit code is 1 if the notebook does not run from top to bottom, because then it is no solution.

```yaml
  - id: dropout
    # cell 19: 2 × Dropout(0.2)
    # Stricter: at_least: 2, or a smaller range of `rate`
    title: The model `dropping` has dropout at a moderate rate
    points: 2  # adjust
    check: has_layer
```

The comments name the evidence, and what a criterion could also require. Parameters leave room for other right
solutions: one convolution is enough, whatever the solution has; an accuracy for full marks is below the verified one
and its 95 % interval, and the accuracy for no points is half-way to guessing or above.

## Work for a person

A draft knows one solution, but not the assignment. Before you use it:

- **Add and remove criteria.** The solution has early stopping or a plot; the draft cannot know whether this is a
  requirement or a habit of its author, so it is a comment. Remove the `#` where the assignment asks for it, and remove
  criteria that it does not ask for. Good notebooks of other people miss those first: grade a few with
  `grader check NOTEBOOK --rubric digits.yaml`.
- **Set the points.** The draft divides them by the kind of criterion, not by the work that it takes.
- **Check the roles.** A role must also select the right model in notebooks with other names and other models. Models
  that no condition distinguishes share a role.
- **Choose the thresholds.** One execution shows one accuracy. [Chance](chance.md) explains how far another seed is
  away.
- **Add the questions.** The draft has one manual criterion for the whole text, with quotations of the solution.
  Divide it into your questions, and write what a good answer says.
- **Name the template**, so that the text of the assignment does not count as the student's, and write the titles and
  the advice in your words.
- **Add what no execution of a good solution shows**: a check that allows alternatives (`any_of`), a curve of points
  over the size of the model (`score_curve`), criteria that are hidden or private, bonus points.

Then test it with wrong notebooks, as [writing an assignment](writing-an-assignment.md) describes.

## Criteria of another package

A package with its own [checks](writing-a-check.md) can propose criteria too. It names a function in the entry point
group `grader.drafts`. The function takes the solution and yields proposals; `Proposal` and `one` are in the module
`grader.grading.drafting.base`:

```python
def propose(solution):
    for subject in solution.subjects:
        yield Proposal(
            id=solution.named(subject, "residual"),
            title="The model has a residual connection",
            weight=5,
            ways=(one("my_check", model=subject.role),),
            advice="Add the input of a block to its output.",
            seen="cell 4: Add",
            optional=True,
        )
```

`optional` makes it a comment of the draft, for choices that another right solution may not make.

## Drafts of the shipped references

Each reference solution was drafted from its stored evidence, and the draft is compared with the rubric that people
wrote for the same assignment. A criterion counts as drafted if the draft has one of its checks for the same model;
parameters and points differ, and one criterion of the draft can count for several. "For another model" means that the
draft has the check only for another of the notebook's models, and "as a comment" that it is one of the choices that
another right solution may not make. The references were written for these rubrics, and the
names of their tasks come from them, so expect less from another notebook.
"""
_SAME_SUBJECT: Mapping[str, str] = {"has_layer": "layer", "plots": "metric", "prepared": "dataset"}
"""Parameter that must also agree for two uses of a check to be about the same."""
_VERDICTS = ("drafted", "optional", "another", "no", "person")


def _drafting_page() -> str:
    """Compare the drafts of the references with the shipped rubrics."""
    compared = {path.stem: _comparison(path.stem) for path in shipped_rubrics()}
    heads = (
        "reference",
        "criteria",
        "drafted",
        "as a comment",
        "for another model",
        "not drafted",
        "judged by a person",
        "only in the draft",
    )
    lines = ["# Drafting a rubric", "", _NOTE, "", _DRAFTING_INTRODUCTION]
    lines += [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, (rows, extra) in compared.items():
        counts = [sum(row[2] == verdict for row in rows) for verdict in _VERDICTS]
        lines.append(f"| [{name}](#{name}) | {len(rows)} | {' | '.join(map(str, counts))} | {len(extra)} |")
    lines.append("")
    for name, (rows, extra) in compared.items():
        lines += [f"### {name}", "", "| criterion | check | in the draft |", "|---|---|---|"]
        lines += [f"| `{row[0]}` | {row[1]} | {row[3]} |" for row in rows]
        only = ", ".join(f"`{one}`" for one in extra) or "nothing"
        lines += ["", *textwrap.wrap(f"Only in the draft: {only}.", 120, break_on_hyphens=False), ""]
    return _joined(lines)


def _comparison(name: str) -> tuple[list[tuple[str, str, str, str]], list[str]]:
    """Compare a shipped rubric with the draft from its reference.

    Returns:
        For each criterion its id, its checks, the verdict and words for it; and the ids of other criteria of the draft.
    """
    loaded = find_rubric(name)
    evidence = read_reference(loaded)
    if evidence is None:
        message = f"the rubric {name} has no reference"
        raise ValueError(message)
    whole = make_draft(Plan(id=name, title=name), evidence, all_checks(), all_topics())
    draft, comments = whole.rubric, [Criterion.model_validate(one.data) for one in whole.optional]
    drafted = {criterion.id: _uses(criterion, draft, evidence) for criterion in draft.criteria}
    optional = {criterion.id: _uses(criterion, draft, evidence) for criterion in comments}
    rows, matched = [], set[str]()
    for criterion in loaded.rubric.criteria:
        uses = _uses(criterion, loaded.rubric, evidence)
        same = [one for one, others in drafted.items() if uses & others]
        commented = [one for one, others in optional.items() if uses & others]
        kinds = {use[::2] for use in uses}
        other = [one for one, others in drafted.items() if kinds & {use[::2] for use in others}]
        matched |= {*(same or commented or other)}
        checks = ", ".join(f"[`{check}`](checks/{check}.md)" for check in sorted({use[0] for use in uses}))
        named = ", ".join(f"`{one}`" for one in (same or commented or other))
        if criterion.manual is not None:
            rows.append((criterion.id, "a person", "person", "the manual criterion `explanation` for all text"))
        elif same:
            rows.append((criterion.id, checks, "drafted", f"yes: {named}"))
        elif commented:
            rows.append((criterion.id, checks, "optional", f"as a comment: {named}"))
        else:
            verdict = ("another", f"for another model: {named}") if other else ("no", "no")
            rows.append((criterion.id, checks, *verdict))
    extra = [criterion.id for criterion in draft.criteria if criterion.id not in matched and criterion.manual is None]
    return rows, extra


def _uses(criterion: Criterion, rubric: Rubric, evidence: Evidence) -> set[tuple[str, str | None, str]]:
    """List the checks of a criterion with their models in the evidence, and what else they are about."""
    roles = resolve_roles(rubric, evidence)
    uses = set[tuple[str, str | None, str]]()
    for test in criterion.tests:
        about = test.with_.get(_SAME_SUBJECT.get(test.check, ""), "")
        match = roles.get(str(test.with_.get("model")))
        for one in about if isinstance(about, (list, tuple)) else [about]:
            uses.add((test.check, match.model if match else None, str(one)))
    return uses


# --- documents -------------------------------------------------------------------------------------------------


def documents(document: type[BaseModel]) -> list[type[BaseModel]]:
    """List a document and all documents in its fields, each once, outermost first."""
    result: list[type[BaseModel]] = []

    def visit(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in result:
            result.append(kind)
            for field in kind.model_fields.values():
                visit(field.annotation)
        for inner in getattr(kind, "__args__", ()):
            visit(inner)

    visit(document)
    return result


def _notes_in(body: ast.ClassDef | ast.Module) -> dict[str, str]:
    return {name: _paragraph(note) for name, note in notes_below(body.body)}


def _table(document: type[BaseModel]) -> Iterator[str]:
    schema = document.model_json_schema(by_alias=True, mode="validation")
    required = set(schema.get("required", ()))
    yield from ("| key | value | when left out | meaning |", "|---|---|---|---|")
    notes = field_notes(document)
    for name, field in document.model_fields.items():
        key = field.alias or name
        given = schema["properties"][key]
        kind = _kind(given, schema)
        left_out = "required" if key in required else _default(given.get("default"), is_size=kind == _SIZE)
        yield f"| `{key}` | {_cell(kind)} | {left_out} | {_cell(_paragraph(notes.get(name, '')))} |"
    yield ""


def _default(value: Any, *, is_size: bool = False) -> str:
    if is_size and isinstance(value, int) and value % (1 << 20) == 0:
        return f"`{value >> 30} GiB`" if value % (1 << 30) == 0 else f"`{value >> 20} MiB`"
    if value in (None, "", [], {}) or isinstance(value, dict):
        return "–"
    written = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
    return f"`{written:g}`" if isinstance(written, float) else f"`{written}`"


def _kind(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:  # noqa: PLR0911 - one return per schema form
    """Describe the allowed values in words."""
    if "$ref" in schema:
        return _spoken_name(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return ", ".join(f"`{item}`" for item in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        kinds = [_kind(item, root) for item in schema["anyOf"] if item.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if schema.get("type") == "array":
        items = schema.get("prefixItems") or [schema.get("items", {})]
        return "list of " + ", ".join(_kind(item, root) for item in items)
    if schema.get("type") == "object":
        patterns = list(schema.get("patternProperties", {}).values())
        inner = patterns[0] if patterns else schema.get("additionalProperties")
        return f"mapping of names to {_kind(inner, root)}" if isinstance(inner, dict) and inner else "mapping"
    plain = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    return plain.get(str(schema.get("type")), "any value") + _bounds(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    signs = (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"), ("exclusiveMaximum", "below"))
    limits = [f"{word} {schema[key]:.12g}" for key, word in signs if key in schema]
    return f" {' '.join(limits)}" if limits else ""


def _spoken(document: type[BaseModel]) -> str:
    return _spoken_name(document.__name__)


def _spoken_name(name: str) -> str:
    """Convert a class name to words: `CurvePoint` becomes `curve point`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Params")).lower()


def _rubric_page() -> str:
    lines = ["# Rubrics", "", _NOTE, "", _RUBRIC_INTRODUCTION]
    for document in documents(Rubric):
        if document.__module__ != rubric_schema.__name__:
            continue
        title = "Keys of the file" if document is Rubric else _spoken(document).capitalize()
        lines += [f"## {title}", "", _paragraph(inspect.getdoc(document) or ""), "", *_table(document)]
    return _joined(lines)


def _system_calls_page() -> str:
    calls = system_calls().values()
    lines = ["# System calls", "", _NOTE, "", _SYSTEM_CALLS_INTRODUCTION]
    lines += ["## Allowed calls", "", "| group | recorded | added |", "|---|---|---|"]
    for group, explanation in GROUPS.items():
        members = [call for call in calls if call.group == group and call.rule == "allowed"]
        if members:
            recorded = _names(call.name for call in members if call.recorded)
            added = _names(call.name for call in members if not call.recorded)
            lines.append(f"| {_cell(explanation)} | {recorded} | {added} |")
    for title, rule in (("Calls on request", "on request"), ("Calls that no rubric can allow", "never")):
        lines += ["", f"## {title}", "", "| call | x86-64 | ARM 64 | error | reason |", "|---|---|---|---|---|"]
        for call in calls:
            if call.rule == rule:
                numbers = " | ".join(str(call.numbers.get(machine, "–")) for machine in MACHINES)
                lines.append(f"| `{call.name}` | {numbers} | {call.answer} | {_cell(GROUPS[call.group])} |")
    return _joined(lines)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


# --- the record ------------------------------------------------------------------------------------------------


def _events_page() -> str:
    described = [item for item in _declared(events) if item not in events.EVENTS and item is not events.Header]
    lines = ["# The record: events and artefacts", "", _NOTE, "", _EVENTS_INTRODUCTION]
    lines += ["## Where", "", _SESSION_INTRODUCTION, *_keys(session.SessionFile)]
    lines += ["## Lines of `events.jsonl`", "", _LINES_INTRODUCTION, _paragraph(events.Header.__doc__ or ""), ""]
    lines += _keys(events.Header)
    for event in events.EVENTS:
        lines += [f"### `{events.kind_of(event)}`", "", _paragraph(inspect.getdoc(event) or ""), "", *_keys(event)]
    lines += ["## Descriptions", "", _DESCRIPTIONS_INTRODUCTION]
    for description in described:
        lines += [f"### {_spoken_name(description.__name__).capitalize()}", ""]
        lines += [_paragraph(inspect.getdoc(description) or ""), "", *_keys(description)]
    lines += ["## Limits", "", "| limit | value | of |", "|---|---|---|", *_limits(events), ""]
    lines += ["## Fingerprints", "", _FINGERPRINTS, "## The predictor", "", _PREDICTOR_INTRODUCTION]
    for part in _declared(predictions):
        lines += [f"### {_spoken_name(part.__name__).capitalize()}", ""]
        lines += [_paragraph(inspect.getdoc(part) or ""), "", *_keys(part)]
    return _joined(lines)


def _declared(module: ModuleType) -> list[type[Any]]:
    """The typed dictionaries of a module, in the order of the source."""
    return [item for item in vars(module).values() if is_typeddict(item) and item.__module__ == module.__name__]


@functools.cache
def _source_notes(module: ModuleType) -> Mapping[str, Mapping[str, str]]:
    """Map each class of a module to the notes under its fields, those it inherits included; "" to the module's own."""
    tree = ast.parse(inspect.getsource(module))
    notes = {"": _notes_in(tree)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            inherited = [notes.get(ast.unparse(base), {}) for base in node.bases]
            notes[node.name] = {key: text for part in (*inherited, _notes_in(node)) for key, text in part.items()}
    return notes


def record_notes(declared: type[Any]) -> Mapping[str, str]:
    """Return the docstrings below a typed dictionary's keys."""
    return _source_notes(sys.modules[declared.__module__])[declared.__name__]


def _keys(declared: type[Any]) -> Iterator[str]:
    hints = get_type_hints(declared, include_extras=True)
    if declared in events.EVENTS:
        del hints["kind"]
    if not hints:
        yield from ("It has no keys of its own.", "")
        return
    yield from ("| key | value | meaning |", "|---|---|---|")
    notes = record_notes(declared)
    for key, hint in hints.items():
        optional = get_origin(hint) is NotRequired
        words = f"{_json_kind(get_args(hint)[0])}; optional" if optional else _json_kind(hint)
        yield f"| `{key}` | {_cell(words)} | {_cell(notes.get(key, ''))} |"
    yield ""


_JSON_WORDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    NoneType: "null",
    Any: "any value",
}


def _json_kind(hint: Any) -> str:
    """Write a type as people write JSON: `list of text`."""
    if is_typeddict(hint):
        name = _spoken_name(hint.__name__)
        return f"[{name}](#{name.replace(' ', '-')})"
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return ", ".join(f"`{item}`" for item in inner)
    if origin in {list, dict}:
        items = _json_kind(inner[-1])
        items = f"({items})" if " or null" in items else items
        return f"list of {items}" if origin is list else f"mapping of names to {items}"
    return " or ".join(_json_kind(item) for item in inner) if inner else _JSON_WORDS[hint]


def _limits(module: ModuleType) -> Iterator[str]:
    for name, note in _source_notes(module)[""].items():
        if name.startswith("MAX_"):
            yield f"| `{name}` | {getattr(module, name):,} | {_cell(note)} |"


_PRIVACY = {"submission": "pseudonym", "person": "pseudonym", "words": "left out"}


def _data_page() -> str:
    lines = ["# Tables of data", "", _NOTE, "", _DATA_INTRODUCTION]
    for name, row in TABLES.items():
        keys = ", ".join(f"`{key}`" for key in ("rubric", "submission", *row.key))
        lines += [f"## `{name}`", "", paragraph(row.__doc__ or ""), ""]
        lines += [] if row.__name__ == "FactRow" else [f"Key: {keys}.", ""]
        lines += _columns(row)
    return _joined(lines)


def _columns(row: type[DataRow]) -> Iterator[str]:
    yield from ("| column | type | can be empty | unit | meaning |", "|---|---|---|---|---|")
    for column in columns_of(row):
        privacy = f" *({_PRIVACY[column.personal]})*" if column.personal else ""
        empty = "yes" if column.nullable else "no"
        yield f"| `{column.name}` | {column.type} | {empty} | {column.unit or ''} | {_cell(column.note)}{privacy} |"
    yield ""


def _settings_page() -> str:
    lines = ["# Settings", "", _NOTE, "", _SETTINGS_INTRODUCTION]
    lines += ["## How a notebook is executed: `run`", "", _RUN_INTRODUCTION, *_table(RunSettings)]
    lines += ["### `output`", "", _paragraph(inspect.getdoc(OutputSettings) or ""), "", *_table(OutputSettings)]
    lines += ["## Which notes a report has: `diagnostics`", "", _DIAGNOSTICS_SETTINGS, *_table(DiagnosticSettings)]
    lines += ["The parameters of each diagnostic are on [its page](diagnostics.md).", ""]
    lines += ["## The site file", "", _SITE_INTRODUCTION, *_table(SiteSettings)]
    lines += ["### `mail`", "", _paragraph(inspect.getdoc(MailSettings) or ""), "", _MAIL_SETTINGS]
    lines += _table(MailSettings)
    return _joined(lines)


def _course_page() -> str:
    lines = ["# The course folder", "", _NOTE, "", _COURSE_INTRODUCTION, "## Keys of `course.yaml`", ""]
    lines += [*_table(CourseSettings), "`mail` has the keys of [the site file](settings.md#mail).", ""]
    lines += ["### An assignment", "", *_table(AssignmentSettings)]
    lines += ["### `late`", "", _paragraph(inspect.getdoc(LateRules) or ""), "", *_table(LateRules), _COURSE_DETAILS]
    return _joined(lines)


# --- commands --------------------------------------------------------------------------------------------------


def commands() -> dict[str, Any]:
    """Return every command of the command line by its full name, such as `grader rubric list`."""
    result: dict[str, Any] = {}

    def walk(name: str, command: Any) -> None:
        inner = getattr(command, "commands", None)
        if inner is None:
            result[name] = command
            return
        for key in sorted(inner):
            walk(f"{name} {key}", inner[key])

    walk("grader", typer.main.get_command(app))
    return result


def _commands_page() -> str:
    text = (
        "What `--help` says, for every command. Exit codes: 0 done; 1 graded but below what was asked for; 2 usage or"
    )
    lines = ["# Commands", "", _NOTE, "", f"{text} rubric error; 3 at least one submission could not be graded.", ""]
    for name, command in commands().items():
        context = command.make_context(
            name,
            [],
            resilient_parsing=True,
            terminal_width=_WIDTH,
            max_content_width=_WIDTH,
            help_option_names=["-h", "--help"],
        )
        help_text = "\n".join(line.rstrip() for line in command.get_help(context).strip().splitlines())
        lines += [f"## `{name}`", "", "```text", help_text, "```", ""]
    return _joined(lines)


# --- writing ---------------------------------------------------------------------------------------------------


def _cell(text: str) -> str:
    """Format a text for a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def _joined(lines: list[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or report outdated ones with `--check`.

    Returns:
        0, or 1 if `--check` found an outdated page.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing, say what is out of date")
    checking = parser.parse_args(arguments).check
    texts = pages()
    old = stale(texts)
    for path in old:
        print(f"{'out of date' if checking else 'written'}: docs/{path.as_posix()}")
        if checking:
            continue
        if path in texts:
            (DOCS / path).parent.mkdir(parents=True, exist_ok=True)
            (DOCS / path).write_text(texts[path], encoding="utf-8")
        else:
            (DOCS / path).unlink()
    return 1 if checking and old else 0


if __name__ == "__main__":
    sys.exit(main())
