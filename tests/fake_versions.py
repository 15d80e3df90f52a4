"""What a test worker loads first that pretends to have another NumPy."""

import fake_tasks  # noqa: F401
from isoform import registry

_true = registry.__dict__.setdefault("_true_version_of", registry.version_of)  # a worker may load this file twice
registry.version_of = lambda module: "1.0" if module == "numpy" else _true(module)
