"""The collector's notes: which objects were found unneeded, and when first.

    a/<account>/seen      sealed under the checkpoint key: {name after the account's prefix: milliseconds since 1970}

One object, put as a whole, last put wins: notes that are lost are made again, and then time begins anew.
"""

from collections.abc import Mapping

import msgpack
import structlog

from storage import paths, seal
from storage.engine import Engine, NotFound
from storage.epochs import EpochKeys, UnknownEpoch

NOTED_MAX = 100_000
"""Names at once; further ones are noted when these are gone."""

_log = structlog.get_logger(__name__)


async def read(engine: Engine, account: str, keys: EpochKeys) -> dict[str, int]:
    """Return the notes: full names, and when each was first found unneeded.  None that can be read are none."""
    try:
        return opened(account, keys, await engine.get(paths.seen(account)))
    except NotFound:
        return {}
    except seal.SealError as error:
        _log.warning("collector.notes_lost", account=account, error=str(error))
        return {}


def opened(account: str, keys: EpochKeys, data: bytes) -> dict[str, int]:
    """Return what the object says.  Raises `SealError`."""
    name, prefix = paths.seen(account), paths.account_prefix(account)
    try:
        noted = msgpack.unpackb(seal.open_of_epoch(keys.of(seal.epoch_of(data), name), name, data))
        return {prefix + str(rest): int(first) for rest, first in noted.items()}
    except (UnknownEpoch, ValueError, TypeError, AttributeError, msgpack.UnpackException) as error:
        raise seal.SealError(name, f"no notes: {error}") from error


async def write(engine: Engine, account: str, keys: EpochKeys, noted: Mapping[str, int]) -> None:
    """Keep the notes, the oldest first if there are too many; without any, remove the object."""
    name, prefix = paths.seen(account), paths.account_prefix(account)
    if not noted:
        await engine.delete([name])
        return
    oldest = sorted(noted.items(), key=lambda entry: entry[1])[:NOTED_MAX]
    packed = bytes(msgpack.packb({full.removeprefix(prefix): first for full, first in oldest}))
    await engine.put(name, seal.seal_of_epoch(keys.current, keys.epoch, name, packed, compress=True))
