"""Evidence packs that are no sound zip: the verifier refuses each in a line, whatever `zipfile` says of it."""

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Final

import pytest

from consent.audit.packs import verify

DATA: Final = b'{"format": "none"}'
SOUND: Final = verify.zip_bytes({"manifest.json": DATA})
DIRECTORY: Final = SOUND.index(b"PK\x01\x02")
END: Final = SOUND.index(b"PK\x05\x06")
NEEDS, FLAGS, SIZES, OFFSET = DIRECTORY + 6, DIRECTORY + 8, DIRECTORY + 20, DIRECTORY + 42
"""Where the directory says which version a member needs, how it is packed, how long it is and where it begins."""


def with_bytes(spot: int, fmt: str, *values: int) -> bytes:
    """Return the sound zip with other values at a place."""
    new = struct.pack(fmt, *values)
    return SOUND[:spot] + new + SOUND[spot + len(new) :]


def far_away() -> bytes:
    """Return a zip whose member is said to begin behind anything that can be counted, as ZIP64 says it."""
    extra = struct.pack("<HHQ", 1, 8, 2**64 - 1)
    lengths = struct.pack("<HHHHHII", len("manifest.json"), len(extra), 0, 0, 0, 0, 0xFFFFFFFF)
    directory = SOUND[DIRECTORY : DIRECTORY + 28] + lengths + b"manifest.json" + extra
    end = struct.pack("<HHHHIIH", 0, 0, 1, 1, len(directory), DIRECTORY, 0)
    return SOUND[:DIRECTORY] + directory + b"PK\x05\x06" + end


def squeezed(method: int, spot: int = 0) -> bytes:
    """Return a zip whose one member is compressed, and damaged at that spot."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("manifest.json", DATA)
    whole = bytearray(out.getvalue())
    start = whole.index(b"manifest.json") + len(b"manifest.json") + spot
    whole[start : start + 12] = b"\xff" * 12
    return bytes(whole)


FORGED: Final[Mapping[str, tuple[bytes, type[Exception] | tuple[type[Exception], ...]]]] = {
    "no zip": (b"nothing of that kind", zipfile.BadZipFile),
    "empty": (b"", zipfile.BadZipFile),
    "cut off": (SOUND[:-30], zipfile.BadZipFile),
    "another header": (b"PK\x09\x09" + SOUND[4:], zipfile.BadZipFile),
    "another sum": (SOUND.replace(DATA, DATA.upper()), zipfile.BadZipFile),
    "a newer version": (with_bytes(NEEDS, "<H", 99), NotImplementedError),
    "patched data": (with_bytes(FLAGS, "<H", 1 << 5), NotImplementedError),
    "encrypted": (with_bytes(FLAGS, "<H", 1), RuntimeError),
    "a directory before the file": (with_bytes(END + 12, "<II", END - DIRECTORY, DIRECTORY + 9), ValueError),
    "a name that is not UTF-8": (
        with_bytes(FLAGS, "<H", 1 << 11).replace(b"manifest.json", b"\xffanifest.json"),
        UnicodeDecodeError,
    ),
    "a member beyond counting": (far_away(), OverflowError),
    # Newer versions of Python see that it overlaps the directory.
    "a member cut off": (with_bytes(SIZES, "<II", len(SOUND), len(SOUND)), (EOFError, zipfile.BadZipFile)),
    "deflated and damaged": (squeezed(zipfile.ZIP_DEFLATED), zlib.error),
    "bzip2 and damaged": (squeezed(zipfile.ZIP_BZIP2), OSError),
    "lzma and damaged": (squeezed(zipfile.ZIP_LZMA, 9), lzma.LZMAError),
}


def read(raw: bytes) -> None:
    """Read every member, as a reader does that believes what a zip says."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        for each in archive.infolist():
            archive.read(each)


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_zip_is_refused_in_a_line(name, tmp_path, capsys):
    raw, raised = FORGED[name]
    with pytest.raises(raised):
        read(raw)
    (tmp_path / "pack.zip").write_bytes(raw)

    code = verify.main([str(tmp_path / "pack.zip")])

    first, _, rest = capsys.readouterr().out.partition("\n")
    assert (code, first[:9], rest) == (1, "REFUSED: ", "Nothing follows from this pack.\n")


def test_every_kind_of_damage_that_the_verifier_awaits_is_among_them():
    raised = [each for _, kinds in FORGED.values() for each in (kinds if isinstance(kinds, tuple) else (kinds,))]
    assert [kind for kind in verify.DAMAGED if not any(issubclass(each, kind) for each in raised)] == []


def test_a_sound_zip_is_read():
    read(SOUND)
