"""Repairs that need a process each: the smallest that passes is told, and none where none does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from isoform import registry
from isoform.core.ledger import NONE_FOUND, REPAIRS
from isoform.stages import account

TF = registry.runtime("tf")


@dataclass
class Processes:
    """Stands in for a pool: a file passes in processes whose environment or options have a certain entry."""

    helps: tuple[str, Any]
    asked: list[tuple[dict[str, Any], Mapping[str, str]]] = field(default_factory=list)

    def call(self, function: str, arguments: dict[str, Any], *, needs: str, is_fresh: bool = False,
             environment: Mapping[str, str] | None = None) -> SimpleNamespace:  # fmt: skip
        if function.endswith(":ledger"):
            return SimpleNamespace(value={"stages": [], "kept": "", "is_open": True, "repair": ""})
        assert function.endswith(":passes")
        assert is_fresh
        assert needs == TF.extra
        self.asked.append((arguments["options"], environment or {}))
        passes = self.helps in {*arguments["options"].items(), *(environment or {}).items()}
        return SimpleNamespace(value={"passes": passes})


@pytest.mark.parametrize(
    ("helps", "repair"),
    [
        (("threads", 1), "1 thread"),
        (("is_optimised", False), "without graph optimisation"),
        (("TF_ENABLE_ONEDNN_OPTS", "0"), "without oneDNN"),
        (("nothing", 0), NONE_FOUND),
    ],
)
def test_the_smallest_change_that_repairs_is_told(
    helps: tuple[str, Any], repair: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Processes(helps)
    artifact = SimpleNamespace(format="savedmodel", to_json=dict)
    monkeypatch.setattr(account, "_opened", lambda path, cases: (artifact, tmp_path / "cases.npz"))
    monkeypatch.setattr(registry, "require", lambda row: None)
    found = account.ledger(tmp_path, None, TF, pool)  # type: ignore[arg-type]
    assert found.repair == repair
    texts = [each.text for each in REPAIRS["tf"]]
    assert len(pool.asked) == (texts.index(repair) + 1 if repair in texts else len(texts))
