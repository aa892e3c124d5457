"""Queries are written as the reference has them."""

import base64

from eas.protocol.query import parse_query
from eas.protocol.versions import Version
from tests.support.query import base64_query, plain_query


def test_the_documented_example_is_the_beginning_of_ours() -> None:
    ours = base64_query("Sync", Version.V14_0, "u", "v140Device", "SmartPhone", None, {})
    documented = base64.b64decode("jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l")
    assert base64.b64decode(ours) == documented + b"\x08\x01u"


def test_parameters_and_options_follow_their_tags() -> None:
    ours = base64_query(
        "SmartReply", Version.V12_1, "u", "d", "t", 0x01020304, {"ItemId": "5:1", "SaveInSent": "T"}, multipart=True
    )
    assert base64.b64decode(ours) == b"\x79\x03\x09\x04\x01d\x04\x04\x03\x02\x01\x01t\x03\x035:1\x07\x01\x03\x08\x01u"


def test_the_plain_form_is_that_of_aosp() -> None:
    assert (
        plain_query("SmartReply", "a b@x.test", "d", "t", {"ItemId": "5:1"})
        == "Cmd=SmartReply&User=a%20b@x.test&DeviceId=d&DeviceType=t&ItemId=5:1"
    )


def test_the_server_reads_both_alike() -> None:
    plain = parse_query(plain_query("SmartReply", "u@x.test", "d1", "Android", {"ItemId": "5:1", "SaveInSent": "T"}))
    coded = parse_query(
        base64_query(
            "SmartReply", Version.V12_1, "u@x.test", "d1", "Android", None, {"ItemId": "5:1", "SaveInSent": "T"}
        )
    )
    for name in ("command", "user", "device_id", "device_type", "item_id", "save_in_sent"):
        assert getattr(plain, name) == getattr(coded, name), name
