"""The verb report: one self-contained page from the records on disk. Needs JSON only, no framework and no script.

`collect` reads, `charts` draws SVG, `page.html.j2` is the page.
"""

from isoform.stages.report.render import write

__all__ = ["write"]
