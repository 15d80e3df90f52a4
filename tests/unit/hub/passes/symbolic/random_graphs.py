"""Random graphs of shape arithmetic: what a node cannot take at one of the sizes is left out while they grow."""

import random
from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

Values = dict[str, list[np.ndarray]]
SIZES = ({"n": 1, "m": 1}, {"n": 2, "m": 5}, {"n": 4, "m": 3}, {"n": 3, "m": 8}, {"n": 0, "m": 2})
INPUTS = {"x": ["n", 6, "m"], "y": ["n", "m"], "z": ["m", 4]}
OPSET = [helper.make_opsetid("", 18)]
NUMBERS = ([-1], [0], [1], [2], [3], [4], [6], [12], [0, 1], [2, 0], [2, -1], 0, 1, 2, 7)


def quiet() -> onnxruntime.SessionOptions:
    """Return options under which ONNX Runtime changes no node and says nothing."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


class Grower:
    """A graph in the making, with what each value holds at every one of the sizes."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants = {f"c{place}": np.array(number, np.int64) for place, number in enumerate(NUMBERS)}
        draw = np.random.default_rng(seed)
        self.feeds = [
            {name: draw.normal(size=[sizes.get(dim, dim) for dim in dims]).astype(np.float32)  # type: ignore[call-overload]
             for name, dims in INPUTS.items()} for sizes in SIZES
        ]  # fmt: skip
        self.values: Values = {name: [feed[name] for feed in self.feeds] for name in INPUTS}
        self.values |= {name: [array] * len(SIZES) for name, array in self.constants.items()}

    def pick(self, kind: str, rank: int | None = None) -> str:
        """Return a value of integers (``i``), numbers (``f``) or truth values (``b``); late ones come more often."""
        found = [name for name, arrays in self.values.items()
                 if arrays[0].dtype.kind == kind and rank in (None, arrays[0].ndim)]  # fmt: skip
        return self.random.choice(found[-8:] if self.random.random() < 0.5 else found) if found else "x"

    def grow(self) -> None:
        """Append a random node, if it runs at all sizes."""
        op_type, inputs, attributes = self.random.choice(_STEPS)(self)
        node = helper.make_node(op_type, inputs, [f"v{len(self.nodes)}"], **attributes)
        made = self._run(node)
        if made is None:
            return
        if max(array.size for array in made) <= 4096 and len({array.ndim for array in made}) == 1:
            self.nodes.append(node)
            self.values[node.output[0]] = made

    def _run(self, node: onnx.NodeProto) -> list[np.ndarray] | None:
        """Return what ONNX Runtime makes of the node at each of the sizes; None where it refuses one."""
        names = list(dict.fromkeys(node.input))
        if node.op_type == "Concat" and any(array.size == 0 for name in names for array in self.values[name]):
            return None  # ONNX Runtime joins them with anything, and gives memory as it finds it
        values = [helper.make_tensor_value_info(name, _type(self.values[name][0]), None) for name in names]
        result = helper.make_value_info(node.output[0], onnx.TypeProto())
        graph = onnx.shape_inference.infer_shapes(
            helper.make_model(helper.make_graph([node], "one", values, [result]), opset_imports=OPSET, ir_version=9)
        )
        try:
            session = onnxruntime.InferenceSession(graph.SerializeToString(), quiet())
            feeds = [{name: self.values[name][place] for name in names} for place in range(len(SIZES))]
            return [np.asarray(session.run(None, feed)[0]) for feed in feeds]
        except Exception:  # noqa: BLE001 - types without a common base: a node at random is refused with any of them
            return None

    def model(self, results: Sequence[str]) -> onnx.ModelProto:
        """Return the graph; of the results, the type alone is declared."""
        inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in INPUTS.items()]
        outputs = [helper.make_tensor_value_info(name, _type(self.values[name][0]), None) for name in results]
        weights = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        graph = helper.make_graph(self.nodes, "random", inputs, outputs, weights)
        return helper.make_model(graph, opset_imports=OPSET, ir_version=9)


def _type(array: np.ndarray) -> int:
    return helper.np_dtype_to_tensor_dtype(array.dtype)


def _arithmetic(g: Grower) -> tuple:
    op_type = g.random.choice(["Add", "Sub", "Mul", "Div", "Mod", "Max", "Min"])
    return op_type, [g.pick("i"), g.pick("i")], {}


def _constant(g: Grower) -> str:
    return g.random.choice(list(g.constants))


_STEPS = [
    lambda g: ("Shape", [g.pick("f")], {}),
    lambda g: ("Shape", [g.pick("f")], {"start": g.random.choice([0, 1, -1])}),
    lambda g: ("Size", [g.pick("f")], {}),
    _arithmetic, _arithmetic,
    lambda g: ("Gather", [g.pick("i", 1), _constant(g)], {"axis": 0}),
    lambda g: ("Slice", [g.pick("i", 1), "c1", _constant(g)], {}),
    lambda g: ("Concat", [g.pick("i", 1) for _ in range(g.random.randint(1, 3))], {"axis": 0}),
    lambda g: ("Unsqueeze", [g.pick("i", 0), "c1"], {}),
    lambda g: ("Squeeze", [g.pick("i", 1)], {}),
    lambda g: ("ReduceProd", [g.pick("i", 1)], {"keepdims": g.random.randint(0, 1)}),
    lambda g: ("ReduceSum", [g.pick("i", 1)], {"keepdims": g.random.randint(0, 1)}),
    lambda g: (g.random.choice(["Equal", "Less", "Greater"]), [g.pick("i"), g.pick("i")], {}),
    lambda g: ("Where", [g.pick("b"), g.pick("i"), g.pick("i")], {}),
    lambda g: ("Cast", [g.pick("i")], {"to": TensorProto.INT32}),
    lambda g: ("Range", ["c11", g.pick("i", 0), "c12"], {}),
    lambda g: ("ConstantOfShape", [g.pick("i", 1)], {}),
    lambda g: ("Reshape", [g.pick("f"), g.pick("i", 1)], {}),
    lambda g: ("Reshape", [g.pick("f"), g.pick("i", 1)], {}),
    lambda g: ("Expand", [g.pick("f"), g.pick("i", 1)], {}),
    lambda g: ("Slice", [g.pick("f"), g.pick("i", 1), g.pick("i", 1), "c1"], {}),
    lambda g: ("Slice", [g.pick("f"), "c1", g.pick("i", 1), _constant(g)], {}),
    lambda g: ("Concat", [g.pick("f"), g.pick("f")], {"axis": g.random.randint(0, 1)}),
    lambda g: ("Transpose", [g.pick("f")], {}),
    lambda g: ("Flatten", [g.pick("f")], {"axis": g.random.randint(0, 2)}),
    lambda g: (g.random.choice(["Add", "Mul"]), [g.pick("f"), g.pick("f")], {}),
    lambda g: ("MatMul", [g.pick("f"), g.pick("f")], {}),
    lambda g: ("Neg", [g.pick("f")], {}),
    lambda g: ("Tile", [g.pick("f"), g.pick("i", 1)], {}),
    lambda g: ("Unsqueeze", [g.pick("f"), _constant(g)], {}),
]  # fmt: skip
