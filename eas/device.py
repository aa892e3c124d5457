"""What is remembered of a device, besides its views: who it says it is, its policy key, when it was here.

| register | value |
|---|---|
| `type` | the DeviceType of its requests |
| `version` | the protocol version of its latest request that wrote anything, as `Version` numbers it |
| `first_seen`, `last_seen` | milliseconds since 1970; the latter moves once a day, to spare the log |
| `information` | `{element name: text}` of [MS-ASCMD] DeviceInformation, as the device gave it last |
| `policy_offer`, `policy_key` | `eas/policy.py` |
"""

from datetime import timedelta

from eas.context import Context
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue, MissingElement
from storage.records import DeviceSet, Value
from storage.state import State

TAG = pages.Settings

TYPE = "type"
VERSION = "version"
FIRST_SEEN = "first_seen"
LAST_SEEN = "last_seen"
INFORMATION = "information"

SEEN_EVERY = timedelta(days=1)
"""How much `last_seen` may lag behind."""
INFORMATION_CHARS_MAX = 1024
_FIELDS = (
    TAG.Model,
    TAG.IMEI,
    TAG.FriendlyName,
    TAG.OS,
    TAG.OSLanguage,
    TAG.PhoneNumber,
    TAG.UserAgent,
    TAG.EnableOutboundSMS,
    TAG.MobileOperator,
)


def sighting(context: Context, state: State) -> list[DeviceSet]:
    """Return what a commit should add so that the device's type, version and times are remembered.

    Nothing most of the time: they are written when they changed, and once a day.
    """
    now = int(context.services.now().timestamp() * 1000)
    known, device = state.devices, context.device
    found: dict[str, Value] = {TYPE: context.device_type, VERSION: int(context.version)}
    last = known.get(device, LAST_SEEN)
    if last is None or now - last >= SEEN_EVERY.total_seconds() * 1000:
        found[LAST_SEEN] = now
    if known.get(device, FIRST_SEEN) is None:
        found[FIRST_SEEN] = now
    return [DeviceSet(device, name, value) for name, value in found.items() if known.get(device, name) != value]


def parse_information(information: Element) -> dict[str, str]:
    """Return what DeviceInformation says, by element name; what is no field of it is passed over.

    Raises `MissingElement` without a Set, `InvalidValue` for what is too long or no boolean.
    """
    holder = information.first(TAG.Set)
    if holder is None:
        raise MissingElement(TAG.Set)
    found: dict[str, str] = {}
    for tag in _FIELDS:
        text = holder.text_or(tag, None)
        if text is None:
            continue
        if len(text) > INFORMATION_CHARS_MAX or (tag is TAG.EnableOutboundSMS and text not in ("0", "1")):
            raise InvalidValue(tag, text)
        found[tag.name] = text
    return found


def informed(context: Context, state: State, information: dict[str, str]) -> list[DeviceSet]:
    """Return the record that remembers *information*, if it is news."""
    if state.devices.get(context.device, INFORMATION) == information:
        return []
    return [DeviceSet(context.device, INFORMATION, information)]
