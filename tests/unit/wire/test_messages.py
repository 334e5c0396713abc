"""Every message has one receiver, one tag and one shape, and arrives as it was sent."""

from __future__ import annotations

from types import UnionType
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from mpikernel.errors import PeerProtocolError
from mpikernel.wire.envelope import Parcel, open_envelope, seal
from mpikernel.wire.messages import RECEIVERS, URGENT, AnyMessage, Message

KINDS = Message.__subclasses__()


def of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value that a field of this type may have."""
    if hint is int:
        return st.integers(-(2**63), 2**64 - 1)
    if hint is float:
        return st.floats(allow_nan=False)
    if isinstance(hint, UnionType):
        return st.one_of(map(of, get_args(hint)))
    if Ellipsis in get_args(hint):
        return st.lists(of(get_args(hint)[0]), max_size=4).map(tuple)
    if get_args(hint):
        return st.tuples(*map(of, get_args(hint)))
    if issubclass(hint, Struct):
        return st.builds(hint, *map(of, get_type_hints(hint).values()))
    return st.from_type(hint)


messages = st.sampled_from(KINDS).flatmap(of)


def test_every_message_has_a_receiver_and_can_be_read() -> None:
    assert set(RECEIVERS) == set(KINDS) == set(get_args(AnyMessage))
    assert set(KINDS) >= URGENT


def test_no_two_messages_share_a_tag() -> None:
    tags = [kind.__struct_config__.tag for kind in KINDS]
    assert len(set(tags)) == len(tags)
    assert all(isinstance(tag, int) for tag in tags), "small on the wire"


@given(sent=st.lists(messages, max_size=5))
def test_messages_arrive_as_they_were_sent(sent: list[Message]) -> None:
    envelope, large = seal([Parcel(message) for message in sent], 100)
    assert [opened.message for opened in open_envelope(bytearray(envelope), 3)] == sent
    assert large == []


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x05\0\0\0hello", b"\xff\xff\xff\xffrest", b"\x04\0\0\0\x93\x05\x91\xc0", bytes(100)])
def test_what_is_no_envelope_is_the_senders_fault(data: bytes) -> None:
    with pytest.raises(PeerProtocolError, match="rank 3: sent an envelope that cannot be read") as caught:
        open_envelope(bytearray(data), 3)
    assert caught.value.rank == 3
