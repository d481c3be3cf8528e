"""A disk that fails: SQLite's own file system layer, patched in this process, so that a test can cut the power.

Every write, truncation and sync of every database file is one operation. `Disk.arm` names the one at which something
happens: the power goes (and with it whatever was written since a file's last sync, or half of the write at hand), a
sync reports an error, or the disk is full from then on. Only for processes that a test started: the patch stays.

Source:
    sqlite.org/vfs.html and sqlite3.h: `sqlite3_vfs` and `sqlite3_io_methods`.
"""

import _sqlite3
import ctypes
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

Fault = Literal["keep", "lose", "torn", "sync", "full"]
"""What happens: the power goes and all that was written stays, or none of it that wasn't synced, or the write at hand
is half done; a sync fails, once; every write that makes a file longer fails, until `disarm`."""

_CUTS: Final = ("keep", "lose", "torn")
FULL: Final = 13
IO_SYNC: Final = 10 | (4 << 8)
_OK: Final = 0
_X_OPEN: Final = 5
_X_WRITE, _X_TRUNCATE, _X_SYNC = 3, 4, 5
_SLOTS: Final = 19
_POINTER: Final = ctypes.sizeof(ctypes.c_void_p)

_Open = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_int)
)
_Write = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64)
_Truncate = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_Sync = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


@dataclass
class Disk:
    """The disk below every SQLite connection that this process opens from now on."""

    operations: int = 0
    _at: int = 0
    _fault: Fault = "keep"
    _paths: dict[int, str] = field(default_factory=dict)
    _unsynced: dict[str, list[tuple[int, bytes, int]]] = field(default_factory=dict)
    _descriptors: dict[str, int] = field(default_factory=dict)
    _methods: dict[int, Any] = field(default_factory=dict)
    _kept: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Put ourselves between SQLite and its files."""
        library = ctypes.CDLL(_sqlite3.__file__)
        library.sqlite3_vfs_find.restype = ctypes.c_void_p
        vfs = library.sqlite3_vfs_find(None)
        slot = ctypes.c_void_p.from_address(vfs + _X_OPEN * _POINTER)
        really = _Open(slot.value or 0)

        def opened(vfs: int, name: int | None, file: int, flags: int, out: Any) -> int:
            done: int = really(vfs, name, file, flags, out)
            if done == _OK and name:
                self._paths[file] = os.fsdecode(ctypes.string_at(name))
                methods = ctypes.c_void_p.from_address(file)
                methods.value = self._patched(methods.value or 0)
            return done

        ours = _Open(opened)
        self._kept += [really, ours]
        slot.value = ctypes.cast(ours, ctypes.c_void_p).value

    def arm(self, at: int, fault: Fault) -> None:
        """Let `fault` happen at the operation of this number, counted from now, from 1; 0 for never.

        Of syncs that fail the syncs alone are counted: how many writes lie between them differs from time to time.
        """
        self.operations, self._at, self._fault = 0, at, fault
        self._unsynced.clear()

    def disarm(self) -> None:
        """Work as a disk should."""
        self.arm(0, "keep")

    def _patched(self, methods: int) -> int:
        if methods not in self._methods:
            table = (ctypes.c_void_p * _SLOTS).from_buffer_copy(ctypes.string_at(methods, _SLOTS * _POINTER))
            write, cut, sync = (
                _Write(table[_X_WRITE] or 0), _Truncate(table[_X_TRUNCATE] or 0), _Sync(table[_X_SYNC] or 0),
            )  # fmt: skip
            mine = (
                _Write(lambda file, data, size, start: self._write(write, file, data, size, start)),
                _Truncate(lambda file, size: self._truncate(cut, file, size)),
                _Sync(lambda file, flags: self._sync(sync, file, flags)),
            )
            for spot, function in zip((_X_WRITE, _X_TRUNCATE, _X_SYNC), mine, strict=True):
                table[spot] = ctypes.cast(function, ctypes.c_void_p).value
            self._kept += [write, cut, sync, *mine]
            self._methods[methods] = table
        return ctypes.addressof(self._methods[methods])

    def _write(self, really: Callable[..., int], file: int, data: int, size: int, start: int) -> int:
        path = self._paths[file]
        if self._due() and self._fault in _CUTS:
            if self._fault == "torn":
                really(file, data, size // 2, start)
            self.cut()
        if self._fault == "full" and 0 < self._at <= self.operations and start + size > Path(path).stat().st_size:
            return FULL
        self._remember(path, start, size)
        return really(file, data, size, start)

    def _truncate(self, really: Callable[..., int], file: int, size: int) -> int:
        path = self._paths[file]
        if self._due() and self._fault in _CUTS:
            self.cut()
        self._remember(path, size, max(0, Path(path).stat().st_size - size))
        return really(file, size)

    def _sync(self, really: Callable[..., int], file: int, flags: int) -> int:
        if self._due(is_sync=True):
            if self._fault == "sync":
                return IO_SYNC
            if self._fault in _CUTS:
                self.cut()
        done = really(file, flags)
        self._unsynced.pop(self._paths[file], None)
        return done

    def _due(self, *, is_sync: bool = False) -> bool:
        if self._fault == "sync" and not is_sync:
            return False
        self.operations += 1
        return self.operations == self._at

    def _remember(self, path: str, start: int, size: int) -> None:
        if self._at and self._fault == "lose":
            before = os.pread(self._descriptor(path), size, start)
            self._unsynced.setdefault(path, []).append((start, before, Path(path).stat().st_size))

    def _descriptor(self, path: str) -> int:
        """Open a file once and never close it: closing any descriptor of it drops all locks that this process has."""
        if path not in self._descriptors:
            self._descriptors[path] = os.open(path, os.O_RDWR)
        return self._descriptors[path]

    def cut(self) -> None:
        """Cut the power now."""
        for path, writes in self._unsynced.items():
            for start, before, size in reversed(writes):
                os.pwrite(self._descriptor(path), before, start)
                os.ftruncate(self._descriptor(path), size)
        os.kill(os.getpid(), signal.SIGKILL)
