"""Why mail for an address cannot be taken: what the delivering side acts on."""


class UnknownAddress(Exception):  # reads better where it is caught, as do the next two
    """No account has this address, and none will have it soon: the sender should be told."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


class DirectoryUnavailable(Exception):
    """The directory cannot be asked now: whether the address exists is unknown, so try again later."""


class QuotaExceeded(Exception):
    """The account has not so much room left; room comes back once its owner removes something."""

    def __init__(self, used_bytes: int, quota_bytes: int) -> None:
        super().__init__(f"{used_bytes} of {quota_bytes} bytes used")
        self.used_bytes = used_bytes
        self.quota_bytes = quota_bytes
