"""Which bucket is meant: settings before environment, and nonsense refused in one line."""

from pathlib import Path

import pytest

from storage.private_file import UnsafeFile
from storage.s3.bucket import Bucket
from storage.s3.bucket_settings import PREFIX_CHARS_MAX, bucket_of
from storage.settings import Settings
from storage.toml_tables import SettingError

PLACE = Settings(engine="s3", bucket="s3://mail/site/one/")


@pytest.mark.parametrize(
    "bucket", ["", "mail", "s3://", "s3://M", "s3:///x", "s3://mail/a b", "s3://mail/ä", "s3://mail/a//b", "file:///x"]
)
def test_what_names_no_bucket_is_refused(bucket: str) -> None:
    with pytest.raises(SettingError, match=r"storage\.bucket"):
        bucket_of(Settings(engine="s3", bucket=bucket), {})


def test_a_prefix_over_the_bound_is_refused() -> None:
    parts = "/".join(["p" * 50] * 4)
    fitting = parts + "/" + "x" * (PREFIX_CHARS_MAX - len(parts) - 2)
    assert len(bucket_of(Settings(engine="s3", bucket=f"s3://mail/{fitting}"), {}).prefix) == PREFIX_CHARS_MAX
    with pytest.raises(SettingError, match="over 256"):
        bucket_of(Settings(engine="s3", bucket=f"s3://mail/{fitting}x"), {})


def test_one_key_without_the_other_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="go together"):
        bucket_of(Settings(engine="s3", bucket="s3://mail", s3_secret_key="b"), {"S3_ACCESS_KEY": "a"})
    for environment in ({"S3_ACCESS_KEY": "a"}, {"S3_SECRET_KEY": "b"}):
        with pytest.raises(SettingError, match="go together"):
            bucket_of(PLACE, environment)
    missing = Settings(engine="s3", bucket="s3://mail", s3_access_key="a", s3_secret_key_file=tmp_path / "none")
    with pytest.raises(SettingError, match="cannot be read"):
        bucket_of(missing, {"S3_SECRET_KEY": "b"})


def test_an_endpoint_without_scheme_is_refused() -> None:
    with pytest.raises(SettingError, match="s3_endpoint"):
        bucket_of(PLACE, {"S3_ENDPOINT": "127.0.0.1:8333"})


def test_what_the_settings_leave_empty_the_environment_says() -> None:
    assert bucket_of(PLACE, {}) == Bucket("mail", "site/one/")
    environment = {
        "S3_ENDPOINT": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:2",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "S3_ACCESS_KEY": "access",
        "S3_SECRET_KEY": "secret",
    }
    expected = Bucket("mail", "site/one/", "http://127.0.0.1:1", "eu-central-1", "access", "secret")
    assert bucket_of(PLACE, environment) == expected
    own = Settings(
        engine="s3",
        bucket="s3://mail",
        s3_endpoint="https://s3.example.org",
        s3_region="r",
        s3_access_key="a",
        s3_secret_key="b",
    )
    assert bucket_of(own, environment) == Bucket("mail", "", "https://s3.example.org", "r", "a", "b")


def test_amazons_own_names_are_taken_and_its_keys_left_to_its_own_ways() -> None:
    environment = {
        "AWS_ENDPOINT_URL_S3": "https://a.example.org",
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }
    assert bucket_of(PLACE, environment) == Bucket("mail", "site/one/", "https://a.example.org", "eu-west-1")


def test_the_secret_may_lie_in_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    settings = Settings(engine="s3", bucket="s3://mail", s3_access_key="a", s3_secret_key_file=file)
    file.write_text("hidden\n")
    file.chmod(0o644)
    with pytest.raises(UnsafeFile):
        bucket_of(settings, {})
    file.chmod(0o600)
    assert bucket_of(settings, {"S3_SECRET_KEY": "other"}).secret_key == "hidden"


def test_no_secret_shows_in_what_is_printed() -> None:
    settings = Settings(engine="s3", bucket="s3://mail", s3_access_key="a", s3_secret_key="hidden")
    assert "hidden" not in repr(settings)
    assert "hidden" not in repr(bucket_of(settings, {}))
    assert (settings.place, Settings().place) == ("s3://mail", "/var/lib/petitbleu")
