"""A TFLite file on LiteRT, through ai_edge_litert: run by its signature, resized for each call whose shapes are new."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from isoform.core.artifact import Artifact
from isoform.core.protocols import Array, Bound, RunOptions
from isoform.core.signature import Dim, Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub.importers.tflite_entry import entry_of
from isoform.hub.importers.tflite_file import read

_LEADS_OUT = ("not a valid Flatbuffer", "out of range offset")
"""How LiteRT says that an offset in the file leads out of it."""


class SignatureSession:
    """A signature of several, run by its name; inputs and outputs stand in the order of its sub-graph."""

    def __init__(self, interpreter: Interpreter, artifact: Artifact) -> None:
        entry = entry_of(read(artifact.model), artifact.entry)
        self._runner = interpreter.get_signature_runner(artifact.entry)
        inputs, outputs = self._runner.get_input_details(), self._runner.get_output_details()
        self.signature = Signature(
            tuple(_spec(name, inputs[name], artifact.signature.inputs) for name in entry.inputs),
            tuple(_spec(name, outputs[name], artifact.signature.outputs) for name in entry.outputs),
        )

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs in the order of the file."""
        return self.bind(inputs).answer()

    def bind(self, inputs: Mapping[str, Array]) -> Bound:
        """Return the inputs as the runner takes them; it copies them in and the outputs out at each run."""
        arrays = {name: np.asarray(array, order="C") for name, array in inputs.items()}
        return Bound.of(
            lambda: self._runner(**arrays),
            lambda found: {spec.name: np.asarray(found[spec.name]) for spec in self.signature.outputs},
        )

    def close(self) -> None:
        del self._runner


class LitertSession:
    """An interpreter; inputs are resized when their shapes change."""

    def __init__(self, interpreter: Interpreter, declared: Signature) -> None:
        self._interpreter = interpreter
        inputs, outputs = _ordered(interpreter)
        self._places = {name: details["index"] for name, details in (inputs | outputs).items()}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self.signature = Signature(
            tuple(_spec(name, details, declared.inputs) for name, details in inputs.items()),
            tuple(_spec(name, details, declared.outputs) for name, details in outputs.items()),
        )

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs in the order of the file."""
        return self.bind(inputs).answer()

    def bind(self, inputs: Mapping[str, Array]) -> Bound:
        """Return the inputs in the interpreter's own memory; a run writes its outputs there too."""
        interpreter = self._interpreter
        shapes = {name: array.shape for name, array in inputs.items()}
        if shapes != self._shapes:
            for name, shape in shapes.items():
                interpreter.resize_tensor_input(self._places[name], shape, strict=True)
            interpreter.allocate_tensors()
            self._shapes = shapes
        for name, array in inputs.items():
            interpreter.set_tensor(self._places[name], np.asarray(array, order="C"))
        return Bound(
            interpreter.invoke,
            lambda: {spec.name: interpreter.get_tensor(self._places[spec.name]) for spec in self.signature.outputs},
        )

    def operators(self) -> list[dict[str, Any]]:
        """Return the operators of the main graph as they run: those of the file, then one for each delegate's piece.

        Each has index, op_name, and the places of its tensors as inputs and outputs. Called after the first run.
        """
        return list(self._interpreter._get_ops_details())

    def close(self) -> None:
        del self._interpreter


def opened(
    artifact: Artifact, options: RunOptions, content: Mapping[str, Any] | None = None
) -> LitertSession | SignatureSession:
    """Return ``artifact`` as LiteRT runs it; without optimisation XNNPACK stays out.

    Args:
        content: the interpreter's arguments for other bytes than those of the file.

    Raises:
        UsageError: the file has no such signature.
        IsoformError: LiteRT refuses the file.
    """
    resolver = OpResolverType.AUTO if options.is_optimised else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        interpreter = Interpreter(
            **(content or {"model_path": str(artifact.model)}),
            num_threads=options.threads or None,
            experimental_op_resolver_type=resolver,
        )
        if all((details["shape_signature"] >= 0).all() for details in interpreter.get_input_details()):
            interpreter.allocate_tensors()  # else at the first call: a dynamic size of one may be too small
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:300]
        state = "truncated or damaged, " if any(words in reason for words in _LEADS_OUT) else ""
        raise IsoformError(
            f"{artifact.model.name}: {state}LiteRT does not open it ({reason}).",
            "Export or fetch it again.",
            kind="load",
        ) from error
    if artifact.entry is not None:
        return SignatureSession(interpreter, artifact)
    return LitertSession(interpreter, artifact.signature)


def _ordered(interpreter: Interpreter) -> tuple[dict[str, dict], dict[str, dict]]:
    """Return the details of inputs and outputs by signature name, in the order of the sub-graph.

    The interpreter sorts a signature by name; places in the sub-graph keep the order of the model.
    """
    signatures = list(interpreter.get_signature_list())
    key = "serving_default" if "serving_default" in signatures else signatures[0] if len(signatures) == 1 else None
    if key is None:
        return tuple(
            {details["name"]: details for details in side}
            for side in (interpreter.get_input_details(), interpreter.get_output_details())
        )  # type: ignore[return-value]
    runner = interpreter.get_signature_runner(key)
    sides = (
        (runner.get_input_details(), interpreter.get_input_details()),
        (runner.get_output_details(), interpreter.get_output_details()),
    )
    ordered = []
    for named, in_order in sides:
        places = [details["index"] for details in in_order]
        ordered.append(dict(sorted(named.items(), key=lambda item: places.index(item[1]["index"]))))
    return ordered[0], ordered[1]


def _spec(name: str, details: dict, declared: tuple[TensorSpec, ...]) -> TensorSpec:
    """Return what the file says, dynamic dimensions called as declared where they are dynamic there too."""
    names = next((spec.shape for spec in declared if spec.name == name), ())
    dims: list[Dim] = []
    for axis, size in enumerate(details["shape_signature"]):
        wanted = names[axis] if axis < len(names) else None
        dims.append(int(size) if size >= 0 else wanted if isinstance(wanted, str) else f"{name}_{axis}")
    return TensorSpec(name, np.dtype(details["dtype"]).name, tuple(dims))
