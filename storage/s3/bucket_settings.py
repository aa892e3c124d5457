"""From settings and environment to the bucket of the store.  Imported only where a store lies in one."""

from collections.abc import Mapping

from storage.engine import check_prefix
from storage.private_file import read_private
from storage.s3.bucket import Bucket
from storage.settings import Settings
from storage.toml_tables import SettingError

PREFIX_CHARS_MAX = 256
"""S3 takes names of 1024 bytes, and ours have up to 512."""
REGION = "us-east-1"
"""What stores other than Amazon's mostly take for theirs."""
_ENDPOINT = ("S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")


def bucket_of(settings: Settings, environment: Mapping[str, str]) -> Bucket:
    """Return the bucket that is meant: what the settings leave empty the environment says, keys last of all AWS's ways.

    Raises `SettingError`, `UnsafeFile`.
    """
    access_key, secret_key = _keys(settings, environment)
    try:
        bucket = Bucket.of(
            settings.bucket,
            endpoint=settings.s3_endpoint or _first(environment, _ENDPOINT),
            region=settings.s3_region or _first(environment, _REGION) or REGION,
            access_key=access_key,
            secret_key=secret_key,
        )
        check_prefix(bucket.prefix)
    except ValueError as error:
        raise SettingError("storage.bucket", str(error)) from error
    if len(bucket.prefix) > PREFIX_CHARS_MAX:
        raise SettingError("storage.bucket", f"the prefix is over {PREFIX_CHARS_MAX} characters")
    if bucket.endpoint and not bucket.endpoint.startswith(("https://", "http://")):
        raise SettingError("storage.s3_endpoint", f"must begin with https:// or http://: {bucket.endpoint!r}")
    return bucket


def _keys(settings: Settings, environment: Mapping[str, str]) -> tuple[str, str]:
    """Return both keys, or two empty texts: AWS's own ways then find them (environment, profile, role)."""
    if settings.s3_access_key:
        return settings.s3_access_key, settings.s3_secret_key or _in_file(settings)
    access, secret = environment.get("S3_ACCESS_KEY", ""), environment.get("S3_SECRET_KEY", "")
    if settings.s3_secret_key or bool(access) != bool(secret):
        raise SettingError("storage.s3_access_key", "access key and secret key go together: one of them is missing")
    return access, secret


def _in_file(settings: Settings) -> str:
    try:
        return read_private(settings.s3_secret_key_file).decode().strip()
    except OSError as error:
        raise SettingError(str(settings.s3_secret_key_file), f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingError(str(settings.s3_secret_key_file), "is not a text") from error


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((environment[name] for name in names if environment.get(name)), "")
