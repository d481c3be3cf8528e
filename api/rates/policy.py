"""How much may be asked, and what is left of it: the generic cell rate algorithm, as arithmetic.

Of each subject one number is kept: when its whole quota will be there again. Asking moves that on; where it would come
to lie further ahead than the window is long, there is no more. Nothing begins anew at the turn of a minute, so nobody
gets two quotas around it.

Source:
    ITU-T I.371, annex A (generic cell rate algorithm, virtual scheduling); draft-ietf-httpapi-ratelimit-headers-11
    (`RateLimit-Policy`, `RateLimit`).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

SECOND: Final = 1_000_000
"""Microseconds: all times here are whole ones."""

WINDOW_SECONDS: Final = 60
_MOST_AT_ONCE: Final = 100
"""Which part of a quota a process takes at most ahead of its requests."""


@dataclass(frozen=True)
class Policy:
    """A quota within a minute. Its name stands in headers."""

    name: str
    quota: int

    @cached_property
    def window(self) -> int:
        """Return how far ahead a subject may get, in microseconds."""
        return WINDOW_SECONDS * SECOND

    @cached_property
    def step(self) -> int:
        """Return after how long one request more may be asked, in microseconds."""
        return self.window // self.quota

    @cached_property
    def most(self) -> int:
        """Return how many requests a process may take ahead."""
        return max(1, self.quota // _MOST_AT_ONCE)

    @cached_property
    def told(self) -> str:
        """Return it as an item of `RateLimit-Policy`.

        >>> Policy("key", 600).told
        '"key";q=600;w=60'
        """
        return f'"{self.name}";q={self.quota};w={WINDOW_SECONDS}'

    def left(self, full_at: int, now: int) -> int:
        """Return how many requests may still be asked of somebody whose quota is whole again at `full_at`.

        >>> policy = Policy("key", 600)
        >>> policy.left(0, 10), policy.left(30 * SECOND, 0), policy.left(60 * SECOND, 0)
        (600, 300, 0)
        """
        return max(0, (self.window - max(0, full_at - now)) // self.step)

    def wait(self, full_at: int, now: int) -> int:
        """Return in how many whole seconds one request may be asked again, at least one.

        >>> Policy("key", 6).wait(60 * SECOND, 0)
        10
        """
        return max(1, -((now + self.window - self.step - full_at) // SECOND))
