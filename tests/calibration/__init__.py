"""How often the gates are wrong: legitimate ways to run a model that they fail, planted faults that they let pass.

A subject a row in subjects.py, a legitimate way a function in variants.py. ``make calibration`` runs what has no rows
yet and writes docs/calibration.{json,md}; Ctrl-C loses nothing.
"""
