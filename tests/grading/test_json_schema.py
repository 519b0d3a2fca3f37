"""The JSON Schema of rubric files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # brought by nbformat, without types
import pytest
import yaml

from grader.checks import all_checks, all_diagnostics
from grader.grading import rubric_schema
from grader.pipeline.rubrics import shipped_rubrics

RUBRICS = Path(__file__).parent.parent.parent / "rubrics"
SCHEMA = rubric_schema(all_checks(), all_diagnostics())


def problems(document: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)]


def sample() -> Any:
    return yaml.safe_load((RUBRICS / "mnist-cnn.yaml").read_text())


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", shipped_rubrics(), ids=lambda path: path.stem)
def test_every_rubric_of_the_project_follows_it(path: Path) -> None:
    assert problems(yaml.safe_load(path.read_text())) == []


BREAKAGES: dict[str, Callable[[Any], object]] = {
    "an unknown key": lambda r: r.update(titel="x"),
    "an unknown check": lambda r: r["criteria"][0].update(check="runz"),
    "an unknown parameter": lambda r: r["criteria"][0].update({"with": {"partail": True}}),
    "a parameter of another check": lambda r: r["criteria"][0].update({"with": {"shape": [1]}}),
    "a missing parameter": lambda r: r["criteria"][1].pop("with"),
    "two ways of judging": lambda r: r["criteria"][0].update(manual={"guide": "x"}),
    "no way of judging": lambda r: r["criteria"][0].pop("check"),
    "a wrong type": lambda r: r["criteria"][0].update(points="many"),
}


@pytest.mark.parametrize("name", sorted(BREAKAGES))
def test_it_refuses(name: str) -> None:
    rubric = sample()
    BREAKAGES[name](rubric)
    assert problems(rubric)


def test_parameters_are_described_for_editors() -> None:
    accuracy = SCHEMA["$defs"]["check_accuracy"]
    assert "as a fraction of 1" in accuracy["properties"]["at_least"]["description"]
    assert accuracy["additionalProperties"] is False
