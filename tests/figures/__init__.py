"""Seconds, memory and speed of conversions, measured beside the best peer: ``make figures`` writes docs/figures.md.

One measurement is one fresh interpreter: it sets up (imports, loads the source), then times the work alone and
takes the peak of its resident memory while it lasts. Linux only: the peak is reset through /proc.
"""
