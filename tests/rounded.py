"""A planted fault for tests of explain: a runtime that rounds what it answers."""

import numpy as np

from isoform.core.protocols import Session


class Rounding:
    """A session whose outputs come rounded to half precision."""

    def __init__(self, inner: Session) -> None:
        self._inner, self.signature = inner, inner.signature

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: array.astype(np.float16).astype(np.float32) for name, array in self._inner.run(inputs).items()}

    def close(self) -> None:
        self._inner.close()
