"""Provision, and the gate before every other command where it is required."""

from dataclasses import replace

import pytest

from eas.protocol.exchange import HttpRequest
from eas.protocol.versions import ANNOUNCED, Version
from eas.wbxml.element import Element, element, leaf
from eas.wbxml.pages import FolderHierarchy, Provision, Settings, Tag
from tests.commands.hierarchy import FolderList, create, sync
from tests.commands.office import Office, Phone

TYPE = "MS-EAS-Provisioning-WBXML"


def asking(policy_type: str | None = TYPE, *more: Element | None, key: int | None = None) -> Element:
    """Write phase 1; with a *key*, phase 2."""
    asked = element(
        Provision.Policy,
        leaf(Provision.PolicyType, policy_type),
        leaf(Provision.PolicyKey, key),
        None if key is None else leaf(Provision.Status, 1),
    )
    return element(Provision.Provision, *more, element(Provision.Policies, asked))


def information(*fields: Element | None) -> Element:
    return element(Settings.DeviceInformation, element(Settings.Set, *fields))


def policy(root: Element) -> Element:
    assert root.text(Provision.Status) == "1"
    policies = root.first(Provision.Policies)
    assert policies is not None
    return policies.children[0]


async def provisioned(phone: Phone) -> None:
    """Go through both phases; the phone has the final key afterwards."""
    offer = policy(await phone.ask(asking())).number(Provision.PolicyKey)
    final = policy(await phone.ask(asking(key=offer))).text(Provision.PolicyKey)
    phone.policy_key = final


@pytest.mark.parametrize(
    "request_",
    [
        asking(None),
        element(Provision.Provision, element(Provision.Policies)),
        element(
            Provision.Provision,
            element(
                Provision.Policies,
                element(Provision.Policy, leaf(Provision.PolicyType, TYPE), leaf(Provision.Status, 1)),
            ),
        ),
        element(
            Provision.Provision,
            element(
                Provision.Policies,
                element(Provision.Policy, leaf(Provision.PolicyType, TYPE), leaf(Provision.PolicyKey, 1)),
            ),
        ),
        asking(TYPE, element(Settings.DeviceInformation)),
        asking(TYPE, information(leaf(Settings.Model, "x" * 1025))),
        asking(TYPE, information(leaf(Settings.EnableOutboundSMS, "yes"))),
    ],
)
async def test_what_breaks_the_rules_is_a_protocol_error(phone: Phone, request_: Element) -> None:
    assert (await phone.ask(request_)).text(Provision.Status) == "2"


@pytest.mark.parametrize("status", ["0", "5", "", "applied"])
async def test_an_acknowledgement_says_one_of_four_things(phone: Phone, status: str) -> None:
    request = asking(key=7)
    request.children[0].children[0].children[-1].value = status
    assert (await phone.ask(request)).text(Provision.Status) == "2"


@pytest.mark.parametrize("unknown", ["MS-WAP-Provisioning-XML", "", "ms-eas"])
async def test_an_unknown_type_is_told_with_the_right_one(phone: Phone, unknown: str) -> None:
    answer = policy(await phone.ask(asking(unknown)))
    assert (answer.text(Provision.PolicyType), answer.text(Provision.Status)) == (TYPE, "3")


@pytest.mark.parametrize("version", ANNOUNCED)
async def test_both_phases_give_keys_and_the_first_the_whole_document(office: Office, version: Version) -> None:
    phone = Phone(office.node(), version)
    first = policy(await phone.ask(asking()))
    data = first.first(Provision.Data)
    assert data is not None
    assert len(data.children[0].children) == 40
    second = policy(await phone.ask(asking(key=first.number(Provision.PolicyKey))))
    assert not second.has(Provision.Data)
    keys = {first.number(Provision.PolicyKey), second.number(Provision.PolicyKey)}
    assert len(keys) == 2
    assert all(0 < key < 1 << 31 for key in keys)


@pytest.mark.parametrize("acknowledged", [1, 2, 3, 4])
async def test_whatever_the_device_made_of_the_policy_it_gets_its_key(phone: Phone, acknowledged: int) -> None:
    offer = policy(await phone.ask(asking())).number(Provision.PolicyKey)
    request = asking(key=offer)
    request.children[0].children[0].children[-1].value = str(acknowledged)
    assert policy(await phone.ask(request)).has(Provision.PolicyKey)


async def test_the_children_of_an_acknowledgement_come_in_any_order(phone: Phone) -> None:
    offer = policy(await phone.ask(asking())).number(Provision.PolicyKey)
    request = asking(key=offer)
    request.children[0].children[0].children.reverse()
    assert policy(await phone.ask(request)).text(Provision.Status) == "1"


@pytest.mark.parametrize("wrong", [0, 1, 4294967295, 1 << 60, -1])
async def test_a_key_that_was_not_offered_is_refused(phone: Phone, wrong: int) -> None:
    await phone.ask(asking())
    answer = policy(await phone.ask(asking(key=wrong)))
    assert answer.text(Provision.Status) == "5"
    assert not answer.has(Provision.PolicyKey)


async def test_the_offer_to_another_device_is_refused(phone: Phone) -> None:
    offer = policy(await phone.ask(asking())).number(Provision.PolicyKey)
    other = Phone(phone.node, device="phone2")
    assert policy(await other.ask(asking(key=offer))).text(Provision.Status) == "5"


async def test_either_phase_asked_again_on_another_node_is_answered_the_same(office: Office, phone: Phone) -> None:
    other = Phone(office.node())
    first = await phone.ask(asking())
    assert await other.ask(asking()) == first
    offer = policy(first).number(Provision.PolicyKey)
    second = await phone.ask(asking(key=offer))
    before = dict((await phone.state()).commits)
    assert await other.ask(asking(key=offer)) == second
    assert (await other.state()).commits == before


async def test_a_new_round_gives_new_keys(phone: Phone) -> None:
    await provisioned(phone)
    old = phone.policy_key
    await provisioned(phone)
    assert phone.policy_key != old


async def test_an_empty_provision_is_answered(phone: Phone) -> None:
    root = await phone.ask(element(Provision.Provision))
    assert [child.tag for child in root.children] == [Provision.Status]
    assert root.text(Provision.Status) == "1"


@pytest.mark.parametrize("wipe", [Provision.RemoteWipe, Provision.AccountOnlyRemoteWipe])
@pytest.mark.parametrize("inside", [[leaf(Provision.Status, 1)], [leaf(Provision.Status, 2)], []])
async def test_a_wipe_that_was_not_ordered_is_acknowledged_in_vain(
    phone: Phone, wipe: Tag, inside: list[Element]
) -> None:
    status = leaf(Provision.Status, 1)  # iOS 5 says it before
    for request in (element(Provision.Provision, Element(wipe, inside)), asking(TYPE, status, Element(wipe, inside))):
        root = await phone.ask(request)
        assert root.text(Provision.Status) == "1"
        assert not root.has(wipe)


async def test_device_information_is_remembered_and_answered_from_14_1_on(office: Office) -> None:
    fields = (leaf(Settings.Model, "Pixel"), leaf(Settings.OS, "Android 8"), leaf(Settings.EnableOutboundSMS, 0))
    for version in ANNOUNCED:
        phone = Phone(office.node(), version, device=f"phone{version.value}")
        root = await phone.ask(asking(TYPE, information(*fields)))
        assert root.has(Settings.DeviceInformation) == (version >= Version.V14_1)
        remembered = (await phone.state()).devices.get(phone.device, "information")
        assert remembered == {"Model": "Pixel", "OS": "Android 8", "EnableOutboundSMS": "0"}


async def test_device_information_alone_is_taken(phone: Phone) -> None:
    root = await phone.ask(element(Provision.Provision, information(leaf(Settings.Model, "Pixel"))))
    assert [child.tag for child in root.children] == [Settings.DeviceInformation, Provision.Status]


async def test_without_a_body_it_is_an_error(phone: Phone) -> None:
    answer = await phone.node.answer(_without_body(phone))
    assert getattr(answer, "status", None) == 200
    phone.version = Version.V12_1
    answer = await phone.node.answer(_without_body(phone))
    assert getattr(answer, "status", None) == 400


def _without_body(phone: Phone) -> HttpRequest:
    query = f"Cmd=Provision&User=anna&DeviceId={phone.device}&DeviceType=SP"
    return HttpRequest(
        "POST", "/Microsoft-Server-ActiveSync", query, "Basic YW5uYTp4", protocol_version=phone.version.text
    )


# -- the gate


@pytest.fixture
def strict(office: Office) -> Office:
    office.settings = replace(office.settings, provisioning="required")
    return office


async def test_by_default_nothing_waits_for_provision(phone: Phone) -> None:
    await FolderList(phone).sync()
    phone.policy_key = "17"
    await FolderList(phone).sync()


@pytest.mark.parametrize("version", ANNOUNCED)
@pytest.mark.parametrize(("key", "status"), [("", "142"), ("0", "142"), ("17", "142")])
async def test_where_it_is_required_other_commands_wait(
    strict: Office, version: Version, key: str, status: str
) -> None:
    phone = Phone(strict.node(), version, policy_key=key)
    for request in (sync("0"), create("0", "Plans")):
        root = await phone.post(request)
        if version < Version.V14_0:
            assert root is None
            assert phone.last.status == 449
        else:
            assert root is not None
            assert root.tag is request.tag
            assert root.text(FolderHierarchy.Status) == status
    await provisioned(phone)
    await FolderList(phone).sync()


async def test_another_key_than_the_current_one_is_told_as_such(strict: Office) -> None:
    phone = Phone(strict.node())
    await provisioned(phone)
    phone.policy_key = str(int(phone.policy_key) ^ 1)
    assert (await phone.ask(sync("0"))).text(FolderHierarchy.Status) == "144"
    phone.policy_key = ""
    assert (await phone.ask(sync("0"))).text(FolderHierarchy.Status) == "142"


async def test_the_offer_opens_nothing(strict: Office) -> None:
    phone = Phone(strict.node())
    phone.policy_key = policy(await phone.ask(asking())).text(Provision.PolicyKey)
    assert (await phone.ask(sync("0"))).text(FolderHierarchy.Status) == "142"


async def test_a_key_from_one_node_is_good_on_all(strict: Office) -> None:
    one, two = Phone(strict.node()), Phone(strict.node())
    await two.ask(element(Provision.Provision))
    await provisioned(one)
    two.policy_key = one.policy_key
    await FolderList(two).sync()


@pytest.mark.parametrize(("version", "http"), [(Version.V12_1, 403), (Version.V16_1, 200)])
async def test_a_device_that_did_not_apply_the_policy_is_refused_where_it_is_required(
    strict: Office, version: Version, http: int
) -> None:
    phone = Phone(strict.node(), version)
    request = asking(key=policy(await phone.ask(asking())).number(Provision.PolicyKey))
    request.children[0].children[0].children[-1].value = "3"
    root = await phone.post(request)
    assert phone.last.status == http
    assert root is None or root.text(Provision.Status) == "139"
