"""Looking at a past time: the query that asks for it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.rest.shapes import Form, Instant, Shape


class AsOfForm(Form):
    """When to look at."""

    as_of = Instant(metadata={"description": "a past time; now, where left out"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """The time asked for, if one was."""

    as_of: datetime | None = None


AS_OF: Final = Shape(AsOfForm, AsOf)
