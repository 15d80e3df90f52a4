"""The verb export: one source to many formats, each converted, verified and published with its record.

`plan` says what would be done; `run` does it. One failure never stops the other formats.
"""

from isoform.stages.export.models import TARGETS, load_models, request_for, variants_of
from isoform.stages.export.order import Order, not_made
from isoform.stages.export.outlook import Outlook, outlook
from isoform.stages.export.plan import ExportRequest, Task, plan
from isoform.stages.export.result import Result
from isoform.stages.export.run import run

__all__ = [
    "TARGETS",
    "ExportRequest",
    "Order",
    "Outlook",
    "Result",
    "Task",
    "load_models",
    "not_made",
    "outlook",
    "plan",
    "request_for",
    "run",
    "variants_of",
]
