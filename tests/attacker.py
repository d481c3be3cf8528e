"""Somebody with the database in hand, but not the keys: no trigger stops him, and he knows how the tree is built."""

from consent.base.canonical import b64u
from consent.ledger.merkle import Frontier, append_all, leaf_hash
from consent.tables import INSERT_ONLY
from personalise.tables import INSERT_ONLY as INSERT_ONLY_TOO
from tests.world import World


class Attacker:
    """What he does, a sentence each."""

    def __init__(self, world: World) -> None:
        """Take the guards off."""
        self.world = world
        self._disarm()

    def _disarm(self) -> None:
        if self.world.dialect == "sqlite":
            names = [name for (name,) in self.world.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
            for name in names:
                self.do(f"DROP TRIGGER {name}")
            return
        for table in (*INSERT_ONLY, *INSERT_ONLY_TOO):
            self.do(f"ALTER TABLE {table} DISABLE TRIGGER ALL")

    def do(self, statement: str, **values: object) -> None:
        self.world.tamper(statement, **values)

    def body(self, seq: int) -> bytes:
        [(body,)] = self.world.rows("SELECT body FROM ledger_entry WHERE seq = :seq", seq=seq)
        return bytes(body)

    def rewrite(self, seq: int, body: bytes, *, leaf: bool = False) -> None:
        """Change an entry's bytes, and with `leaf` its leaf hash to fit."""
        self.do("UPDATE ledger_entry SET body = :body WHERE seq = :seq", body=body, seq=seq)
        if leaf:
            self.do("UPDATE ledger_entry SET leaf = :leaf WHERE seq = :seq", leaf=leaf_hash(body), seq=seq)

    def exchange(self, table: str, column: str, key: str, one: object, other: object) -> None:
        """Exchange a column between two rows."""
        query = f"SELECT {column} FROM {table} WHERE {key} = :key"  # noqa: S608 -- names of our own tables
        [(first,)], [(second,)] = (self.world.rows(query, key=each) for each in (one, other))
        change = f"UPDATE {table} SET {column} = :value WHERE {key} = :key"  # noqa: S608 -- names of our own tables
        self.do(change, value=second, key=one)
        self.do(change, value=first, key=other)

    def regrow(self) -> None:
        """Build leaves, nodes and head anew over the entries as they are now: everything but what is signed."""
        bodies = [bytes(body) for (body,) in self.world.rows("SELECT body FROM ledger_entry ORDER BY seq")]
        leaves = [leaf_hash(body) for body in bodies]
        frontier, nodes = append_all(Frontier(), leaves)
        for seq, leaf in enumerate(leaves):
            self.do("UPDATE ledger_entry SET leaf = :leaf WHERE seq = :seq", leaf=leaf, seq=seq)
        self.do("DELETE FROM ledger_node")
        for level, idx, node in nodes:
            self.do(
                "INSERT INTO ledger_node (log, level, idx, hash) VALUES (1, :level, :idx, :hash)",
                level=level, idx=idx, hash=node,
            )  # fmt: skip
        edge = b"".join(frontier.hashes)
        self.do("UPDATE ledger_head SET size = :size, frontier = :edge", size=frontier.size, edge=edge)


def other_commitment(body: bytes) -> bytes:
    """Return the bytes of an entry of the same form with another commitment in it."""
    start = body.index(b'"c":"') + len(b'"c":"')
    return body[:start] + b64u(bytes(32)).encode() + body[start + 43 :]
