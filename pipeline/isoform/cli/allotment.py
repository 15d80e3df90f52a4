"""How long one of several tasks may take, so that together they keep within a time. Not aware of what they are."""

import time
from dataclasses import dataclass, field


@dataclass
class Allotment:
    """Seconds that so many tasks share: what one leaves over the others have, and what one takes too long they lack."""

    seconds: float
    tasks: int
    _begin: float = field(default_factory=time.monotonic)

    def next_s(self) -> float:
        """Return the seconds of the task that begins now: an equal share of what is left."""
        left = max(0.0, self.seconds - (time.monotonic() - self._begin)) / max(1, self.tasks)
        self.tasks -= 1
        return left
