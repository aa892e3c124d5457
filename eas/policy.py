"""The policy that devices are given, its keys, and whether a device may go on without them ([MS-ASPROV]).

Nobody is restricted: the document says so in full, because several clients stay stuck without a document and a key.

A key is made in two phases.  The *offer* goes out with the document; who acknowledges it gets the *final* key, which
later requests must carry where provisioning is required.  The offer stays until it is acknowledged, and the final key
follows from it: so both phases may be repeated, on any node, and give the same answers.
"""

from typing import Final

from eas.context import Context
from eas.protocol.exchange import EasRequest
from eas.protocol.status import Common
from eas.protocol.versions import Version
from eas.wbxml import pages
from eas.wbxml.element import Element, element, leaf
from eas.wbxml.pages import Tag
from storage.records import DeviceSet
from storage.seal import keyed_hash
from storage.state import State

TAG = pages.Provision

OFFER = "policy_offer"
KEY = "policy_key"
_KEY_MAX = 0x7FFFFFFF
"""Keys fit a signed integer, as which some clients keep them, and are never 0, which stands for none."""


async def refusal(context: Context, request: EasRequest) -> Common | None:
    """Return why *request* must wait for Provision, or None."""
    if context.services.settings.provisioning != "required":
        return None
    for fresh in (False, True):  # another node may have given out the key just now
        async with context.account.turn(fresh=fresh) as state:
            current = state.devices.get(context.device, KEY)
        if current is not None and request.policy_key == current:
            return None
    return Common.INVALID_POLICY_KEY if current is not None and request.policy_key else Common.DEVICE_NOT_PROVISIONED


def offered(context: Context, state: State) -> tuple[int, list[DeviceSet]]:
    """Return the key that goes out with the document, and what is to be remembered of it.

    One that nobody acknowledged is offered again.
    """
    offer = state.devices.get(context.device, OFFER)
    if offer is not None and state.devices.get(context.device, KEY) != _final(context, offer):
        return offer, []
    writer, n = context.account.next_place  # never the same twice
    offer = _key(context, "offer", writer, str(n))
    return offer, [DeviceSet(context.device, OFFER, offer)]


def acknowledged(context: Context, state: State, key: int) -> tuple[int, list[DeviceSet]] | None:
    """Return the final key for *key*, and what is to be remembered of it; None if *key* was not offered."""
    if key != state.devices.get(context.device, OFFER):
        return None
    final = _final(context, key)
    if state.devices.get(context.device, KEY) == final:
        return final, []
    return final, [DeviceSet(context.device, KEY, final)]


def _final(context: Context, offer: int) -> int:
    return _key(context, "final", str(offer))


def _key(context: Context, *parts: str) -> int:
    digest = keyed_hash(
        context.account.keys.tokens, b"policy", context.device.encode(), *(part.encode() for part in parts), size=8
    )
    return int.from_bytes(digest, "big") % _KEY_MAX + 1


def document(version: Version) -> Element:
    """Return the EASProvisionDoc with every setting that *version* knows."""
    return element(TAG.EASProvisionDoc, *(leaf(tag, value) for tag, value in _SETTINGS if tag.since <= version))


# [MS-ASPROV] EASProvisionDoc, in the order of its schema.  "" is "not set".  The two lists of applications are left
# out: a list without entries is an element that promises something and holds nothing.
_SETTINGS: Final[tuple[tuple[Tag, int | str], ...]] = (
    (TAG.DevicePasswordEnabled, 0),
    (TAG.AlphanumericDevicePasswordRequired, 0),
    (TAG.PasswordRecoveryEnabled, 0),
    (TAG.RequireStorageCardEncryption, 0),
    (TAG.AttachmentsEnabled, 1),
    (TAG.MinDevicePasswordLength, ""),
    (TAG.MaxInactivityTimeDeviceLock, 9999),  # seconds; this and more is no limit
    (TAG.MaxDevicePasswordFailedAttempts, ""),
    (TAG.MaxAttachmentSize, ""),
    (TAG.AllowSimpleDevicePassword, 1),
    (TAG.DevicePasswordExpiration, 0),
    (TAG.DevicePasswordHistory, 0),
    (TAG.AllowStorageCard, 1),
    (TAG.AllowCamera, 1),
    (TAG.RequireDeviceEncryption, 0),
    (TAG.AllowUnsignedApplications, 1),
    (TAG.AllowUnsignedInstallationPackages, 1),
    (TAG.MinDevicePasswordComplexCharacters, 1),
    (TAG.AllowWiFi, 1),
    (TAG.AllowTextMessaging, 1),
    (TAG.AllowPOPIMAPEmail, 1),
    (TAG.AllowBluetooth, 2),
    (TAG.AllowIrDA, 1),
    (TAG.RequireManualSyncWhenRoaming, 0),
    (TAG.AllowDesktopSync, 1),
    (TAG.MaxCalendarAgeFilter, 0),
    (TAG.AllowHTMLEmail, 1),
    (TAG.MaxEmailAgeFilter, 0),
    (TAG.MaxEmailBodyTruncationSize, -1),
    (TAG.MaxEmailHTMLBodyTruncationSize, -1),
    (TAG.RequireSignedSMIMEMessages, 0),
    (TAG.RequireEncryptedSMIMEMessages, 0),
    (TAG.RequireSignedSMIMEAlgorithm, 0),
    (TAG.RequireEncryptionSMIMEAlgorithm, 0),
    (TAG.AllowSMIMEEncryptionAlgorithmNegotiation, 2),
    (TAG.AllowSMIMESoftCerts, 1),
    (TAG.AllowBrowser, 1),
    (TAG.AllowConsumerEmail, 1),
    (TAG.AllowRemoteDesktop, 1),
    (TAG.AllowInternetSharing, 1),
)
