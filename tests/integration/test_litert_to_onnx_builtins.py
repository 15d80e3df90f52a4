"""Builtin operators that isoform itself seldom writes, each in a file of its own: ONNX Runtime answers as LiteRT does.

Each is taken twice: with the sizes of its data declared, and with all of them dynamic.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from ai_edge_litert import schema_py_generated as schema

from integration.litert_runner import answers
from isoform import hub
from isoform.hub.emitters.tflite_builder import FlatFile

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CODE, RELU6, TANH = schema.BuiltinOperator, schema.ActivationFunctionType.RELU6, schema.ActivationFunctionType.TANH
SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
RNG = np.random.default_rng(5)


def floats(*shape: int) -> np.ndarray:
    return RNG.uniform(-2, 2, shape).astype(np.float32)


def ints(*numbers: Any) -> np.ndarray:
    return np.array(numbers[0] if len(numbers) == 1 and isinstance(numbers[0], list) else numbers, np.int32)


def options(kind: str, **values: Any) -> Any:
    table = getattr(schema, f"{kind}OptionsT")()
    for name, value in values.items():
        assert hasattr(table, name), name
        setattr(table, name, value)
    return table


@dataclass
class Row:
    """One operator: its inputs, of which the places in ``given`` are the caller's, the others constants.

    Attributes:
        outputs: dtype and rank of each.
        is_static: sizes have to be declared, for LiteRT or for ONNX.
    """

    name: str
    inputs: Sequence[np.ndarray | None]
    outputs: Sequence[tuple[str, int]]
    options: Any = None
    given: Sequence[int] = (0,)
    is_static: bool = False
    label: str = ""
    variables: Sequence[int] = field(default_factory=tuple)

    def __str__(self) -> str:
        return f"{self.name.lower()}{'_' if self.label else ''}{self.label}"


def conv(**values: Any) -> Any:
    return options("Conv2D", **{"strideW": 1, "strideH": 1, **values})


def depthwise(**values: Any) -> Any:
    return options("DepthwiseConv2D", **{"strideW": 1, "strideH": 1, **values})


def pool(**values: Any) -> Any:
    return options("Pool2D", **{"strideW": 2, "strideH": 2, "filterWidth": 3, "filterHeight": 2, **values})


def cut(begin: list[int], end: list[int], step: list[int], rank: int, label: str, **masks: int) -> Row:
    inputs = [floats(4, 5, 6), ints(begin), ints(end), ints(step)]
    return Row("STRIDED_SLICE", inputs, [("float32", rank)], options("StridedSlice", **masks), label=label)


def segments(name: str) -> Row:
    return Row(f"UNSORTED_SEGMENT_{name}", [floats(5, 3), ints(2, 0, -1, 2, 0), ints([4])[0]], [("float32", 2)])


def resized(name: str, size: list[int], **values: bool) -> Row:
    kind = "ResizeBilinear" if name == "RESIZE_BILINEAR" else "ResizeNearestNeighbor"
    label = "_".join([*values, *map(str, size)])
    return Row(name, [floats(2, 4, 5, 3), ints(size)], [("float32", 4)], options(kind, **values), label=label)


IMAGE, X, FLAGS = floats(2, 9, 8, 4), floats(3, 4), np.array([True, False, True])
BOXES = np.array([[0, 0, 2, 2], [0, 0, 2, 1.9], [3, 3, 5, 5], [3, 3, 4, 5]], np.float32)
FLOAT = "float32"
ROWS = [
    Row("CONV_2D", [IMAGE, floats(5, 3, 3, 4), floats(5)], [(FLOAT, 4)], conv(padding=SAME), label="same"),
    Row("CONV_2D", [IMAGE, floats(5, 3, 2, 4), floats(5)], [(FLOAT, 4)],
        conv(padding=SAME, strideW=2, strideH=3, fusedActivationFunction=RELU6), label="same_strided"),
    Row("CONV_2D", [IMAGE, floats(5, 3, 3, 4), floats(5)], [(FLOAT, 4)],
        conv(padding=SAME, dilationWFactor=2, dilationHFactor=2), label="dilated"),
    Row("CONV_2D", [IMAGE, floats(6, 3, 3, 2), floats(6)], [(FLOAT, 4)], conv(padding=VALID), label="grouped",
        is_static=True),
    Row("DEPTHWISE_CONV_2D", [IMAGE, floats(1, 3, 3, 8), floats(8)], [(FLOAT, 4)],
        depthwise(padding=SAME, strideW=2, strideH=2, depthMultiplier=2)),
    Row("CONV_3D", [floats(2, 5, 6, 7, 2), floats(3, 2, 2, 2, 4), floats(4)], [(FLOAT, 5)],
        options("Conv3D", padding=SAME, strideD=2, strideH=1, strideW=2)),
    *(Row("TRANSPOSE_CONV", [ints(2, height, width, 5), floats(5, 3, 3, 4), IMAGE, floats(5)], [(FLOAT, 4)],
          options("TransposeConv", padding=kind, strideW=2, strideH=2), given=(2,), label=f"{height}_{width}")
      for kind, height, width in ((SAME, 18, 16), (SAME, 17, 15), (VALID, 19, 17), (VALID, 20, 18))),
    Row("TRANSPOSE_CONV", [ints(2, 18, 16, 5), floats(5, 1, 1, 4), IMAGE, None], [(FLOAT, 4)],
        options("TransposeConv", padding=SAME, strideW=2, strideH=2), given=(2,), label="small_kernel"),
    Row("CONV_3D_TRANSPOSE", [ints(2, 6, 6, 8, 3), floats(3, 3, 3, 3, 2), floats(2, 3, 3, 4, 2), floats(3)],
        [(FLOAT, 5)], options("Conv3D", padding=SAME, strideD=2, strideH=2, strideW=2), given=(2,)),
    Row("AVERAGE_POOL_2D", [IMAGE], [(FLOAT, 4)], pool(padding=SAME)),
    Row("MAX_POOL_2D", [IMAGE], [(FLOAT, 4)], pool(padding=SAME)),
    Row("L2_POOL_2D", [IMAGE], [(FLOAT, 4)], pool(padding=SAME)),
    Row("FULLY_CONNECTED", [floats(2, 3, 4), floats(5, 4), floats(5)], [(FLOAT, 2)], options("FullyConnected"),
        label="flat"),
    Row("FULLY_CONNECTED", [floats(2, 3, 4), floats(5, 4), None], [(FLOAT, 3)],
        options("FullyConnected", keepNumDims=True, fusedActivationFunction=RELU6), label="kept"),
    Row("BATCH_MATMUL", [floats(2, 4, 3), floats(2, 5, 4)], [(FLOAT, 3)],
        options("BatchMatMul", adjX=True, adjY=True), given=(0, 1)),
    Row("EMBEDDING_LOOKUP", [ints(3, 0, 2), floats(4, 5)], [(FLOAT, 2)]),
    Row("L2_NORMALIZATION", [X], [(FLOAT, 2)], options("L2Norm")),
    Row("LOCAL_RESPONSE_NORMALIZATION", [floats(1, 3, 2, 9)], [(FLOAT, 4)],
        options("LocalResponseNormalization", radius=2, bias=1.5, alpha=0.3, beta=0.6)),
    Row("SOFTMAX", [X], [(FLOAT, 2)], options("Softmax", beta=0.5)),
    Row("LEAKY_RELU", [X], [(FLOAT, 2)], options("LeakyRelu", alpha=0.2)),
    Row("PRELU", [IMAGE, floats(1, 1, 4)], [(FLOAT, 4)]),
    *(Row(name, [X], [(FLOAT, 2)]) for name in ("RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "ELU", "SQUARE", "HARD_SWISH")),
    Row("GELU", [X], [(FLOAT, 2)], options("Gelu", approximate=True)),
    Row("ATAN2", [ints([[1, -1, 0, 0]]).astype(FLOAT), ints([[-2, -3, 4, 0]]).astype(FLOAT)], [(FLOAT, 2)]),
    Row("ATAN2", [floats(4, 6), floats(4, 6)], [(FLOAT, 2)], label="quadrants"),
    Row("FLOOR_DIV", [ints(7, -7, 7, -7, 6), ints(2, 2, -2, -2, -3)], [("int32", 1)], label="integers"),
    Row("FLOOR_DIV", [X, floats(3, 4)], [(FLOAT, 2)]),
    Row("FLOOR_MOD", [ints(7, -7, 7, -7, 6), ints(2, 2, -2, -2, -3)], [("int32", 1)], label="integers"),
    Row("FLOOR_MOD", [X, floats(3, 4)], [(FLOAT, 2)]),
    Row("SQUARED_DIFFERENCE", [X, floats(4)], [(FLOAT, 2)]),
    Row("ADD_N", [X, floats(3, 4), floats(3, 4)], [(FLOAT, 2)]),
    Row("BUCKETIZE", [X], [("int32", 2)], options("Bucketize", boundaries=[-1.0, 0.0, 1.5])),
    Row("FAKE_QUANT", [X], [(FLOAT, 2)], options("FakeQuant", min=-1.3, max=1.1, numBits=4)),
    Row("SPACE_TO_DEPTH", [floats(2, 4, 6, 3)], [(FLOAT, 4)], options("SpaceToDepth", blockSize=2)),
    Row("DEPTH_TO_SPACE", [floats(2, 2, 3, 12)], [(FLOAT, 4)], options("DepthToSpace", blockSize=2)),
    Row("SPACE_TO_BATCH_ND", [floats(2, 3, 5, 3), ints(2, 3), ints([[1, 0], [0, 1]])], [(FLOAT, 4)]),
    Row("SPACE_TO_BATCH_ND", [floats(2, 6, 3), ints([2]), ints([[0, 0]])], [(FLOAT, 3)], label="sequence"),
    Row(
        "SPACE_TO_BATCH_ND",
        [floats(2, 3, 5, 3), ints(2, 3), ints([[1, 0], [0, 1]])],
        [(FLOAT, 4)],
        given=(0, 2),
        label="computed",
    ),
    Row(
        "BATCH_TO_SPACE_ND",
        [floats(12, 2, 2, 3), ints(2, 3), ints([[1, 0], [0, 2]])],
        [(FLOAT, 4)],
        given=(0, 2),
        label="computed",
    ),
    Row("BATCH_TO_SPACE_ND", [floats(12, 2, 2, 3), ints(2, 3), ints([[1, 0], [0, 2]])], [(FLOAT, 4)]),
    Row("PADV2", [X, ints([[1, 0], [0, 2]]), floats(1)[0]], [(FLOAT, 2)]),
    Row("PAD", [X, ints([[1, 0], [0, 2]])], [(FLOAT, 2)], given=(0, 1), label="computed"),
    Row("MIRROR_PAD", [X, ints([[2, 1], [0, 3]])], [(FLOAT, 2)], options("MirrorPad", mode=0), label="reflect"),
    Row("MIRROR_PAD", [X, ints([[2, 1], [0, 4]])], [(FLOAT, 2)], options("MirrorPad", mode=1), label="symmetric"),
    Row("REVERSE_V2", [floats(2, 3, 4), ints([2])], [(FLOAT, 3)]),
    Row("REVERSE_SEQUENCE", [floats(3, 4, 5), ints(2, 4, 1)], [(FLOAT, 3)],
        options("ReverseSequence", seqDim=2, batchDim=0)),
    cut([1, -1, 0], [3, 0, 6], [1, -2, 2], 3, "steps"),
    cut([1, 2], [2, 3], [1, 1], 2, "shrunk", shrinkAxisMask=2, beginMask=1),
    cut([-1, -1], [0, 9], [1, 1], 1, "last", shrinkAxisMask=3),
    cut([0, 2], [0, 5], [1, 2], 3, "ellipsis", ellipsisMask=1),
    cut([1, 0, 0, 1], [2, 0, 0, 4], [1, 1, 1, 1], 3, "all_masks", ellipsisMask=2, newAxisMask=4, shrinkAxisMask=1),
    Row("STRIDED_SLICE", [floats(4, 5, 6), ints(-1, 1, 0), ints(0, 4, 3), ints(1, 1, 1)], [(FLOAT, 2)],
        options("StridedSlice", shrinkAxisMask=1, endMask=2, beginMask=4), given=(0, 1, 2), label="computed"),
    Row("SLICE", [floats(4, 5), ints(1, 2), ints(-1, 2)], [(FLOAT, 2)]),
    Row("SLICE", [floats(4, 5), ints(1, 2), ints(-1, 2)], [(FLOAT, 2)], given=(0, 1, 2), label="computed"),
    Row("SPLIT", [ints([1])[0], floats(2, 6)], [(FLOAT, 2)] * 3, options("Split", numSplits=3), given=(1,)),
    Row("SPLIT_V", [floats(7, 2), ints(2, -1, 1), ints([0])[0]], [(FLOAT, 2)] * 3, options("SplitV", numSplits=3)),
    Row("UNPACK", [floats(3, 2)], [(FLOAT, 1)] * 3, options("Unpack", num=3, axis=0)),
    Row("PACK", [floats(3), floats(3)], [(FLOAT, 2)], options("Pack", valuesCount=2, axis=-1), given=(0, 1)),
    Row("GATHER", [floats(2, 3, 4, 5), ints([[0, 3], [1, 1]])], [(FLOAT, 4)], options("Gather", axis=2, batchDims=1)),
    Row("GATHER_ND", [floats(3, 4, 5), ints([[0, 1], [2, 3]])], [(FLOAT, 2)]),
    Row("SCATTER_ND", [ints([[1], [3], [1]]), floats(3, 4), ints(5, 4)], [(FLOAT, 2)], given=(1,)),
    Row("SPARSE_TO_DENSE", [ints([[0, 1], [2, 2]]), ints(3, 4), floats(2), floats(1)[0]], [(FLOAT, 2)],
        options("SparseToDense"), given=(2,)),
    Row("SELECT", [FLAGS, floats(3, 4), floats(3, 4)], [(FLOAT, 2)], given=(0, 1, 2)),
    Row("WHERE", [np.array([[True, False], [True, True]])], [("int64", 2)]),
    Row("ONE_HOT", [ints([[2, -1], [0, 7]]), ints([4])[0], floats(1)[0], floats(1)[0]], [(FLOAT, 3)],
        options("OneHot", axis=1)),
    Row("TOPK_V2", [X, ints([2])[0]], [(FLOAT, 2), ("int32", 2)]),
    Row("UNIQUE", [ints(3, 1, 3, 2, 1)], [("int32", 1), ("int32", 1)], options("Unique")),
    Row("CUMSUM", [X, ints([1])[0]], [(FLOAT, 2)], options("Cumsum", exclusive=True, reverse=True)),
    Row("REDUCE_ANY", [np.array([[True, False], [False, False]]), ints([1])], [("bool", 1)], options("Reducer")),
    Row("REDUCE_ALL", [np.array([[True, True], [False, True]]), ints([1])], [("bool", 2)],
        options("Reducer", keepDims=True)),
    Row("REDUCE_PROD", [X, ints(0, -1)], [(FLOAT, 0)], options("Reducer")),
    Row("SEGMENT_SUM", [floats(4, 3), ints(0, 0, 1, 2)], [(FLOAT, 2)]),
    *map(segments, ("SUM", "PROD", "MAX", "MIN")),
    Row("MATRIX_DIAG", [X], [(FLOAT, 3)]),
    Row("MATRIX_SET_DIAG", [floats(2, 3, 4), floats(2, 3)], [(FLOAT, 3)]),
    *(
        Row(f"STABLEHLO_{name}", [X, floats(3, 4)], [(FLOAT, 2)], given=(0, 1))
        for name in ("ADD", "MAXIMUM", "MINIMUM", "MULTIPLY")
    ),
    Row("RIGHT_SHIFT", [ints(-9, 9, -1, 64), ints(1, 2, 31, 3)], [("int32", 1)], given=(0, 1)),
    Row("BROADCAST_ARGS", [ints(2, 1, 3), ints(4, 1)], [("int32", 1)], given=(0, 1)),
    Row("DYNAMIC_UPDATE_SLICE", [floats(4, 5), floats(2, 3), ints(3, 1)], [(FLOAT, 2)], given=(0, 1, 2)),
    Row("NON_MAX_SUPPRESSION_V4", [BOXES, floats(4), ints([3])[0], np.float32(0.5), np.float32(-9)],
        [("int32", 1), ("int32", 0)], given=(0, 1)),
    Row("NON_MAX_SUPPRESSION_V5", [BOXES, floats(4), ints([3])[0], np.float32(0.5), np.float32(-9), np.float32(0)],
        [("int32", 1), (FLOAT, 1), ("int32", 0)], given=(0, 1)),
    *(resized(name, size, **values)
      for name in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
      for size in ([7, 9], [2, 3], [1, 1])
      for values in ({}, {"alignCorners": True}, {"halfPixelCenters": True})),
    Row("RANGE", [ints([1])[0], ints([9])[0], ints([3])[0]], [("int32", 1)], given=(0, 1, 2)),
    Row("FILL", [ints(2, 3), floats(1)[0]], [(FLOAT, 2)]),
    Row("RANK", [X], [("int32", 0)]),
    Row("SHAPE", [X], [("int32", 1)], options("Shape", outType=schema.TensorType.INT32)),
]  # fmt: skip


def sequence_lstm(kinds: str, time_major: bool) -> Row:
    """Return an LSTM of 3 features and 4 units; ``kinds`` may hold p for peepholes and c for a coupled input gate."""
    weights: list[np.ndarray | None] = [floats(4, 3) for _ in range(4)] + [floats(4, 4) for _ in range(4)]
    weights += [floats(4) if "p" in kinds else None for _ in range(3)] + [floats(4) for _ in range(4)]
    if "c" in kinds:
        weights[0] = weights[4] = weights[8] = weights[11] = None
    inputs = [floats(5, 2, 3), *weights, None, None, np.zeros((2, 4), FLOAT), np.zeros((2, 4), FLOAT)]
    values = options("UnidirectionalSequenceLSTM", timeMajor=time_major, fusedActivationFunction=TANH)
    if not time_major:
        inputs[0] = floats(2, 5, 3)
    return Row(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [(FLOAT, 3)], values, is_static=True, variables=(18, 19),
        label=f"{kinds}{'_time' if time_major else ''}",
    )  # fmt: skip


def bidirectional_lstm(merged: bool) -> Row:
    inputs: list[np.ndarray | None] = [floats(5, 2, 3)]
    for _ in range(2):
        inputs += [floats(4, 3) for _ in range(4)] + [floats(4, 4) for _ in range(4)] + [None] * 3
        inputs += [floats(4) for _ in range(4)] + [None] * 2
    inputs += [np.zeros((2, 4), FLOAT) for _ in range(4)] + [None] * 9
    values = options("BidirectionalSequenceLSTM", timeMajor=True, fusedActivationFunction=TANH, mergeOutputs=merged)
    return Row(
        "BIDIRECTIONAL_SEQUENCE_LSTM", inputs, [(FLOAT, 3)] * (1 if merged else 2), values, is_static=True,
        variables=(35, 36, 37, 38), label="merged" if merged else "apart",
    )  # fmt: skip


def bidirectional_rnn(merged: bool) -> Row:
    inputs: list[np.ndarray | None] = [floats(2, 5, 3)]
    for _ in range(2):
        inputs += [floats(4, 3), floats(4, 4), floats(4), np.zeros((2, 4), FLOAT)]
    inputs += [None] * 3
    values = options("BidirectionalSequenceRNN", fusedActivationFunction=TANH, mergeOutputs=merged)
    return Row(
        "BIDIRECTIONAL_SEQUENCE_RNN", inputs, [(FLOAT, 3)] * (1 if merged else 2), values, is_static=True,
        variables=(4, 8), label="merged" if merged else "apart",
    )  # fmt: skip


STATE = np.zeros((2, 4), FLOAT)
RECURRENT = [
    *(sequence_lstm(kinds, time_major) for kinds in ("", "p", "c", "pc") for time_major in (False, True)),
    bidirectional_lstm(True), bidirectional_lstm(False), bidirectional_rnn(True), bidirectional_rnn(False),
    Row("UNIDIRECTIONAL_SEQUENCE_RNN", [floats(2, 5, 3), floats(4, 3), floats(4, 4), floats(4), STATE], [(FLOAT, 3)],
        options("SequenceRNN", fusedActivationFunction=TANH), is_static=True, variables=(4,)),
    Row("RNN", [floats(2, 3), floats(4, 3), floats(4, 4), floats(4), STATE], [(FLOAT, 2)],
        options("RNN", fusedActivationFunction=TANH), is_static=True, variables=(4,)),
    Row("LSTM", [floats(2, 3), floats(2, 4), floats(16, 7), floats(16), floats(2, 4)],
        [(FLOAT, 2), (FLOAT, 2), (FLOAT, 2), (FLOAT, 2)],
        options("LSTM", fusedActivationFunction=TANH, kernelType=schema.LSTMKernelType.BASIC), given=(0, 1, 4),
        is_static=True),
]  # fmt: skip


def written(row: Row, is_dynamic: bool) -> tuple[bytes, list[np.ndarray]]:
    """Return the file with this one operator, and what it is to be given."""
    import io

    file = FlatFile()
    graph = file.sub_graph("main")
    tensors, given = [], []
    for place, array in enumerate(row.inputs):
        if array is None:
            tensors.append(None)
            continue
        array = np.asarray(array)
        if place in row.given:
            shape = [None] * array.ndim if is_dynamic else list(array.shape)
            tensors.append(graph.input(f"input_{place}", str(array.dtype), shape))
            given.append(array)
        elif place in row.variables:
            tensors.append(graph.tensor(f"variable_{place}", str(array.dtype), array.shape))
        else:
            tensors.append(graph.constant(array, f"constant_{place}"))
    graph.outputs = [
        graph.tensor(f"output_{place}", dtype, [None] * rank) for place, (dtype, rank) in enumerate(row.outputs)
    ]
    graph.add(getattr(CODE, row.name), tensors, graph.outputs, row.options)
    buffer = io.BytesIO()
    file.write(buffer)
    content = buffer.getvalue()
    return (_with_variables(content) if row.variables else content), given


def _with_variables(content: bytes) -> bytes:
    """Return the file with its tensors called variable marked as such: states that LiteRT keeps, zero at first."""
    import flatbuffers

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    for tensor in model.subgraphs[0].tensors:
        tensor.isVariable = tensor.name.startswith(b"variable")
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def in_onnxruntime(content: bytes, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    proto = ir.to_proto(hub.from_tflite(content))
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


def assert_same(found: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("is_dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_operator_means_in_onnx_what_it_means_in_litert(row: Row, is_dynamic: bool) -> None:
    content, inputs = written(row, is_dynamic and not row.is_static)
    assert_same(in_onnxruntime(content, inputs), answers(content, inputs))


@pytest.mark.parametrize("row", RECURRENT, ids=str)
def test_a_recurrent_operator_starts_from_zero_as_litert_does(row: Row) -> None:
    content, inputs = written(row, False)
    found, wanted = in_onnxruntime(content, inputs), answers(content, inputs)
    results = 2 if row.name == "LSTM" else len(wanted)  # what follows is scratch
    assert_same(found[:results], wanted[:results])
