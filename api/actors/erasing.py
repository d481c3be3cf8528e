"""What signs a customer in, and how that ends for good when he is erased: no row names him any more."""

from typing import Final

from api.tables import LinkRow, WebSessionRow
from consent.rights.erasing import rows_of

ERASERS: Final = (rows_of(WebSessionRow, "subject"), rows_of(LinkRow, "subject"))
"""His sessions, and the links that would start one. Nobody else has an id of a customer's form for a name."""
