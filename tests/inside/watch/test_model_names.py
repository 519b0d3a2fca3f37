"""A model has the name that the notebook's code gives it."""

from typing import Any

import pytest

from grader.inside.record.recorder import Recorder
from grader.inside.watch.model_names import ModelNames

KERAS = """
class Sequential:
    def __init__(self, name=None):
        self.name = name or f"sequential_{len(notebook.models)}"
        notebook.models.append(self)
        notebook.names.created(self)
"""


class Notebook:
    """Code of a notebook in which `Sequential` makes a model."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        recorder: Any = Recorder.__new__(Recorder)
        recorder.namespace = self.namespace
        self.names = ModelNames(recorder)
        self.models: list[Any] = []
        library: dict[str, Any] = {"__name__": "keras", "notebook": self}
        exec(compile(KERAS, "/lib/site-packages/keras/sequential.py", "exec"), library)  # noqa: S102 - the tests' own code
        self.namespace["Sequential"] = library["Sequential"]

    def run(self, code: str) -> list[str]:
        """Run a cell, and name its models."""
        before = len(self.models)
        exec(code, self.namespace)  # noqa: S102 - the tests' own code
        return [self.name(model) for model in self.models[before:]]

    def name(self, model: Any) -> str:
        """Name a model."""
        return self.names.holder(model) or self.names.fallback(model)


FUNCTION = """
def build_model(units=1):
    model = Sequential()
    return model
"""
CLASS = """
class Trainer:
    def __init__(self):
        self.model = Sequential()
"""


@pytest.mark.parametrize(
    ("code", "names"),
    [
        pytest.param("cnn = Sequential()", ["cnn"], id="variable"),
        pytest.param(FUNCTION + "cnn = build_model()", ["cnn"], id="variable from a function"),
        pytest.param("models = [Sequential() for _ in range(3)]", ["models[0]", "models[1]", "models[2]"], id="list"),
        pytest.param("pair = (Sequential(), 1)", ["pair[0]"], id="tuple"),
        pytest.param("d = {'small': Sequential(), 5: Sequential()}", ["d['small']", "d[5]"], id="dict"),
        pytest.param("runs = [{'net': Sequential(), 'lr': 1}]", ["runs[0]['net']"], id="dict in a list"),
        pytest.param(CLASS + "clf = Trainer()", ["self.model"], id="attribute"),
        pytest.param(CLASS + "a, b = Trainer(), Trainer()", ["a.model", "b.model"], id="attribute of two objects"),
        pytest.param(CLASS + "all = [Trainer()]", ["self.model"], id="attribute of an object in a list"),
        pytest.param(CLASS + "clf = Trainer(); net = clf.model", ["net"], id="attribute and variable"),
        pytest.param("class Box: pass\nbox = Box(); box.net = Sequential()", ["box.net"], id="attribute from outside"),
        pytest.param(FUNCTION + "build_model()", ["build_model()"], id="function"),
        pytest.param(
            "def outer():\n    def inner():\n        [Sequential() for _ in '1']\n    inner()\nouter()",
            ["inner()"],
            id="inner function",
        ),
        pytest.param(
            "class Net:\n    def make(self):\n        Sequential()\nNet().make()", ["Net.make()"], id="method"
        ),
        pytest.param(FUNCTION.replace("()\n    r", "('critic')\n    r") + "build_model()", ["critic"], id="own name"),
        pytest.param("Sequential()", ["sequential_0"], id="nothing"),
    ],
)
def test_a_model_is_named_as_in_the_code(code: str, names: list[str]) -> None:
    assert Notebook().run(code) == names


def test_a_variable_that_holds_another_model_now_is_replaced_by_the_place() -> None:
    notebook = Notebook()
    notebook.run("models = []\nfor units in (1, 2):\n    model = Sequential(); models.append(model)")
    assert [notebook.names.holder(model) for model in notebook.models] == ["models[0]", "model"]


def test_nothing_holds_a_model_whose_variable_holds_another_one() -> None:
    notebook = Notebook()
    notebook.run("model = Sequential()\nmodel = Sequential()")
    assert [notebook.names.holder(model) for model in notebook.models] == ["", "model"]
    assert [notebook.names.is_variable("model", model) for model in notebook.models] == [False, True]


def test_a_model_is_named_while_its_function_runs() -> None:
    notebook = Notebook()
    seen: list[str] = []
    notebook.namespace["look"] = lambda model: seen.append(notebook.name(model))
    notebook.run("class Net:\n    def __init__(self):\n        self.model = Sequential(); look(self.model)\nNet()")
    notebook.run(FUNCTION.replace("return", "look(model); return") + "build_model()")
    assert seen == ["self.model", "build_model()"]


def test_the_code_of_an_object_is_not_run() -> None:
    trap = """
class Trap(dict):
    def items(self): raise RuntimeError
    __iter__ = __getattr__ = items
trap = Trap(net=Sequential())
"""
    assert Notebook().run(trap) == ["trap['net']"]


def test_containers_that_hold_each_other_end() -> None:
    assert Notebook().run("a = []; b = [a]; a.append(b); Sequential()") == ["sequential_0"]
