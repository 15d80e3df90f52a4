"""Importers: a file of another kind read as the hub graph, one module a format."""
