"""The networks of this repository."""
