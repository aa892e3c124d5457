"""Where the nodes' store lies: a folder of this machine, or a real object store, which can be killed as well."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from tests.interop.programs import lack
from tests.support.ceph import Ceph
from tests.support.object_store import ObjectStore
from tests.support.rclone import Rclone
from tests.support.seaweed import Seaweed


class StorePlace(ABC):
    """A place for a store."""

    has_engine = True
    """Whether there is a process to be killed."""

    @abstractmethod
    def settings(self, node: Path) -> dict[str, str]:
        """Return what a configuration file says of it, line by line: as it stands in the example → instead."""

    def crash(self) -> None:
        """Kill the engine."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the engine again on its data."""
        raise NotImplementedError

    def close(self) -> None:
        """End it."""
        return


class LocalPlace(StorePlace):
    """One folder for all nodes."""

    has_engine = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "store"

    def settings(self, node: Path) -> dict[str, str]:
        return {'# path = "/var/lib/petitbleu"': f'path = "{self.folder}"'}


class BucketPlace(StorePlace):
    """A bucket of a real object store."""

    def __init__(self, kind: type[ObjectStore], folder: Path) -> None:
        if not kind.is_installed():
            lack(f"{' '.join(kind.PROGRAMS)} are not installed")
        self._store = kind(folder / "engine")

    def settings(self, node: Path) -> dict[str, str]:
        bucket = self._store.bucket()
        return _bucket_settings(node, bucket.name, bucket.endpoint, bucket.access_key, bucket.secret_key)

    def crash(self) -> None:
        self._store.stop(kill=True)

    def start(self) -> None:
        self._store.start()

    def close(self) -> None:
        self._store.stop()


def _bucket_settings(node: Path, name: str, endpoint: str, access_key: str, secret_key: str) -> dict[str, str]:
    secret = node / "s3.key"
    secret.write_text(secret_key)
    secret.chmod(0o600)
    return {
        '# engine = "local"': 'engine = "s3"',
        '# path = "/var/lib/petitbleu"': f'path = "{node}"',
        '# bucket = ""': f'bucket = "s3://{name}/soak"',
        '# s3_endpoint = ""': f's3_endpoint = "{endpoint}"',
        '# s3_access_key = ""': f's3_access_key = "{access_key}"',
        '# s3_secret_key_file = "/etc/petitbleu/s3.key"': f's3_secret_key_file = "{secret}"',
    }


PLACES: Final[Mapping[str, Callable[[Path], StorePlace]]] = {
    "local": LocalPlace,
    "cas": partial(BucketPlace, Seaweed),
    "nocas": partial(BucketPlace, Rclone),
    "rgw": partial(BucketPlace, Ceph),
}


def place_for(engine: str, folder: Path) -> StorePlace:
    """Start what *engine* needs, in *folder*."""
    return PLACES[engine](folder)
