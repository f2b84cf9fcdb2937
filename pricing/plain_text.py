"""Text that is safe to show: without secrets, and without characters that steer a terminal."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from urllib.parse import quote

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""C0 and C1 controls but tab and line feed, and the marks that turn the direction of text around."""
LONG_WORD = re.compile(r"(\S{1000})\S+")
"""What somebody pasted in place of a name is not said back whole."""

USER_INFO = re.compile(
    r"([a-z][a-z0-9+.-]{0,60}:(?://)?[^\s/:@]{0,200}):\S{0,2000}@", re.IGNORECASE
)  # bounds keep it linear
NAMED = re.compile(
    r"((?:^|[?&;,\s\"'])(?:[\w-]{0,200}(?:token|password|passwd|secret|api[_-]?key|signature|sig))[\"']?\s*[=:]\s*[\"']?)[^\s&;,\"'<>]+",
    re.IGNORECASE,
)
BEARER = re.compile(r"(\b(?:Bearer|Basic)\s+)[A-Za-z0-9+/=._~-]{6,}")
AWS_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b")
SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
LEAST_SECRET_LENGTH = 8
HIDDEN = "***"


def without_secrets(text: str) -> str:
    """Return a text without the passwords, tokens and keys in it: by their form, and those of this process's environment.

    Examples
    --------
    >>> without_secrets("mysql://u:pw@h/x and sc://h;token=abc, key AKIAIOSFODNN7EXAMPLE")
    'mysql://u:***@h/x and sc://h;token=***, key ***'
    """
    for name in os.environ:  # not .items(): another thread may take a variable away meanwhile
        value = os.environ.get(name, "")
        if len(value) >= LEAST_SECRET_LENGTH and SECRET_NAME.search(name):
            for form in {value, quote(value, safe="")}:
                text = text.replace(form, HIDDEN)
    text = USER_INFO.sub(rf"\1:{HIDDEN}@", text)
    text = NAMED.sub(rf"\1{HIDDEN}", text)
    text = BEARER.sub(rf"\1{HIDDEN}", text)
    return AWS_KEY_ID.sub(HIDDEN, text)


def inert(text: str) -> str:
    r"""Return a text in which nothing steers a terminal or turns the direction around.

    Examples
    --------
    >>> inert("a\x1b]0;title\x07b")
    'a�]0;title�b'
    """
    return CONTROLS.sub("\ufffd", text)


def said(text: str) -> str:
    """Return a text as it may be shown: without secrets, with nothing that steers, and no word said back whole that somebody pasted."""
    return LONG_WORD.sub(r"\1...", inert(without_secrets(text)))


def shortened(lines: Sequence[str], most: int, rest: str) -> list[str]:
    """Return the first lines, and where there are more, how many.

    Examples
    --------
    >>> shortened(["a", "b", "c"], 1, "and {} more")
    ['a', 'and 2 more']
    """
    return [*lines[:most], *([rest.format(len(lines) - most)] if len(lines) > most else [])]


def controls_in(text: str) -> str:
    """Return the first character that steers, as its code point; empty where there is none."""
    control = CONTROLS.search(text)
    return f"U+{ord(control.group()):04X}" if control else ""
