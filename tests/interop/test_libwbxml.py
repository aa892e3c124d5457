"""Our codec and tables against libwbxml2's, which others wrote from other sources."""

import os
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.wbxml.decoder import decode
from eas.wbxml.element import Element
from eas.wbxml.encoder import encode
from eas.wbxml.pages import (
    GAL,
    PAGES,
    AirNotify,
    AirSyncBase,
    Calendar,
    ComposeMail,
    Email2,
    Find,
    ItemOperations,
    MeetingResponse,
    Provision,
    ResolveRecipients,
    Search,
    Tag,
)
from tests.interop.libwbxml import Libwbxml
from tests.wbxml.documents import CONTROLS, sync_answer

pytestmark = pytest.mark.interop

LACKING = {  # tags that libwbxml 0.11.8 does not have
    *(tag for tag in vars(Find).values() if isinstance(tag, Tag)),
    *(tag for tag in vars(Calendar).values() if isinstance(tag, Tag) and 0x2B <= tag.token <= 0x32),
    MeetingResponse.ProposedStartTime,
    MeetingResponse.ProposedEndTime,
    Provision.AccountOnlyRemoteWipe,
    Search.Stores,
    ComposeMail.Type,
}
TAGS = [
    tag
    for page in PAGES
    if page is not AirNotify
    for tag in vars(page).values()
    if isinstance(tag, Tag) and tag not in LACKING
]
OPAQUE_TAGS = [
    ResolveRecipients.Data,
    Search.ConversationId,
    GAL.Data,
    AirSyncBase.Content,
    ItemOperations.ConversationId,
    ComposeMail.Mime,
    Email2.ConversationId,
    Email2.ConversationIndex,
]
TEXT_TAGS = [tag for tag in TAGS if tag not in OPAQUE_TAGS]

OTHER_NAMES = {  # theirs, where it is more than another case or a prefix of the parent: `Recurrence_Type`
    "Contacts:AssistantPhoneNumber": "AssistantTelephoneNumber",
    "Email:Att0Id": "AttOId",
    "Email:ReplyTo": "Reply-To",
    "Email:Status": "FlagStatus",
    "Calendar:CompressedRTF": "Compressed_RTF",
    "Calendar:ExceptionStartTime": "Exception_StartTime",
    "Calendar:OrganizerEmail": "Organizer_Email",
    "Calendar:OrganizerName": "Organizer_Name",
    "Calendar:AttendeeStatus": "Attendee_Status",
    "Calendar:AttendeeType": "Attendee_Type",
    "Provision:RequireStorageCardEncryption": "DeviceEncryptionEnabled",  # the name before 12.1
    "Settings:RightsManagementInformation": "ihsManagementInformation",  # a slip of theirs
    "RightsManagement:Owner": "RMOwner",
    "RightsManagement:RemoveRightsManagementProtection": "RemoveRightsManagementDistribution",
}


@pytest.fixture(scope="module")
def libwbxml() -> Libwbxml:
    try:
        return Libwbxml()
    except OSError:
        if os.environ.get("CI"):
            raise
        pytest.skip("libwbxml2 is not installed")


@pytest.mark.parametrize("tag", TAGS, ids=repr)
def test_a_token_has_the_same_name(libwbxml: Libwbxml, tag: Tag) -> None:
    root = ElementTree.fromstring(libwbxml.to_xml(encode(Element(tag))))
    namespace, _, name = root.tag.removeprefix("{").partition("}")
    assert namespace.rstrip(":").lower() == tag.page_name.lower()
    expected = OTHER_NAMES.get(repr(tag), tag.name)
    if tag.page_name == "Contacts":
        expected = expected.replace("AddressCity", "City").replace("AddressCountry", "Country")
        expected = expected.replace("AddressPostalCode", "PostalCode").replace("AddressSt", "St")
    assert expected.lower() in (name.lower(), name.lower().split("_")[-1])


def test_a_sync_answer_reads_as_the_same_xml(libwbxml: Libwbxml) -> None:
    xml = ElementTree.fromstring(libwbxml.to_xml(encode(sync_answer(messages=3))))
    data = xml.findall(".//{AirSyncBase:}Data")
    assert [element.text for element in data] == [
        child.as_text() for child in leaves(sync_answer(messages=3)) if child.tag is AirSyncBase.Data
    ]


def leaves(root: Element) -> list[Element]:
    if not root.children:
        return [root]
    return [leaf for child in root.children for leaf in leaves(child)]


def test_a_sync_answer_comes_back_in_the_same_bytes(libwbxml: Libwbxml) -> None:
    document = encode(sync_answer())
    assert libwbxml.to_wbxml(libwbxml.to_xml(document)) == document


# What XML cannot hold, or changes in reading, is no matter of WBXML.
texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=CONTROLS + "\ufffe\uffff"),
    min_size=1,
    max_size=40,
)
known_leaves = st.builds(lambda tag, value: Element(tag, value=value), st.sampled_from(TEXT_TAGS), st.none() | texts)
opaque_leaves = st.builds(
    lambda tag, value: Element(tag, value=value), st.sampled_from(OPAQUE_TAGS), st.binary(min_size=1, max_size=300)
)
known_documents = st.builds(
    Element,
    st.sampled_from(TEXT_TAGS),
    st.lists(
        st.recursive(
            known_leaves | opaque_leaves,
            lambda inner: st.builds(Element, st.sampled_from(TEXT_TAGS), st.lists(inner, min_size=1, max_size=4)),
            max_leaves=15,
        ),
        max_size=4,
    ),
)


@given(known_documents)
def test_any_document_that_both_know_comes_back_the_same(libwbxml: Libwbxml, document: Element) -> None:
    returned = libwbxml.to_wbxml(libwbxml.to_xml(encode(document)))
    assert decode(returned) == document
