"""A SavedModel, asked operator by operator: TensorFlow computes any tensor of its signature, in float32 and in float64.

The signature's graph stands flat, its calls inlined; loops and branches are one operator each. Tensors are called as
in that graph, ``name:0``; inputs as in the signature.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from isoform.core.artifact import Artifact
from isoform.core.cases import Array, Tensors
from isoform.core.numerics import UNIT_ROUNDOFF
from isoform.core.protocols import Perturbation, Session
from isoform.core.signature import Signature, TensorSpec
from isoform.hub.divergence.file import Observed, Operator, RunFile
from isoform.hub.divergence.moments import chunks
from isoform.hub.importers.tensorflow import float64, references, skeleton
from isoform.hub.importers.tensorflow.tracing import trace
from isoform.hub.serving import caller, opened, pick, weight_names

_PASSED_ON = ("Identity", "IdentityN", "StopGradient", "PreventGradient")
_NO_STEPS = ("Const", "Placeholder", "NoOp", *_PASSED_ON)
_CALLS = re.compile(r"^(Func/|(Stateful)?PartitionedCall(_\d+)?/)+")
_SIZE = "size of "
_SETTINGS = {"i": int, "f": float, "b": bool}


class SavedModelFile(RunFile):
    """A SavedModel folder and TensorFlow."""

    form = "savedmodel"
    refusals = (tf.errors.OpError, ValueError)
    """What TensorFlow raises where an operator does not take these sizes."""

    def __init__(self, artifact: Artifact, load: Callable[[Artifact], Session]) -> None:
        """Open ``artifact`` through its signature.

        Raises:
            IsoformError: it changes variables or reads tables, or an operator has no float64 in TensorFlow.
        """
        super().__init__(artifact, load)
        self._loaded = opened(artifact.model)  # the variables live as long as this does
        served = pick(self._loaded, artifact.model, artifact.entry)
        declared = artifact.signature
        function = trace(caller(served, declared), declared)
        found = skeleton.of_function(function, weight_names(served), references.read(served), {})
        self._plan = _Plan(found, [spec.name for spec in declared.inputs])
        self.steps, self.inputs = self._plan.operators(), tuple(self._plan.inputs.values())
        self.outputs = tuple(map(self._plan.origin, found.outputs))
        _drop_order(found.graph)
        wide = graph_pb2.GraphDef()
        wide.CopyFrom(found.graph)
        float64.widen(wide)
        self._weights = found.weights
        weights = {name: array for name, (_, array) in found.weights.items()}
        roundoff = Perturbation(0, UNIT_ROUNDOFF["float32"])
        self._single = Fetched(self._plan, found.graph, weights)
        self.single = Fetched(self._plan, found.graph, weights, is_plain=True)
        self.exact = Fetched(self._plan, wide, weights, is_wide=True)
        self.disturbed = Fetched(self._plan, wide, weights, is_wide=True, disturbance=roundoff)

    @property
    def zeros(self) -> set[str]:
        """The weights that are zero throughout."""
        return {name for name, array in self._weights.values() if array.size > 1 and not array.any()}

    @contextmanager
    def observed(self, names: Sequence[str]) -> Iterator[Observed]:
        """Give what TensorFlow holds in its tensors when they are asked for as well."""
        yield lambda case: self._single.values(case, names)

    def part(self, inputs: Sequence[str], output: str) -> tuple["Fetched", "Fetched"]:
        """Return what lies between: the same graph, which is given those inputs."""
        return self.exact, self.single

    def write(self, given: Mapping[str, Array], output: str, folder: Path) -> tuple[Path, dict[str, str]]:
        """Write a part as a folder of its own."""
        names = {**{name: f"input_{place}" for place, name in enumerate(given)}, output: "output"}
        module = self._single.module(given, output, list(names.values())[: len(given)])
        path = folder / "model"
        tf.saved_model.save(module, str(path), signatures=module.serve)
        return path, names

    def run_part(self, given: Mapping[str, Array], output: str, folder: Path) -> Array:
        """Return what TensorFlow gives for a part."""
        path, names = self.write(given, output, folder)
        inputs = tuple(TensorSpec(names[name], str(array.dtype), array.shape) for name, array in given.items())
        session = self._load(Artifact(self.form, path, Signature(inputs, (TensorSpec("output", "float32", ()),))))
        try:
            return session.run({names[name]: array for name, array in given.items()})["output"]
        finally:
            session.close()


def _imported(graph: graph_pb2.GraphDef) -> Any:
    return tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])


def _drop_order(graph: graph_pb2.GraphDef) -> None:
    """Leave out what only orders operators: nothing here has effects, and a part would depend on the whole."""
    for node in graph.node:
        node.input[:] = [name for name in node.input if not name.startswith("^")]


class _Plan:
    """A flat graph: what its nodes read, and which tensors are weights, inputs and what is computed.

    Attributes:
        inputs: the signature's names, by tensor of the graph; weights: the variables' names, likewise.
    """

    def __init__(self, found: skeleton.Skeleton, names: Sequence[str]) -> None:
        self._nodes = {node.name: node for node in found.graph.node}
        self.inputs = dict(zip(found.inputs, names, strict=False))
        self.weights = {f"{name}:0": weight for name, (weight, _) in found.weights.items()}
        self.weights |= {f"{name}:0": weight for name, weight in found.inside.items()}
        self._kept = list(found.outputs)

    def origin(self, name: str) -> str:
        """Return the tensor that a name stands for: whatever only passes it on is left out."""
        name, _, number = name.partition(":")
        node = self._nodes[name]
        while node.op in _PASSED_ON:
            name, _, number = node.input[int(number or 0)].partition(":")
            node = self._nodes[name]
        tensor = f"{name}:{number or 0}"
        return self.inputs.get(tensor, tensor)

    def read(self, node: Any) -> list[str]:
        """Return the tensors that a node reads."""
        return [self.origin(name) for name in node.input]

    def behind(self, wanted: Sequence[str], given: Sequence[str]) -> set[str]:
        """Return all tensors from which some follow, up to those that are given."""
        found: set[str] = set()
        waiting = list(wanted)
        while waiting:
            name = waiting.pop()
            if name in found or name in given:
                continue
            found.add(name)
            node = self._nodes.get(name.rpartition(":")[0])
            waiting += self.read(node) if node is not None else []
        return found

    def operators(self) -> tuple[Operator, ...]:
        """Return the operators on the way to the outputs, each behind what it reads."""
        order = self._in_order()
        given: dict[str, dict[str, None]] = {}
        for tensor in [each for node in order for each in self.read(node)] + [self.origin(name) for name in self._kept]:
            given.setdefault(tensor.rpartition(":")[0], {})[tensor] = None
        titles = {node.name: _CALLS.sub("", node.name) for node in order}
        often = Counter(titles.values())
        steps: list[Operator] = []
        for node in order:
            title = titles[node.name] if often[titles[node.name]] == 1 else node.name
            read = self.read(node)
            inputs = [name for name in read if name in self.inputs.values() or self._is_computed(name)]
            weights = [self.weights[name] for name in read if name in self.weights]
            settings = {key: kind(getattr(value, value.WhichOneof("value"))) for key, value in node.attr.items()
                        if (kind := _SETTINGS.get(value.WhichOneof("value"))) and not key.startswith("_")}  # fmt: skip
            outputs = tuple(given.get(node.name, {}))
            steps.append(Operator(len(steps), node.op, title, tuple(dict.fromkeys(inputs)), outputs, tuple(weights), "",
                                  settings))  # fmt: skip
        return tuple(steps)

    def _is_computed(self, name: str) -> bool:
        node = self._nodes.get(name.rpartition(":")[0])
        return node is not None and node.op not in _NO_STEPS

    def _in_order(self) -> list[Any]:
        found: dict[str, None] = {}
        waiting = [(self.origin(name).rpartition(":")[0], False) for name in reversed(self._kept)]
        while waiting:
            name, is_ready = waiting.pop()
            node = self._nodes.get(name)
            if node is None or name in found or node.op in _NO_STEPS:
                continue
            if is_ready:
                found[name] = None
            else:
                waiting.append((name, True))
                waiting += [(each.rpartition(":")[0], False) for each in reversed(self.read(node))]
        return [self._nodes[name] for name in found]


class Fetched:
    """A graph whose tensors can be had by name."""

    def __init__(
        self, plan: _Plan, graph: graph_pb2.GraphDef, weights: Mapping[str, Array], *, is_wide: bool = False,
        is_plain: bool = False, disturbance: Perturbation | None = None,
    ) -> None:  # fmt: skip
        """Import ``graph``.

        Args:
            is_wide: compute in float64; ``graph`` does.
            is_plain: without TensorFlow's optimiser.
            disturbance: of the weights, anew and equally for each call, so that they are held no longer.
        """
        self._plan, self._weights, self._is_wide, self._is_plain = plan, weights, is_wide, is_plain
        self._disturbance = disturbance
        self._wrapped = float64.imported(graph) if is_wide else _imported(graph)
        self._places = {name: place for place, name in plan.inputs.items()}
        self._functions: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[Any, list[str]]] = {}
        self._sizes: dict[str, Any] = {}

    def values(self, case: Tensors, names: Collection[str]) -> dict[str, Array]:
        """Return tensors of one case, or of what is given instead of tensors on the way."""
        wanted = [name for name in names if name not in case and self._is_number(name)]
        if not wanted:
            return {}
        found = self._called(case, wanted, list(map(self._tensor, wanted)))
        return {name: value.numpy() for name, value in zip(wanted, found, strict=True)}

    def run(self, case: Tensors, observe: Callable[[str, Array], None]) -> None:
        """Show every tensor of one case, a few at a time."""
        names = [name for step in self._plan.operators() for name in step.outputs if self._is_number(name)]
        if not self._sizes:
            with self._wrapped.graph.as_default():
                self._sizes = {name: tf.size(self._tensor(name)) for name in names}
        sizes = self._called(case, [_SIZE + name for name in names], [self._sizes[name] for name in names])
        for chunk in chunks(dict(zip(names, map(int, sizes), strict=True))):
            for name, array in self.values(case, chunk).items():
                observe(name, array)

    def module(self, given: Mapping[str, Array], output: str, names: Sequence[str]) -> Any:
        """Return a part as a module to be saved, its inputs called ``names`` and its output "output"."""
        function, weights = self._function(tuple(given), (output,), [self._tensor(output)])
        module = tf.Module()
        module.weights = [tf.Variable(self._weights[name], trainable=False) for name in weights]
        specs = [
            tf.TensorSpec(array.shape, array.dtype, name) for name, array in zip(names, given.values(), strict=True)
        ]

        def serve(*tensors: Any) -> dict[str, Any]:
            return {"output": function(*tensors, *module.weights)[0]}

        module.serve = tf.function(serve, input_signature=specs, autograph=False)
        return module

    def _called(self, case: Tensors, names: Sequence[str], tensors: Sequence[Any]) -> Sequence[Any]:
        function, weights = self._function(tuple(case), tuple(names), tensors)
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": self._is_plain})
        inputs = [tf.constant(self._wide(array)) for array in case.values()]
        found: Sequence[Any] = function(*inputs, *map(self._weight, weights))
        return found

    def _function(
        self, given: tuple[str, ...], names: tuple[str, ...], tensors: Sequence[Any]
    ) -> tuple[Any, list[str]]:
        """Return what computes ``tensors`` from those called ``given`` and from weights, and which weights."""
        if (given, names) not in self._functions:
            feeds = [self._tensor(name) for name in given]
            behind = self._plan.behind([name.removeprefix(_SIZE) for name in names], given)
            weights = [name for name in self._weights if f"{name}:0" in behind]
            placeholders = [self._wrapped.graph.get_tensor_by_name(f"{name}:0") for name in weights]
            pruned = self._wrapped.prune([*feeds, *placeholders], list(tensors))
            self._functions[given, names] = pruned, weights
        return self._functions[given, names]

    def _weight(self, name: str) -> Any:
        array = self._wide(self._weights[name])
        if self._disturbance is not None and array.dtype == np.float64:
            seed = self._disturbance.seed + list(self._weights).index(name)
            array = array * Perturbation(seed, self._disturbance.magnitude).draws()(array.shape)
        return tf.constant(array)

    def _wide(self, array: Array) -> Array:
        return array.astype(np.float64) if self._is_wide and array.dtype == np.float32 else array

    def _tensor(self, name: str) -> Any:
        return self._wrapped.graph.get_tensor_by_name(self._places.get(name, name))

    def _is_number(self, name: str) -> bool:
        kind = self._tensor(name).dtype
        return bool(kind.is_floating or kind.is_integer or kind.is_bool)
