"""Global Privacy Control: the header that a browser sends with every request of somebody who doesn't want to be sold.

Source:
    Global Privacy Control (GPC), W3C working draft, section 3.4, "The Sec-GPC Header Field for HTTP Requests".
"""

from typing import Final

HEADER: Final = "Sec-GPC"
EVIDENCE: Final = "Sec-GPC: 1"
"""What a statement says that records the signal."""


def asked(header: str | None) -> bool:
    """Say whether a request asks not to be sold or shared: its header's value is exactly 1.

    There is no value for "no": an absent header, or any other value, says nothing at all. A value that a proxy
    repeated (`1, 1`) still asks.

    >>> asked("1"), asked(" 1 "), asked("1, 1"), asked(None), asked("0"), asked("true"), asked("1, 0"), asked("")
    (True, True, True, False, False, False, False, False)
    """
    return header is not None and all(value.strip() == "1" for value in header.split(","))
