"""Drawings, one kind a file. Each takes plain numbers and returns SVG text; none of them reads a record."""
