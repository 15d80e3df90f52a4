"""``python -m isoform`` is ``isoform``."""

from isoform.cli import main

if __name__ == "__main__":
    main()
