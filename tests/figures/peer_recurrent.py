"""``python -m figures.peer_recurrent FILE``: the text classifier through litert-torch, for one review of 40 tokens.

Runs in an interpreter of its own, which has litert-torch; isoform is not there.
"""

import importlib.util
import sys
from pathlib import Path

import torch

NETWORK = Path(__file__).parents[2] / "models" / "text_classifier" / "torch_model.py"


def main() -> None:
    import litert_torch

    spec = importlib.util.spec_from_file_location("text_classifier", NETWORK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    litert_torch.convert(module.build().eval(), (torch.zeros(1, 40, dtype=torch.int64),)).export(sys.argv[1])
    print("{}")


if __name__ == "__main__":
    main()
