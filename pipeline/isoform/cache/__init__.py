"""The store: results kept under the digest of everything that they depend on, in a folder or at any URL of fsspec.

::

    blobs/<2 hex>/<sha256>             the bytes of a file
    entries/<kind>/<2 hex>/<key>.json  which files a result has; written last
    aside/                             what was found damaged

Entries are immutable and there is no index and no lock: whoever writes the same key writes the same. What is taken out
is copied and hashed on the way, so that a damaged entry is never a result and never an error: it is set aside, told in
one line, and the work is done again. Not aware of what the files mean, nor of which work they stand for.
"""

from isoform.cache.entry import KINDS, Entry
from isoform.cache.keys import entry_key, this_platform
from isoform.cache.storage import Hit, Store, open_store

__all__ = ["KINDS", "Entry", "Hit", "Store", "entry_key", "open_store", "this_platform"]
