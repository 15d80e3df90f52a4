"""From the records to charts, a question a file. To add one: a file here with ``section``, and its row in render.py."""
