"""Operations that a graph may have, read from hand-made SavedModels."""

from pathlib import Path

import pytest

from grader.evidence.saved_model import MalformedGraphError, read_graph


def field(number: int, content: bytes | str) -> bytes:
    value = content.encode() if isinstance(content, str) else content
    size, length = b"", len(value)
    while True:
        size += bytes([length & 0x7F | (0x80 if length > 0x7F else 0)])
        length >>= 7
        if not length:
            return bytes([number << 3 | 2]) + size + value


def node(operation: str, *calls: str, listed: bool = False) -> bytes:
    attributes = b""
    for call in calls:
        named = field(1, call)
        value = field(1, field(9, named)) if listed else field(10, named)
        attributes += field(5, field(1, "f") + field(2, value))
    return field(2, operation) + attributes


def function(name: str, *nodes: bytes) -> bytes:
    return field(1, field(1, name)) + b"".join(field(3, each) for each in nodes)


def saved(folder: Path, functions: list[bytes], served: list[str], graphs: int = 1) -> Path:
    library = field(2, b"".join(field(1, each) for each in functions))
    objects = b"".join(field(2, field(1, name) + field(2, b"")) for name in served)
    graph = field(2, field(2, library) + field(7, objects))
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"\x08\x01" + graph * graphs)
    return folder


SAVER = function("save", node("SaveV2"), node("MergeV2Checkpoints"))
SERVE = function("serve", node("MatMul"), node("StatefulPartitionedCall", "inner"))
INNER = function("inner", node("Conv2D"), node("ReadVariableOp"))
SEEDED = function("inner", node("StatelessRandomUniformV2"), node("AssignVariableOp"))


@pytest.mark.parametrize(
    ("functions", "found"),
    [
        ([SERVE, INNER, SAVER], None),
        ([SERVE, SEEDED], None),
        ([SERVE, function("inner", node("WriteFile"))], "WriteFile"),
        ([SERVE, function("inner", node("ReadFile"))], "ReadFile"),
        ([SERVE, function("inner", node("PyFunc"))], "PyFunc"),
        ([SERVE, function("inner", node("PrintV2"))], "PrintV2"),
        ([SERVE, function("inner", node("AssignVariableOp"))], "AssignVariableOp"),
        (
            [SERVE, function("inner", node("AssignAddVariableOp"), node("StatelessRandomUniform"))],
            "AssignAddVariableOp",
        ),
        ([SERVE, function("inner", node("If", "save")), SAVER], "MergeV2Checkpoints"),
        ([SERVE, function("inner", node("Case", "save", listed=True)), SAVER], "MergeV2Checkpoints"),
        ([SERVE, function("inner", node("save")), SAVER], "MergeV2Checkpoints"),
        ([SERVE, function("inner", node("NewOperation"))], "NewOperation"),
    ],
)
def test_a_graph_may_only_compute(tmp_path: Path, functions: list[bytes], found: str | None) -> None:
    assert read_graph(saved(tmp_path / "m", functions, ["serve"])).foreign == found


@pytest.mark.parametrize(
    ("functions", "served", "graphs"),
    [
        ([SERVE], ["serve"], 1),
        ([SERVE, INNER, INNER], ["serve"], 1),
        ([SERVE, INNER], [], 1),
        ([SERVE, INNER], ["serve"], 2),
    ],
)
def test_a_graph_of_another_form_is_not_read(
    tmp_path: Path, functions: list[bytes], served: list[str], graphs: int
) -> None:
    with pytest.raises(MalformedGraphError):
        read_graph(saved(tmp_path / "m", functions, served, graphs))


def test_a_damaged_graph_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", [SERVE, INNER], ["serve"])
    whole = (folder / "saved_model.pb").read_bytes()
    for end in range(len(whole)):
        (folder / "saved_model.pb").write_bytes(whole[:end])
        with pytest.raises(MalformedGraphError):
            read_graph(folder)


def test_a_function_that_is_an_argument_of_a_called_function_counts(tmp_path: Path) -> None:
    inner = field(1, "save")
    argument = field(2, field(1, "g") + field(2, field(10, inner)))
    call = field(2, "PartitionedCall") + field(5, field(1, "f") + field(2, field(10, field(1, "inner") + argument)))
    functions = [function("serve", call), function("inner", node("Relu")), SAVER]
    assert read_graph(saved(tmp_path / "m", functions, ["serve"])).foreign == "MergeV2Checkpoints"


@pytest.mark.parametrize("name", ["saved_model.pbtxt", "saved_model.cpb", "more/saved_model.pb"])
def test_a_second_graph_is_not_accepted(tmp_path: Path, name: str) -> None:
    folder = saved(tmp_path / "m", [SERVE, INNER], ["serve"])
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"")
    with pytest.raises(MalformedGraphError):
        read_graph(folder)


def test_the_number_of_a_field_cannot_be_hidden_in_further_bits(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", [SERVE, INNER], ["serve"])
    whole = (folder / "saved_model.pb").read_bytes()
    # Field 2 with a 33rd bit: a parser that keeps 32 bits of it sees a second graph.
    (folder / "saved_model.pb").write_bytes(whole + b"\x92\x80\x80\x80\x10\x00")
    with pytest.raises(MalformedGraphError):
        read_graph(folder)


def test_a_graph_of_many_small_parts_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved(tmp_path / "m", [SERVE, INNER], ["serve"])
    monkeypatch.setattr("grader.evidence.saved_model._MOST_FIELDS", 10)
    with pytest.raises(MalformedGraphError):
        read_graph(folder)


def shape(*axes: int) -> bytes:
    return field(2, b"".join(field(2, b"\x08" + bytes([axis])) for axis in axes))


def constant(content: bytes, *axes: int) -> bytes:
    tensor = b"\x08\x01" + shape(*axes) + field(4, content)
    return field(2, "Const") + field(5, field(1, "value") + field(2, field(8, tensor)))


@pytest.mark.parametrize(("copies", "counted"), [(1, 63), (2, 63), (5, 3 * 63)])
def test_the_numbers_of_variables_and_constants_are_counted(tmp_path: Path, copies: int, counted: int) -> None:
    graph = field(1, constant(bytes(400), 10, 10)) + field(2, field(1, function("serve", constant(bytes(80), 4, 5))))
    variable = field(1, field(7, b"\x08\x01" + shape(3, 3, 7) + field(6, "kernel")))
    objects = field(2, field(1, "serve") + field(2, b"")) + variable * copies
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(field(2, field(2, graph) + field(7, objects)))
    assert read_graph(folder).numbers == 100 + 20 + counted


def test_small_constants_and_repeated_numbers_hold_no_table(tmp_path: Path) -> None:
    served = function("serve", constant(bytes(16), 4), constant(b"\x00\x00\x00\x00", 100, 100))
    assert read_graph(saved(tmp_path / "m", [served], ["serve"])).numbers < 40


def test_a_graph_that_draws_random_numbers_is_known(tmp_path: Path) -> None:
    assert read_graph(saved(tmp_path / "a", [SERVE, SEEDED], ["serve"])).random
    unused = function("other", node("StatelessRandomUniformV2"))
    assert not read_graph(saved(tmp_path / "b", [SERVE, INNER, unused], ["serve"])).random
