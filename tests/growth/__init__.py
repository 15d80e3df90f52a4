"""How conversions grow: many small models, in threads and on workers, and on paper a million."""
