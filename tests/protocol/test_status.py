import pytest

from eas.protocol.status import Common


def test_codes_run_from_101_to_184() -> None:
    assert (min(Common), max(Common)) == (101, 184)
    assert len(Common) == 78


@pytest.mark.parametrize(
    ("code", "http"),
    [
        (Common.INVALID_CONTENT, 400),
        (Common.INVALID_XML, 400),
        (Common.INVALID_IDS, 400),
        (Common.SERVER_ERROR, 500),
        (Common.SERVER_ERROR_RETRY_LATER, 503),
        (Common.ACTIVE_DIRECTORY_ACCESS_DENIED, 403),
        (Common.MAILBOX_QUOTA_EXCEEDED, 507),
        (Common.USER_PRINCIPAL_COULD_NOT_BE_FOUND, 403),
        (Common.USER_DISABLED_FOR_SYNC, 403),
        (Common.SYNC_STATE_NOT_FOUND, 403),
        (Common.COMMAND_NOT_SUPPORTED, 501),
        (Common.VERSION_NOT_SUPPORTED, 400),
        (Common.REMOTE_WIPE_REQUESTED, 449),
        (Common.DEVICE_NOT_PROVISIONED, 449),
        (Common.INVALID_POLICY_KEY, 449),
    ],
)
def test_older_versions_get_the_http_status_of_the_specification(code: Common, http: int) -> None:
    assert code.http_before_14 == http


def test_every_code_has_an_http_status() -> None:
    assert {code.http_before_14 for code in Common} == {200, 400, 401, 403, 449, 500, 501, 503, 507}
