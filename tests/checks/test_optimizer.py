"""The check `optimizer`."""

from typing import Any

import pytest

from grader.checks.optimizer import OptimizerParams, optimizer
from grader.schema.evidence import Evidence, OptimizerFact
from tests.support.factories import a_compile, a_fit, an_evidence, callback
from tests.support.judging import A_LOOP, a_loop, fails, fitted, judge, lacks_its_model, passes, waits


def compiled(cls: str = "Nadam", rate: float | None = 1e-4, **config: Any) -> Evidence:
    return an_evidence(compiles=(a_compile(optimizer=OptimizerFact(cls=cls, learning_rate=rate, config=config)),))


WARM_UP = {"initial_learning_rate": 0.0, "warmup_target": 0.002}


def with_own_schedule(**fit: Any) -> Evidence:
    """A training with a schedule class of the student's."""
    used = OptimizerFact(cls="Adam", config={"learning_rate": {"class_name": "MySchedule", "config": {}}})
    return an_evidence(compiles=(a_compile(optimizer=used),), fits=(a_fit(**fit),))


GOOD: tuple[tuple[Evidence, dict[str, Any]], ...] = (
    (compiled(), {"cls": "nadam", "learning_rate": {"at_most": 0.001}}),
    (compiled("RMSprop"), {"cls": ["SGD", "adaptive"]}),
    (compiled("SGD", momentum=0.9, nesterov=True), {"momentum": {"at_least": 0.5}, "nesterov": True}),
    (compiled("SGD", clipvalue=0.5), {"clipping": True, "clipvalue": {"at_most": 1.0}}),
    (compiled("Adam", global_clipnorm=1.0), {"clipnorm": {"at_most": 1.0}}),
    (
        compiled("SGD", None, learning_rate={"class_name": "S", "config": {"initial_learning_rate": 0.01}}),
        {"learning_rate": {"at_least": 0.01, "at_most": 0.01}},
    ),
    (
        compiled(
            "Adam", None, learning_rate={"class_name": "PiecewiseConstantDecay", "config": {"values": (0.02, 0.01)}}
        ),
        {"learning_rate": {"at_least": 0.02, "at_most": 0.02}},
    ),
    (
        compiled("Adam", None, learning_rate={"class_name": "CosineDecay", "config": WARM_UP}),
        {"learning_rate": {"at_least": 0.002, "at_most": 0.002}},
    ),
    (
        with_own_schedule(step_rates=(0.001, 0.003, 0.002)),
        {"cls": "Adam", "learning_rate": {"at_least": 0.003, "at_most": 0.003}},
    ),
    *((compiled(cls), {"cls": "adaptive"}) for cls in ("Adafactor", "Lamb", "Muon")),
)


BAD: tuple[tuple[Evidence, dict[str, Any], str, dict[str, Any]], ...] = (
    (compiled("SGD"), {"cls": "Nadam"}, "the optimizer must be {optimizers:or}", {}),
    (compiled("SGD"), {"cls": "Nadam"}, "{optimizer:raw}", {"optimizer": "Nadam"}),
    (compiled("SGD"), {"cls": "adaptive"}, "an adaptive one", {}),
    (compiled(rate=0.1), {"learning_rate": {"at_most": 0.01}}, "a learning rate of {rate:number}", {"rate": 0.1}),
    (compiled(rate=0.1), {"learning_rate": {"at_most": 0.01}}, "the learning rate must be {range}", {}),
    (compiled(rate=0.1), {"learning_rate": {"at_most": 0.01}}, "{high:number} or less", {"high": 0.01}),
    (compiled("SGD"), {"nesterov": True}, "it does not use Nesterov momentum", {}),
    (compiled("SGD"), {"clipping": True}, "it does not clip gradients", {}),
    (
        compiled("SGD", clipvalue=5.0),
        {"clipvalue": {"at_most": 1.0}},
        "its clip value is {value:number}, not {range}",
        {"value": 5.0},
    ),
    (compiled("SGD", clipvalue=5.0), {"clipnorm": {"at_most": 1.0}}, "it does not clip gradients by norm", {}),
    (
        compiled("SGD", weight_decay=0.1),
        {"config": {"weight_decay": 0.2}},
        "its {setting:code} is {value:code}, not {wanted:code}",
        {"setting": "weight_decay", "value": "0.1", "wanted": "0.2"},
    ),
)


UNSEEN: tuple[Evidence, dict[str, Any]] = (fitted(A_LOOP), {"cls": "Adam"})


def test_a_schedule_whose_rates_are_unknown_waits() -> None:
    waits(judge("optimizer", with_own_schedule(), learning_rate={"at_most": 0.01}))


@pytest.mark.parametrize(("evidence", "params"), GOOD)
def test_what_is_as_asked_passes(evidence: Evidence, params: dict[str, Any]) -> None:
    passes(judge("optimizer", evidence, **params))


@pytest.mark.parametrize(("evidence", "params", "fault", "values"), BAD)
def test_what_is_not_as_asked_fails_and_says_why(
    evidence: Evidence, params: dict[str, Any], fault: str, values: dict[str, Any]
) -> None:
    fails(judge("optimizer", evidence, **params), fault, **values)


def test_what_cannot_be_seen_waits_for_a_person() -> None:
    evidence, params = UNSEEN
    waits(judge("optimizer", evidence, **params))


def test_a_role_that_no_network_fills_is_said() -> None:
    lacks_its_model("optimizer")


def test_the_optimizer_of_a_loop_is_judged_like_a_compiled_one() -> None:
    assert optimizer(a_loop(), OptimizerParams(cls="adaptive")).status == "passed"
    plain = a_loop(optimizer=OptimizerFact(cls="SGD", learning_rate=0.1))
    assert optimizer(plain, OptimizerParams(cls="adaptive")).status == "failed"


def test_a_loop_without_an_optimizer_waits_for_a_person() -> None:
    assert optimizer(a_loop(optimizer=None), OptimizerParams(cls="adaptive")).status == "pending"


@pytest.mark.parametrize("cls", ["Optimizer", "OptimizerV2", "AdamOptimizer", "TFOptimizer"])
def test_an_optimizer_class_of_ones_own_or_of_tensorflow_1_waits_for_a_person(cls: str) -> None:
    waits(judge("optimizer", compiled(cls), cls="Adam"))
    passes(judge("optimizer", compiled(cls), learning_rate={"at_most": 0.001}))


def test_an_unknown_rate_waits_for_a_person() -> None:
    rate = {"at_most": 0.001}
    waits(judge("optimizer", compiled("Adam", None), learning_rate=rate))
    other = judge("optimizer", compiled("SGD", None), cls="Adam", learning_rate=rate)
    fails(other, "the optimizer must be {optimizers:or}")


def test_a_rate_that_was_set_between_compile_and_fit_is_the_rate_of_the_training() -> None:
    set_later = an_evidence(fits=(a_fit(), a_fit(event=9, learning_rates=(1e-5, 1e-5))))
    passes(judge("optimizer", set_later, learning_rate={"at_most": 1e-4}, trainings="last"))
    fails(
        judge("optimizer", set_later, learning_rate={"at_least": 1e-3}, trainings="last"),
        "a learning rate of {rate:number}",
        rate=1e-5,
    )
    passes(judge("optimizer", set_later, learning_rate={"at_least": 1e-3}, trainings="first"))


@pytest.mark.parametrize("cls", ["LearningRateScheduler", "ReduceLROnPlateau"])
def test_the_rate_of_the_first_epoch_counts_if_a_callback_changes_it_between_epochs(cls: str) -> None:
    evidence = fitted(learning_rates=(1e-4, 1e-5), callbacks=(callback(cls),))
    passes(judge("optimizer", evidence, learning_rate={"at_least": 1e-4, "at_most": 1e-4}))


def test_the_compiled_rate_counts_if_a_callback_changes_it_in_each_step() -> None:
    low = {"at_most": 1e-4}
    own = fitted(learning_rates=(1e-4, 1e-5), callbacks=(callback("Callback"),))
    assert judge("optimizer", own, learning_rate=low).status == "failed"
    stepwise = fitted(learning_rates=(1e-4, 1e-4), step_rates=(1e-5, 1e-4), callbacks=(callback("Callback"),))
    assert judge("optimizer", stepwise, learning_rate=low).status == "failed"
