"""Settings."""

import pytest

from eas.protocol.versions import ANNOUNCED, Version
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import RightsManagement, Settings, Tag
from storage.identity import Identity
from tests.commands.office import Office, Phone

OOF_GET = element(Settings.Oof, element(Settings.Get, leaf(Settings.BodyType, "Text")))
USER_GET = element(Settings.UserInformation, empty(Settings.Get))
RIGHTS_GET = element(Settings.RightsManagementInformation, empty(Settings.Get))


def information(*fields: Element | None) -> Element:
    return element(Settings.DeviceInformation, element(Settings.Set, *fields))


def password(value: str) -> Element:
    return element(Settings.DevicePassword, element(Settings.Set, leaf(Settings.Password, value)))


def oof(*settings: Element | None) -> Element:
    return element(Settings.Oof, element(Settings.Set, *settings))


async def ask(phone: Phone, *properties: Element) -> Element:
    return await phone.ask(element(Settings.Settings, *properties))


async def status_of(phone: Phone, asked: Element) -> str:
    root = await ask(phone, asked)
    assert root.text(Settings.Status) == "1"
    assert root.children[1].tag is asked.tag
    return root.children[1].text(Settings.Status)


@pytest.mark.parametrize(
    "properties",
    [
        [],
        [USER_GET, USER_GET],
        [USER_GET, OOF_GET, USER_GET],
        [empty(Settings.Get)],
        [empty(RightsManagement.RightsManagementTemplates)],
    ],
)
async def test_a_request_that_breaks_the_rules_is_refused_as_a_whole(phone: Phone, properties: list[Element]) -> None:
    root = await ask(phone, *properties)
    assert [child.tag for child in root.children] == [Settings.Status]
    assert root.text(Settings.Status) == "2"


async def test_rights_management_came_with_14_1(office: Office) -> None:
    phone = Phone(office.node(), Version.V14_0)
    assert (await ask(phone, RIGHTS_GET)).text(Settings.Status) == "2"


@pytest.mark.parametrize(
    "malformed",
    [
        empty(Settings.UserInformation),
        empty(Settings.RightsManagementInformation),
        empty(Settings.DeviceInformation),
        element(Settings.DeviceInformation, empty(Settings.Get)),
        empty(Settings.DevicePassword),
        element(Settings.DevicePassword, empty(Settings.Set)),
        empty(Settings.Oof),
        element(Settings.Oof, empty(Settings.Get)),
        element(Settings.Oof, *OOF_GET.children, empty(Settings.Set)),
        oof(leaf(Settings.OofState, 2)),
        oof(leaf(Settings.OofState, 2), leaf(Settings.StartTime, "2024-01-01T00:00:00.000Z")),
        oof(leaf(Settings.OofState, 0), leaf(Settings.EndTime, "2024-01-01T00:00:00.000Z")),
    ],
)
async def test_a_malformed_property_is_refused_by_itself(phone: Phone, malformed: Element) -> None:
    assert await status_of(phone, malformed) == "2"


@pytest.mark.parametrize(
    "invalid",
    [
        information(leaf(Settings.Model, "x" * 1025)),
        information(leaf(Settings.EnableOutboundSMS, 2)),
        information(leaf(Settings.EnableOutboundSMS, "")),
        password("x" * 256),
        element(Settings.Oof, element(Settings.Get, leaf(Settings.BodyType, "RTF"))),
        oof(leaf(Settings.OofState, 3)),
        oof(leaf(Settings.OofState, -1)),
        oof(leaf(Settings.OofState, "on")),
        oof(empty(Settings.OofState)),
    ],
)
async def test_an_invalid_value_is_told(phone: Phone, invalid: Element) -> None:
    assert await status_of(phone, invalid) == "5"


async def test_the_answers_come_in_the_order_of_the_request(phone: Phone) -> None:
    properties = [USER_GET, information(), password("x"), RIGHTS_GET, OOF_GET]
    for order in (properties, properties[::-1]):
        root = await ask(phone, *order)
        assert [child.tag for child in root.children[1:]] == [asked.tag for asked in order]
        assert all(child.children[0].tag is Settings.Status for child in root.children[1:])


@pytest.mark.parametrize("version", ANNOUNCED)
async def test_the_addresses_of_the_account_are_told(office: Office, version: Version) -> None:
    root = await ask(Phone(office.node(), version), USER_GET)
    found = root.children[1].children[1]
    holder = found.children[0]
    if version >= Version.V14_1:
        assert found.has(Settings.Accounts)
        account = holder.children[0]
        assert not account.has(Settings.AccountId)
        assert account.text(Settings.UserDisplayName) == "Anna"
        holder = account.children[1]
        assert holder.text(Settings.PrimarySmtpAddress) == "anna@example.org"
    assert [one.as_text() for one in holder.all(Settings.SMTPAddress)] == ["anna@example.org", "a@example.org"]


async def test_a_user_without_a_name_has_none(office: Office) -> None:
    root = await ask(Phone(office.node(Identity("b@example.org"))), USER_GET)
    account = root.children[1].children[1].children[0].children[0]
    assert [child.tag for child in account.children] == [Settings.EmailAddresses]


@pytest.mark.parametrize("body_type", ["Text", "HTML"])
async def test_the_user_is_never_out_of_office(phone: Phone, body_type: str) -> None:
    asked = element(Settings.Oof, element(Settings.Get, leaf(Settings.BodyType, body_type)))
    found = (await ask(phone, asked)).children[1].children[1]
    assert found.text(Settings.OofState) == "0"


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ([leaf(Settings.OofState, 0)], "1"),
        ([leaf(Settings.OofState, 1)], "7"),
        ([leaf(Settings.OofState, 2), leaf(Settings.StartTime, "x"), leaf(Settings.EndTime, "y")], "7"),
        ([], "7"),
        ([leaf(Settings.OofState, 0), element(Settings.OofMessage, empty(Settings.AppliesToInternal))], "1"),
    ],
)
async def test_out_of_office_can_only_be_switched_off(phone: Phone, settings: list[Element], status: str) -> None:
    assert await status_of(phone, oof(*settings)) == status


@pytest.mark.parametrize("value", ["secret", "", "x" * 255])
async def test_no_password_is_kept(phone: Phone, value: str) -> None:
    assert await status_of(phone, password(value)) == "7"


async def test_there_are_no_rights_management_templates(phone: Phone) -> None:
    found = (await ask(phone, RIGHTS_GET)).children[1].children[1]
    assert [child.tag for child in found.children] == [RightsManagement.RightsManagementTemplates]


FIELDS: list[Tag] = [
    Settings.Model,
    Settings.IMEI,
    Settings.FriendlyName,
    Settings.OS,
    Settings.OSLanguage,
    Settings.PhoneNumber,
    Settings.UserAgent,
    Settings.MobileOperator,
]


async def test_what_the_device_says_of_itself_is_remembered_once(phone: Phone) -> None:
    fields = [leaf(tag, "x" * 1024) for tag in FIELDS]
    assert await status_of(phone, information(*fields)) == "1"
    state = await phone.state()
    assert state.devices.get(phone.device, "information") == {tag.name: "x" * 1024 for tag in FIELDS}
    before = dict(state.commits)
    await status_of(phone, information(*fields[::-1]))
    assert (await phone.state()).commits == before
    await status_of(phone, information(leaf(Settings.Model, "Another")))
    assert (await phone.state()).devices.get(phone.device, "information") == {"Model": "Another"}


async def test_a_field_given_twice_is_read_as_the_first_and_an_unknown_one_is_passed_over(phone: Phone) -> None:
    fields = (leaf(Settings.Model, "One"), leaf(Settings.Model, "Two"), leaf(Settings.Password, "x"))
    assert await status_of(phone, information(*fields)) == "1"
    assert (await phone.state()).devices.get(phone.device, "information") == {"Model": "One"}
