"""Read the data that the graph of a `tf.function` holds: captured tensors, constants, variables and other sources."""

import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .handles import kind_of

__all__ = ["MIN_NUMBERS", "GraphData", "outermost", "read_graph"]

MIN_NUMBERS = 16
"""Smallest constant that counts as data; the graph of a large model has thousands of smaller ones."""
_SPECIAL = frozenset({7, 20, 21})
"""Numbers of the types string, resource and variant, which can bring in data from outside of the graph."""
_HARMLESS_KINDS = frozenset({"SummaryWriterInterface"})
_COMPUTES = frozenset(
    word
    for line in (
        "AddN Assert AsString Case CheckNumerics CheckNumericsV2 Const ControlTrigger DeviceIndex",
        "DestroyResourceOp EmptyTensorList EnsureShape Enter Equal Exit Fill GatherV2 Identity IdentityN If",
        "IsVariableInitialized IteratorGetNext IteratorGetNextAsOptional IteratorGetNextSync LoopCond Merge",
        "NextIteration NoOp NonDeterministicInts NotEqual OptionalFromValue OptionalGetValue OptionalHasValue",
        "OptionalNone Pack PartitionedCall Placeholder PlaceholderWithDefault PreventGradient Print PrintV2",
        "ReadVariableOp RemoteCall Reshape RngReadAndSkip RngSkip Select SelectV2 Shape Size Slice Squeeze",
        "StatefulPartitionedCall StatefulRandomBinomial StatefulStandardNormalV2 StatefulTruncatedNormal",
        "StatefulUniform StatefulUniformFullInt StatefulUniformInt StatelessRandomGetAlg StopGradient StridedSlice",
        "StringFormat StringJoin StringLength StringLower StringSplit StringSplitV2 StringStrip StringUpper Switch",
        "SymbolicGradient Timestamp Unpack VarIsInitializedOp VariableShape Where While XlaLaunch XlaRun ZerosLike",
        "StaticRegexFullMatch StaticRegexReplace RegexFullMatch RegexReplace StringToHashBucketFast ExpandDims Tile",
        "FractionalAvgPool FractionalMaxPool Multinomial TruncatedNormal ConcatV2 BroadcastTo Cumsum StatelessCase",
        "StatelessIf StatelessWhile Gather _EagerConst",
        # Stages of `tf.data`; their tensors, functions and pipelines are parts of the graph, too.
        "BatchDatasetV2 ConcatenateDataset FilterDataset FinalizeDataset FlatMapDataset InterleaveDataset MapDataset",
        "ModelDataset OptimizeDatasetV2 OptionsDataset PaddedBatchDatasetV2 ParallelBatchDataset",
        "ParallelInterleaveDatasetV4 ParallelMapDatasetV2 PrefetchDataset RangeDataset RebatchDatasetV2 ReduceDataset",
        "RepeatDataset ScanDataset ShardDataset ShuffleAndRepeatDatasetV2 ShuffleDatasetV3 SkipDataset TakeDataset",
        "TakeWhileDataset TensorDataset TensorSliceDataset UnbatchDataset WindowDataset ZipDataset",
        "AnonymousIteratorV2 AnonymousIteratorV3 AnonymousSeedGenerator DeleteIterator DeleteSeedGenerator",
        "DummySeedGenerator MakeIterator",
    )
    for word in line.split()
)
"""Operations that have state, no input, or inputs that are no numbers, and bring in no data."""
_COMPUTING = ("Assign", "Collective", "Cudnn", "Nccl", "Random", "Resource", "Stateless", "TensorList", "Parameterized")
"""Beginnings of the names of more such operations."""
_ITERATOR = "IteratorResource"
_TABLE_LOOKUP = "LookupTableFindV2"
_INTEGER_TYPES = frozenset({3, 9})


@dataclass(slots=True)
class GraphData:
    """The data of one graph.

    Attributes:
        arrays: Captured tensors and constants of at least `MIN_NUMBERS` numbers that are not all equal.
        handles: Handles of captured variables.
        pipelines: Captured `tf.data` pipelines and iterators.
        sources: Names of operations and resources that can bring in other data.
    """

    arrays: list[Any] = field(default_factory=list)
    handles: list[Any] = field(default_factory=list)
    pipelines: list[Any] = field(default_factory=list)
    sources: set[str] = field(default_factory=set)


def outermost() -> Any:
    """Return the outermost graph of a `tf.function` that is being traced; None outside of one."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or tensorflow.executing_eagerly():
        return None
    graph, found = tensorflow.compat.v1.get_default_graph(), None
    while hasattr(graph, "outer_graph"):
        graph, found = graph.outer_graph, graph
    return found


def read_graph(graph: Any) -> GraphData:
    """Read what a graph and the functions in it hold.

    Args:
        graph: The outermost graph of a traced `tf.function`.
    """
    data = GraphData()
    for outer, _ in graph.captures:
        _add_captured(data, outer)
    definition = graph.as_graph_def()
    functions = {function.signature.name for function in definition.library.function}
    for nodes in (definition.node, *(function.node_def for function in definition.library.function)):
        _add_nodes(data, nodes, functions)
    return data


def _add_captured(data: GraphData, tensor: Any) -> None:
    kind = tensor.dtype.name
    if kind == "resource":
        name = kind_of(tensor)
        if name == "Var":
            data.handles.append(tensor)
        elif name == _ITERATOR:
            data.pipelines.append(tensor)
        elif name not in _HARMLESS_KINDS:
            data.sources.add(name)
    elif kind == "variant":
        data.pipelines.append(tensor)
    elif kind != "string" and hasattr(tensor, "numpy") and _size(tensor.shape) >= MIN_NUMBERS:
        data.arrays.append(tensor)


def _size(shape: Any) -> int:
    return int(shape.num_elements() or 0)


def _add_nodes(data: GraphData, nodes: Iterable[Any], functions: Collection[str]) -> None:
    for node in nodes:
        if node.op == "Const":
            data.arrays.extend(_constant(node.attr["value"].tensor))
        elif node.op not in functions and _is_source(node):
            data.sources.add(node.op)


def _constant(tensor: Any) -> Iterator[NDArray[Any]]:
    if tensor.dtype in _SPECIAL:
        return
    size = int(np.prod([axis.size for axis in tensor.tensor_shape.dim], dtype=np.float64))
    # A tensor of equal numbers lists only one of them.
    listed = (len(values) for kind, values in tensor.ListFields() if kind.name.endswith("_val"))
    if size >= MIN_NUMBERS and (tensor.tensor_content or max(listed, default=0) >= MIN_NUMBERS):
        yield sys.modules["tensorflow"].make_ndarray(tensor)


def _is_source(node: Any) -> bool:
    """Whether an operation can bring in data: it has state, no input, or inputs that are no numbers."""
    if "Accumulator" not in node.op and (
        node.op in _COMPUTES or node.op.startswith(_COMPUTING) or "Summary" in node.op
    ):
        return False
    registry: Any = sys.modules["tensorflow.python.framework.op_def_registry"]
    operation = registry.get(node.op)
    if operation is None:
        return True
    if node.op == _TABLE_LOOKUP:
        return node.attr["Tout"].type not in _INTEGER_TYPES
    types = {kind for argument in operation.input_arg for kind in _types(node, argument)}
    return operation.is_stateful or not operation.input_arg or bool(types & _SPECIAL)


def _types(node: Any, argument: Any) -> list[int]:
    if argument.type:
        return [argument.type]
    if argument.type_attr:
        return [node.attr[argument.type_attr].type]
    return list(node.attr[argument.type_list_attr].list.type)
