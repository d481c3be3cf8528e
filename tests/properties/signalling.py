"""Writing what signals are made of, the plain way: strings of zeros and ones; and a mapping to read them with."""

from collections.abc import Iterable

from consent.base.errors import Place
from consent.catalogue.model import Catalogue
from consent.signals.mapping import SignalMapping, read_signals

SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

TABLES = {
    "tcf": {
        "role": "vendor",
        "vendor": 7,
        "purpose": [
            {"number": 4, "scopes": ["use:browsing:recommendations"]},
            {"number": 3, "scopes": ["use:browsing:recommendations", "remember:browsing"]},
            {"number": 8, "scopes": ["use:responses:measurement"]},
        ],
        "special_feature": [{"number": 1, "scopes": ["remember:interests"]}],
    },
    "us": {
        "opt_out": [{"field": "SaleOptOut", "scopes": ["use:responses:measurement", "remember:purchases"]}],
        "consent": [
            {"section": "usnat", "field": "SensitiveDataProcessing", "item": 8, "scopes": ["remember:interests"]}
        ],
    },
}
"""What the tables of a mapping file may say of the shipped catalogue."""


def meant(catalogue: Catalogue, tables: dict = TABLES) -> SignalMapping:  # type: ignore[type-arg]  # as TOML gives it
    """Read tables that have nothing wrong in them."""
    places: list[Place] = []
    read = read_signals(tables, catalogue, places)
    assert places == []
    return read


def base64url(bits: str) -> str:
    """Write bits as signs, filled up with zeros to a whole sign."""
    bits += "0" * (-len(bits) % 6)
    return "".join(SIGNS[int(bits[spot : spot + 6], 2)] for spot in range(0, len(bits), 6))


def vendor_field(vendors: Iterable[int]) -> str:
    """Write vendors as a bit field."""
    greatest = max(vendors, default=0)
    return base64url(f"{greatest:016b}0" + "".join("01"[each + 1 in vendors] for each in range(greatest)))


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return the runs of numbers in a row."""
    found: list[tuple[int, int]] = []
    for each in sorted(numbers):
        if found and found[-1][1] == each - 1:
            found[-1] = found[-1][0], each
        else:
            found.append((each, each))
    return found


def vendor_ranges(vendors: Iterable[int]) -> str:
    """Write vendors as ranges."""
    found = runs(vendors)
    items = (f"0{first:016b}" if first == last else f"1{first:016b}{last:016b}" for first, last in found)
    return base64url(f"{max(vendors, default=0):016b}1{len(found):012b}" + "".join(items))


def fibonacci(number: int) -> str:
    """Write one number in Fibonacci coding."""
    steps = [1, 2]
    while steps[-1] <= number:
        steps.append(steps[-1] + steps[-2])
    bits = ""
    for step in reversed(steps):
        bits = ("1" if step <= number else "0") + bits
        number -= step if step <= number else 0
    return bits.rstrip("0") + "1"


def fibonacci_ranges(numbers: Iterable[int]) -> str:
    """Write numbers as ranges in Fibonacci coding."""
    found = runs(numbers)
    bits, last = f"{len(found):012b}", 0
    for first, end in found:
        bits += (
            ("0" if first == end else "1") + fibonacci(first - last) + (fibonacci(end - first) if end > first else "")
        )
        last = end
    return base64url(bits)
