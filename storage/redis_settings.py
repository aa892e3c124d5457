"""From settings and environment to the Redis server that carries news, if there is one."""

from collections.abc import Mapping

from storage.private_file import read_private
from storage.settings import Settings
from storage.toml_tables import SettingError

SCHEMES = ("redis://", "rediss://", "unix://")


def redis_server_of(settings: Settings, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the server's URL and its password ("": that of the URL, or none); None where no server is named.

    Raises `SettingError`, `UnsafeFile`.
    """
    url = settings.redis_url or environment.get("PETITBLEU_REDIS_URL", "")
    if not url:
        return None
    if not url.startswith(SCHEMES):  # may hold a password, and is not told
        raise SettingError("storage.redis_url", f"must begin with {', '.join(SCHEMES)}")
    return url, _password(settings, environment)


def _password(settings: Settings, environment: Mapping[str, str]) -> str:
    file = settings.redis_password_file
    try:
        return read_private(file).decode().strip()
    except FileNotFoundError:
        return environment.get("PETITBLEU_REDIS_PASSWORD", "")
    except OSError as error:
        raise SettingError(str(file), f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingError(str(file), "is not a text") from error
