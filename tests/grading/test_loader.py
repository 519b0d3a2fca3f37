"""Reading rubric files, and saying what is wrong with them."""

import hashlib
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.checks import all_checks
from grader.grading import load_rubric, read_rubric
from grader.grading.loader import measured_datasets
from grader.schema.errors import RubricError

GOOD = """\
version: 1
id: sample
title: A sample
dataset: mnist
roles:
  cnn: {has_layer: Conv2D, pick: last_trained}
criteria:
  - id: accuracy
    points: 40
    check: accuracy
    with: {model: cnn, at_least: 0.99, partial_from: 0.97}
  - id: sketch
    points: 5
    manual: {guide: A drawing}
"""


def errors(text: str) -> list[str]:
    """Each error of a rubric, as `line:column: message`."""
    with pytest.raises(RubricError) as caught:
        read_rubric(dedent(text).encode(), all_checks(), name="r.yaml")
    if caught.value.where != "r.yaml":
        return [f"{caught.value.where.removeprefix('r.yaml:')}: {caught.value.message}"]
    first, *others = caught.value.message.splitlines()
    assert first.endswith("errors")
    return [other.removeprefix("r.yaml:") for other in others]


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def test_a_good_rubric_is_read_with_the_digest_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "sample.yaml"
    path.write_text(GOOD)
    loaded = load_rubric(path, all_checks())
    assert loaded.rubric.max_score == 45
    assert loaded.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    assert loaded.path == path


def test_a_missing_file_is_a_rubric_error(tmp_path: Path) -> None:
    with pytest.raises(RubricError, match="cannot be read: No such file"):
        load_rubric(tmp_path / "none.yaml", all_checks())


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("title: A", "titel: A", "3:1: unknown key 'titel'; did you mean 'title'?"),
        ("version: 1", "version: 2", "1:10: unknown version 2; this grader reads version 1"),
        ("check: accuracy", "check: acuracy", "10:12: unknown check 'acuracy'; did you mean 'accuracy'?"),
        ("at_least", "atleast", "11:24: check 'accuracy': unknown key 'atleast'; did you mean 'at_least'?"),
        ("model: cnn", "model: cnns", "11:19: unknown role 'cnns'; did you mean 'cnn'?"),
        ("0.99", "'0.99'", "11:34: check 'accuracy': `at_least` must be a valid number"),
        ("0.99", "99", "11:34: check 'accuracy': `at_least` must be less than or equal to 1"),
        ("points: 5", "points: many", "13:13: `points` must be a valid number, unable to parse string as a number"),
        ("id: sketch", "id: accuracy", "12:9: two criteria have the id 'accuracy' (the first in line 8)"),
        ("points: 40", "points: 40\n    points: 4", "10:5: duplicate key 'points' (first in line 9)"),
        ("pick: last_trained", "pick: lst", "did you mean 'last'?"),
        ("has_layer", "has_layr", "6:9: unknown key 'has_layr'; did you mean 'has_layer'?"),
        ("    points: 5", "\tpoints: 5", "13:1: this line is indented with a tab; YAML allows only spaces"),
        ("dataset: mnist\n", "", "the check 'accuracy' needs a data set: add `dataset: NAME` to the rubric"),
        ("id: sample", "id: Sample", "2:5: `id` is 'Sample', but must consist of lower-case letters"),
        ("manual: {guide: A drawing}", "hidden: true", "exactly one of check, any_of, all_of and manual"),
        ("{guide: A drawing}", "yes", "14:13: `manual` must be a mapping with the key `guide`"),
        ("title: A sample", "title: 2026-01-01\nrun: {time: 90 minutes}", "'90 minutes' is not a duration"),
        ("title: A sample", "title: A\nrun: {dialect: kers3}", "did you mean 'keras3'?"),
        (
            "title: A sample",
            "title: A\nrun: {allow_system_calls: [kcmp, kmp]}",
            "4:34: unknown system call 'kmp'; did you mean 'kcmp'?",
        ),
        (
            "title: A sample",
            "title: A\nrun:\n  allow_system_calls: [mount]",
            "5:24: no rubric can allow",
        ),
        ("title: A sample", "title: A\nrun: {allow_system_calls: [read]}", "is always allowed, so leave it out"),
    ],
)
def test_a_mistake_is_said_with_its_line_and_the_nearest_name(old: str, new: str, expected: str) -> None:
    assert any(expected in said for said in errors(changed(old, new)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("- 1\n", "a rubric must be a mapping"),
        ("a: b: c", "not YAML"),
        ("a: &x [*x]", "an alias that contains itself"),
        ("[" * 2000, "nested too deeply"),
        ("a: !!python/object:os.system x", "are not supported"),
        ("<<: {a: 1}", "merge keys"),
        ("? [a]\n: 1", "a key must be a word"),
        ("a: 1\n---\nb: 2", "not YAML"),
    ],
)
def test_what_is_no_rubric_at_all_is_said(text: str, expected: str) -> None:
    assert any(expected in said for said in errors(text))


def test_several_mistakes_are_said_at_once() -> None:
    text = GOOD.replace("title", "titel").replace("model: cnn", "model: dnn").replace("check: acc", "check: axx")
    assert len(errors(text)) >= 4


def test_missing_parameters_are_said_at_the_check() -> None:
    text = changed("    with: {model: cnn, at_least: 0.99, partial_from: 0.97}\n", "")
    assert errors(text) == ["10:12: check 'accuracy': `with` is missing; it must have 'at_least'"]


def test_tests_inside_any_of_are_checked_like_others() -> None:
    text = changed(
        "    check: accuracy\n    with: {model: cnn, at_least: 0.99, partial_from: 0.97}\n",
        "    any_of:\n      - check: runs\n      - {check: input_shape, with: {shape: [28, x, 1]}}\n",
    )
    (said,) = errors(text)
    assert said.startswith("12:49: check 'input_shape': `shape.2` must be a valid integer")


def test_a_misspelt_layer_is_said_where_it_stands() -> None:
    text = changed("check: accuracy", "check: has_layer").replace("at_least: 0.99, partial_from: 0.97", "layer: Dens")
    (said,) = errors(text)
    assert said.startswith("11:31: check 'has_layer': `layer`: Keras has no layer 'Dens'; did you mean 'Dense'?")


def test_aliases_of_aliases_end_soon() -> None:
    lines = ["a0: &a0 [1, 1]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 25)]
    assert any("too large" in said for said in errors("\n".join(lines)))


def test_a_file_of_another_encoding_is_said() -> None:
    with pytest.raises(RubricError, match="not UTF-8") as caught:
        read_rubric(b"version: 1\ntitle: \xff", all_checks(), name="r.yaml")
    assert caught.value.where == "r.yaml:2"


def test_a_huge_file_is_refused() -> None:
    with pytest.raises(RubricError, match="larger than 1 MiB"):
        read_rubric(b"#" * (1 << 20) + b"\n", all_checks())


def attempt(content: bytes) -> None:
    """Reading gives a rubric or a rubric error with a place, and never anything else."""
    caught: RubricError | None = None
    try:
        read_rubric(content, all_checks(), name="r.yaml")
    except RubricError as error:
        caught = error
    assert caught is None or (caught.where.startswith("r.yaml") and caught.message)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=4),
    max_leaves=12,
)
KEYS = ("version", "id", "title", "dataset", "run", "roles", "criteria", "reference", "datasets")
CRITERION_KEYS = ("id", "points", "check", "with", "any_of", "all_of", "manual", "advice", "hidden", "bonus")


@given(st.text(max_size=200))
def test_any_text_is_a_rubric_or_a_rubric_error(text: str) -> None:
    attempt(text.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_rubric_or_a_rubric_error(content: bytes) -> None:
    attempt(content)


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(KEYS), PLAIN), st.lists(st.dictionaries(st.sampled_from(CRITERION_KEYS), PLAIN)))
def test_any_values_under_the_right_keys_are_a_rubric_or_a_rubric_error(
    values: dict[str, object], criteria: list[dict[str, object]]
) -> None:
    attempt(yaml.safe_dump({**values, "criteria": criteria}).encode())


@given(st.sampled_from(sorted(all_checks())), st.dictionaries(st.text(max_size=10), PLAIN, max_size=3), PLAIN)
@settings(max_examples=150)
def test_any_parameters_of_a_check_are_a_rubric_or_a_rubric_error(
    name: str, extra: dict[str, object], value: object
) -> None:
    fields = dict.fromkeys(all_checks()[name].parameters.model_fields, value)
    rubric = yaml.safe_load(GOOD)
    rubric["criteria"][0] |= {"check": name, "with": {**fields, **extra}}
    attempt(yaml.safe_dump(rubric).encode())


@given(st.data())
def test_a_good_rubric_with_a_piece_cut_out_is_a_rubric_or_a_rubric_error(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    stop = data.draw(st.integers(start, len(GOOD)))
    attempt((GOOD[:start] + GOOD[stop:]).encode())


def test_a_ranking_by_a_criterion_that_is_none_is_refused() -> None:
    text = (
        "version: 1\nid: golf\ntitle: Golf\ndataset: mnist\nranking: {criterion: golv}\n"
        "criteria:\n  - {id: golf, points: 1, check: runs}\n"
    )
    with pytest.raises(RubricError, match="names the criterion 'golv', which does not exist"):
        read_rubric(text.encode(), all_checks())


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("stand_in: [mnist]", "`stand_in` names 'mnist', which is the data set that accuracy is verified on"),
        ("stand_in: [cifar10]", "`stand_in` names 'cifar10', which is not one of `datasets`"),
        (
            "datasets: [cifar10]\nstand_in: [cifar10]\ntasks: {pets: {dataset: cifar10, classes: [3, 5]}}",
            "`stand_in` names 'cifar10', but the task 'pets' judges models on it",
        ),
        ("stand_in: cifar10", "`stand_in` must be a list"),
    ],
)
def test_a_stand_in_is_refused_where_networks_are_judged(new: str, said: str) -> None:
    found = errors(changed("dataset: mnist", f"dataset: mnist\n{new}"))
    assert [error for error in found if said in error], found


def test_a_role_is_not_trained_on_a_stand_in() -> None:
    text = changed("dataset: mnist", "dataset: mnist\ndatasets: [cifar10]\nstand_in: [cifar10]")
    (found,) = errors(text.replace("has_layer: Conv2D", "data: cifar10/train"))
    assert "but the model of the role 'cnn' is trained on it" in found


@pytest.mark.parametrize("check", ["accuracy", "trained"])
def test_a_criterion_cannot_judge_a_network_on_a_stand_in(check: str) -> None:
    text = changed("dataset: mnist", "dataset: mnist\ndatasets: [cifar10]\nstand_in: [cifar10]")
    level = ", at_least: 0.5" if check == "accuracy" else ""
    old = "check: accuracy\n    with: {model: cnn, at_least: 0.99, partial_from: 0.97}"
    assert old in text
    (found,) = errors(text.replace(old, f"check: {check}\n    with: {{model: cnn, dataset: cifar10{level}}}"))
    assert found.startswith("13:33: no model can be judged on 'cifar10': `stand_in` allows made-up images"), found


def test_a_data_set_that_is_only_prepared_may_have_a_stand_in() -> None:
    text = changed("dataset: mnist", "dataset: mnist\ndatasets: [cifar10]\nstand_in: [cifar10]")
    assert read_rubric(text.encode(), all_checks()).stand_in == ("cifar10",)


def _judged_on(name: str) -> str:
    text = changed("dataset: mnist", "dataset: mnist\ndatasets: [cifar10, digits]")
    return text.replace("{model: cnn, at_least", f"{{model: cnn, dataset: {name}, at_least")


def test_a_criterion_cannot_judge_a_network_on_a_data_set_that_the_rubric_does_not_name() -> None:
    (found,) = errors(_judged_on("fashion_mnist"))
    assert found.startswith(
        "12:33: no model can be judged on 'fashion_mnist': it is neither `dataset` nor one of `datasets`"
    ), found


def test_networks_are_judged_on_the_rubrics_data_set_and_on_those_that_criteria_name() -> None:
    checks = all_checks()
    assert measured_datasets(read_rubric(GOOD.encode(), checks), checks) == ("mnist",)
    assert measured_datasets(read_rubric(_judged_on("mnist").encode(), checks), checks) == ("mnist",)
    assert measured_datasets(read_rubric(_judged_on("digits").encode(), checks), checks) == ("mnist", "digits")


def test_a_data_set_that_is_only_prepared_is_none_to_judge_on() -> None:
    text = changed("dataset: mnist", "dataset: mnist\ndatasets: [cifar10]")
    old = "check: accuracy\n    with: {model: cnn, at_least: 0.99, partial_from: 0.97}"
    rubric = read_rubric(text.replace(old, "check: prepared\n    with: {dataset: cifar10}").encode(), all_checks())
    assert measured_datasets(rubric, all_checks()) == ("mnist",)


NO_DATASET = """\
version: 1
id: sample
title: A sample
roles:
  cnn: {has_layer: Conv2D, pick: last_trained}
criteria:
  - {id: layers, points: 4, check: has_layer, with: {model: cnn, layer: Conv2D}}
  - {id: epochs, points: 4, check: trained, with: {model: cnn, epochs_at_least: 2}}
"""


def test_a_rubric_whose_checks_compare_no_images_needs_no_data_set() -> None:
    rubric = read_rubric(NO_DATASET.encode(), all_checks())
    assert (rubric.dataset, rubric.all_datasets, measured_datasets(rubric, all_checks())) == ("", (), ())


@pytest.mark.parametrize(
    ("check", "params"),
    [
        ("accuracy", "at_least: 0.9"),
        ("trained", "only_split: train"),
        ("trained", "validation: any"),
        ("rows", "at_least: 10"),
        ("score_curve", "curve: [{parameters: 100, none: 0.5, full: 0.9}]"),
    ],
)
def test_a_check_that_compares_images_needs_a_data_set(check: str, params: str) -> None:
    more = f"  - {{id: more, points: 4, check: {check}, with: {{model: cnn, {params}}}}}\n"
    assert errors(NO_DATASET + more) == [
        f"9:34: the check {check!r} needs a data set: add `dataset: NAME` to the rubric"
    ]


def test_a_task_needs_a_data_set() -> None:
    (found,) = errors(NO_DATASET.replace("roles:", "tasks: {pets: {classes: [3, 5]}}\nroles:"))
    assert "the task 'pets' names no `dataset`, and neither does the rubric" in found
    named = "datasets: [cifar10]\ntasks: {pets: {dataset: cifar10, classes: [3, 5]}}\nroles:"
    assert read_rubric(NO_DATASET.replace("roles:", named).encode(), all_checks()).task_dataset("pets") == "cifar10"


def test_an_unknown_data_set_is_named_with_its_line() -> None:
    text = changed("dataset: mnist", "dataset: mnist\ndatasets: [cifar10, pets]")
    with pytest.raises(RubricError) as caught:
        read_rubric(
            text.encode(), all_checks(), name="r.yaml", datasets=lambda name: "" if name != "pets" else "which pets?"
        )
    assert (caught.value.where, caught.value.message) == ("r.yaml:5:21", "which pets?")
