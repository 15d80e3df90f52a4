"""parity.lock: what counts as worse, by how much, and since when."""

from dataclasses import replace

import pytest

from isoform.core.lock import Entry, Latency, Lock, Tolerances
from isoform.errors import UsageError

KEY = "exports/net/onnx on ort-cpu"
HERE, ELSEWHERE = "EPYC, 2 cores", "Xeon, 4 cores"
ONE = "batch 1, 1 thread"


def latency(ms: float, spread: float = 0.02, cpu: str = HERE) -> Latency:
    return Latency(ms * 1e6, ms * 1e6 * (1 - spread), ms * 1e6 * (1 + spread), cpu)


LOCKED = Entry("PASS", 0.5, 1000, {ONE: latency(1.0)}, {"onnxruntime": "1.24.0", "torch": "2.13.0"})


def everything(key: str) -> bool:
    return True


def changes(**changed: object) -> list[tuple[str, bool]]:
    """Return what the lock says of an entry that differs from the locked one."""
    found = {KEY: replace(LOCKED, **changed)}  # type: ignore[arg-type]
    return [(change.what, change.is_regression) for change in Lock({KEY: LOCKED}).compare(found, everything)]


def test_the_same_entry_has_not_changed() -> None:
    assert changes() == []


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"verdict": "FAIL"}, "verdict FAIL, was PASS; with the same versions"),
        ({"verdict": "WARN"}, "verdict WARN, was PASS; with the same versions"),
        ({"verdict": "NOT VERIFIED"}, "verdict NOT VERIFIED, was PASS; with the same versions"),
        ({"lost_bits": 2.6}, "2.6 bits lost, were 0.5; with the same versions"),
        ({"size_bytes": 1011}, "1011 bytes, were 1000 (+1 %); with the same versions"),
        ({"latencies": {ONE: latency(2.0)}}, f"latency at {ONE} 2 ms, was 1 (+100 %); with the same versions"),
        (
            {"lost_bits": 3.0, "versions": {"onnxruntime": "1.25.0", "onnx": "1.23.0"}},
            "3.0 bits lost, were 0.5; since: onnx absent -> 1.23.0, onnxruntime 1.24.0 -> 1.25.0, "
            "torch 2.13.0 -> absent",
        ),
    ],
)
def test_what_is_worse_is_told_with_its_size_and_since_when(changed: dict[str, object], what: str) -> None:
    assert changes(**changed) == [(what, True)]


@pytest.mark.parametrize(
    "changed",
    [
        {"lost_bits": 2.5}, {"lost_bits": 0.0}, {"size_bytes": 1010}, {"size_bytes": 10},
        {"latencies": {ONE: latency(1.08)}}, {"latencies": {ONE: latency(0.5)}}, {"latencies": {}},
        {"versions": {}},
    ],
)  # fmt: skip
def test_what_is_within_its_tolerance_or_better_is_no_change(changed: dict[str, object]) -> None:
    assert changes(**changed) == []


def test_overlapping_intervals_are_no_regression_however_far_the_medians_lie_apart() -> None:
    assert changes(latencies={ONE: latency(2.0, spread=0.6)}) == []


def test_a_latency_of_another_machine_is_a_remark() -> None:
    told = changes(latencies={ONE: latency(9.0, cpu=ELSEWHERE)})
    assert told == [(f"latency at {ONE} was locked on {HERE} and is not compared", False)]


def test_an_artifact_that_has_gone_is_a_regression_if_it_was_asked_for() -> None:
    lock = Lock({KEY: LOCKED})
    assert [str(change) for change in lock.compare({}, everything)] == [
        f"{KEY}: is in the lock and is not there any more"
    ]
    assert lock.compare({}, lambda key: False) == []


def test_a_new_artifact_is_a_remark() -> None:
    [change] = Lock({}).compare({KEY: LOCKED}, everything)
    assert (change.what, change.is_regression) == ("is new: the lock does not hold it", False)


def test_updating_takes_what_was_found_and_keeps_what_was_not_asked_for() -> None:
    other = replace(LOCKED, verdict="WARN")
    lock = Lock({KEY: LOCKED, "b on litert": other}, Tolerances(latency=0.2))
    updated = lock.updated({KEY: replace(LOCKED, lost_bits=1.0)}, lambda key: key == KEY)
    assert updated.entries == {KEY: replace(LOCKED, lost_bits=1.0), "b on litert": other}
    assert updated.tolerances.latency == 0.2


def test_updating_keeps_a_latency_that_was_not_measured_again_while_the_file_is_as_large() -> None:
    lock, unmeasured = Lock({KEY: LOCKED}), replace(LOCKED, latencies={})
    assert lock.updated({KEY: unmeasured}, everything).entries[KEY].latencies == LOCKED.latencies
    changed = replace(unmeasured, size_bytes=999)
    assert lock.updated({KEY: changed}, everything).entries[KEY].latencies == {}


def test_a_lock_survives_json_and_its_tolerances_are_the_users() -> None:
    lock = Lock({KEY: LOCKED}, Tolerances(lost_bits=0.5))
    assert Lock.from_json(lock.to_json()) == lock


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (None, "This is not a lock, or not a whole one."),
        ([], "This is not a lock, or not a whole one."),
        ({"schema_version": 9}, "The lock has schema version 9; this isoform reads 1."),
        ({"schema_version": 1}, "This lock is not whole: 'artifacts'."),
    ],
)
def test_what_is_no_lock_is_refused(document: object, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        Lock.from_json(document)
    assert (caught.value.what, caught.value.hint) == (what, "Write it again: --update-lock")
