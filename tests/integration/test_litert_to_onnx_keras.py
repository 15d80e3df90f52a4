"""Files of TensorFlow's own converter, float and quantised: ONNX Runtime answers as LiteRT does.

They are written by a process of its own, since TensorFlow and LiteRT share symbols.
"""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from isoform import hub
from isoform.hub.importers import tflite
from isoform.hub.importers.tflite_file import Operator, Signature, TfliteFile, read
from saturation import exact_sums

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.tensorflow]

WRITER = Path(__file__).with_name("keras_tflite_files.py")
FLOAT = ["images_float", "images_float16", "recurrent_float", "recurrent_float16", "gated_float", "attention_float",
         "words_float", "volumes_float", "mobile_float"]  # fmt: skip
QUANTIZED = ["images_int8", "attention_int8", "mobile_int8"]
HYBRID = ["images_dynamic", "recurrent_dynamic"]
MOST_TRANSPOSES = {"images_float": 2, "images_int8": 2, "mobile_float": 1, "mobile_int8": 1}
REFERENCE, OPTIMISED = OpResolverType.BUILTIN_REF, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras")
    subprocess.run([sys.executable, str(WRITER), str(folder)], check=True, capture_output=True, timeout=500)
    return folder


def examples(interpreter: Interpreter, count: int) -> list[np.ndarray]:
    """Return inputs that the file takes, dynamic sizes 3 for a batch and 7 for others."""
    rng, [details] = np.random.default_rng(1), interpreter.get_input_details()
    first, *others = details["shape_signature"]
    shape = [3 if first < 0 else first, *(7 if size < 0 else size for size in others)]
    if details["dtype"] == np.float32:
        return [rng.uniform(-1, 1, shape).astype(np.float32) for _ in range(count)]
    low, high = (-128, 128) if details["dtype"] == np.int8 else (0, 50)
    return [rng.integers(low, high, shape).astype(details["dtype"]) for _ in range(count)]


def in_litert(path: Path, inputs: list[np.ndarray], resolver: OpResolverType = OPTIMISED) -> np.ndarray:
    interpreter = Interpreter(str(path), experimental_op_resolver_type=resolver)
    place = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(place, inputs[0].shape)
    answers = []
    for array in inputs:
        interpreter.allocate_tensors()
        interpreter.reset_all_variables()
        interpreter.set_tensor(place, array)
        interpreter.invoke()
        answers.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    return np.stack(answers)


def in_onnxruntime(proto: onnx.ModelProto, inputs: list[np.ndarray]) -> np.ndarray:
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    [name] = [value.name for value in session.get_inputs()]
    return np.stack([session.run(None, {name: array})[0] for array in inputs])


def answers(files: Path, name: str, count: int = 4) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return what ONNX Runtime gives, what LiteRT gives, and for which inputs."""
    path = files / f"{name}.tflite"
    inputs = examples(Interpreter(str(path)), count)
    proto = ir.to_proto(hub.from_tflite(path))
    found, wanted = in_onnxruntime(proto, inputs), in_litert(path, inputs)
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    transposes = sum(node.op_type == "Transpose" for node in proto.graph.node)
    assert transposes <= MOST_TRANSPOSES.get(name, transposes)
    return found, wanted, inputs


@pytest.mark.parametrize("name", FLOAT)
def test_a_float_file_gives_the_same_numbers(files: Path, name: str) -> None:
    found, wanted, _ = answers(files, name)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


@exact_sums
@pytest.mark.parametrize("name", QUANTIZED)
def test_a_quantised_file_stays_near_the_reference_kernels(files: Path, name: str) -> None:
    """Steps add up over layers; LiteRT's own kernels differ from each other too, by up to three steps."""
    found, wanted, inputs = answers(files, name, count=20)
    assert found.dtype == np.int8
    reference = in_litert(files / f"{name}.tflite", inputs, REFERENCE).astype(int)
    ours, theirs = np.abs(found - reference), np.abs(wanted - reference)
    print(name, f"{(ours == 0).mean():.2f} equal, LiteRT's own kernels {(theirs == 0).mean():.2f}")
    assert (ours <= 1).mean() >= 0.75  # a layer normalisation in eight bits multiplies steps
    assert ours.max() <= 3


@exact_sums
@pytest.mark.parametrize("name", [*QUANTIZED, "images_int16"])
def test_each_quantised_operator_is_within_a_step_of_the_reference_kernel(files: Path, name: str) -> None:
    """Each is given what LiteRT gave it, so that no error of an earlier one counts."""
    path, equal = files / f"{name}.tflite", []
    file = read(path)
    values = _every_tensor(path)
    for operator in file.sub_graphs[0].operators:
        for found, place in zip(_alone(file, operator, values), operator.outputs, strict=True):
            wanted = values[place]
            assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape), operator
            if found.dtype.kind == "f":
                np.testing.assert_allclose(found, wanted, rtol=1e-5, err_msg=operator.name)
            else:
                apart = np.abs(found.astype(int) - wanted)
                assert apart.max() <= 1, operator
                equal.append(float((apart == 0).mean()))
    print(name, f"{len(equal)} operators, {np.mean(equal):.4f} equal")
    assert np.mean(equal) >= 0.9


def _every_tensor(path: Path) -> dict[int, np.ndarray]:
    interpreter = Interpreter(
        str(path), experimental_op_resolver_type=REFERENCE, experimental_preserve_all_tensors=True
    )
    [given] = examples(interpreter, 1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given[:1])
    interpreter.invoke()
    names = [place for operator in read(path).sub_graphs[0].operators for place in operator.outputs]
    places = (interpreter.get_input_details()[0]["index"], *names)
    return {place: np.asarray(interpreter.get_tensor(place)) for place in places}


def _alone(file: TfliteFile, operator: Operator, values: dict[int, np.ndarray]) -> list[np.ndarray]:
    graph = file.sub_graphs[0]
    places = [place for place in dict.fromkeys(operator.inputs) if place in values]
    alone = dataclasses.replace(graph, operators=[operator], inputs=tuple(places), outputs=operator.outputs)
    entry = Signature(0, {f"in_{place}": place for place in places}, {f"out_{p}": p for p in operator.outputs})
    proto = ir.to_proto(tflite.build(TfliteFile([alone], {}), entry))
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {f"in_{place}": values[place] for place in places})


def test_a_file_of_sixteen_bits_is_within_a_step(files: Path) -> None:
    found, wanted, _ = answers(files, "images_int16")
    details = Interpreter(str(files / "images_int16.tflite")).get_output_details()[0]
    step = 2.0**-15  # of a softmax
    assert details["dtype"] == np.float32
    np.testing.assert_allclose(found, wanted, atol=2 * step)


@pytest.mark.parametrize("name", HYBRID)
def test_weights_of_eight_bits_are_read_exactly_where_litert_rounds_what_they_meet(files: Path, name: str) -> None:
    """LiteRT rounds the activations to eight bits too, so it is off by up to 1/254 of their range in each layer."""
    found, wanted, _ = answers(files, name)
    assert np.abs(found - wanted).max() <= 0.02 * np.abs(wanted).max()


def test_weights_stay_as_small_as_they_are_in_the_file(files: Path) -> None:
    model = hub.from_tflite(files / "mobile_int8.tflite")
    size_bytes = sum(value.const_value.nbytes for value in model.graph.initializers.values())
    assert size_bytes <= (files / "mobile_int8.tflite").stat().st_size
