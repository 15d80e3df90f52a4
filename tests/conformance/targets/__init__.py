"""What graphs run through, one file a target: ``prepare(model, inputs)`` gives a function from inputs to outputs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One way from a graph to numbers.

    Attributes:
        title: what its table says above the figures.
        packages: whose versions its verdicts depend on, ONNX apart.
    """

    title: str
    packages: tuple[str, ...]


TARGETS = {
    "onnxruntime": Target("ONNX Runtime on the CPU: the yardstick", ("onnxruntime",)),
    "torch": Target("the PyTorch module, called as it is", ("torch",)),
    "torchscript": Target("the PyTorch module, traced to TorchScript", ("torch",)),
    "torchscript_weights": Target(
        "the PyTorch module, traced to TorchScript, all inputs but the first as weights", ("torch",)
    ),
    "tensorflow": Target("the TensorFlow function", ("tensorflow",)),
    "tensorflow_weights": Target("the TensorFlow function, all inputs but the first as weights", ("tensorflow",)),
    "tflite": Target("the TFLite file in LiteRT", ("ai-edge-litert",)),
    "tflite_weights": Target("the TFLite file in LiteRT, all inputs but the first as weights", ("ai-edge-litert",)),
    "tflite_dynamic": Target(
        "the TFLite file in LiteRT, weights as before, every size of the first input dynamic", ("ai-edge-litert",)
    ),
}
"""ONNX Runtime is the yardstick; names that end in one word more are the same emitter used in another way."""
