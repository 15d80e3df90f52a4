"""TFLite's builtin operators as ONNX nodes: one file per family, one function per operator."""
