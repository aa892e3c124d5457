"""What an operation of ItemOperations can come to."""

from enum import IntEnum


class OperationStatus(IntEnum):
    """[MS-ASCMD] Status (ItemOperations): of the whole, and of each operation."""

    SUCCESS = 1
    PROTOCOL_ERROR = 2
    SERVER_ERROR = 3
    NOT_FOUND = 6
    INVALID_RANGE = 8
    UNKNOWN_STORE = 9
    TOO_LARGE = 11
    CONVERSION_FAILED = 14
    INVALID_ATTACHMENT = 15
    RECIPIENT_CACHE = 105
    BODY_PART_TYPE = 164
    NO_MAIL_FOLDER = 156


class OperationFailed(Exception):
    """This operation fails; the others go on."""

    def __init__(self, status: OperationStatus) -> None:
        super().__init__(status)
        self.status = status
