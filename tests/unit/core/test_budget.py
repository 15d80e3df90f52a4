"""What a budget means, and what is beyond it."""

from dataclasses import replace

import pytest

from isoform.core.bench import BenchRecord, Process, Timing
from isoform.core.budget import over, parse
from isoform.core.machine import Machine
from isoform.errors import UsageError

PROCESS = Process(5_000_000, 20_000_000, 3_000_000, 1, 40, True, (2_000_000,) * 100, (2_100_000,), 1, 50 << 20)
RECORD = BenchRecord(
    "", "litert", "cpu", True, 1, {}, Machine("cpu", "x86_64", 2, None, "Linux", "3.11"), (), "", 5_000_000,
    (Timing(1, (PROCESS,) * 2), Timing(2, (replace(PROCESS, latencies_ns=(1_000_000,) * 100),) * 2)),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("p50<2.5ms,size<6MB,peak<60MiB,load<1s", []),
        ("p50<1500us", ["p50 on 1 thread is 2 ms, the budget p50<1500us"]),
        ("p50 < 0.5 ms", [
            "p50 on 1 thread is 2 ms, the budget p50 < 0.5 ms", "p50 on 2 threads is 1 ms, the budget p50 < 0.5 ms",
        ]),
        ("size<=4.7MiB", ["size is 5 MB, the budget size<=4.7MiB"]),
        ("peak<40MB,first<4ms", [
            "peak on 1 thread is 50 MiB, the budget peak<40MB", "peak on 2 threads is 50 MiB, the budget peak<40MB",
        ]),
    ],
)  # fmt: skip
def test_what_is_beyond_the_budget_is_told(text: str, found: list[str]) -> None:
    assert over(RECORD, parse(text)) == found


def test_a_tail_of_too_few_queries_is_no_pass() -> None:
    assert over(RECORD, parse("p99<1s"))[0] == "p99 on 1 thread takes 662 queries, there are 200: raise --rounds"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p50", "'p50' is not METRIC<VALUE"),
        ("", "'' is not METRIC<VALUE"),
        ("p50>2ms", "'p50>2ms' is not METRIC<VALUE"),
        ("p5<2ms", "no metric 'p5'"),
        ("size<2ms", "'ms' does not measure size"),
        ("p50<2MB", "'MB' does not measure p50"),
    ],
)
def test_what_is_no_budget_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        parse(text)
