"""The job behind ``bench --mlperf``: MLPerf's LoadGen asks a runtime's session. Run it in a fresh child.

A sample lies in the host's memory as numpy arrays and its answer is there again when it counts as done, as the rules
of MLPerf have it: what is timed is ``Session.run``. Not aware of those rules' counts: core/mlperf.py.
"""

import importlib
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mlperf_loadgen as loadgen

from isoform import registry
from isoform.core.artifact import Artifact
from isoform.core.mlperf import FEWEST, SINGLE_STREAM, scenario
from isoform.core.protocols import RunOptions, RuntimeModule
from isoform.core.statistics import median
from isoform.jobs.measure import inputs_of, stop_collecting, timed, warm_up

_LOG = "mlperf_log_detail.txt"
_NO_AUDIT = ""  # without a name LoadGen would read audit.config of the current folder
_SAMPLES = 1
_HEADROOM = 1.5  # a run that takes longer than its least is valid, one that ends before is not


def generate(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the record of each scenario by its name.

    Args:
        arguments: runtime, artifact (an Artifact as JSON), inputs (path of an npz), threads, batch, scenarios,
            min_duration_s, warmup_s, warmup_limit_s.
    """
    row = registry.runtime(arguments["runtime"])
    registry.require(row)
    artifact = Artifact.from_json(arguments["artifact"])
    inputs = inputs_of(Path(arguments["inputs"]), artifact)
    options = RunOptions(device=row.device, threads=arguments["threads"])
    module: RuntimeModule = importlib.import_module(row.module)
    session = module.load(artifact, options)
    try:

        def run() -> None:
            session.run(inputs)

        latencies, _ = warm_up(timed(run), arguments["warmup_s"], arguments["warmup_limit_s"])
        stop_collecting()
        records = {}
        for name in arguments["scenarios"]:
            progress(phase=name)
            settings = _settings(name, arguments["min_duration_s"], _typical_ns(latencies), arguments["batch"])
            log = _log_of(settings, _Answerer(run, arguments["batch"]).issue)
            records[name] = scenario(name, log, arguments["min_duration_s"]) | {"threads": arguments["threads"]}
    finally:
        session.close()
    return records


class _Answerer:
    """The system under test: runs a query for each ``batch`` samples, and answers each sample when it is done."""

    def __init__(self, run: Callable[[], None], batch: int) -> None:
        self._run = run
        self._batch = batch

    def issue(self, samples: Sequence[Any]) -> None:
        for start in range(0, len(samples), self._batch):
            self._run()
            done = samples[start : start + self._batch]
            loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(sample.id, 0, 0) for sample in done])


def _typical_ns(warmup: Sequence[int]) -> float:
    """Return what a query is planned with, less than a warm one takes: the first may take a thousand times that."""
    return median(warmup[len(warmup) // 2 :]) / _HEADROOM


def _settings(name: str, min_duration_s: float, latency_ns: float, batch: int) -> Any:
    """Return LoadGen's settings; from a query's latency it draws as many samples as the duration takes."""
    settings = loadgen.TestSettings()
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = math.ceil(min_duration_s * 1000)
    if name == SINGLE_STREAM:
        settings.scenario = loadgen.TestScenario.SingleStream
        settings.single_stream_expected_latency_ns = max(1, int(latency_ns))
        settings.min_query_count = FEWEST[SINGLE_STREAM]
    else:
        settings.scenario = loadgen.TestScenario.Offline
        settings.offline_expected_qps = batch * 1e9 / max(1.0, latency_ns)
        settings.min_query_count = 1
    return settings


def _log_of(settings: Any, issue: Callable[[Sequence[Any]], None]) -> str:
    """Return LoadGen's detailed log of one run; its files go to a folder that does not stay."""
    with tempfile.TemporaryDirectory(prefix="isoform-loadgen.") as folder:
        logging = loadgen.LogSettings()
        output = loadgen.LogOutputSettings()
        output.outdir = folder
        output.copy_summary_to_stdout = False
        logging.log_output = output
        logging.enable_trace = False
        system = loadgen.ConstructSUT(issue, lambda: None)
        library = loadgen.ConstructQSL(_SAMPLES, _SAMPLES, lambda _: None, lambda _: None)
        loadgen.StartTestWithLogSettings(system, library, settings, logging, _NO_AUDIT)
        loadgen.DestroyQSL(library)
        loadgen.DestroySUT(system)
        return (Path(folder) / _LOG).read_text()
