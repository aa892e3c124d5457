"""Settings: what the device and the account tell each other of themselves ([MS-ASCMD] Settings).

There is no out-of-office service, no password recovery and no rights management here: asked for, they are off, denied
and without templates.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from eas import device
from eas.context import CommandFailed, Context
from eas.protocol.exchange import EasRequest
from eas.protocol.versions import Version
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue, MissingElement, element, empty, leaf
from storage.identity import Identity

TAG = pages.Settings

PASSWORD_CHARS_MAX = 255
_OFF, _TIMED = 0, 2


class SettingsStatus(IntEnum):
    """[MS-ASCMD] Status (Settings)."""

    SUCCESS = 1
    PROTOCOL_ERROR = 2
    INVALID_ARGUMENTS = 5
    DENIED = 7


@dataclass(frozen=True, slots=True)
class Property:
    """One child of the request, and what is to be said of it: `is_get` has an answer besides the Status."""

    tag: pages.Tag
    status: SettingsStatus = SettingsStatus.SUCCESS
    is_get: bool = False
    information: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The properties in the order of the request, and whose account it is."""

    properties: tuple[Property, ...]
    identity: Identity


def parse(root: Element | None, request: EasRequest) -> tuple[Property, ...]:
    """Read the request.  Raises `CommandFailed` with Status 2 for an unknown property, and for one given twice.

    What is wrong within a property is its own Status.
    """
    children = root.children if root is not None else []
    tags = [child.tag for child in children]
    known = all(tag in _PARSERS and tag.since <= request.version for tag in tags)
    if not tags or not known or len(set(tags)) < len(tags):
        raise CommandFailed(SettingsStatus.PROTOCOL_ERROR)
    return tuple(map(_property, children))


def _property(found: Element) -> Property:
    try:
        return _PARSERS[found.tag](found)
    except MissingElement:
        return Property(found.tag, SettingsStatus.PROTOCOL_ERROR)
    except InvalidValue:
        return Property(found.tag, SettingsStatus.INVALID_ARGUMENTS)


def _get(found: Element) -> Property:
    if not found.has(TAG.Get):
        raise MissingElement(TAG.Get)
    return Property(found.tag, is_get=True)


def _oof(found: Element) -> Property:
    wanted, given = found.first(TAG.Get), found.first(TAG.Set)
    if (wanted is None) is (given is None):
        raise MissingElement(TAG.Get)
    if wanted is not None:
        if wanted.text(TAG.BodyType) not in ("Text", "HTML"):
            raise InvalidValue(TAG.BodyType, wanted.text(TAG.BodyType))
        return Property(found.tag, is_get=True)
    return Property(found.tag, _set_oof(given or found))


def _set_oof(given: Element) -> SettingsStatus:
    """Return what comes of a Set: switching off is done, since it is off; everything else is denied."""
    state = given.number_or(TAG.OofState, None)
    if state is not None and not _OFF <= state <= _TIMED:
        raise InvalidValue(TAG.OofState, str(state))
    has_times = given.has(TAG.StartTime), given.has(TAG.EndTime)
    if any(has_times) is not all(has_times) or (state == _TIMED and not all(has_times)):
        return SettingsStatus.PROTOCOL_ERROR
    return SettingsStatus.SUCCESS if state == _OFF else SettingsStatus.DENIED


def _information(found: Element) -> Property:
    return Property(found.tag, information=device.parse_information(found))


def _password(found: Element) -> Property:
    given = found.first(TAG.Set)
    if given is None:
        raise MissingElement(TAG.Set)
    password = given.text(TAG.Password)
    if len(password) > PASSWORD_CHARS_MAX:
        raise InvalidValue(TAG.Password, "")
    return Property(found.tag, SettingsStatus.DENIED)  # the policy says PasswordRecoveryEnabled 0


_PARSERS: Final[dict[pages.Tag, Callable[[Element], Property]]] = {
    TAG.Oof: _oof,
    TAG.DeviceInformation: _information,
    TAG.DevicePassword: _password,
    TAG.UserInformation: _get,
    TAG.RightsManagementInformation: _get,
}


async def handle(context: Context, properties: tuple[Property, ...]) -> Answer:
    """Remember what the device says of itself, if it is news."""
    for found in properties:
        if found.information is not None:
            async with context.account.turn() as state:
                if records := device.informed(context, state, dict(found.information)):
                    await context.account.commit([*records, *device.sighting(context, state)])
    return Answer(properties, context.account.identity)


def render(answer: Answer, version: Version) -> Element:
    """Write the answer: the properties in the order of the request, each with its Status first."""
    return element(
        TAG.Settings,
        leaf(TAG.Status, SettingsStatus.SUCCESS),
        *(
            element(
                found.tag,
                leaf(TAG.Status, found.status),
                element(TAG.Get, _got(found.tag, answer.identity, version)) if found.is_get else None,
            )
            for found in answer.properties
        ),
    )


def _got(tag: pages.Tag, identity: Identity, version: Version) -> Element | None:
    if tag is TAG.Oof:
        return leaf(TAG.OofState, _OFF)
    if tag is TAG.RightsManagementInformation:
        return empty(pages.RightsManagement.RightsManagementTemplates)
    addresses = [leaf(TAG.SMTPAddress, address) for address in identity.addresses]
    if version < Version.V14_1:
        return element(TAG.EmailAddresses, *addresses)
    # The primary account has no AccountId: [MS-ASCMD] AccountId.
    primary = leaf(TAG.PrimarySmtpAddress, identity.address)
    name = leaf(TAG.UserDisplayName, identity.display_name or None)
    return element(TAG.Accounts, element(TAG.Account, name, element(TAG.EmailAddresses, *addresses, primary)))
