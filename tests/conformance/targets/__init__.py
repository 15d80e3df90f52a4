"""One file a target: ``prepare(model, inputs)`` gives a function from a list of inputs to the list of outputs."""

TARGETS = ("onnxruntime", "torch", "torchscript", "tensorflow", "tensorflow_weights", "tflite")
"""ONNX Runtime is the yardstick; the two that end in a word more are the same emitter used in another way."""
