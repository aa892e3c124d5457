"""Whether a device may go on: provisioning, where it is required."""

from eas.context import Context
from eas.protocol.exchange import EasRequest
from eas.protocol.status import Common


async def refusal(context: Context, request: EasRequest) -> Common | None:
    """Return why *request* must wait for Provision, or None."""
    if context.services.settings.provisioning != "required":
        return None
    async with context.account.turn(fresh=False) as state:
        current = state.devices.get(context.device, "policy_key")
    if current is None or not request.policy_key:
        return Common.DEVICE_NOT_PROVISIONED
    return None if request.policy_key == current else Common.INVALID_POLICY_KEY
