"""Faults as converters make them, planted in a copy of a model to see whether a verification catches them.

A file a format's own object: graph.py (the hub graph: ONNX and TFLite), torchscript.py, pt2.py, savedmodel.py. Each has
``FAULTS``, which maps a name to a function that changes the object in place and says what it did, or returns None where
there is nothing to do it to. Faults of weights stand once, in weights.py, and are in each table. Not aware of
verification.
"""
