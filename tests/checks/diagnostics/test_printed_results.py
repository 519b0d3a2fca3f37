"""The diagnostics in `printed_results`, on notebooks with the mistakes and on notebooks that only resemble them."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import CallbackFact, CallFact, Evidence, PredictFact
from grader.schema.message import as_message
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, notes_of
from tests.support.factories import a_cell, a_fit, a_run, an_accuracy, an_error, an_evidence


def printing(printed: str, **keys: object) -> Evidence:
    """Make a notebook whose only cell prints a text that is typed into it."""
    return an_evidence(cells=(a_cell(0, f"print({printed!r})", output=printed),), **keys)


def computing(source: str, printed: str, **keys: object) -> Evidence:
    """Make a notebook whose only cell prints a computed value."""
    return an_evidence(cells=(a_cell(0, source, output=printed),), **keys)


def predicting(source: str, printed: str, *before: str, **keys: object) -> Evidence:
    """Make a notebook that predicts with its model and whose last cell prints something."""
    cells = (*(a_cell(place, text) for place, text in enumerate(before)), a_cell(len(before), source, output=printed))
    facts: dict[str, object] = {"predictions": (PredictFact(event=9, cell=0, model="m1"),), **keys}
    return an_evidence(cells=cells, **facts)


MISTAKES: Cases = {
    "printed-accuracy-contradicted": (
        printing("accuracy: 0.995", fits=(), accuracies=()),
        printing("Test accuracy: 99.90 %"),
        printing("test acc = 0.9999"),
        predicting('print("accuracy: 0.9999")', "accuracy: 0.9999"),
        predicting('print("accuracy:", 0.9999)', "accuracy: 0.9999"),
        predicting('print(f"accuracy: {99.99} %")', "accuracy: 99.99 %"),
        predicting('print("accuracy: %.4f" % 0.99991)', "accuracy: 0.9999"),
        predicting('"accuracy: {:.2%}".format(0.9999)', "'accuracy: 99.99%'", models=(), predictions=()),
        predicting('print("accuracy: " + str(acc))', "accuracy: 0.9999", "p = model.predict(x)", "acc = 0.9999"),
        predicting(
            "print(f'accuracy: {accs[-1]:.2%}')", "accuracy: 99.99%", "accs = [0.9, 0.99]\naccs = [0.98, 0.9999]"
        ),
        # Two results of one line; only the second is too high.
        predicting("print('train acc 0.97, test acc 0.9999')", "train acc 0.97, test acc 0.9999"),
    ),
}


LOOKALIKES: Cases = {
    "printed-accuracy-contradicted": (
        printing("Test accuracy: 0.9912"),
        printing("accuracy: 98.5 %"),
        printing("422/422 - 3s - loss: 0.01 - accuracy: 0.9999"),
        printing("target accuracy: 0.999"),
        an_evidence(cells=(a_cell(0, "import torch\n", output="accuracy: 0.995"),), fits=(), accuracies=()),
        printing("accuracy: 0.9999", fits=(a_fit(kind="custom_loop", history={}),)),
        # The author's training ran to its end; the grader's did not.
        printing("accuracy: 0.9999", fits=(a_fit(status="stopped_by_budget", epochs_done=1),)),
        printing("accuracy: 0.9999", fits=(a_fit(status="unfinished", epochs_done=1),)),
        printing("accuracy: 0.9999", fits=(a_fit(shortened=True),)),
        printing("accuracy: 0.9999", fits=(a_fit(status="interrupted", epochs_done=1),)),
        printing("accuracy: 0.9999", fits=(a_fit(status="error", epochs_done=1),)),
        # A cell failed here, perhaps the one that would have trained.
        printing("accuracy: 0.995", fits=(), accuracies=(), run=a_run(errors=(an_error(),))),
        printing("Accuracy of one image: 1"),
        # Other libraries compute these.
        computing(
            "from sklearn.ensemble import RandomForestClassifier\nrf = RandomForestClassifier().fit(a, b)\n"
            "print('accuracy:', rf.score(c, d))",
            "accuracy: 0.9999",
        ),
        computing(
            "with tf.Session() as s:\n    print('accuracy', s.run(acc))", "accuracy 0.9999", fits=(), accuracies=()
        ),
        computing("print('accuracy', np.mean(w @ x == y))", "accuracy 0.9999", fits=(), accuracies=()),
        computing("from sklearn.svm import SVC\nprint('accuracy: 0.9999')", "accuracy: 0.9999"),
        computing("import xgboost as xgb\nprint('accuracy: 0.9999')", "accuracy: 0.9999", fits=(), accuracies=()),
        # Figures of others.
        printing("LeCun et al. report an accuracy of 99.95 % for an ensemble"),
        printing("state of the art: accuracy 99.87 %"),
        printing("human accuracy: 99.8 %"),
        printing("random forest accuracy: 0.9995"),
        an_evidence(cells=(a_cell(0, "Other students reach an accuracy of 99.99 %.", "markdown"),)),
        predicting("acc = np.mean(model.predict(x).argmax(1) == y)\nprint('Accuracy: %.4f' % acc)", "Accuracy: 0.9999"),
        predicting("print(f'accuracy on 100 images: {100.0 * right / 100:.1f} %')", "accuracy on 100 images: 100.0 %"),
        predicting("print('accuracy', np.mean(p[p > 0.9999] == 1.0))", "accuracy 1.0"),
        predicting("print('accuracy', acc)", "accuracy 0.9999", "acc = 0.9999", "acc = np.mean(pred == y)"),
        predicting(
            "print('accuracy', best)", "accuracy 1.0", "best = 0.0\nfor p in ps:\n    best = max(best, hits(p))"
        ),
        predicting("opt = Adam(beta_2=0.999)\nprint('accuracy', acc)", "accuracy 0.999"),
        predicting(
            "print('accuracy of the mean:', np.mean(mean.argmax(1) == y))",
            "accuracy of the mean: 0.9999",
            predictions=(),
            calls=(CallFact(event=9, cell=0, model="m1", training=True, count=50),),
        ),
        predicting(
            "print('accuracy on all images:', watch.best)",
            "accuracy on all images: 0.9999",
            predictions=(),
            fits=(a_fit(cell=0, callbacks=(CallbackFact(cls="Callback", custom="Watch"),)),),
        ),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


def test_the_first_accuracy_is_not_hidden_by_a_lower_one() -> None:
    evidence = printing("accuracy: 0.9999 accuracy: 0.98", accuracies=(an_accuracy(),))
    (note,) = notes_of("printed-accuracy-contradicted", evidence)
    assert as_message(note.message).values == {"cell": 0, "printed": 0.9999, "highest": 0.991}


def test_a_typed_accuracy_is_noted_next_to_a_higher_computed_accuracy() -> None:
    evidence = predicting("print('accuracy: 0.9980')\nprint('accuracy', hits)", "accuracy: 0.9980\naccuracy 0.9999")
    (note,) = notes_of("printed-accuracy-contradicted", evidence)
    assert as_message(note.message).values["printed"] == 0.998
