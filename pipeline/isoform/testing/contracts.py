"""Suites for people who write adapters: inherit one, say what is under test, and pytest runs it. Needs pytest.

::

    class TestMyRuntime(RuntimeContract):
        module = my_runtime

        @pytest.fixture
        def artifact(self, tmp_path):
            return Artifact("onnx", written(tmp_path), SIGNATURE)
"""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from isoform import store
from isoform.core.artifact import Artifact
from isoform.core.cases import Tensors
from isoform.core.generation import generate
from isoform.core.protocols import ConvertOptions, RunOptions
from isoform.core.structure import compare_signatures
from isoform.errors import IsoformError


class RuntimeContract:
    """What `isoform.core.protocols.RuntimeModule` promises.

    Attributes:
        module: the runtime, something with ``load`` and, where the format's weights can be read, ``weights``.
    """

    module: ClassVar[Any]

    @pytest.fixture
    def artifact(self, tmp_path: Path) -> Artifact:
        """Return a model that the runtime opens, its signature the one that was written."""
        raise NotImplementedError("define the fixture 'artifact'")

    @pytest.fixture
    def session(self, artifact: Artifact) -> Any:
        session = self.module.load(artifact, RunOptions())
        yield session
        session.close()

    @pytest.fixture
    def cases(self, artifact: Artifact) -> Sequence[Tensors]:
        return generate(artifact.signature).inputs

    def test_it_offers_load_as_the_protocol_has_it(self) -> None:
        assert list(inspect.signature(self.module.load).parameters) == ["artifact", "options"]

    def test_the_file_has_the_signature_that_was_written(self, artifact: Artifact, session: Any) -> None:
        assert compare_signatures(artifact.signature, session.signature) == []

    def test_outputs_come_by_name_in_the_order_of_the_signature(self, session: Any, cases: Sequence[Tensors]) -> None:
        answer = session.run(cases[0])
        assert list(answer) == [spec.name for spec in session.signature.outputs]
        for spec in session.signature.outputs:
            assert str(answer[spec.name].dtype) == spec.dtype
            assert answer[spec.name].ndim == len(spec.shape)

    def test_it_runs_at_every_size_of_its_dynamic_dimensions(self, session: Any, cases: Sequence[Tensors]) -> None:
        for case in cases:
            assert session.run(case)

    def test_the_same_inputs_give_the_same_outputs(self, session: Any, cases: Sequence[Tensors]) -> None:
        first = session.run(cases[0])
        session.run(cases[1])
        again = session.run(cases[0])
        for name, array in first.items():
            np.testing.assert_array_equal(array, again[name])

    def test_what_is_bound_gives_what_run_gives_however_often(self, session: Any, cases: Sequence[Tensors]) -> None:
        for case in cases:
            expected = session.run(case)
            bound = session.bind(case)
            for _ in range(3):
                bound.run()
            found = bound.outputs()
            assert list(found) == list(expected)
            for name, array in expected.items():
                np.testing.assert_array_equal(array, found[name])

    def test_outputs_of_what_is_bound_belong_to_the_caller(self, session: Any, cases: Sequence[Tensors]) -> None:
        first = session.bind(cases[0]).answer()
        kept = {name: array.copy() for name, array in first.items()}
        session.bind(cases[1]).answer()
        for name, array in first.items():
            np.testing.assert_array_equal(array, kept[name])
            array[...] = 0  # as above

    def test_outputs_belong_to_the_caller(self, session: Any, cases: Sequence[Tensors]) -> None:
        first = session.run(cases[0])
        kept = {name: array.copy() for name, array in first.items()}
        session.run(cases[1])
        for name, array in first.items():
            np.testing.assert_array_equal(array, kept[name])
            array[...] = 0  # a read-only or shared buffer is not the caller's

    def test_inputs_are_left_as_they_were(self, session: Any, cases: Sequence[Tensors]) -> None:
        given = {name: array.copy() for name, array in cases[0].items()}
        session.run(given)
        for name, array in cases[0].items():
            np.testing.assert_array_equal(given[name], array)

    def test_a_device_that_is_not_there_is_refused(self, artifact: Artifact) -> None:
        with pytest.raises(IsoformError):
            self.module.load(artifact, RunOptions(device="no such device"))

    def test_weights_are_arrays_by_name(self, artifact: Artifact) -> None:
        if hasattr(self.module, "weights"):
            assert all(isinstance(array, np.ndarray) for array in self.module.weights(artifact).values())


class ConverterContract:
    """What `isoform.core.protocols.ConverterModule` promises.

    Attributes:
        module: the converter, something with ``convert``.
        runtime: what opens its target.
        target_format: the name of the format that it writes.
        target_name: of the file or folder.
    """

    module: ClassVar[Any]
    runtime: ClassVar[Any]
    target_format: ClassVar[str]
    target_name: ClassVar[str] = "target"

    @pytest.fixture
    def source(self, tmp_path: Path) -> Artifact:
        """Return a model that the converter takes."""
        raise NotImplementedError("define the fixture 'source'")

    @pytest.fixture
    def written(self, source: Artifact, tmp_path: Path) -> Artifact:
        target = tmp_path / "written" / self.target_name
        target.parent.mkdir()
        self.module.convert(source, target, ConvertOptions())
        return Artifact(self.target_format, target, source.signature)

    def test_it_offers_convert_as_the_protocol_has_it(self) -> None:
        assert list(inspect.signature(self.module.convert).parameters) == ["source", "target", "options"]

    def test_names_order_dtypes_and_dynamic_dimensions_are_those_of_the_source(self, written: Artifact) -> None:
        session = self.runtime.load(written, RunOptions())
        try:
            assert compare_signatures(written.signature, session.signature) == []
        finally:
            session.close()

    def test_what_it_writes_runs_at_every_size(self, written: Artifact) -> None:
        session = self.runtime.load(written, RunOptions())
        try:
            for case in generate(written.signature).inputs:
                assert session.run(case)
        finally:
            session.close()

    def test_the_source_is_left_as_it_was(self, source: Artifact, tmp_path: Path) -> None:
        before = store.digest_file(source.model) if source.model.is_file() else None
        self.module.convert(source, tmp_path / self.target_name, ConvertOptions())
        after = store.digest_file(source.model) if source.model.is_file() else None
        assert before == after
