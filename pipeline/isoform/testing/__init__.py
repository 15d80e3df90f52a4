"""For test suites: `assert_parity` for people who convert models, fakes and contracts for people who write adapters.

::

    from isoform.testing import assert_parity

    def test_the_export_computes_what_the_network_computes():
        assert_parity(build_network(), "exports/net/tflite", inputs=["image:float32[batch,3,224,224]"])

`isoform.testing.contracts` holds suites to inherit; it needs pytest. Nothing here imports a framework.
"""

from isoform.testing.fakes import FakeRuntime, FakeSession
from isoform.testing.parity import assert_parity

__all__ = ["FakeRuntime", "FakeSession", "assert_parity"]
