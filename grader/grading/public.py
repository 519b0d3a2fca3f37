"""Reduce a rubric to the parts that students may see."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import yaml

from grader.facts.case import CheckSpec
from grader.facts.language import english, language
from grader.facts.rubric_parts import roles_only_of, tasks_only_of
from grader.grading.documents import field_extra
from grader.grading.loader import LoadedRubric
from grader.schema.message import say
from grader.schema.rubric import Criterion, DiagnosticSettings, Rubric
from grader.schema.rubric_texts import CriterionTexts, RubricTexts

__all__ = ["public_checks", "public_rubric", "public_texts", "without_hidden"]

_GUIDE = say("Your instructor judges this criterion.")
_HEAD = """\
# The public rubric of this assignment, written by `grader rubric publish`.
# `grader check NOTEBOOK --rubric FILE` shows what is missing; your instructor judges the criteria with `manual`.
"""
_TEXTS_HEAD = """\
# The texts of the public rubric in the language {code}, written by `grader rubric publish`.
"""
_JUDGING = frozenset({"check", "with", "any_of", "all_of", "manual"})
_WIDTH = 120
_NOTHING: Mapping[str, Any] = {}


def without_hidden(loaded: LoadedRubric) -> LoadedRubric:
    """Remove the hidden criteria, so that nothing of an author's own grading depends on them.

    Args:
        loaded: The rubric.
    """
    rubric = loaded.rubric
    shown = tuple(criterion for criterion in rubric.criteria if not criterion.hidden)
    if len(shown) == len(rubric.criteria):
        return loaded
    ranked = rubric.ranking is not None and any(c.id == rubric.ranking.criterion for c in shown)
    # Not validated again: the only criteria may be hidden ones, and then there is nothing to judge.
    hidden = roles_only_of(rubric, {c.id for c in rubric.criteria if c.hidden})
    update = {
        "criteria": shown,
        "roles": {name: role for name, role in rubric.roles.items() if name not in hidden},
        "ranking": rubric.ranking if ranked else None,
    }
    return replace(loaded, rubric=rubric.model_copy(update=update))


def public_rubric(
    rubric: Rubric,
    data: Mapping[str, Any],
    checks: Mapping[str, CheckSpec],
    diagnostics: Iterable[str],
    changed: Mapping[str, Any] = _NOTHING,
) -> str:
    """Write the public rubric: without hidden criteria, guides, expected keywords, private criteria and the reference.

    A criterion whose check is private or gives the answer away is left to the instructor. Comments are not copied.

    Args:
        rubric: The rubric.
        data: The same rubric as YAML values.
        checks: All checks, by name.
        diagnostics: Ids of all diagnostics.
        changed: Other values of keys of the public rubric; None removes a key.

    Returns:
        The public rubric as YAML.
    """
    judged = {c.id for c in rubric.criteria if not c.hidden and not _is_secret(c, checks)}
    removed = {c.id for c in rubric.criteria if c.id not in judged}
    criteria = [
        _public_criterion(criterion, judged=criterion["id"] in judged)
        for criterion in data["criteria"]
        if not criterion.get("hidden")
    ]
    public = {key: value for key, value in data.items() if key not in {"reference", "templates"}} | {
        "criteria": criteria
    }
    if "diagnostics" in public:
        public["diagnostics"] = _public_diagnostics(rubric.diagnostics, public["diagnostics"], diagnostics)
    if rubric.ranking is not None and rubric.ranking.criterion not in judged:
        del public["ranking"]
    _remove_unused(public, rubric, removed)
    if changed:
        # The criteria come last.
        public = {**public, **changed, "criteria": public.pop("criteria")}
        public = {key: value for key, value in public.items() if value is not None or key not in changed}
    return _HEAD + _yaml(public)


def public_texts(rubric: Rubric, texts: RubricTexts, code: str, checks: Mapping[str, CheckSpec]) -> str:
    """Write the translations of the public rubric: nothing of hidden criteria, and no guides.

    Args:
        rubric: The rubric.
        texts: Its translations in one language.
        code: The language.
        checks: All checks, by name.

    Returns:
        The translations as YAML.
    """
    criteria = {}
    for criterion in rubric.criteria:
        if criterion.hidden:
            continue
        own = texts.criteria.get(criterion.id, CriterionTexts())
        public = {"title": own.title, "advice": own.advice}
        if _is_secret(criterion, checks):
            public["guide"] = language(code).text(_GUIDE)
        kept = {key: text for key, text in public.items() if text}
        if kept:
            criteria[criterion.id] = kept
    title = {"title": texts.title} if texts.title else {}
    data = {"version": texts.version, **title, "criteria": criteria}
    return _TEXTS_HEAD.format(code=code) + _yaml(data)


def public_checks(rubric: Rubric, checks: Mapping[str, CheckSpec]) -> frozenset[str]:
    """List the checks that the public rubric uses.

    Args:
        rubric: The rubric.
        checks: All checks, by name.
    """
    shown = [criterion for criterion in rubric.criteria if not criterion.hidden and not _is_secret(criterion, checks)]
    return frozenset(test.check for criterion in shown for test in criterion.tests)


def _yaml(data: Mapping[str, Any]) -> str:
    return yaml.safe_dump(data, default_flow_style=None, sort_keys=False, allow_unicode=True, width=_WIDTH)


def _is_secret(criterion: Criterion, checks: Mapping[str, CheckSpec]) -> bool:
    """Whether a criterion has a guide, is private, or sets a parameter that gives the answer away."""
    if criterion.manual is not None or criterion.private:
        return True
    return any(
        field_extra(checks[test.check].parameters.model_fields[name]).get("expected")
        for test in criterion.tests
        for name in test.with_
    )


def _public_criterion(criterion: Mapping[str, Any], *, judged: bool) -> Mapping[str, Any]:
    if judged:
        return criterion
    kept = {key: value for key, value in criterion.items() if key not in _JUDGING | {"private"}}
    advice = {"advice": kept.pop("advice")} if "advice" in kept else {}
    return {**kept, "manual": {"guide": english(_GUIDE)}, **advice}


def _public_diagnostics(
    settings: DiagnosticSettings, data: Mapping[str, Any], diagnostics: Iterable[str]
) -> Mapping[str, Any]:
    """Turn notes for instructors off, without naming them: a name such as `sigmoid-on-one-of-many` tells the flaw."""
    secret = set(settings.students.leave_out)
    public = {key: value for key, value in data.items() if key != "students"}
    if secret:
        public.pop("leave_out", None)
        public["only"] = sorted(name for name in diagnostics if settings.runs(name) and name not in secret)
    if "tune" in public:
        public["tune"] = {name: values for name, values in public["tune"].items() if name not in secret}
    if settings.students.models is not None:
        students = settings.students.models
        public["models"] = [role for role in students if settings.models is None or role in settings.models]
    return public


def _remove_unused(public: dict[str, Any], rubric: Rubric, removed: Collection[str]) -> None:
    """Remove the roles and tasks that only removed checks name, since their conditions may give them away."""
    roles = roles_only_of(rubric, removed)
    for key, unused in (("roles", roles), ("tasks", tasks_only_of(rubric, removed, roles))):
        if key not in public:
            continue
        public[key] = {name: entry for name, entry in public[key].items() if name not in unused}
        if not public[key]:
            del public[key]
