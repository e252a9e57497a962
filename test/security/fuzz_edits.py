# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hostile variants of sound inputs, and the one property that all readers have.

A reader gives a result or raises a ``RoboRewardError`` with a message: nothing else, whatever it is
given. Where an input carries a checksum it is made to fit again, so that what lies behind is met.
"""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from roboreward_ros.errors import RoboRewardError

ODD: tuple[object, ...] = (
    None, True, False, 0, -1, 1, 3, 255, 2**31, 2**63, -(2**63) - 1, 10**400, 0.5, -0.0, 1e308,
    float("inf"), float("-inf"), float("nan"), "", "x", "0", "nan", "../../../etc/passwd",
    "/etc/passwd", "a/../../b", "\0", "\ud800", "\u202e", "é" * 700,
    "{0.__class__}", "{x:>9999999}", "%s%n", "$(id)", "; id", "file:///etc/passwd", [], {}, [[]],
    [None], [1, "a"], {"": None},
    {"a": {"a": {"a": {}}}}, [[[[[[[[]]]]]]]], ["a"] * 300, ".", "..", "~", "-", "NaN", "os:system",
)  # fmt: skip
DEEP = b"[" * 5_000
TOKENS = (
    b"\0", b"\xff", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\n", b"{",
    b"}",     b"[", b'"', b"\\", b",", b":", b"null", b"NaN", b"-1", b"9" * 30, b"1e999", b"../",
    b"\xed\xa0\x80",
    b"!!python/object/apply:os.system ['id']", b"&a [*a]", b"<<: *a", b"\r\n\r\n", b"%2e%2e%2f",
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        name: shown and counted by.
        inputs: hostile inputs; the simplest one is sound.
        read: what is called with one, and an empty folder; must not write outside of it.
        cost: how many times dearer than most; the short form tries fewer.
    """

    name: str
    inputs: st.SearchStrategy[Any]
    read: Callable[[Any, Path], object]
    cost: int = 1


def attempt(target: Target, value: object, folder: Path) -> bool:
    """Whether it was read; any error but the package's own goes through.

    Raises:
        AssertionError: an error without words.
    """
    try:
        consume(target.read(value, folder))
    except RoboRewardError as error:
        said = str(error).strip()
    else:
        return True
    assert said, "an error without a message"
    return False


def consume(result: object) -> None:
    """Readers that are generators read when they are asked."""
    if isinstance(result, Iterator):
        for _ in result:
            pass


@st.composite
def edited(draw: st.DrawFn, sound: bytes, most: int = 4) -> bytes:
    """``sound`` after a few edits: bytes changed, put in, taken out, doubled, cut."""
    data = bytearray(sound)
    for _ in range(draw(st.integers(0, most))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        match draw(st.integers(0, 5)):
            case 0 if data:
                data[place] ^= 1 << draw(st.integers(0, 7))
            case 1:
                data[place:place] = draw(st.sampled_from(TOKENS))
            case 2:
                word = draw(st.sampled_from(TOKENS))
                data[place : place + len(word)] = word
            case 3:
                del data[place : place + draw(st.integers(1, 40))]
            case 4:
                data[place:place] = data[place : place + draw(st.integers(1, 40))]
            case _:
                del data[place:]
    return bytes(data)


def _paths(value: object, here: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    yield here
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, (*here, key))
    elif isinstance(value, list):
        for index, item in enumerate(value[:20]):
            yield from _paths(item, (*here, index))


@st.composite
def odd_json(draw: st.DrawFn, sound: object, most: int = 3) -> object:
    """``sound`` with a few values replaced, left out, doubled or renamed."""
    value: Any = copy.deepcopy(sound)
    for _ in range(draw(st.integers(0, most))):
        path = draw(st.sampled_from(list(_paths(value))))
        odd = copy.deepcopy(draw(st.sampled_from(ODD)))
        if not path:
            value = odd if draw(st.integers(0, 9)) == 0 else value
            continue
        owner: Any = value
        for key in path[:-1]:
            owner = owner[key]
        match draw(st.integers(0, 4)):
            case 0:
                del owner[path[-1]]
            case 1 if isinstance(owner, dict):
                owner[draw(st.sampled_from(("", "x", "..", "__class__", "é")))] = odd
            case 1:
                owner.append(odd)
            case _:
                owner[path[-1]] = odd
    return value


def json_bytes(value: object) -> bytes:
    """As a careless writer would: NaN and lone surrogates included."""
    return json.dumps(value).encode()


def hostile_json(sound: object) -> st.SearchStrategy[bytes]:
    """JSON that is wrong in its values, its letters, or its depth."""
    text = json_bytes(sound)
    return st.one_of(
        odd_json(sound).map(json_bytes),
        odd_json(sound).map(json_bytes),
        edited(text),
        st.sampled_from((DEEP, b'{"a":' * 5_000, b"", b"\xff\xfe", b"null", b'{"a":' + DEEP)),
    )


def hostile_yaml(sound: bytes) -> st.SearchStrategy[bytes]:
    """The same for YAML; aliases that would fill the memory if anyone wrote them out."""
    bomb = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 112)
    )
    return st.one_of(
        edited(sound, 6),
        st.sampled_from((DEEP[:5000], bomb, bomb + sound, b"", b"- a", b"\0", b"a: !!x")),
    )
