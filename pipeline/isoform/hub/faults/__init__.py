"""Faults as converters make them, planted in a copy of a graph to see whether a verification catches them.

``FAULTS`` maps a name to a function that changes a graph in place and says what it did, or returns None where the graph
has nothing to do it to. Add one to weights.py or operators.py: a function under `planted`. Not aware of verification.
"""

from isoform.hub.faults import operators, weights
from isoform.hub.faults.table import FAULTS, Fault, planted

__all__ = ["FAULTS", "Fault", "operators", "planted", "weights"]
