"""Queries: reading one raises its own errors or gives a query that is written and read back the same."""

from base64 import b64decode

from eas.protocol.query import BadDevice, Query, UnreadableQuery, build_base64, build_plain, parse_query
from eas.protocol.versions import UnknownCommand, UnknownVersion, Version
from tests.fuzz.target import Target

QUERY = Query("SmartReply", "Appl123", "iPhone", "ann@example.org", collection_id="5", item_id="5:1", save_in_sent=True)
CODED = Query("Sync", "Appl123", "iPhone", version=Version.V14_1, policy_key=7, locale=1033, user="ann", long_id="x/+")


def run(data: bytes) -> None:
    try:
        query = parse_query(data.decode("utf-8", "surrogateescape"))
    except (UnreadableQuery, UnknownVersion, UnknownCommand, BadDevice):
        return
    if query.version is None and parse_query(build_plain(query)) != query:
        raise AssertionError("does not read back")


TARGET = Target(
    run,
    [
        build_plain(QUERY).encode(),
        build_base64(CODED).encode(),
        build_base64(CODED, bytes(range(16))).rstrip("=").replace("+", "%2B").encode(),
        b64decode(build_base64(CODED)),
    ],
)
