"""Sub-graphs of a TFLite file in ONNX: loops, branches, calls; and what a file's inputs and outputs are called."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from isoform import hub
from isoform.errors import IsoformError
from isoform.hub.emitters.tflite_builder import FlatFile, SubGraph, Tensor

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CODE = schema.BuiltinOperator
X = np.array([[1.5, -2.0, 0.25]], np.float32)


def content(file: FlatFile) -> bytes:
    buffer = io.BytesIO()
    file.write(buffer)
    return buffer.getvalue()


def model_of(data: bytes) -> onnx.ModelProto:
    proto = ir.to_proto(hub.from_tflite(data))
    onnx.checker.check_model(proto, full_check=True)
    return proto


def in_onnxruntime(proto: onnx.ModelProto, *inputs: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    outputs = [value.name for value in session.get_outputs()]
    return dict(zip(outputs, session.run(None, dict(zip(names, inputs, strict=True))), strict=True))


def in_litert(data: bytes, *inputs: np.ndarray) -> dict[str, np.ndarray]:
    interpreter = Interpreter(model_content=data)
    for details, array in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.resize_tensor_input(details["index"], array.shape)
    interpreter.allocate_tensors()
    for details, array in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(details["index"], array)
    interpreter.invoke()
    return {details["name"]: interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()}


def assert_same(data: bytes, *inputs: np.ndarray) -> onnx.ModelProto:
    proto = model_of(data)
    found, wanted = in_onnxruntime(proto, *inputs), in_litert(data, *inputs)
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-6)
    return proto


def rows(graph: SubGraph, name: str = "x") -> Tensor:
    return graph.input(name, "float32", [None, 3])


def binary(graph: SubGraph, code: Any, left: Tensor, right: Tensor) -> Tensor:
    kinds = {CODE.ADD: schema.AddOptionsT, CODE.MUL: schema.MulOptionsT}
    return graph.make(code, [left, right], left.shape, kinds[code]())


def named(graph: SubGraph, tensor: Tensor, name: str) -> None:
    graph.tensors[tensor.index] = Tensor(tensor.index, name, tensor.dtype, tensor.shape)
    graph.outputs.append(graph.tensors[tensor.index])


def loop_file() -> bytes:
    """A loop that carries a counter and a sum, and hands on a factor that no turn changes."""
    file = FlatFile()
    main, condition, body = (file.sub_graph(name) for name in ("main", "condition", "body"))
    x, count = rows(main), main.input("count", "int32", [])
    one = np.array(1, np.int32)
    for graph in (condition, body):
        graph.input(f"{graph.name}_step", "int32", [])
        graph.input(f"{graph.name}_count", "int32", [])
        rows(graph, f"{graph.name}_factor")
        rows(graph, f"{graph.name}_sum")
    step, last, factor, total = condition.inputs
    condition.outputs = [condition.make(CODE.LESS, [step, last], [], schema.LessOptionsT(), "bool")]
    step, last, factor, total = body.inputs
    following = binary(body, CODE.ADD, step, body.constant(one))
    body.outputs = [following, last, factor, binary(body, CODE.ADD, binary(body, CODE.MUL, total, factor), factor)]
    given = [main.constant(np.array(0, np.int32)), count, x, main.constant(np.zeros((1, 3), np.float32))]
    results = [main.tensor(f"result_{place}", each.dtype, each.shape) for place, each in enumerate(given)]
    options = schema.WhileOptionsT()
    options.condSubgraphIndex, options.bodySubgraphIndex = 1, 2
    main.add(CODE.WHILE, given, results, options)
    main.outputs = [results[3], results[0]]
    return content(file)


@pytest.mark.parametrize("turns", [0, 1, 5])
def test_a_loop_ends_where_litert_ends_it(turns: int) -> None:
    proto = assert_same(loop_file(), X, np.array(turns, np.int32))
    [loop] = [node for node in proto.graph.node if node.op_type == "Loop"]
    assert len(loop.output) == 2  # the counter and the sum; what no turn changes stays outside


def branches_file() -> bytes:
    file = FlatFile()
    main, yes, no = (file.sub_graph(name) for name in ("main", "yes", "no"))
    flag, x = main.input("flag", "bool", []), rows(main)
    taken = rows(yes)
    yes.outputs = [binary(yes, CODE.ADD, taken, yes.constant(np.float32([3, 4, 5])))]
    no.outputs = [rows(no)]
    options = schema.IfOptionsT()
    options.thenSubgraphIndex, options.elseSubgraphIndex = 1, 2
    result = main.tensor("result", "float32", [None, 3])
    main.add(CODE.IF, [flag, x], [result], options)
    main.outputs = [result]
    return content(file)


@pytest.mark.parametrize("flag", [True, False])
def test_a_branch_may_compute_or_hand_on_what_it_is_given(flag: bool) -> None:
    assert_same(branches_file(), np.array(flag), X)


@pytest.mark.parametrize("code", [CODE.CALL, CODE.STABLEHLO_COMPOSITE])
def test_what_is_called_stands_where_it_is_called(code: int) -> None:
    file = FlatFile()
    main, inner = file.sub_graph("main"), file.sub_graph("inner")
    inner.outputs = [binary(inner, CODE.MUL, *[rows(inner)] * 2)]
    result = main.tensor("result", "float32", [None, 3])
    call, composite = schema.CallOptionsT(), schema.StableHLOCompositeOptionsT()
    call.subgraph = composite.decompositionSubgraphIndex = 1
    composite.name = b"square"
    main.add(code, [rows(main)], [result], call if code == CODE.CALL else None)
    if code != CODE.CALL:
        main.operators[0].builtinOptions2 = composite
        main.operators[0].builtinOptions2Type = schema.BuiltinOptions2.StableHLOCompositeOptions
    main.outputs = [result]
    proto = model_of(content(file))
    assert [node.op_type for node in proto.graph.node] == ["Mul"]
    np.testing.assert_array_equal(in_onnxruntime(proto, X)["result"], X * X)


def test_inputs_and_outputs_keep_their_names_order_and_dynamic_sizes() -> None:
    file = FlatFile()
    main = file.sub_graph("main")
    b, a = rows(main, "b"), rows(main, "a")
    named(main, binary(main, CODE.ADD, a, b), "z")
    named(main, binary(main, CODE.MUL, a, b), "y")
    proto = assert_same(content(file), X, 2 * X)
    assert _described(proto.graph.input) == [("b", ["batch", 3]), ("a", ["batch", 3])]
    assert _described(proto.graph.output) == [("z", ["batch", 3]), ("y", ["batch", 3])]


def _described(values: Sequence[onnx.ValueInfoProto]) -> list[tuple[str, list[Any]]]:
    return [
        (value.name, [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]) for value in values
    ]


def test_an_output_that_bears_the_name_of_an_input_is_that_input_or_refused() -> None:
    file = FlatFile()
    main = file.sub_graph("main")
    x = rows(main)
    main.outputs = [x]
    np.testing.assert_array_equal(in_onnxruntime(model_of(content(file)), X)["x"], X)
    main.outputs = [binary(main, CODE.ADD, x, x)]
    with pytest.raises(IsoformError, match="^The output 'x' bears the name of an input that it is not\\.$"):
        hub.from_tflite(_with_output_names(content(file), ["x"]))


def test_an_output_may_be_a_constant_or_an_input() -> None:
    file = FlatFile()
    main = file.sub_graph("main")
    x = rows(main)
    main.outputs = [x, main.constant(np.float32([7, 8]), "seven")]
    data = content(file)
    found = in_onnxruntime(model_of(_with_output_names(data, ["same", "seven"])), X)
    np.testing.assert_array_equal(found["same"], X)
    np.testing.assert_array_equal(found["seven"], [7, 8])


def _with_output_names(data: bytes, names: list[str]) -> bytes:
    import flatbuffers

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    for entry, name in zip(model.signatureDefs[0].outputs, names, strict=True):
        entry.name = name.encode()
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(
    ("called", "message"),
    [
        (1, "^The sub-graph 'inner' calls itself\\.$"),
        (7, r"^'CALL' \(operator 0 of inner, version 1\): sub-graph 7 of 2, which has no ONNX form here\.$"),
    ],
)
def test_calls_without_end_or_aim_are_refused(called: int, message: str) -> None:
    file = FlatFile()
    for name, aim in (("main", 1), ("inner", called)):
        graph, options = file.sub_graph(name), schema.CallOptionsT()
        options.subgraph = aim
        result = graph.tensor("result", "float32", [None, 3])
        graph.add(CODE.CALL, [rows(graph)], [result], options)
        graph.outputs = [result]
    with pytest.raises(IsoformError, match=message):
        hub.from_tflite(content(file))


def test_a_file_with_altered_bytes_is_read_or_refused_by_name() -> None:
    data, rng = loop_file(), np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        altered = bytearray(data)
        altered[int(rng.integers(8, len(data)))] = int(rng.integers(256))
        try:
            hub.from_tflite(bytes(altered))
        except IsoformError:
            refused += 1
    assert 50 < refused < 200
