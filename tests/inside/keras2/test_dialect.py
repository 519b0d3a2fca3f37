"""The tables of the Keras 2 dialect, without TensorFlow."""

import ast

from grader.inside.keras2.dialect import KEYWORDS, MOVED, Keyword, PrivateImports


class Told:
    """Takes the place of `Notes` where only the forms matter."""

    def __init__(self) -> None:
        self.forms: list[str] = []

    def tell(self, form: str, message: str) -> None:
        assert message
        self.forms.append(form)


def _rewrite(code: str) -> tuple[str, list[str]]:
    told = Told()
    tree = PrivateImports(told).visit(ast.parse(code))  # type: ignore[arg-type]  # only `tell` is used
    compile(tree, "cell", "exec")
    return ast.unparse(tree), told.forms


def test_lr_becomes_learning_rate_and_the_rest_stays() -> None:
    (lr,) = [keyword for keyword in KEYWORDS if keyword.form == "optimizer.lr"]
    assert lr.translate({"lr": 0.1, "momentum": 0.9}) == {"learning_rate": 0.1, "momentum": 0.9}
    assert lr.translate({"learning_rate": 0.1}) is None


def test_a_zero_is_a_value_too() -> None:
    keyword = Keyword("form", "old", "new", (), "said")
    assert keyword.translate({"old": 0}) == {"new": 0}


def test_private_imports_of_a_cell_are_rewritten() -> None:
    assert _rewrite("from tensorflow.python.keras.layers import Dense") == (
        "from tf_keras.layers import Dense",
        ["moved.private"],
    )
    assert _rewrite("from tensorflow.python import keras as k")[0] == "import tf_keras as k"
    assert _rewrite("import tensorflow._api.v1.keras.models as m")[0] == "import tf_keras.models as m"


def test_other_imports_are_not() -> None:
    code = "from tensorflow.keras import layers\nfrom tensorflow.python import ops\nfrom . import keras"
    assert _rewrite(code) == (code, [])


def test_every_moved_module_below_another_has_its_parent_in_keras_or_the_table() -> None:
    parents = {name.rpartition(".")[0] for name in MOVED} - {""}
    assert parents <= {"layers", "utils", "engine", "backend"}
