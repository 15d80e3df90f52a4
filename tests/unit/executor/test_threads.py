"""Tasks run side by side; results come in order, each once those before it are there, and an error ends the rest."""

import threading

import pytest

from isoform.executor import run_all, run_each


def test_results_come_in_order_whichever_is_first_done() -> None:
    gate = threading.Event()

    def run(task: int) -> int:
        if task == 0:
            assert gate.wait(10)
        else:
            gate.set()  # the second has to run while the first one waits
        return task * 2

    assert run_all([0, 1, 2], run, 2, cancel=lambda: None) == [0, 2, 4]


def test_a_result_is_there_before_the_next_task_has_ended() -> None:
    gate = threading.Event()
    results = run_each([0, 1], lambda task: gate.wait(10) if task else True, 2, cancel=gate.set)
    assert next(results) is True
    assert not gate.is_set()
    gate.set()
    assert list(results) == [True]


def test_an_error_cancels_what_runs_and_goes_on() -> None:
    gate = threading.Event()

    def run(task: int) -> bool:
        if task == 0:
            raise ZeroDivisionError
        return gate.wait(10)

    with pytest.raises(ZeroDivisionError):
        run_all([0, 1], run, 2, cancel=gate.set)
    assert gate.is_set()


def test_who_stops_listening_cancels_what_runs() -> None:
    gate = threading.Event()
    results = run_each([0, 1], lambda task: gate.wait(10) if task else True, 2, cancel=gate.set)
    next(results)
    results.close()
    assert gate.is_set()
