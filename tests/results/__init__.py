"""What the reference models cost and keep: docs/results.md, by ``make bench`` and ``make edge``."""
