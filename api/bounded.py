"""Bodies that end where the settings say, however they are sent.

A body whose length isn't announced (`Transfer-Encoding: chunked`) ends where its sender lets it end. Werkzeug stops
reading such a body at the limit and hands over what it has as if that were the whole of it (3.1, `LimitedStream`): the
beginning of what somebody said would be taken for all of it. Here it is refused as soon as there is a byte more.
"""

from typing import IO, TYPE_CHECKING, cast

from flask import Request
from typing_extensions import override
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.utils import cached_property
from werkzeug.wsgi import LimitedStream, get_content_length, get_input_stream

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class _Bounded(LimitedStream):
    """A stream that refuses to be longer than it may be: it reads one byte past that, and says so."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        super().__init__(stream, most + 1, is_max=True)

    @override
    def readinto(self, b: "WriteableBuffer") -> int | None:
        size = super().readinto(cast("bytearray", b))
        if self.is_exhausted:
            raise RequestEntityTooLarge
        return size


class Bounded(Request):
    """A request whose body is never cut off in silence."""

    @cached_property
    @override
    def stream(self) -> IO[bytes]:
        """What is read as its body.

        Raises:
            RequestEntityTooLarge: it is announced to be too long, or, while it is read, turns out to be.
        """
        most = self.max_content_length
        if most is None or get_content_length(self.environ) is not None or "wsgi.input_terminated" not in self.environ:
            return get_input_stream(self.environ, max_content_length=most)
        return cast("IO[bytes]", _Bounded(self.environ["wsgi.input"], most))
