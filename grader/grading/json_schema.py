"""The JSON Schema of rubric files, for editors."""

from collections.abc import Mapping
from typing import Any

from grader.facts.case import CheckSpec
from grader.schema.rubric import Rubric

__all__ = ["SCHEMA_DIALECT", "rubric_schema"]

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def rubric_schema(checks: Mapping[str, CheckSpec]) -> dict[str, Any]:
    """Describe rubric files, each check's own parameters included.

    Args:
        checks: Every check there is, by name.

    Returns:
        A JSON Schema (2020-12). What stands under `with` follows from the check's name by `if` and `then`.
    """
    schema = Rubric.model_json_schema(by_alias=True, mode="validation")
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    rules = [_rule(spec, definitions) for _, spec in sorted(checks.items())]
    for name in ("Criterion", "Test"):
        definition = definitions[name]
        definition["properties"]["check"] = _check_property(checks, definition["properties"]["check"])
        definition["allOf"] = rules
    definitions["Criterion"]["oneOf"] = [{"required": [way]} for way in ("check", "any_of", "all_of", "manual")]
    return {"$schema": SCHEMA_DIALECT, "title": "Rubric", **schema}


def _check_property(checks: Mapping[str, CheckSpec], old: Mapping[str, Any]) -> dict[str, Any]:
    choices = [
        {"const": name, "description": spec.doc.partition("\n")[0]} if spec.doc else {"const": name}
        for name, spec in sorted(checks.items())
    ]
    kept = {key: value for key, value in old.items() if key in {"title", "description"}}
    return {**kept, "type": "string", "anyOf": choices}


def _rule(spec: CheckSpec, definitions: dict[str, Any]) -> dict[str, Any]:
    prefix = f"check_{spec.name}"
    schema = spec.parameters.model_json_schema(
        by_alias=True, mode="validation", ref_template=f"#/$defs/{prefix}_{{model}}"
    )
    for name, definition in schema.pop("$defs", {}).items():
        definitions[f"{prefix}_{name}"] = definition
    definitions[prefix] = schema
    then: dict[str, Any] = {"properties": {"with": {"$ref": f"#/$defs/{prefix}"}}}
    if schema.get("required"):
        then["required"] = ["with"]
    return {"if": {"properties": {"check": {"const": spec.name}}, "required": ["check"]}, "then": then}
