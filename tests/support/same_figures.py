"""Whether terminal, class page, table, report and comparison show the same model with the same figures."""

import csv
import html
import io
import re
from dataclasses import dataclass
from pathlib import Path

from grader.cli.terminal import grades_table
from grader.report.classpage import class_row
from grader.report.csvfile import rows_csv
from grader.report.page import render_report
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade
from tests.support.whole_class_page import whole_class_page

__all__ = ["Shown", "assert_same_figures", "shown_figures"]

TEMPLATES = Path(__file__).parents[2] / "templates"
UNKNOWN = "–"


@dataclass(frozen=True)
class Shown:
    """The figures of the graded model as one place shows them; None where the place does not show that figure."""

    model: str | None = None
    accuracy: str | None = None
    accuracy_on: str | None = None
    parameters: str | None = None


def shown_figures(grade: Grade, evidence: Evidence | None, reference: Evidence | None) -> dict[str, Shown]:
    """Read the figures of the graded model from every place that shows them.

    Args:
        grade: One submission's grade.
        evidence: Its evidence, for the report.
        reference: The reference's evidence, for the report.
    """
    shown = {"terminal": _terminal(grade), "class page": _class_page(grade), "table": _table(grade)}
    page = render_report(
        grade=grade, evidence=evidence, reference=reference, notebook=None, images={}, templates=TEMPLATES
    )
    # Each model has a part of its own; the graded model is marked if there are several.
    parts = page.split('class="model-name"')[1:]
    part = next((part for part in parts if "graded model" in part), parts[0] if parts else "")
    if found := re.search(
        r'data-part="network".*?<code>(.*?)</code></bdi> has <strong>(.*?) parameters', part, re.DOTALL
    ):
        shown["report"] = Shown(model=html.unescape(found[1]), parameters=_plain(found[2]))
    if grade.reference is not None:
        section = page[page.index('id="comparison-h"') :].partition("</table>")[0]
        named = grade.reference.comparison["models"]["student"]
        rows = {_text(row[0]): _text(row[1]) for row in re.findall(r"<tr><th[^>]*>(.*?)</th><td>(.*?)</td>", section)}
        on = next(label for label in rows if label.startswith("Accuracy"))
        shown["report's comparison"] = Shown(
            accuracy=_plain(rows[on]),
            accuracy_on=on.removeprefix("Accuracy").removeprefix(" on ") if rows[on] != UNKNOWN else "",
            parameters=_plain(rows["Parameters"]),
        )
        sizes = grade.reference.comparison["parameters"]
        shown["comparison"] = Shown(named["name"] if named else "", parameters=_size(sizes["student"]))
        for key, pair in grade.reference.comparison["accuracy"].items():
            if key == grade.main_accuracy:
                shown["comparison of accuracies"] = Shown(accuracy=_part(pair["student"]), accuracy_on=key)
    return shown


def assert_same_figures(grade: Grade, evidence: Evidence | None, reference: Evidence | None) -> Shown:
    """Assert that no two places show different figures, and return these.

    Args:
        grade: One submission's grade.
        evidence: Its evidence, for the report.
        reference: The reference's evidence, for the report.
    """
    shown = shown_figures(grade, evidence, reference)
    table = shown["table"]
    model = next((model for model in grade.models if model.id == grade.main_model), None)
    assert table.model == (model.name if model else "")
    assert ("report" in shown) == (model is not None)
    different = {
        f"{place}: {name}": (value, getattr(table, name))
        for place, figures in shown.items()
        for name, value in vars(figures).items()
        if value is not None and value != getattr(table, name)
    }
    assert different == {}
    if grade.reference is not None and model is not None:
        assert grade.reference.comparison["models"]["student"]["id"] == model.id
    return table


def _terminal(grade: Grade) -> Shown:
    cells = {str(column.header): next(iter(column.cells)) for column in grades_table([grade], "").columns}
    accuracy = str(cells.get("accuracy", UNKNOWN)).removesuffix(" recorded")
    return Shown(accuracy=_plain(accuracy), parameters=_plain(str(cells.get("parameters", UNKNOWN))))


def _class_page(grade: Grade) -> Shown:
    page = whole_class_page([class_row(grade, None)], title="", templates=TEMPLATES)
    line = page[page.index("<tbody") :].partition("</tr>")[0]
    cells = re.findall(r"<td(?: [^>]*)?>(.*?)</td>", line)
    title = re.search(r'<td data-v="[^"]*" title="([^"]*)"', line)
    model, _, on = html.unescape(title[1]).partition(": ") if title else ("", "", "")
    return Shown(model, _plain(_text(cells[3])), on, _plain(_text(cells[4])))


def _table(grade: Grade) -> Shown:
    (row,) = csv.DictReader(io.StringIO(rows_csv([class_row(grade, None)]), newline=""))
    accuracy = _part(float(row["accuracy"])) if row["accuracy"] else UNKNOWN
    return Shown(row["model"], accuracy, row["accuracy_on"], row["parameters"] or UNKNOWN)


def _part(value: float) -> str:
    return f"{value:.2%}"


def _size(parameters: int | None) -> str:
    return UNKNOWN if parameters is None else str(parameters)


def _text(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", markup)).strip()


def _plain(text: str) -> str:
    """A figure without separators of thousands and spaces; a percentage always with two decimals."""
    figure = re.sub("[,\u00a0 ]", "", text)
    return f"{float(figure[:-1]):.2f}%" if figure.endswith("%") else figure
