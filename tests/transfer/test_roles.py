"""Which folder of a source goes to which of ours."""

import pytest

from eas.transfer.roles import assign
from eas.transfer.source import Found, path_of


def found(*names: str, **roles: str) -> list[Found]:
    return [Found(path_of(name.split("/")), None, roles.get(name, "")) for name in names]


@pytest.mark.parametrize(
    ("folders", "assigned"),
    [
        (found("INBOX", "Sent", "Trash", "Lists"), {"INBOX": "inbox", "Sent": "sent", "Trash": "trash"}),
        (found("inbox"), {"INBOX": "inbox"}),
        (found("Gesendet", "Entwürfe", "SPAM"), {"Gesendet": "sent", "Entwürfe": "drafts", "SPAM": "junk"}),
        (found("Sent", "Sent Items"), {"Sent Items": "sent"}),
        (found("Sent", "Ablage", Ablage="sent"), {"Ablage": "sent"}),
        (found("Sent Items", "Ablage", Ablage="sent"), {"Sent Items": "sent", "Ablage": "sent"}),
        (found("A/Sent"), {}),
        (found("Calendar"), {}),
        (found("x", x="no folder of ours"), {}),
        (found("Sent", "Sent Messages"), {"Sent": "sent"}),
    ],
)
def test_roles_are_assigned(folders: list[Found], assigned: dict[str, str]) -> None:
    assert {"/".join(path): role for path, role in assign(folders).items()} == assigned
