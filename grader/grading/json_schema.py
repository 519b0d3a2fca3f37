"""Make the JSON Schema of rubric files, for editors."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from grader.facts.case import CheckSpec, DiagnosticSpec
from grader.schema.course import CourseSettings
from grader.schema.rubric import Rubric
from grader.schema.rubric_texts import RubricTexts
from grader.schema.site import SiteSettings

__all__ = ["SCHEMA_DIALECT", "course_schema", "rubric_schema", "site_schema", "texts_schema"]

_NO_DIAGNOSTICS: Mapping[str, DiagnosticSpec] = {}
SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def rubric_schema(
    checks: Mapping[str, CheckSpec], diagnostics: Mapping[str, DiagnosticSpec] = _NO_DIAGNOSTICS
) -> dict[str, Any]:
    """Describe rubric files, including the parameters of each check.

    Args:
        checks: All checks, by name.
        diagnostics: All diagnostics that a rubric may name, by id.

    Returns:
        A JSON Schema (2020-12). The schema of `with` depends on the check's name, by `if` and `then`.
    """
    schema = Rubric.model_json_schema(by_alias=True, mode="validation")
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    rules = [_rule(spec, definitions) for _, spec in sorted(checks.items())]
    for name in ("Criterion", "Test"):
        definition = definitions[name]
        definition["properties"]["check"] = _check_property(checks, definition["properties"]["check"])
        definition["allOf"] = rules
    definitions["Criterion"]["oneOf"] = [{"required": [way]} for way in ("check", "any_of", "all_of", "manual")]
    _describe_diagnostics(diagnostics, definitions)
    return {"$schema": SCHEMA_DIALECT, "title": "Rubric", **schema}


def site_schema() -> dict[str, Any]:
    """Describe site files: a JSON Schema (2020-12)."""
    return {"$schema": SCHEMA_DIALECT, **SiteSettings.model_json_schema(mode="validation"), "title": "Site file"}


def course_schema() -> dict[str, Any]:
    """Describe `course.yaml`: a JSON Schema (2020-12)."""
    return {"$schema": SCHEMA_DIALECT, **CourseSettings.model_json_schema(mode="validation"), "title": "Course"}


def texts_schema() -> dict[str, Any]:
    """Describe files with a rubric's texts in another language: a JSON Schema (2020-12)."""
    return {"$schema": SCHEMA_DIALECT, **RubricTexts.model_json_schema(mode="validation"), "title": "Texts of a rubric"}


def _describe_diagnostics(diagnostics: Mapping[str, DiagnosticSpec], definitions: dict[str, Any]) -> None:
    """List the ids that the lists of diagnostics may name, and the parameters below `tune`."""
    definition = definitions["DiagnosticSettings"]
    properties = definition["properties"]
    named = [{"const": name, "description": spec.doc.partition("\n")[0]} for name, spec in sorted(diagnostics.items())]
    never: dict[str, Any] = {"not": {}}
    students = definitions["StudentNotes"]["properties"]
    for lists, key in ((properties, "leave_out"), (properties, "only"), (students, "leave_out")):
        kept = {name: value for name, value in lists[key].items() if name in {"title", "description"}}
        lists[key] = {**kept, "type": "array", "items": {"type": "string", "anyOf": named or [never]}}
    tuned = {}
    for name, spec in sorted(diagnostics.items()):
        if spec.parameters is not None:
            tuned[name] = _define(f"diagnostic_{name}", spec.parameters, definitions)
    kept = {name: value for name, value in properties["tune"].items() if name in {"title", "description"}}
    properties["tune"] = {**kept, "type": "object", "properties": tuned, "additionalProperties": False}
    # An empty `leave_out` is allowed together with `only`.
    definition["not"] = {"required": ["leave_out", "only"], "properties": {"leave_out": {"minItems": 1}}}


def _check_property(checks: Mapping[str, CheckSpec], old: Mapping[str, Any]) -> dict[str, Any]:
    choices = [
        {"const": name, "description": spec.doc.partition("\n")[0]} if spec.doc else {"const": name}
        for name, spec in sorted(checks.items())
    ]
    kept = {key: value for key, value in old.items() if key in {"title", "description"}}
    return {**kept, "type": "string", "anyOf": choices}


def _rule(spec: CheckSpec, definitions: dict[str, Any]) -> dict[str, Any]:
    prefix = f"check_{spec.name}"
    reference = _define(prefix, spec.parameters, definitions)
    then: dict[str, Any] = {"properties": {"with": reference}}
    if definitions[prefix].get("required"):
        then["required"] = ["with"]
    return {"if": {"properties": {"check": {"const": spec.name}}, "required": ["check"]}, "then": then}


def _define(prefix: str, document: type[BaseModel], definitions: dict[str, Any]) -> dict[str, Any]:
    """Add the schema of a document to the definitions, and return a reference to it."""
    schema = document.model_json_schema(by_alias=True, mode="validation", ref_template=f"#/$defs/{prefix}_{{model}}")
    for name, definition in schema.pop("$defs", {}).items():
        definitions[f"{prefix}_{name}"] = definition
    definitions[prefix] = schema
    return {"$ref": f"#/$defs/{prefix}"}
