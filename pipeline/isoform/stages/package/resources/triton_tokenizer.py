"""Text to token ids before a model: for Triton's Python backend, with the package tokenizers installed there."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from tokenizers import Tokenizer


class TritonPythonModel:
    """Reads ``text`` [batch, 1] and writes ``ids`` [batch, length], each row padded as tokenizer.json says."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the tokenizer beside this file; Triton calls this once."""
        folder = Path(args["model_repository"]) / args["model_version"]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        output = pb_utils.get_output_config_by_name(json.loads(args["model_config"]), "ids")
        self._dtype = pb_utils.triton_string_to_numpy(output["data_type"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request by itself."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        texts = pb_utils.get_input_tensor_by_name(request, "text").as_numpy().reshape(-1)
        try:
            rows = [encoding.ids for encoding in self._tokenizer.encode_batch([text.decode() for text in texts])]
        except UnicodeDecodeError:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError("'text' holds text that is not UTF-8."))
        ids = np.zeros((len(rows), max(1, *map(len, rows))), self._dtype)
        for target, row in zip(ids, rows, strict=True):
            target[: len(row)] = row
        return pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor("ids", ids)])
