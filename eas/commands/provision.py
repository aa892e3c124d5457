"""Provision: give a device its policy and the key to it ([MS-ASPROV] Provision).

Phase 1 asks for the policy, phase 2 acknowledges it; `eas/policy.py` knows the keys.  Whatever else a request brings is
taken on the way: DeviceInformation, and the acknowledgement of a wipe, though no wipe is ever ordered here.
"""

from dataclasses import dataclass
from enum import IntEnum

from eas import device, policy
from eas.context import CommandFailed, Context
from eas.protocol.exchange import EasRequest
from eas.protocol.status import SUCCESS, Common
from eas.protocol.versions import Version
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue, MissingElement, element, leaf
from storage.records import Record
from storage.state import State

TAG = pages.Provision

POLICY_TYPE = "MS-EAS-Provisioning-WBXML"
PROTOCOL_ERROR = 2
"""[MS-ASPROV] Status (Provision)."""


class PolicyStatus(IntEnum):
    """[MS-ASPROV] Status (Policy), in an answer."""

    SUCCESS = 1
    UNKNOWN_TYPE = 3
    WRONG_KEY = 5


class Acknowledged(IntEnum):
    """[MS-ASPROV] Status (Policy), in a request: what the device made of the policy."""

    APPLIED = 1
    PARTLY = 2
    NOT_APPLIED = 3
    MANAGED_ELSEWHERE = 4


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What phase 2 adds."""

    key: int
    status: Acknowledged


@dataclass(frozen=True, slots=True)
class Provision:
    """The request.  `policy_type` None: no policy is asked for, it brings something else, or nothing."""

    policy_type: str | None = None
    acknowledgement: Acknowledgement | None = None
    information: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The Policy element of an answer."""

    status: PolicyStatus
    key: int | None = None
    has_document: bool = False


@dataclass(frozen=True, slots=True)
class Provisioned:
    """The answer."""

    policy: Policy | None
    has_information: bool


def parse(root: Element | None, request: EasRequest) -> Provision:
    """Read the request.  Raises `CommandFailed` with Status 2 where it breaks the rules."""
    try:
        if root is None:
            raise MissingElement(TAG.Provision)
        given = root.first(pages.Settings.DeviceInformation)
        information = None if given is None else device.parse_information(given)
        policies = root.first(TAG.Policies)
        if policies is None:
            return Provision(information=information)
        asked = policies.first(TAG.Policy)
        if asked is None:
            raise MissingElement(TAG.Policy)
        return Provision(asked.text(TAG.PolicyType), _acknowledgement(asked), information)
    except (MissingElement, InvalidValue) as error:
        raise CommandFailed(PROTOCOL_ERROR) from error


def _acknowledgement(asked: Element) -> Acknowledgement | None:
    """Read what phase 2 adds, in whatever order; None in phase 1."""
    if not asked.has(TAG.PolicyKey) and not asked.has(TAG.Status):
        return None
    status = asked.number(TAG.Status)
    if status not in Acknowledged.__members__.values():
        raise InvalidValue(TAG.Status, str(status))
    return Acknowledgement(asked.number(TAG.PolicyKey), Acknowledged(status))


async def handle(context: Context, provision: Provision) -> Provisioned:
    """Answer either phase; what is new of the device and its keys is one commit, repeated requests make none."""
    async with context.account.turn() as state:
        answer, records = _policy(context, state, provision)
        if provision.information is not None:
            records += device.informed(context, state, provision.information)
        records += device.sighting(context, state)
        if records:
            await context.account.commit(records)
    return Provisioned(answer, provision.information is not None)


def _policy(context: Context, state: State, provision: Provision) -> tuple[Policy | None, list[Record]]:
    if provision.policy_type is None:
        return None, []
    if provision.policy_type != POLICY_TYPE:
        return Policy(PolicyStatus.UNKNOWN_TYPE), []
    if provision.acknowledgement is None:
        offer, records = policy.offered(context, state)
        return Policy(PolicyStatus.SUCCESS, offer, has_document=True), [*records]
    # A device that applied only a part is welcome: the policy restricts nothing.  One that refuses it is not, where
    # the administrator wants it applied.
    if (
        provision.acknowledgement.status is Acknowledged.NOT_APPLIED
        and context.services.settings.provisioning == "required"
    ):
        raise CommandFailed(Common.DEVICE_NOT_FULLY_PROVISIONABLE)
    final = policy.acknowledged(context, state, provision.acknowledgement.key)
    if final is None:
        return Policy(PolicyStatus.WRONG_KEY), []
    return Policy(PolicyStatus.SUCCESS, final[0]), [*final[1]]


def render(answer: Provisioned, version: Version) -> Element:
    """Write the answer: DeviceInformation is answered from 14.1 on, when it came to belong here."""
    informed = answer.has_information and version >= Version.V14_1
    return element(
        TAG.Provision,
        element(pages.Settings.DeviceInformation, leaf(pages.Settings.Status, SUCCESS)) if informed else None,
        leaf(TAG.Status, SUCCESS),
        None if answer.policy is None else element(TAG.Policies, _rendered(answer.policy, version)),
    )


def _rendered(answer: Policy, version: Version) -> Element:
    return element(
        TAG.Policy,
        leaf(TAG.PolicyType, POLICY_TYPE),
        leaf(TAG.Status, answer.status),
        leaf(TAG.PolicyKey, answer.key),
        element(TAG.Data, policy.document(version)) if answer.has_document else None,
    )
