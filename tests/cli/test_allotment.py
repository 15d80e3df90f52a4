"""What several tasks may take of a time: shares, what is left over, and what was taken too long."""

import pytest

from isoform.cli import allotment


def test_tasks_share_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(allotment.time, "monotonic", lambda: clock[0])
    shared = allotment.Allotment(60.0, 3, clock[0])
    assert shared.next_s() == 20
    clock[0] += 10  # half of its share: the others have more
    assert shared.next_s() == 25
    clock[0] += 100  # far too long
    assert shared.next_s() == 0
    assert shared.next_s() == 0
