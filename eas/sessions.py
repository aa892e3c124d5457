"""Who is asking: from an Authorization header to an open account."""

from eas.protocol.exchange import EasResponse
from storage.account import Account


class LoginRefused(Exception):
    """No account for this request: *response* says why in HTTP's terms."""

    def __init__(self, response: EasResponse) -> None:
        super().__init__(response.status)
        self.response = response


class Sessions:
    """The accounts that are unlocked."""

    async def account(self, authorization: str, device_id: str, remote: str) -> Account:
        """Return the account that the credentials open on that device.  Raises `LoginRefused`."""
        raise LoginRefused(EasResponse(401))
