"""Documents for tests: any tree as a strategy, and a Sync answer of the size that phones see."""

from hypothesis import strategies as st

from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import BY_TOKEN, AirSync, AirSyncBase, Email, Email2

CONTROLS = "".join(map(chr, range(0x20))).translate(dict.fromkeys(map(ord, "\t\n\r")))
AIR_NOTIFY = 3
TAGS = [tag for page, tags in enumerate(BY_TOKEN) if page != AIR_NOTIFY for tag in tags if tag is not None]

tags = st.sampled_from(TAGS)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=CONTROLS), min_size=1)
values = st.none() | texts | st.binary(min_size=1, max_size=200)
leaves = st.builds(lambda tag, value: Element(tag, value=value), tags, values)
documents = st.recursive(leaves, lambda inner: st.builds(Element, tags, st.lists(inner, max_size=5)), max_leaves=40)

LINE = "A line of a body, as long as mail programs make them; now and then, an ä.\r\n"


def sync_answer(messages: int = 100, body_bytes: int = 1045) -> Element:
    """Return the answer to a Sync that brings *messages*: 138 KB for a hundred with bodies of 1 KB."""
    adds = [_add(number, (LINE * (body_bytes // len(LINE) + 1))[:body_bytes]) for number in range(messages)]
    collection = element(
        AirSync.Collection,
        leaf(AirSync.SyncKey, "{5f2c1b7e}17"),
        leaf(AirSync.CollectionId, "5"),
        leaf(AirSync.Status, 1),
        empty(AirSync.MoreAvailable),
        element(AirSync.Commands, *adds),
    )
    return element(AirSync.Sync, element(AirSync.Collections, collection))


def _add(number: int, body: str) -> Element:
    data = element(
        AirSync.ApplicationData,
        leaf(Email.To, '"Ann Example" <ann@example.org>'),
        leaf(Email.From, '"Bob Example" <bob@example.org>'),
        leaf(Email.Subject, f"Minutes of meeting number {number}"),
        leaf(Email.DateReceived, "2024-01-02T03:04:05.000Z"),
        leaf(Email.DisplayTo, "Ann Example"),
        leaf(Email.ThreadTopic, f"Minutes of meeting number {number}"),
        leaf(Email.Importance, 1),
        leaf(Email.Read, False),
        element(
            AirSyncBase.Body,
            leaf(AirSyncBase.Type, 1),
            leaf(AirSyncBase.EstimatedDataSize, len(body)),
            leaf(AirSyncBase.Truncated, False),
            leaf(AirSyncBase.Data, body),
        ),
        leaf(Email.MessageClass, "IPM.Note"),
        leaf(Email.InternetCPID, 65001),
        empty(Email.Flag),
        leaf(Email.ContentClass, "urn:content-classes:message"),
        leaf(AirSyncBase.NativeBodyType, 1),
        leaf(Email2.ConversationId, bytes(range(number, number + 16))),
        leaf(Email2.ConversationIndex, bytes(range(5))),
    )
    return element(AirSync.Add, leaf(AirSync.ServerId, f"5:{number}"), data)
