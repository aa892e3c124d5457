"""MessageClass: what kind of message this is, from its MIME structure ([MS-ASEMAIL] MessageClass)."""

import re

from storage.message.headers import Buffer, Headers, parse_fields
from storage.message.parameters import parse_field
from storage.message.splitter import Leaf

READ_BYTES_MAX = 64 * 1024  # of a calendar object or a report

_PARTSTAT = re.compile(rb"PARTSTAT\s*=\s*\"?(ACCEPTED|TENTATIVE|DECLINED)", re.IGNORECASE)
_METHOD = re.compile(rb"^METHOD:\s*([A-Z]+)", re.IGNORECASE | re.MULTILINE)
_ACTION = re.compile(rb"^Action:\s*([a-z]+)", re.IGNORECASE | re.MULTILINE)
_DISPOSITION = re.compile(rb"^Disposition:[^;\r\n]*;\s*([a-z]+)", re.IGNORECASE | re.MULTILINE)

_RESPONSES = {b"ACCEPTED": "Pos", b"TENTATIVE": "Tent", b"DECLINED": "Neg"}
_ACTIONS = {b"failed": "NDR", b"delivered": "DR", b"relayed": "DR", b"expanded": "DR", b"delayed": "DELAYED"}
_VOICE = {  # Content-Class as Exchange's voice mail writes it
    "voice": "IPM.Note.Microsoft.Voicemail.UM",
    "voice-ca": "IPM.Note.Microsoft.Voicemail.UM.CA",
    "missedcall": "IPM.Note.Microsoft.Missed.Voice",
}


def message_class(
    data: Buffer, headers: Headers, leaves: list[Leaf], calendar: Leaf | None, calendar_text: bytes
) -> str:
    """The class; *calendar_text* is the decoded beginning of the *calendar* leaf."""
    root_type, parameters = parse_field(headers.first(b"content-type"))
    if root_type == "multipart/report":
        return _report(data, parameters.get("report-type", "").lower(), leaves)
    smime = _smime(root_type, parameters)
    if smime:
        return smime
    if calendar is not None:
        return _meeting(calendar.parameters.get("method", ""), calendar_text)
    return _VOICE.get(headers.text(b"content-class").lower(), "IPM.Note")


def _smime(content_type: str, parameters: dict[str, str]) -> str:
    if content_type in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        receipt = parameters.get("smime-type", "").lower() == "signed-receipt"
        return "IPM.Note.Receipt.SMIME" if receipt else "IPM.Note.SMIME"
    if content_type == "multipart/signed":
        protocol = parameters.get("protocol", "").lower()
        if protocol in ("application/pkcs7-signature", "application/x-pkcs7-signature"):
            return "IPM.Note.SMIME.MultipartSigned"
    return ""


def _meeting(method: str, text: bytes) -> str:
    if not method:
        match = _METHOD.search(text)
        method = match[1].decode("ascii") if match else ""
    method = method.upper()
    if method == "REQUEST":
        return "IPM.Schedule.Meeting.Request"
    if method == "CANCEL":
        return "IPM.Schedule.Meeting.Canceled"
    partstat = _PARTSTAT.search(text.replace(b"\r\n ", b"").replace(b"\n ", b""))
    if method == "REPLY" and partstat:
        return "IPM.Schedule.Meeting.Resp." + _RESPONSES[partstat[1].upper()]
    return "IPM.Note"


def _report(data: Buffer, report_type: str, leaves: list[Leaf]) -> str:
    for leaf in leaves:
        text = bytes(data[leaf.start : min(leaf.end, leaf.start + READ_BYTES_MAX)])
        if leaf.content_type in ("message/delivery-status", "message/global-delivery-status"):
            match = _ACTION.search(text)
            action = _ACTIONS.get(match[1].lower(), "NDR") if match else "NDR"
            return f"REPORT.{_returned_class(data, leaves, action)}.{action}"
        if leaf.content_type == "message/disposition-notification":
            match = _DISPOSITION.search(text)
            return "REPORT.IPM.NOTE.IPNNRN" if match and match[1].lower() == b"deleted" else "REPORT.IPM.NOTE.IPNRN"
    return "REPORT.IPM.NOTE.NDR" if report_type == "delivery-status" else "IPM.Note"


def _returned_class(data: Buffer, leaves: list[Leaf], action: str) -> str:
    """The class of the message that the report is about, as far as its returned header tells."""
    for leaf in leaves:
        if leaf.content_type not in ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers"):
            continue
        block = bytes(data[leaf.start : min(leaf.end, leaf.start + READ_BYTES_MAX)])
        content_type, parameters = parse_field(Headers(parse_fields(block)).first(b"content-type"))
        smime = _smime(content_type, parameters)
        if smime and not smime.startswith("IPM.Note.Receipt") and action != "DELAYED":
            return smime.upper()
        if content_type == "text/calendar" and action == "NDR":
            meeting = _meeting(parameters.get("method", ""), block)
            if meeting.startswith("IPM.Schedule.Meeting."):
                return meeting.upper()
    return "IPM.NOTE"
