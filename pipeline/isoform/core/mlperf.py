"""What MLPerf's LoadGen says of an artifact, read from its detailed log, and how the run differs from MLPerf's rules.

LoadGen's own word is carried as it is. Not aware of how a run is made: that is jobs/mlperf.py.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from isoform.errors import IsoformError

NAME = "mlperf"
"""The key of these records in a benchmark's."""
MODULE, EXTRA = "mlperf_loadgen", "mlperf"
USABLE_S = 10.0
"""The shortest duration of a scenario where nobody asks for another."""
OFFICIAL_S = 600.0
"""The shortest duration of a scenario by the MLPerf Inference rules, chapter Scenarios."""
SINGLE_STREAM, OFFLINE = "single-stream", "offline"
FEWEST = {SINGLE_STREAM: 64, OFFLINE: 24_576}
"""Fewest samples by the rules: what early stopping takes at the 90th percentile, and what an offline query holds."""
_PREFIX = ":::MLLOG "
_QUANTILES = {"p50": "50.00", "p90": "90.00", "p99": "99.00", "p99.9": "99.90"}
_ALWAYS = (
    "the artifact's own input over and over, not the data set of an MLPerf benchmark",
    "no accuracy run and no compliance tests",
)


def scenarios(batch: int) -> tuple[str, ...]:
    """Return what is run at a batch: a query of single-stream is one sample, whatever a user would like."""
    return (SINGLE_STREAM, OFFLINE) if batch == 1 else (OFFLINE,)


def scenario(name: str, log: str, min_duration_s: float) -> dict[str, Any]:
    """Return the record of one scenario from LoadGen's ``mlperf_log_detail.txt``.

    The result is that of the rules: of single-stream the early-stopping estimate of the 90th percentile, in ms, and
    the percentile itself where the queries were too few for an estimate; of offline samples a second.

    Raises:
        IsoformError: the log is not whole.
    """
    entries = [json.loads(line.removeprefix(_PREFIX)) for line in log.splitlines() if line.startswith(_PREFIX)]
    said: dict[str, Any] = {entry["key"]: entry["value"] for entry in entries}
    try:
        samples = int(said["result_query_count"]) * int(said["generated_samples_per_query"])
        latencies = {name: said[f"result_{number}_percentile_latency_ns"] for name, number in _QUANTILES.items()}
        if name == SINGLE_STREAM:
            rate, unit = float(said["result_qps_with_loadgen_overhead"]), "ms"
            result = (said["early_stopping_latency_ss"] or latencies["p90"]) / 1e6
        else:
            rate, unit = float(said["result_samples_per_second"]), "samples/s"
            result = rate
        verdict, version = said["result_validity"], said["loadgen_version"]
    except KeyError as error:
        raise IsoformError(
            f"LoadGen's log of {name} lacks {error}.", "Run it again; install mlcommons-loadgen 6.", kind="loadgen"
        ) from error
    return {
        "is_valid": verdict == "VALID",
        "is_quick": min_duration_s < OFFICIAL_S or samples < FEWEST[name],
        "result": result,
        "unit": unit,
        "queries": int(said["result_query_count"]),
        "samples": samples,
        "duration_s": samples / rate if rate else 0.0,
        "min_duration_s": min_duration_s,
        "latencies_ns": latencies if name == SINGLE_STREAM else None,
        "reasons": _reasons(entries),
        "deviations": deviations(name, min_duration_s, samples),
        "loadgen": version,
    }


def deviations(name: str, min_duration_s: float, samples: int) -> list[str]:
    """Return in which ways a run is no MLPerf submission: never none."""
    short = [f"{min_duration_s:g} s at least, by the rules {OFFICIAL_S:g} s"] if min_duration_s < OFFICIAL_S else []
    few = [f"{samples:,} samples, by the rules {FEWEST[name]:,}"] if samples < FEWEST[name] else []
    return [*short, *few, *_ALWAYS]


def told(records: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a line for each scenario."""
    return [_line(name, record) for name, record in records.items()]


def _line(name: str, record: Mapping[str, Any]) -> str:
    what = "90th percentile " if name == SINGLE_STREAM else ""
    reasons = f" ({'; '.join(record['reasons'])})" if record["reasons"] else ""
    return (
        f"LoadGen {name}: {what}{record['result']:,.4g} {record['unit']}, "
        f"{'VALID' if record['is_valid'] else 'INVALID'}{reasons}, {record['samples']:,} samples in "
        f"{record['duration_s']:.1f} s; no MLPerf submission: {record['deviations'][0]}"
    )


def _reasons(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return why LoadGen calls a run invalid, and its errors, each once."""
    found = [
        str(entry["value"]).strip()
        for entry in entries
        if entry["key"] == "result_invalid_reason" or entry["metadata"]["is_error"]
    ]
    return list(dict.fromkeys(found))
