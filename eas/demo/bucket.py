"""A demo on a bucket: every demo on the same bucket is a node of the same deployment, without anybody copying keys.

So its secrets come of the bucket's address, which is no secret: good for trying things out, and for nothing else.
"""

from base64 import urlsafe_b64encode
from hashlib import blake2b

from storage.seal import KEY_BYTES, derive


def deployment_key(bucket: str) -> bytes:
    """Return the deployment key of all demos on *bucket*, `s3://BUCKET/PREFIX`."""
    return blake2b(bucket.rstrip("/").encode(), digest_size=KEY_BYTES, person=b"petitbleu demo").digest()


def user_secret(bucket: str, address: str) -> str:
    """Return what *address*'s password is mixed with, on all of them."""
    return urlsafe_b64encode(derive(deployment_key(bucket), "demo user", address.encode())).decode()
