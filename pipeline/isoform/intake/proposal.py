"""The hint of an error that asks for ``--input``: the flags to add, and why these."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

_OPEN = "DTYPE[DIM,...]"


def proposed_flags(proposal: Mapping[str, Any]) -> str:
    """Return the hint for what `isoform.jobs.propose` found."""
    inputs: Sequence[str] = proposal["inputs"]
    if not inputs:
        return "Declare each one, a word for a dynamic dimension: --input 'image:float32[batch,3,224,224]'"
    flags = " ".join(f"--input {shlex.quote(text)}" for text in inputs)
    sentences = [f"Add {flags}", _reason(inputs, proposal)]
    if proposal["optional"]:
        sentences.append(f"Left out, as they may be: {', '.join(proposal['optional'])}.")
    return " ".join(sentences)


def _reason(inputs: Sequence[str], proposal: Mapping[str, Any]) -> str:
    readers = "; ".join(f"'{name}' is read by {layer}" for name, layer in proposal["readers"].items())
    if proposal["is_run"]:
        return f"({readers + '; ' if readers else ''}the network runs on this; a word is a dynamic dimension)."
    if any(text.endswith(_OPEN) for text in inputs):
        return f"({readers + '; ' if readers else ''}for example 'image:float32[batch,3,224,224]')."
    return f"with sizes of your own ({readers}; the network was not seen to run on this)."
