"""The check `trained`."""

from typing import Any

import pytest

from grader.checks.trained import TrainedParams, trained
from grader.schema.evidence import ArrayFact, CallFact, CopiesFact, EvaluateFact, FitFact, SaveFact
from grader.schema.grade import Finding, RoleMatch
from tests.support.factories import a_case, a_compile, a_fit, a_model, an_array, an_evidence, layer, rows
from tests.support.says import ids, says

EPOCHS = "{count:number} epoch"
IMAGES = "{count:number} {split:split} image"


def judge(*fits: FitFact, **params: Any) -> Finding:
    return trained(a_case(an_evidence(fits=fits or (a_fit(),))), TrainedParams.model_validate(params))


def test_a_training_on_training_images_passes_with_its_figures() -> None:
    finding = judge(epochs_at_least=4, only_split="train", rows_at_least=50_000, loss_falls=True, validation="not_test")
    assert finding.status == "passed"
    assert says(finding.message, EPOCHS, count=4)
    assert says(finding.message, IMAGES, count=54_000, split="train")
    assert says(finding.message, "the training loss fell from {first:number} to {last:number}", first=0.42, last=0.061)
    assert says(finding.message, "it was validated on {count:number} image", count=6_000)


def test_too_few_epochs_fail() -> None:
    finding = judge(epochs_at_least=5)
    assert finding.status == "failed"
    assert says(finding.message, "{training} ({count:number} or more required)", count=5)


def test_epochs_of_several_trainings_add_up() -> None:
    assert judge(a_fit(), a_fit(event=9), epochs_at_least=8).status == "passed"


def test_epochs_that_the_grader_cut_off_count_as_done() -> None:
    fit = a_fit(status="stopped_by_budget", epochs_asked=300, epochs_done=4)
    finding = judge(fit, epochs_at_least=20)
    assert finding.status == "passed"
    assert "{training} (planned: {epochs}; the grader's time budget stopped it)" in ids(finding.message)
    assert says(finding.message, EPOCHS, count=300)


@pytest.mark.parametrize("status", ["interrupted", "unfinished"])
def test_epochs_of_a_training_that_was_interrupted_wait_for_a_person(status: str) -> None:
    assert judge(a_fit(status=status, epochs_asked=300), epochs_at_least=20).status == "pending"
    assert judge(a_fit(status=status, epochs_asked=10), epochs_at_least=20).status == "failed"
    assert judge(a_fit(status=status, epochs_asked=300), epochs_at_least=3).status == "passed"


def test_epochs_after_early_stopping_count_as_they_are() -> None:
    assert judge(a_fit(status="stopped_early", epochs_asked=300), epochs_at_least=20).status == "failed"


@pytest.mark.parametrize("history", [{"loss": (0.5,)}, {}, {"loss": (0.5, 0.6)}])
def test_a_loss_that_the_grader_did_not_let_fall_waits_for_a_person(history: dict[str, tuple[float, ...]]) -> None:
    cut = a_fit(status="stopped_by_budget", epochs_asked=300, epochs_done=len(history.get("loss", ())), history=history)
    assert judge(cut, loss_falls=True).status == "pending"
    whole = a_fit(history=history, epochs_asked=2, epochs_done=2)
    assert judge(whole, loss_falls=True).status == ("failed" if history else "pending")
    on_test = cut.model_copy(update={"x": an_array(70_000, of=rows(train=60_000, test=10_000))})
    assert judge(on_test, loss_falls=True, only_split="train").status == "failed"


def test_a_loop_that_the_grader_stopped_might_have_been_validated_later() -> None:
    loop: dict[str, Any] = {
        "kind": "custom_loop",
        "validation": "none",
        "history": {},
        "epochs_asked": None,
        "epochs_done": 0,
    }
    cut = a_fit(status="stopped_by_budget", total_steps=30, **loop)
    assert judge(cut, validation="any").status == "pending"
    assert judge(cut, epochs_at_least=3).status == "pending"
    long = a_fit(status="stopped_by_budget", total_steps=3000, **loop)
    assert judge(long, loss_falls=True).status == "passed"
    assert judge(a_fit(**loop), validation="any").status == "failed"


def test_test_images_in_the_training_are_found() -> None:
    finding = judge(a_fit(x=an_array(70_000, of=rows(train=60_000, test=10_000))), only_split="train")
    assert finding.status == "failed"
    assert says(finding.message, IMAGES, count=10_000, split="test")
    assert says(finding.message, IMAGES, count=60_000, split="train")
    assert says(finding.message, "{training}, but only {split:split} images are allowed", split="train")


def test_altered_test_images_in_the_training_are_left_to_a_person() -> None:
    copies = CopiesFact(dataset="mnist", split="test", compared=64, copies=40, rows=1000)
    for known in (None, rows(train=60_000, matched=0.9)):
        fit = a_fit(x=an_array(61_000, of=known, copies=copies))
        assert judge(fit, only_split="train").status == "pending"
        assert judge(fit, only_split="test").status == ("passed" if known is None else "failed")
        assert judge(fit, epochs_at_least=1).status == "passed"


def test_another_data_set_is_not_the_training_images() -> None:
    finding = judge(a_fit(x=an_array(of=rows(train=50_000, dataset="cifar10"))), only_split="train")
    assert says(finding.message, "it was trained on images that are not from {dataset:dataset}", dataset="mnist")
    assert finding.status == "failed"


@pytest.mark.parametrize("unknown", [None, rows(train=100, matched=0.01)])
def test_images_that_were_not_recognised_contradict_nothing_and_it_is_said(unknown: Any) -> None:
    finding = judge(a_fit(x=an_array(of=unknown)), only_split="train")
    assert finding.status == "passed"
    assert says(
        finding.message,
        "the grader recognized no {dataset:dataset} image outside the {split:split} images, "
        "but it could not recognize every image",
        dataset="mnist",
        split="train",
    )


def test_too_few_images_fail() -> None:
    assert judge(a_fit(x=an_array(500, of=rows(train=500))), rows_at_least=501).status == "failed"


@pytest.mark.parametrize(
    ("losses", "fault"),
    [
        ((0.5, 0.6), "the training loss did not fall ({first:number} to {last:number})"),
        ((0.5, float("nan")), "the training loss became not a number"),
        ((0.5,), "a single epoch does not show whether the training loss falls"),
    ],
)
def test_a_loss_that_does_not_fall_fails(losses: tuple[float, ...], fault: str) -> None:
    finding = judge(a_fit(history={"loss": losses}), loss_falls=True)
    assert finding.status == "failed"
    assert fault in ids(finding.message)


def test_a_training_without_a_recorded_loss_waits_for_a_person() -> None:
    finding = judge(a_fit(history={}), loss_falls=True)
    assert finding.status == "pending"
    assert "the grader could not see the training loss" in ids(finding.message)


def test_a_training_without_an_epoch_has_no_loss() -> None:
    finding = judge(a_fit(history={}, epochs_done=0, status="error"), loss_falls=True)
    assert finding.status == "failed"
    assert "no training loss was recorded" in ids(finding.message)


def test_validation_that_was_never_watched_fails() -> None:
    fit = a_fit(validation="none", val_x=None, history={"loss": (2.0, 1.0)})
    assert judge(fit, validation="any").status == "failed"


def test_validation_on_the_test_set_counts_as_any_but_not_as_not_test() -> None:
    fit = a_fit(val_x=an_array(10_000, of=rows(test=10_000)))
    assert judge(fit, validation="any").status == "passed"
    assert says(
        judge(fit, validation="any").message,
        "it was validated on {count:number} image ({test:number} from the test set)",
        count=10_000,
        test=10_000,
    )
    assert judge(fit, validation="not_test").status == "failed"


def test_validation_on_images_that_were_trained_on_fails() -> None:
    finding = judge(a_fit(overlap=6_000), validation="any")
    assert finding.status == "failed"
    assert says(finding.message, "{count:number} validation image was also a training image", count=6_000)


def test_a_part_of_the_training_data_held_back_is_validation() -> None:
    fit = a_fit(validation="split", validation_split=0.1, val_x=None)
    assert says(
        judge(fit, validation="not_test").message,
        "it was validated on {part:percent} of the training data, which was held back",
        part=0.1,
    )


def test_images_that_validation_split_holds_back_were_not_trained_on() -> None:
    fit = a_fit(validation="split", validation_split=0.1, val_x=None)
    assert fit.rows_trained == 48_600
    assert says(judge(fit, only_split="train").message, IMAGES, count=48_600, split="train")
    assert judge(fit, rows_at_least=48_600).status == "passed"
    assert judge(fit, rows_at_least=48_601).status == "failed"
    assert a_fit().rows_trained == 54_000
    assert a_fit(x=None).rows_trained is None


def test_partial_points_follow_the_conditions_that_hold() -> None:
    finding = judge(epochs_at_least=50, loss_falls=True, partial=True)
    assert (finding.status, finding.fraction) == ("partial", 0.5)


def test_a_network_that_was_only_built_was_not_trained() -> None:
    case = a_case(an_evidence(models=(a_model(), a_model(model_id="m2")), fits=(a_fit(model="m2"),)))
    case = a_case(case.evidence, None, net=RoleMatch(role="net", model="m1"))
    finding = trained(case, TrainedParams(model="net"))
    assert "{model:code} was created but never trained in this notebook." in ids(finding.message)
    assert finding.status == "failed"


def test_a_loop_of_ones_own_counts_its_epochs_by_the_images_it_saw() -> None:
    loop = a_fit(kind="custom_loop", epochs_done=0, total_steps=1_266, batch_size=128, history={})
    assert judge(loop, epochs_at_least=3).status == "passed"
    assert judge(loop, epochs_at_least=4).status == "failed"


def test_a_loop_over_a_part_of_the_images_has_begun_its_first_epoch() -> None:
    loop = a_fit(kind="custom_loop", epochs_done=0, total_steps=200, batch_size=64, history={}, validation="none")
    finding = judge(loop, only_split="train")
    assert finding.status == "passed"
    assert says(finding.message, "about {epochs:number} epochs", epochs=0.24)
    assert says(finding.message, "{count:number} {split:split} image", count=12_800, split="train")
    assert judge(loop, epochs_at_least=2).status == "failed"
    assert judge(loop, rows_at_least=20_000).status == "failed"


def test_what_cannot_be_seen_of_a_loop_contradicts_nothing_and_it_is_said() -> None:
    loop = a_fit(kind="custom_loop", epochs_done=0, batch_size=None, history={})
    finding = judge(loop, epochs_at_least=3, loss_falls=True)
    assert finding.status == "passed"
    assert "it was trained in a custom loop, so the grader could not count its epochs" in ids(finding.message)
    assert "the grader could not see the loss of a custom loop" in ids(finding.message)


def test_a_loop_is_watched_when_the_network_is_tried_on_other_data() -> None:
    loop = a_fit(kind="custom_loop", history={}, validation="none", val_x=None)
    assert judge(loop, validation="any").status == "failed"
    evidence = an_evidence(fits=(loop,), evaluations=(EvaluateFact(event=9, cell=5, model="m1"),))
    assert trained(a_case(evidence), TrainedParams(validation="any")).status == "passed"


def a_slice(split: str, start: int, stop: int) -> ArrayFact:
    """Consecutive images of a split."""
    count = stop - start
    held = rows(start=start, stop=stop).model_copy(update={"counts": {split: count}})
    return an_array(count, of=held)


def test_uses_of_a_loops_model_on_known_images_decide() -> None:
    train = a_fit(kind="custom_loop", history={}, validation="none", val_x=None, x=a_slice("train", 0, 5_000))

    def status(*images: ArrayFact, wanted: str = "not_test") -> str:
        looks = tuple(EvaluateFact(event=9, cell=5, model="m1", x=x) for x in images)
        params = TrainedParams.model_validate({"validation": wanted})
        return trained(a_case(an_evidence(fits=(train,), evaluations=looks)), params).status

    test, held_out, used = a_slice("test", 0, 1_000), a_slice("train", 5_000, 6_000), a_slice("train", 100, 200)
    assert status(test) == "failed"
    assert status(test, wanted="any") == "passed"
    assert status(test, held_out) == "passed"
    assert status(used) == "failed"
    assert status(used, wanted="any") == "failed"
    calls = tuple(CallFact(event=9, cell=5, model="m1", training=False, count=n, x=test) for n in (1, 2))
    params = TrainedParams.model_validate({"validation": "not_test"})
    verdicts = [trained(a_case(an_evidence(fits=(train,), calls=(call,))), params).status for call in calls]
    assert verdicts == ["failed", "passed"]


def test_a_network_from_a_file_is_not_said_to_have_been_built() -> None:
    loaded = SaveFact(event=2, cell=1, action="load", model="m1", path="/home/me/digits.keras")
    evidence = an_evidence(fits=(), saves=(loaded,))
    case = a_case(evidence, cnn=RoleMatch(role="cnn", model="m1"))
    finding = trained(case, TrainedParams(model="cnn"))
    assert finding.status == "failed"
    assert says(
        finding.message,
        "{model:code} was loaded from {file:code} but never trained in this notebook.",
        file="digits.keras",
    )


def test_a_trial_in_a_graph_is_a_look_at_other_data() -> None:
    loop = a_fit(kind="custom_loop", validation="none", history={})
    traced = CallFact(event=5, cell=4, model="m1", training=None, count=0, traced=True)
    params = TrainedParams.model_validate({"validation": "any"})
    assert trained(a_case(an_evidence(fits=(loop,))), params).status == "failed"
    finding = trained(a_case(an_evidence(fits=(loop,), calls=(traced,))), params)
    assert finding.status == "passed"
    assert says(
        finding.message, "it was trained in a custom loop and used on other data in {count:number} place", count=1
    )


def test_images_of_a_generator_are_not_counted_as_none() -> None:
    unseen = a_fit(x=None, y=None, batch_size=None, total_steps=240)
    finding = judge(unseen, rows_at_least=10_000)
    assert finding.status == "passed"
    assert "the grader could not see how many different images its batches had" in ids(finding.message)


def test_batches_that_cannot_hold_enough_images_are_too_few() -> None:
    few = a_fit(kind="custom_loop", x=None, y=None, batch_size=32, total_steps=100)
    finding = judge(few, rows_at_least=10_000)
    assert finding.status == "failed"
    assert says(
        finding.message,
        "all its batches together had {count:number} image ({wanted:number} different images or more required)",
        count=3_200,
        wanted=10_000,
    )
    assert judge(a_fit(x=None, batch_size=32, total_steps=400), rows_at_least=10_000).status == "passed"


def continued(**first: Any) -> Finding:
    """A network that was saved after one training, loaded as another one, and trained for an epoch more."""
    before = {"conv": "0", "out": "0"}
    after = {"conv": "1", "out": "1"}
    later = {"conv": "2", "out": "2"}
    fits = (
        a_fit(model="m1", event=5, digests_before=before, digests_after=after, **first),
        a_fit(model="m2", event=9, digests_before=after, digests_after=later, epochs_done=1, history={"loss": (0.05,)}),
    )
    evidence = an_evidence(models=(a_model(model_id="m1"), a_model(model_id="m2")), fits=fits)
    case = a_case(evidence, network=RoleMatch(role="network", model="m2", candidates=("m1", "m2")))
    params = {"model": "network", "epochs_at_least": 5, "only_split": "train", "loss_falls": True}
    return trained(case, TrainedParams.model_validate(params))


def test_the_past_of_a_network_that_was_loaded_again_belongs_to_it() -> None:
    finding = continued()
    assert finding.status == "passed"
    assert says(finding.message, EPOCHS, count=5)
    assert says(finding.message, "{count:number} training", count=2)


def on_pretrained(**second: Any) -> tuple[Finding, Finding]:
    """Judge a new head on a trained base: first with the conditions of `continued`, then only for its images."""
    fits = (
        a_fit(model="m1", event=5, digests_before={"base": "0", "out": "0"}, digests_after={"base": "1", "out": "1"}),
        a_fit(model="m2", event=9, digests_before={"base": "1", "head": "7"}, epochs_done=1, **second),
    )
    evidence = an_evidence(models=(a_model(model_id="m1"), a_model(model_id="m2")), fits=fits)
    case = a_case(evidence, network=RoleMatch(role="network", model="m2", candidates=("m1", "m2")))
    long = {"model": "network", "epochs_at_least": 3, "rows_at_least": 1_000}
    images = {"model": "network", "only_split": "train"}
    return trained(case, TrainedParams.model_validate(long)), trained(case, TrainedParams.model_validate(images))


def test_the_trainings_of_a_reused_base_are_no_trainings_of_the_new_model() -> None:
    long, images = on_pretrained(x=an_array(200, of=rows(train=200)))
    assert long.status == "failed"
    assert says(long.message, EPOCHS, count=1)
    assert says(long.message, "{count:number} training", count=1)
    assert says(long.message, "it was trained on {count:number} image ({wanted:number} or more required)", count=200)
    assert images.status == "passed"


def test_test_images_in_the_past_of_a_network_are_found() -> None:
    finding = continued(x=an_array(70_000, of=rows(train=60_000, test=10_000)))
    assert finding.status == "failed"
    assert says(finding.message, IMAGES, count=10_000, split="test")


def test_a_decoder_is_trained_inside_its_autoencoder() -> None:
    layers = (layer("Dense", "up", parameters=9),)
    decoder = a_model(*layers, model_id="m1", name="decoder", output_shape=(28, 28, 1))
    whole = a_model(*layers, model_id="m2", shares_layers_with=("m1",), output_shape=(28, 28, 1))
    fit = a_fit(model="m2", digests_before={"up": "1"}, digests_after={"up": "2"})
    evidence = an_evidence(models=(decoder, whole), fits=(fit,))
    role = RoleMatch(role="decoder", model="m1", candidates=("m1",))
    params = TrainedParams.model_validate({"model": "decoder", "epochs_at_least": 4})
    assert trained(a_case(evidence, decoder=role), params).status == "passed"


def test_a_fit_that_raised_an_error_is_named() -> None:
    failed = a_fit(status="error", epochs_done=0, total_steps=1, error="ValueError: shapes differ", digests_after={})
    role = RoleMatch(role="net", model="m1", candidates=("m1",))
    evidence = an_evidence(fits=(), failed_fits=(failed,))
    finding = trained(a_case(evidence, net=role), TrainedParams.model_validate({"model": "net"}))
    assert finding.status == "failed"
    raised = "{never}: {call:code} in {cell:cell} raised {error:code}."
    assert says(finding.message, raised, call="fit", error="ValueError")


def test_losses_of_different_loss_functions_are_not_compared() -> None:
    compiles = (a_compile("mean_squared_error"), a_compile("SparseCategoricalCrossentropy", event=8))

    def status(first: tuple[float, ...], second: tuple[float, ...], *, compiled: int) -> str:
        fits = (a_fit(history={"loss": first}), a_fit(event=9, compiled=compiled, history={"loss": second}))
        return trained(a_case(an_evidence(compiles=compiles, fits=fits)), TrainedParams(loss_falls=True)).status

    assert status((0.09, 0.05), (0.6, 0.3), compiled=8) == "passed"
    assert status((0.09, 0.05), (0.6,), compiled=8) == "passed"
    assert status((2.3, 2.2), (0.3, 0.6), compiled=8) == "failed"
    assert status((0.09, 0.05), (0.6, 0.3), compiled=5) == "failed"
    assert status((0.6, 0.5), (0.4, 0.4), compiled=99) == "passed"


def test_a_loss_of_a_train_step_that_keras_reports_as_0_waits_for_a_person() -> None:
    def status(loss: str | None, losses: tuple[float, ...]) -> str:
        evidence = an_evidence(compiles=(a_compile(loss),), fits=(a_fit(history={"loss": losses}),))
        return trained(a_case(evidence), TrainedParams(loss_falls=True)).status

    assert status(None, (0.0, 0.0)) == "pending"
    assert status(None, (0.5, 0.4)) == "passed"
    assert status(None, (0.4, 0.5)) == "failed"
    assert status("categorical_crossentropy", (0.0, 0.0)) == "failed"
