"""The limiter of one process: it counts what is asked, and refuses what is too much.

To ask the shared count at each request would cost more than many answers do. So a process that is asked again and again
for somebody takes ahead for him: one, then two, four, up to a hundredth of his quota, good for a minute. What is taken
ahead is counted as asked at once. So in any minute each process lets pass, or loses, a hundredth of the quota at most
beside what was asked of it.
"""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from api.rates.policy import SECOND, WINDOW_SECONDS, Policy
from api.rates.shared import Shared
from consent.base.clock import to_ms
from consent.base.counting import counted
from consent.base.errors import ByleaveError

KEY: Final = "key"
ADDRESS: Final = "address"
CUSTOMER: Final = "customer"

_AHEAD: Final = WINDOW_SECONDS * SECOND
"""How long what was taken ahead is good for, in microseconds."""

_FORGET_EVERY: Final = WINDOW_SECONDS * SECOND
_TIDY_EVERY: Final = SECOND
_DIGEST_BYTES: Final = 16
_CROWD: Final = 10_000
"""Subjects of whom something may be taken ahead, before those of whom it is no longer good are looked for."""


class TooMany(ByleaveError):
    """So much may not be asked within a minute. Ask again after the time that is named."""

    code = "too_many_requests"
    title = "Too many requests"

    def __init__(self, spent: "Spent", *, wait: int) -> None:
        """Keep whose quota is spent, and in how many seconds to ask again."""
        policy = spent.policy
        most = counted(policy.quota, "request")
        super().__init__(f"no more than {most} a minute for one {policy.name}: ask again in {counted(wait, 'second')}")
        self.spent = spent
        self.wait = wait


class Spent(NamedTuple):
    """What is left of a quota after a request."""

    policy: Policy
    left: int
    whole_in: int
    """Seconds until nothing of it is spent, if nothing more is asked."""

    @property
    def told(self) -> str:
        """Return it as an item of `RateLimit`."""
        return f'"{self.policy.name}";r={self.left};t={self.whole_in}'


@dataclass(slots=True)
class _Ahead:
    """What a process took ahead for somebody."""

    size: int
    left: int
    until: int
    full_at: int


class Limiter:
    """Counts, for one process."""

    def __init__(self, shared: Shared, policies: Sequence[Policy], *, key: bytes) -> None:
        """Count by `policies`; a policy that is not among them is without limit.

        Args:
            shared: where all processes count.
            policies: how much may be asked.
            key: what subjects are hashed with; 32 bytes.
        """
        self._shared = shared
        self._policies: Mapping[str, Policy] = {each.name: each for each in policies}
        self._key = key
        self._lock = threading.Lock()
        self._ahead: dict[tuple[str, str], _Ahead] = {}
        self._forgot = self._tidied = 0

    def spend(self, policy: str, subject: str, *, at: datetime) -> Spent | None:
        """Count a request.

        Returns:
            What is left; None where there is no limit.

        Raises:
            TooMany: nothing is left.
            DatabaseDown: it can't be counted, so it isn't answered.
        """
        rule = self._policies.get(policy)
        if rule is None:
            return None
        now, who = to_ms(at) * 1_000, (policy, subject)
        with self._lock:
            ahead = self._ahead.get(who)
            if ahead is None or not ahead.left or ahead.until <= now:
                ahead = self._take(rule, subject, ahead, now)
            ahead.left -= 1
            left = rule.left(ahead.full_at, now) + ahead.left
        return Spent(rule, left, _seconds(ahead.full_at - now))

    def _take(self, rule: Policy, subject: str, before: _Ahead | None, now: int) -> _Ahead:
        needed = before is not None and not before.left and before.until > now
        size = min(rule.most, before.size * 2) if before and needed else 1
        digest = self._digest(rule.name, subject)
        moved, full_at = self._shared.take(digest, cost=size * rule.step, window=rule.window, now=now)
        if not moved and size > 1:  # near the end, one by one
            size = 1
            moved, full_at = self._shared.take(digest, cost=rule.step, window=rule.window, now=now)
        if not moved:
            spent = Spent(rule, 0, _seconds(full_at - now))
            raise TooMany(spent, wait=rule.wait(full_at, now))
        taken = _Ahead(size=size, left=size, until=now + _AHEAD, full_at=full_at)
        self._tidy(now)
        self._ahead[rule.name, subject] = taken
        return taken

    def _digest(self, policy: str, subject: str) -> bytes:
        said = f"{policy}\x00{subject}".encode(errors="replace")
        return hashlib.blake2b(said, key=self._key, digest_size=_DIGEST_BYTES).digest()

    def _tidy(self, now: int) -> None:
        if len(self._ahead) >= _CROWD and now - self._tidied >= _TIDY_EVERY:
            self._tidied = now
            self._ahead = {who: each for who, each in self._ahead.items() if each.left and each.until > now}
        if now - self._forgot >= _FORGET_EVERY:
            self._forgot = now
            self._shared.forget(now=now)


def _seconds(micro: int) -> int:
    return max(0, -(-micro // SECOND))
