"""Operators of TensorFlow that tf2onnx has no form for: one file a family, one function an operator."""
