"""Messages on a stream come out as they went in, however the stream is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline.on_worker.framing import Decoder, encode

_attachments = st.lists(st.binary(max_size=50), max_size=3)


@given(
    st.lists(
        st.tuples(st.dictionaries(st.text(max_size=3), st.integers(-(2**63), 2**63 - 1), max_size=2), _attachments),
        max_size=5,
    ),
    st.integers(1, 30),
)
def test_messages_survive_any_cut(messages: list[tuple[dict[str, int], list[bytes]]], piece: int) -> None:
    stream = b"".join(encode({"header": header}, attachments) for header, attachments in messages)
    decoder = Decoder()
    decoded = []
    for start in range(0, len(stream), piece):
        decoded += decoder.feed(stream[start : start + piece])
    assert [(header["header"], attachments) for header, attachments in decoded] == messages


def test_a_message_without_its_end_is_kept_back() -> None:
    decoder = Decoder()
    whole = encode({"a": 1}, [b"12345"])
    assert decoder.feed(whole[:-1]) == []
    assert decoder.feed(whole[-1:]) == [({"a": 1, "sizes": [5]}, [b"12345"])]


def test_what_comes_before_nonsense_is_not_lost() -> None:
    messages = Decoder().messages(encode({"a": 1}) + b"nonsense\n")
    assert next(messages) == ({"a": 1}, [])
    with pytest.raises(ValueError, match="line 1"):
        next(messages)
