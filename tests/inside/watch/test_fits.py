"""The record of a notebook such as students write, run by a real kernel in both dialects."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from grader.evidence.structure import read_layers

pytestmark = pytest.mark.tensorflow


def only(found: list[Any]) -> Any:
    assert len(found) == 1, found
    return found[0]


def named(record: Any, name: str) -> dict[str, Any]:
    """The last description of the model that was bound to a variable, or has a name."""
    found: dict[str, Any] = [event["model"] for event in record.of("model") if event["model"]["name"] == name][-1]
    return found


def test_only_the_cells_that_should_fail_fail(record: Any) -> None:
    assert set(record.errors) == {"wrong call", "interrupt"}
    assert record.errors["wrong call"].startswith("ValueError: Data cardinality is ambiguous")


def test_nothing_of_the_recorders_own_work_failed(record: Any) -> None:
    assert record.of("gap") == record.of("unhooked") == record.of("unkept") == []


def test_events_are_numbered_and_in_order(record: Any) -> None:
    assert [event["n"] for event in record.events] == list(range(1, len(record.events) + 1))
    assert all(one["t"] <= other["t"] and one["cell"] <= other["cell"] for one, other in pairwise(record.events))
    assert record.events[0]["kind"] == "start"
    assert record.events[-1]["kind"] == "end"


def test_each_cell_is_counted_once_also_under_a_cell_magic(record: Any) -> None:
    assert len(record.of("cell_start")) == len(record.of("cell_end")) == len(record.cells)
    failed = {title for title, number in record.cells.items() if not record.of("cell_end")[number - 1]["ok"]}
    assert failed == set(record.errors)


def test_tensorflow_is_imported_by_the_student_and_not_before(record: Any) -> None:
    assert only(record.of("versions"))["cell"] == record.cells["data"]
    assert record.of("start")[0]["versions"]["keras"].startswith("3.")


def test_models_are_numbered_in_the_order_of_their_making(record: Any) -> None:
    assert [named(record, name)["id"] for name in ("model", "other", "never_compiled")] == ["m1", "m2", "m3"]


def test_a_sequential_model_is_described(record: Any) -> None:
    model = named(record, "model")
    assert model["cls"] == "Sequential"
    assert (model["input_shape"], model["output_shape"]) == ([28, 28, 1], [10])
    assert model["parameters"] == 40 + 6 * 6 * 4 * 10 + 10
    layers = {layer["name"]: layer for layer in model["layers"]}
    assert layers["conv"]["cls"] == "Conv2D"
    assert layers["conv"]["config"]["filters"] == 4
    assert layers["conv"]["output_shape"] == [26, 26, 4]
    assert layers["conv"]["trainable"] is False
    assert layers["out"]["inbound"] == [model["layers"][-2]["name"]]
    assert layers["out"]["custom"] is None


def test_a_model_that_is_never_compiled_is_described_at_its_cells_end(record: Any) -> None:
    first = [e for e in record.of("model", "build") if e["model"]["name"] == "never_compiled"]
    assert only(first)["model"]["parameters"] == 18


def test_an_unbuilt_model_has_layers_and_no_parameters(record: Any) -> None:
    described = next(e["model"] for e in record.events if e["kind"] == "model" and e["model"]["id"] == "m2")
    assert [layer["cls"] for layer in described["layers"]] == ["Flatten", "Dense"]
    assert named(record, "other")["parameters"] == 7850
    if described["parameters"] is not None:
        assert described["parameters"] == 7850


def test_branches_are_described_with_what_they_take_in(record: Any) -> None:
    model = named(record, "branched")
    inbound = {layer["name"]: layer["inbound"] for layer in model["layers"]}
    assert inbound == {
        "pixels": [],
        "left": ["pixels"],
        "right": ["pixels"],
        "both": ["left", "right"],
        "flat": ["both"],
        "logits": ["flat"],
    }


def test_operations_of_a_functional_model_stand_between_its_layers(record: Any) -> None:
    model = named(record, "worked")
    parts = [
        (layer.operation, layer.config.get("operands"), layer.parameters) for layer in read_layers(model["layers"])[1:]
    ]
    divided = "truedivide" if model["dialect"] == "keras3" else "truediv"
    assert parts == [
        (divided, [None, 255.0], 0),
        ("subtract", [1.0, None], 0),
        (None, None, 0),
        (None, None, 7850),
        ("softmax", None, 0),
    ]
    names = [layer["name"] for layer in model["layers"]]
    assert [layer["inbound"] for layer in model["layers"][1:]] == [[name] for name in names[:-1]]
    start, _ = only(record.fits("operations"))
    assert set(start["digests"]) == {"plain"}


def test_a_nested_model_keeps_its_layers_and_both_say_what_they_share(record: Any) -> None:
    top, base = named(record, "top"), named(record, "base")
    assert [layer["name"] for layer in top["layers"][0]["layers"]][-1] == "hidden"
    assert base["id"] in top["shares_layers_with"] or top["id"] in base["shares_layers_with"]
    start, end = only(record.fits("transfer"))
    assert start["trainable"]["hidden"] is False
    assert start["digests"]["hidden"] == end["digests"]["hidden"]
    assert start["digests"]["top_out"] != end["digests"]["top_out"]


def test_a_students_own_layers_have_their_keras_ancestor(record: Any) -> None:
    layers = {layer["name"]: layer for layer in named(record, "special")["layers"]}
    assert (layers["mc"]["cls"], layers["mc"]["custom"], layers["mc"]["config"]["rate"]) == (
        "Dropout",
        "MCDropout",
        0.5,
    )
    assert (layers["scaled"]["cls"], layers["scaled"]["custom"]) == ("Layer", "Scaled")
    assert only(layers["scaled"]["layers"])["cls"] == "Dense"


def test_a_subclassed_model_has_its_own_class_and_layers(record: Any) -> None:
    model = named(record, "sub")
    assert (model["cls"], model["parameters"]) == ("Net", 7850)
    assert [layer["cls"] for layer in model["layers"]] == ["Flatten", "Dense"]
    assert model["input_shape"] == [28, 28, 1]


def test_compile_says_optimizer_loss_and_metrics(record: Any) -> None:
    strings = only(record.of("compile", "build"))
    assert (strings["optimizer"]["cls"], strings["optimizer"]["learning_rate"]) == ("Adam", 0.001)
    assert strings["loss"] == {
        "name": "sparse_categorical_crossentropy",
        "from_logits": False,
        "custom": False,
        "config": {},
    }
    assert strings["metrics"] == ["accuracy"]
    objects = only(record.of("compile", "freeze"))
    assert (objects["optimizer"]["cls"], objects["optimizer"]["learning_rate"]) == ("SGD", 0.01)
    assert (objects["loss"]["name"], objects["loss"]["from_logits"]) == ("sparse_categorical_crossentropy", False)
    assert objects["trainable"]["conv"] is False
    logits = record.of("compile", "functions")[0]
    assert logits["loss"]["from_logits"] is True


def test_a_training_is_recorded_from_its_data_to_its_history(record: Any) -> None:
    start, end = only(record.fits("timed fit"))
    assert (start["type"], start["epochs"], start["batch_size"], start["steps"]) == ("fit", 2, 64, 29)
    assert (start["validation"], start["validation_split"]) == ("split", 0.1)
    assert (start["x"]["names"], start["x"]["shape"], start["x"]["high"]) == (["x_train"], [2000, 28, 28, 1], 1.0)
    assert start["y"]["classes"]["7"] == int((np.load(record.data / "mnist" / "y_train.npy") == 7).sum())
    assert only(start["callbacks"])["config"]["patience"] == 5
    assert start["compiled"] == only(record.of("compile", "build"))["n"]
    assert (end["status"], end["epochs"], end["steps"], end["rates"]) == ("completed", 2, 58, [0.001, 0.001])
    assert end["history"] == record.noted["history"]
    assert all(end["digests"][name] != digest for name, digest in start["digests"].items())
    assert [event["epoch"] for event in record.of("epoch", "timed fit")] == [1, 2]


def test_the_students_history_object_is_as_it_would_be(record: Any) -> None:
    assert record.noted["params"] == {"verbose": 0, "epochs": 2, "steps": 29}
    assert record.noted["same"] is True


def test_a_frozen_layer_is_recorded_as_such_and_does_not_change(record: Any) -> None:
    change = only(record.of("trainable", "freeze"))
    assert (change["layer"], change["model"], change["before"], change["after"]) == ("conv", "m1", True, False)
    start, end = only(record.fits("freeze"))
    assert start["trainable"]["conv"] is False
    assert start["digests"]["conv"] == end["digests"]["conv"]
    assert start["digests"]["out"] != end["digests"]["out"]
    assert start["validation"] == "data"
    assert start["val_x"]["names"] == ["x_test"]
    assert start["compiled"] == only(record.of("compile", "freeze"))["n"]


def test_freezing_a_whole_model_is_one_change(record: Any) -> None:
    change = only(record.of("trainable", "transfer"))
    assert (change["layer"], change["after"]) == ("base", False)


def test_evaluation_and_prediction_are_recorded(record: Any) -> None:
    evaluated = only(record.of("evaluate", "freeze"))
    assert list(evaluated["results"].values()) == pytest.approx(record.noted["evaluate"], rel=1e-6)
    assert set(evaluated["results"]) == {"loss", "accuracy"}
    predicted = only(record.of("predict", "freeze"))
    assert predicted["output_shape"] == [400, 10]
    assert predicted["x"]["array"] == evaluated["x"]["array"]


def test_validation_inside_fit_is_no_evaluation_but_a_callbacks_is(record: Any) -> None:
    assert only(record.of("evaluate", "metrics inside"))["x"]["shape"] == [100, 28, 28, 1]
    start, _ = only(record.fits("metrics inside"))
    assert only(start["callbacks"])["custom"] == "Probe"


def test_direct_calls_are_counted_by_training_and_compared(record: Any) -> None:
    calls = {event["training"]: event for event in record.of("calls", "monte carlo")}
    assert (calls[True]["count"], calls[True]["outputs_differ"]) == (4, True)
    assert (calls[None]["count"], calls[None]["outputs_differ"]) == (3, False)
    assert calls[True]["x"]["names"] == ["few"]


def test_a_trial_in_a_graph_of_the_students_own_is_recorded_without_a_count(record: Any) -> None:
    trial = only(record.of("calls", "graph trial"))
    assert (trial["traced"], trial["count"], trial["model"]) == (True, 0, "m2")
    passes = only(record.of("calls", "graph passes"))
    assert (passes["traced"], passes["training"], trial["training"]) == (True, True, None)
    assert not record.of("calls", "graph loop")
    assert not record.of("calls", "mapped")


def test_a_training_without_an_optimizer_is_told_by_its_gradients_and_its_weights(record: Any) -> None:
    start, end = only(record.fits("loop by hand"))
    assert (start["type"], start["optimizer"], end["steps"]) == ("custom_loop", None, 3)
    assert start["digests"] != end["digests"]
    assert end["batch_size"] == 20
    assert record.fits("gradient looked at") == []


@pytest.mark.parametrize("cell", ["graph by hand", "graph by hand again"])
def test_its_steps_in_a_graph_are_not_counted(record: Any, cell: str) -> None:
    start, end = only(record.fits(cell))
    assert (start["model"], end["steps"]) == (named(record, "by_hand")["id"], None)


@pytest.mark.parametrize(("cell", "steps"), [("eager loop", 7), ("graph loop", 5), ("graph loop again", 6)])
def test_a_loop_of_the_students_own_is_one_training_a_cell(record: Any, cell: str, steps: int) -> None:
    start, end = only(record.fits(cell))
    assert (start["type"], start["model"], end["status"], end["steps"]) == ("custom_loop", "m2", "completed", steps)
    assert end["history"] == {}
    assert start["digests"].keys() == end["digests"].keys()
    assert all(start["digests"][name] != digest for name, digest in end["digests"].items())


@pytest.mark.parametrize("cell", ["eager loop", "graph loop", "graph loop again"])
def test_a_loop_of_the_students_own_says_its_optimizer_and_the_loss_it_called(record: Any, cell: str) -> None:
    start, _ = only(record.fits(cell))
    assert start["optimizer"]["cls"] == "Adam"
    assert start["optimizer"]["learning_rate"] == pytest.approx(0.001)
    assert (start["loss"]["name"], start["loss"]["from_logits"]) == ("sparse_categorical_crossentropy", True)


def test_a_loop_whose_optimizer_lived_only_in_a_function_is_followed_to_its_end(record: Any) -> None:
    start, end = only(record.fits("loop in a function"))
    assert (start["optimizer"]["cls"], end["status"], end["steps"]) == ("SGD", "completed", 9)
    assert end["x"]["shape"] == [2000, 28, 28, 1]
    assert end["digests"] != start["digests"]


def test_fit_itself_names_no_loss_of_a_loop(record: Any) -> None:
    start, _ = only(record.fits("mapped"))
    assert start.get("loss") is None


def test_steps_of_one_loop_follow_each_other(record: Any) -> None:
    (_, first), (second, _) = only(record.fits("eager loop")), only(record.fits("graph loop"))
    assert first["digests"] == second["digests"]


def test_train_on_batch_is_a_loop_of_the_students_own(record: Any) -> None:
    start, end = only(record.fits("batches"))
    assert (start["type"], end["steps"]) == ("custom_loop", 4)


def test_a_mapped_data_set_is_followed_to_its_tensors_and_said_to_be_mapped(record: Any) -> None:
    start, end = only(record.fits("mapped"))
    assert (start["x"]["source"], start["x"]["mapped"], start["x"]["low"]) == ("tf.data", True, None)
    assert start["x"]["shape"] == [2000, 28, 28, 1]
    plain, _ = only(record.fits("timed fit"))
    with np.load(record.out / start["x"]["file"]) as one, np.load(record.out / plain["x"]["file"]) as other:
        assert np.array_equal(one["fingerprints"], other["fingerprints"])
    assert end["status"] == "completed"


def test_saving_loading_and_copying_are_recorded(record: Any) -> None:
    events = {event["action"]: event for event in record.of("save", "copies")}
    loaded, copy = named(record, "loaded")["id"], named(record, "copy")["id"]
    assert events["save"]["model"] == "m1"
    assert events["save"]["path"] == "saved.keras"
    assert (events["load"]["model"], events["load"]["path"]) == (loaded, "saved.keras")
    assert (events["clone"]["model"], events["clone"]["other"]) == (copy, "m1")
    assert (events["set_weights"]["model"], events["set_weights"]["other"]) == (copy, "m1")


def test_every_trained_model_is_kept_also_without_a_variable_or_under_a_used_name(record: Any) -> None:
    trained = {event["model"] for event in record.of("fit_start")}
    last = {event["model"]: event for event in record.of("kept")}
    assert trained <= set(last)
    assert len({event["model"] for event in record.of("fit_start", "functions")}) == 2
    assert len({event["model"] for event in record.of("fit_start", "reused name")}) == 2
    assert all((record.out / event["path"]).exists() for event in last.values())
    ends = {event["fit"]: event["n"] for event in record.of("fit_end") if event["steps"] != 0}
    for model in trained:
        fits = [e["fit"] for e in record.of("fit_start") if e["model"] == model and e["fit"] in ends]
        assert last[model]["after"] == ends[fits[-1]], model


@pytest.mark.parametrize(
    ("name", "formats"),
    [
        ("model", {"keras"}),
        ("special", {"keras", "saved_model"}),
        ("sub", {"keras", "saved_model"}),
        ("lam", {"keras", "saved_model"}),
        ("stubborn", {"keras", "predictions"}),
    ],
)
def test_a_model_is_kept_in_the_forms_that_its_classes_need(record: Any, name: str, formats: set[str]) -> None:
    model = named(record, name)["id"]
    kept = [event for event in record.of("kept") if event["model"] == model]
    assert {event["format"] for event in kept} == formats
    assert {event["custom"] for event in kept} == {len(formats) > 1}


def test_no_half_written_model_is_left(record: Any) -> None:
    names = sorted(path.name for path in (record.out / "models").iterdir())
    assert not [name for name in names if not name.startswith("m")]


def test_a_rate_that_changes_by_step_is_recorded_by_step(record: Any) -> None:
    _, end = only(record.fits("rates"))
    assert end["step_rates"] == pytest.approx(record.noted["cycle"], rel=1e-6)
    assert end["rates"] == pytest.approx([record.noted["cycle"][9], record.noted["cycle"][19]], rel=1e-6)


def test_a_schedule_is_evaluated_at_each_step(record: Any) -> None:
    _, end = only(record.fits("schedule"))
    assert end["step_rates"] == pytest.approx([0.1 * 0.5 ** (step / 10) for step in range(20)], rel=1e-5)
    compiled = only(record.of("compile", "schedule"))
    assert compiled["optimizer"]["learning_rate"] is None
    assert compiled["optimizer"]["config"]["learning_rate"]["class_name"] == "ExponentialDecay"


def test_a_rate_that_changes_by_epoch_is_recorded_by_epoch(record: Any) -> None:
    _, end = only(record.fits("plateau"))
    assert end["rates"] == pytest.approx([0.1, 0.05, 0.1 / 3], rel=1e-6)
    assert end["step_rates"] == []


def test_a_training_over_its_budget_ends_at_an_epochs_end(record: Any) -> None:
    start, end = only(record.fits("three hundred epochs"))
    assert (start["epochs"], end["status"]) == (100_000, "stopped_by_budget")
    assert 1 <= end["epochs"] < 100_000
    assert end["steps"] == end["epochs"] * start["steps"]
    noted = record.noted["long"]
    assert (noted["epochs"], noted["history"], noted["stopped_epoch"]) == (end["epochs"], end["epochs"], 0)


def test_one_epoch_far_over_the_budget_is_cut_and_fit_still_returns(record: Any) -> None:
    _, end = only(record.fits("one endless epoch"))
    assert (end["status"], end["epochs"], record.noted["endless"]) == ("stopped_by_budget", 1, 1)
    assert end["seconds"] >= 1.5


def test_a_training_stopped_by_a_callback_is_stopped_early(record: Any) -> None:
    _, end = only(record.fits("early"))
    assert (end["status"], end["epochs"]) == ("stopped_early", 2)


def test_a_training_that_fails_or_is_interrupted_has_an_end(record: Any) -> None:
    _, wrong = only(record.fits("wrong call"))
    assert (wrong["status"], wrong["steps"]) == ("error", 0)
    assert wrong["error"].startswith("ValueError")
    _, interrupted = only(record.fits("interrupt"))
    assert (interrupted["status"], interrupted["steps"]) == ("interrupted", 2)


def test_arrays_bound_to_variables_say_whether_a_model_got_them(record: Any) -> None:
    arrays = {array["name"]: array for array in only(record.of("arrays"))["arrays"]}
    assert arrays["x_train"]["used"] is True
    assert arrays["x_test"]["used"] is True
    assert arrays["never_used"]["used"] is False


def test_passes_over_one_input_are_counted_also_through_predict(record: Any) -> None:
    calls = {event["training"]: event for event in record.of("calls", "monte carlo")}
    assert (calls[True]["repeats"], calls[None]["repeats"]) == (4, 3)
    made: dict[str, list[Any]] = {}
    for event in record.of("predict", "repeated predictions"):
        made.setdefault(event["model"], []).append((event["pass_number"], event["outputs_differ"]))
    assert made[named(record, "special")["id"]] == [(1, None), (2, True), (3, True)]
    assert made["m1"] == [(1, None), (2, False), (3, False)]


def test_calls_between_which_the_weights_change_are_no_passes(record: Any) -> None:
    calls = only(record.of("calls", "one batch again and again"))
    assert (calls["count"], calls["repeats"], calls["outputs_differ"]) == (4, 1, None)


@pytest.mark.parametrize("cell", ["eager loop", "graph loop again", "sliced loop"])
def test_what_a_loop_took_its_batches_from_is_found(record: Any, cell: str) -> None:
    _, end = only(record.fits(cell))
    assert end["x"]["shape"][0] == 2000
    assert end["batch_size"] == 32
    assert end["x"]["source"] == ("array" if cell == "sliced loop" else "tf.data")
    if cell != "sliced loop":
        assert sum(end["y"]["classes"].values()) == 2000


def test_the_rate_a_callback_sets_is_read_at_every_step(record: Any) -> None:
    _, end = only(record.fits("one cycle"))
    assert end["step_rates"] == pytest.approx([0.01 * min(step, 11 - step) for step in range(1, 11)])


def test_an_optimizer_keeps_its_id_whatever_model_it_is_given_to(record: Any) -> None:
    one, other = (event["optimizer"]["id"] for event in record.of("compile", "one cycle"))
    assert one == other
    assert len({event["optimizer"]["id"] for event in record.of("compile")}) == len(record.of("compile")) - 1
