"""The client's setting up: Provision and Settings."""

from dataclasses import dataclass
from datetime import datetime

from eas.protocol.datatypes import dashed
from eas.protocol.versions import Version
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import Provision, Settings
from eas.wbxml.tag import Tag
from tests.support.commanding import Commanding, Refused

POLICY_TYPE = "MS-EAS-Provisioning-WBXML"
APPLIED, PARTLY_APPLIED = 1, 2
OOF_OFF, OOF_ON, OOF_TIMED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Policy:
    """What Provision brought: the final key and the document, or which wipe is ordered (the tag of it)."""

    key: int | None
    document: Element | None
    wipe: Tag | None


@dataclass(frozen=True, slots=True)
class Oof:
    """An out-of-office setting; the message is the internal one."""

    state: int
    message: str
    start: str | None
    end: str | None


def device_information(user_agent: str) -> Element:
    """Write what a phone tells of itself, in AOSP's order."""
    return element(
        Settings.DeviceInformation,
        element(
            Settings.Set,
            leaf(Settings.Model, "Pixel"),
            leaf(Settings.IMEI, "000000000000000"),
            leaf(Settings.FriendlyName, "Test phone"),
            leaf(Settings.OS, "Android 8.0.0"),
            leaf(Settings.OSLanguage, "en"),
            leaf(Settings.UserAgent, user_agent),
        ),
    )


class AccountCommands(Commanding):
    """Commands about the device and the account."""

    async def provision(self, *, acknowledge: int = APPLIED) -> Policy:
        """Get the policy, acknowledge it, and keep the final key; with a wipe ordered, stop there.

        From 14.1 on the device says what it is in the same request, before that by Settings afterwards, as AOSP does.
        """
        page = Provision
        self.policy_key = 0
        in_request = self.version >= Version.V14_1
        described = device_information(self.device.user_agent) if in_request else None
        asked = element(page.Policies, element(page.Policy, leaf(page.PolicyType, POLICY_TYPE)))
        root = await self.command(element(page.Provision, described, asked), page.Status)
        wipe = next((tag for tag in (page.RemoteWipe, page.AccountOnlyRemoteWipe) if root.has(tag)), None)
        if wipe is not None:
            return Policy(None, None, wipe)
        policy = self._policy(root)
        document = policy.first(page.Data)
        self.policy_key = policy.number(page.PolicyKey)
        told = element(
            page.Policies,
            element(
                page.Policy,
                leaf(page.PolicyType, POLICY_TYPE),
                leaf(page.PolicyKey, self.policy_key),
                leaf(page.Status, acknowledge),
            ),
        )
        root = await self.command(element(page.Provision, told), page.Status)
        self.policy_key = self._policy(root).number(page.PolicyKey)
        if not in_request:
            await self.settings(device_information(self.device.user_agent))
        return Policy(self.policy_key, document and document.first(page.EASProvisionDoc), None)

    def _policy(self, root: Element) -> Element:
        policies = root.first(Provision.Policies)
        policy = None if policies is None else policies.first(Provision.Policy)
        if policy is None or policy.number(Provision.Status) != 1:
            raise Refused(self.answered(), None if policy is None else policy.number(Provision.Status))
        return policy

    async def acknowledge_wipe(self, wipe: Tag, *, done: bool = True) -> Element:
        """Tell that the wipe that `provision` returned is done, or failed; return the answer."""
        root = element(Provision.Provision, element(wipe, leaf(Provision.Status, 1 if done else 2)))
        return await self.command(root, Provision.Status, also=(2,))

    async def settings(self, *properties: Element) -> Element:
        """Post a Settings request with these properties and return the answer."""
        return await self.command(element(Settings.Settings, *properties), Settings.Status)

    async def user_addresses(self) -> list[str]:
        """Ask for the addresses of the account."""
        page = Settings
        found = await self._get(page.UserInformation)
        accounts = found.first(page.Accounts)
        holder = found if accounts is None else accounts.children[0]
        addresses = holder.first(page.EmailAddresses)
        return [] if addresses is None else [one.as_text() for one in addresses.all(page.SMTPAddress)]

    async def oof(self) -> Oof:
        """Ask for the out-of-office setting, messages as text."""
        page = Settings
        found = await self._get(page.Oof, leaf(page.BodyType, "Text"))
        internal = [one for one in found.all(page.OofMessage) if one.has(page.AppliesToInternal)]
        return Oof(
            found.number(page.OofState),
            internal[0].text_or(page.ReplyMessage, "") if internal else "",
            found.text_or(page.StartTime, None),
            found.text_or(page.EndTime, None),
        )

    async def set_oof(
        self, state: int, message: str = "", start: datetime | None = None, end: datetime | None = None
    ) -> None:
        """Set the out-of-office state and the message to everyone inside."""
        page = Settings
        told = element(
            page.OofMessage,
            empty(page.AppliesToInternal),
            leaf(page.Enabled, bool(message)),
            leaf(page.ReplyMessage, message or None),
            leaf(page.BodyType, "Text") if message else None,
        )
        wanted = element(
            page.Set,
            leaf(page.OofState, state),
            leaf(page.StartTime, None if start is None else dashed(start)),
            leaf(page.EndTime, None if end is None else dashed(end)),
            told,
        )
        root = await self.settings(element(page.Oof, wanted))
        self._succeeded(root, page.Oof)

    async def _get(self, tag: Tag, *fields: Element | None) -> Element:
        root = await self.settings(element(tag, element(Settings.Get, *fields)))
        found = self._succeeded(root, tag).first(Settings.Get)
        return found or Element(Settings.Get)

    def _succeeded(self, root: Element, tag: Tag) -> Element:
        found = root.first(tag)
        if found is None or found.number(Settings.Status) != 1:
            raise Refused(self.answered(), None if found is None else found.number(Settings.Status))
        return found
