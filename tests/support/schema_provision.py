"""The answers of setting up: [MS-ASPROV] Provision, [MS-ASCMD] Settings."""

from eas.wbxml.element import Element
from eas.wbxml.pages import Provision, RightsManagement, Settings
from eas.wbxml.tag import Tag
from tests.support.schema_language import Child, Content, any_order, many, maybe, one, sequence, some
from tests.support.schema_leaves import DASHED, EMPTY, FLAG, INT, NON_EMPTY, TEXT, integer, one_of, status
from tests.support.schema_rules import at_most_one_of, begins_with, needs, text_of

TEMPLATES_MOST = 20
SIZE = integer(-1, INT)


def _policies(kind: Content, *names: str) -> list[Child]:
    return [maybe(getattr(Provision, name), kind) for name in names]


POLICY_DOCUMENT = sequence(  # [MS-ASPROV] EASProvisionDoc: the order is fixed
    *_policies(FLAG, "DevicePasswordEnabled", "AlphanumericDevicePasswordRequired", "PasswordRecoveryEnabled"),
    *_policies(FLAG, "RequireStorageCardEncryption", "AttachmentsEnabled"),
    *_policies(integer(1, 16, or_empty=True), "MinDevicePasswordLength"),
    *_policies(integer(0, INT, or_empty=True), "MaxInactivityTimeDeviceLock"),
    *_policies(integer(4, 16, or_empty=True), "MaxDevicePasswordFailedAttempts"),
    *_policies(integer(0, INT, or_empty=True), "MaxAttachmentSize"),
    *_policies(FLAG, "AllowSimpleDevicePassword"),
    *_policies(integer(0, INT, or_empty=True), "DevicePasswordExpiration"),
    *_policies(integer(0, INT), "DevicePasswordHistory"),
    *_policies(FLAG, "AllowStorageCard", "AllowCamera", "RequireDeviceEncryption", "AllowUnsignedApplications"),
    *_policies(FLAG, "AllowUnsignedInstallationPackages"),
    *_policies(integer(1, 4), "MinDevicePasswordComplexCharacters"),
    *_policies(FLAG, "AllowWiFi", "AllowTextMessaging", "AllowPOPIMAPEmail"),
    *_policies(integer(0, 2), "AllowBluetooth"),
    *_policies(FLAG, "AllowIrDA", "RequireManualSyncWhenRoaming", "AllowDesktopSync"),
    *_policies(one_of("0", "4", "5", "6", "7"), "MaxCalendarAgeFilter"),
    *_policies(FLAG, "AllowHTMLEmail"),
    *_policies(integer(0, 5), "MaxEmailAgeFilter"),
    *_policies(SIZE, "MaxEmailBodyTruncationSize", "MaxEmailHTMLBodyTruncationSize"),
    *_policies(FLAG, "RequireSignedSMIMEMessages", "RequireEncryptedSMIMEMessages"),
    *_policies(integer(0, 1), "RequireSignedSMIMEAlgorithm"),
    *_policies(integer(0, 4), "RequireEncryptionSMIMEAlgorithm"),
    *_policies(integer(0, 2), "AllowSMIMEEncryptionAlgorithmNegotiation"),
    *_policies(FLAG, "AllowSMIMESoftCerts", "AllowBrowser", "AllowConsumerEmail", "AllowRemoteDesktop"),
    *_policies(FLAG, "AllowInternetSharing"),
    maybe(Provision.UnapprovedInROMApplicationList, sequence(some(Provision.ApplicationName, NON_EMPTY))),
    maybe(Provision.ApprovedApplicationList, sequence(some(Provision.Hash, NON_EMPTY))),
)
# PolicyType before Data: AOSP reads Data by it.  No key 0: an early iPhone OS 4 took it for none.
POLICY = sequence(
    one(Provision.PolicyType, one_of("MS-EAS-Provisioning-WBXML")),
    one(Provision.Status, status(1, 2, 3, 4, 5)),
    maybe(Provision.PolicyKey, integer(1, INT)),
    maybe(Provision.Data, sequence(one(Provision.EASProvisionDoc, POLICY_DOCUMENT))),
    rules=(needs(Provision.Status, 1, Provision.PolicyKey),),
)
PROVISION = sequence(
    maybe(
        Settings.DeviceInformation,
        sequence(one(Settings.Status, status(1, 2, 3, 4, 5, 6, 7))),
        since=141,
    ),
    one(Provision.Status, status(1, 2, 3, 139, 141, 145)),
    maybe(Provision.Policies, sequence(one(Provision.Policy, POLICY))),
    maybe(Provision.RemoteWipe, EMPTY),
    maybe(Provision.AccountOnlyRemoteWipe, EMPTY),
    rules=(at_most_one_of(Provision.RemoteWipe, Provision.AccountOnlyRemoteWipe),),
)

SETTING_STATUS = status(1, 2, 3, 4, 5, 6, 7)
AUDIENCES = (Settings.AppliesToInternal, Settings.AppliesToExternalKnown, Settings.AppliesToExternalUnknown)


def _one_audience(message: Element) -> str | None:
    there = sum(map(message.has, AUDIENCES))
    return None if there == 1 else f"is for {there} audiences, not one"


def _times_when_timed(oof: Element) -> str | None:
    times = oof.has(Settings.StartTime) and oof.has(Settings.EndTime)
    return "OofState 2 without times" if text_of(oof, Settings.OofState) == "2" and not times else None


def _failed_alone(settings: Element) -> str | None:
    """A failure of the whole answer has nothing below it."""
    failed = text_of(settings, Settings.Status) != "1"
    return "properties below a failure" if failed and len(settings.children) > 1 else None


def _property(tag: Tag, *more: Child) -> Child:
    return maybe(tag, sequence(one(Settings.Status, SETTING_STATUS), *more))


ADDRESSES = sequence(
    some(Settings.SMTPAddress, NON_EMPTY),
    maybe(Settings.PrimarySmtpAddress, NON_EMPTY),
)
ACCOUNT = any_order(
    maybe(Settings.AccountId, NON_EMPTY),
    maybe(Settings.AccountName, TEXT),
    maybe(Settings.UserDisplayName, TEXT),
    maybe(Settings.SendDisabled, FLAG),
    maybe(Settings.EmailAddresses, ADDRESSES),
)
OOF_MESSAGE = any_order(
    *(maybe(audience, EMPTY) for audience in AUDIENCES),
    maybe(Settings.Enabled, FLAG),
    maybe(Settings.ReplyMessage, TEXT),
    maybe(Settings.BodyType, one_of("Text", "HTML")),
    rules=(_one_audience,),
)
OOF = sequence(
    one(Settings.OofState, integer(0, 2)),
    maybe(Settings.StartTime, DASHED),
    maybe(Settings.EndTime, DASHED),
    many(Settings.OofMessage, OOF_MESSAGE, at_most=3),
    rules=(_times_when_timed,),
)
TEMPLATE = sequence(
    one(RightsManagement.TemplateID, NON_EMPTY),
    one(RightsManagement.TemplateName, NON_EMPTY),
    one(RightsManagement.TemplateDescription, NON_EMPTY),
)
TEMPLATES = sequence(
    many(RightsManagement.RightsManagementTemplate, TEMPLATE, at_most=TEMPLATES_MOST), may_be_empty=True
)
USER = sequence(
    maybe(Settings.EmailAddresses, ADDRESSES, until=140),
    maybe(Settings.Accounts, sequence(some(Settings.Account, ACCOUNT))),
)
SETTINGS = any_order(
    one(Settings.Status, SETTING_STATUS),
    _property(Settings.Oof, maybe(Settings.Get, OOF)),
    _property(Settings.DeviceInformation),
    _property(Settings.DevicePassword),
    _property(Settings.UserInformation, maybe(Settings.Get, USER)),
    _property(
        Settings.RightsManagementInformation,
        maybe(Settings.Get, sequence(one(RightsManagement.RightsManagementTemplates, TEMPLATES))),
    ),
    rules=(begins_with(Settings.Status), _failed_alone),
)
