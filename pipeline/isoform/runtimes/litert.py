"""LiteRT, through ai_edge_litert: a TFLite file by its signature, resized for each call whose shapes are new."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from isoform.core.artifact import Artifact
from isoform.core.protocols import Array, Perturbation, RunOptions, Steps
from isoform.core.signature import Dim, Signature, TensorSpec
from isoform.errors import IsoformError

_NAMES = {value: name.lower() for name, value in vars(schema.TensorType).items() if name.isupper()}
_SCALED = ("int8", "uint8", "int16")


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
        interpreter = self._interpreter
        shapes = {name: array.shape for name, array in inputs.items()}
        if shapes != self._shapes:
            for name, shape in shapes.items():
                interpreter.resize_tensor_input(self._places[name], shape, strict=True)
            interpreter.allocate_tensors()
            self._shapes = shapes
        for name, array in inputs.items():
            interpreter.set_tensor(self._places[name], np.ascontiguousarray(array))
        interpreter.invoke()
        return {spec.name: interpreter.get_tensor(self._places[spec.name]) for spec in self.signature.outputs}

    def close(self) -> None:
        del self._interpreter


def load(artifact: Artifact, options: RunOptions) -> LitertSession:
    """Open ``artifact.model``; without optimisation XNNPACK stays out.

    Raises:
        IsoformError: no such device, or LiteRT refuses the file.
    """
    if options.device != "cpu":
        raise IsoformError("LiteRT runs on the CPU here.", "Leave out the device.", kind="no-device")
    resolver = OpResolverType.AUTO if options.is_optimised else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        interpreter = Interpreter(
            **_model(artifact, options.perturbation),
            num_threads=options.threads or None,
            experimental_op_resolver_type=resolver,
        )
        if all((details["shape_signature"] >= 0).all() for details in interpreter.get_input_details()):
            interpreter.allocate_tensors()  # else at the first call: a dynamic size of one may be too small
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:300]
        raise IsoformError(
            f"LiteRT does not open {artifact.model.name}: {reason}", "Export the model again.", kind="load"
        ) from error
    return LitertSession(interpreter, artifact.signature)


def weights(artifact: Artifact) -> dict[str, Array]:
    """Return the constant tensors of every sub-graph by name, mapped from the file, and the scales of channels."""
    data = np.memmap(artifact.model, np.uint8, mode="r")
    return _constants(data) | _scales(data)


def _scales(data: Array) -> dict[str, Array]:
    """Return the scales of tensors that have one for each channel."""
    model = schema.Model.GetRootAsModel(data, 0)
    found: dict[str, Array] = {}
    for graph in (model.Subgraphs(place) for place in range(model.SubgraphsLength())):
        for tensor in (graph.Tensors(index) for index in range(graph.TensorsLength())):
            quantization = tensor.Quantization()
            if quantization is not None and quantization.ScaleLength() > 1:
                found[f"{tensor.Name().decode(errors='replace')}/scale"] = quantization.ScaleAsNumpy()
    return found


def steps(artifact: Artifact) -> Steps | None:
    """Return the steps of inputs and outputs of a file that computes in integers of a scale."""
    if not _computes_in_integers(np.memmap(artifact.model, np.uint8, mode="r")):
        return None
    from isoform.hub.importers import tflite
    from isoform.hub.integer_outputs import steps_of

    return steps_of(tflite.load(artifact.model))


def _computes_in_integers(data: Array) -> bool:
    """Return whether an operator gives integers that have a scale."""
    model = schema.Model.GetRootAsModel(data, 0)
    graphs = [model.Subgraphs(place) for place in range(model.SubgraphsLength())]
    results = (
        graph.Tensors(place)
        for graph in graphs
        for index in range(graph.OperatorsLength())
        for place in graph.Operators(index).OutputsAsNumpy()
    )
    return any(
        _NAMES[tensor.Type()] in _SCALED and tensor.Quantization() is not None and tensor.Quantization().ScaleLength()
        for tensor in results
    )


def _constants(data: Array) -> dict[str, Array]:
    """Return the constant tensors as views of the file's bytes."""
    model = schema.Model.GetRootAsModel(data, 0)
    found: dict[str, Array] = {}
    for place in range(model.SubgraphsLength()):
        graph = model.Subgraphs(place)
        for index in range(graph.TensorsLength()):
            tensor = graph.Tensors(index)
            array = _constant(model.Buffers(tensor.Buffer()), tensor, data)
            if array is not None:
                name = tensor.Name().decode(errors="replace")
                found[name if name not in found else f"{name}#{place}.{index}"] = array
    return found


def _model(artifact: Artifact, perturbation: Perturbation | None) -> dict[str, Any]:
    """Return the interpreter's argument: the file, or its bytes with every float32 constant multiplied by 1+d."""
    if perturbation is None:
        return {"model_path": str(artifact.model)}
    data = np.fromfile(artifact.model, np.uint8)
    factors = perturbation.draws()
    for array in _constants(data).values():
        if array.dtype == np.float32:  # a view of the copied bytes
            array[...] = array * factors(array.shape)
    return {"model_content": data.tobytes()}


def _constant(buffer: schema.Buffer, tensor: schema.Tensor, data: Array) -> Array | None:
    if buffer.Offset() > 1:
        content = data[buffer.Offset() : buffer.Offset() + buffer.Size()]
    elif buffer.DataLength():
        content = buffer.DataAsNumpy()
    else:
        return None
    dtype = _NAMES[tensor.Type()]
    if dtype in ("string", "resource", "variant"):
        return None
    return np.frombuffer(content, np.dtype(dtype)).reshape(tensor.ShapeAsNumpy() if tensor.ShapeLength() else ())


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
