"""All handlers, by the name of the TensorFlow operator."""

from isoform.hub.importers.tensorflow.ops import elementwise, recurrent, searching
from isoform.hub.importers.tensorflow.ops.table import Handler, handler

HANDLERS: dict[str, Handler] = {
    name: handler(form) for family in (elementwise, recurrent, searching) for name, form in family.FORMS.items()
}
