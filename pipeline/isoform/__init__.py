"""isoform: one model, every format, the same numbers."""
