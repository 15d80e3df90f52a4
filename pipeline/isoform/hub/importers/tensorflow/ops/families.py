"""All handlers, by the name of the TensorFlow operator."""

from isoform.hub.importers.tensorflow.ops import elementwise
from isoform.hub.importers.tensorflow.ops.table import Handler, handler

HANDLERS: dict[str, Handler] = {name: handler(form) for family in (elementwise,) for name, form in family.FORMS.items()}
