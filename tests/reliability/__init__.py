"""Batches that are killed, results whose bits flip: what is left, and what the same command makes of it.

``make reliability`` counts, and writes docs/reliability.md.
"""
