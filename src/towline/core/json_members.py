"""Parts of JSON objects as they are written, without making objects of them."""

import json
from json.decoder import scanstring  # type: ignore[attr-defined]  # public in all but its documentation

_skip = json.decoder.WHITESPACE.match  # type: ignore[attr-defined]
# Numbers are of no interest: whatever they are, nothing is computed from them.
_decoder = json.JSONDecoder(parse_int=str, parse_float=str)


def member(document: bytes, name: str) -> bytes:
    """The value of the member `name` of a JSON object, every number in it as it was written; ``null`` without it.

    Of several members of the same name, the first one counts.

    Raises
    ------
    ValueError
        `document` is no JSON object.
    """
    text = document.decode()
    position = _skip(text, 0).end()
    if text[position : position + 1] != "{":
        raise ValueError(f"no JSON object: {text[:40]!r}")
    position = _skip(text, position + 1).end()
    while text[position] != "}":
        key, position = scanstring(text, position + 1)
        start = _skip(text, _skip(text, position).end() + 1).end()
        _, end = _decoder.raw_decode(text, start)
        if key == name:
            return text[start:end].encode()
        position = _skip(text, end).end()
        if text[position] == ",":
            position = _skip(text, position + 1).end()
    return b"null"
