"""The lane `rgw`: Ceph's gateway with a monitor and one bluestore disk in a file.  Debian has it: radosgw, ceph-*."""

import uuid

from tests.support.object_store import ACCESS_KEY, SECRET_KEY, ObjectStore, program

CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{ports[1]},v1:127.0.0.1:{ports[2]}]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
keyring = {folder}/keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd crush chooseleaf type = 0
osd crush update on start = false
osd class load list = *
osd class default list = *
osd objectstore = bluestore
osd data = {folder}/osd
bluestore block size = 21474836480
bluestore cache autotune = false
bluestore cache size = 67108864
mon allow pool size one = true
mon data = {folder}/mon
mon data avail crit = 1
mon data avail warn = 2
mon max pg per osd = 2000
run dir = {folder}/run
admin socket = {folder}/run/$name.asok
pid file =
log file = {folder}/run/$name.log
mon cluster log file = {folder}/run/cluster.log
crash dir = {folder}/run
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{ports[0]} tcp_nodelay=1
rgw thread pool size = 64
rgw gc max objs = 1
rgw lc max objs = 1
rgw data log num shards = 1
rgw md log max shards = 1
rgw run sync thread = false
rgw override bucket index max shards = 1
rgw dynamic resharding = false
"""
CAPABILITIES = {
    "mon.": ("mon", "allow *"),
    "client.admin": ("mon", "allow *", "osd", "allow *", "mgr", "allow *"),
    "client.rgw": ("mon", "allow *", "osd", "allow *"),
    "osd.0": ("mon", "allow profile osd", "osd", "allow *"),
}
OSD_ID = str(uuid.UUID(int=1))


class Ceph(ObjectStore):
    """Three processes."""

    PORTS = 3
    PROGRAMS = ("radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd", "ceph-authtool", "monmaptool")

    def prepare(self) -> None:
        for name in ("mon", "osd", "run"):
            (self.folder / name).mkdir()
        fsid = str(uuid.uuid4())
        (self.folder / "ceph.conf").write_text(CONFIGURATION.format(fsid=fsid, folder=self.folder, ports=self.ports))
        keyring, monmap = str(self.folder / "keyring"), str(self.folder / "monmap")
        self.call("ceph-authtool", "--create-keyring", keyring)
        for name, capabilities in CAPABILITIES.items():
            pairs = [
                word for what in zip(capabilities[::2], capabilities[1::2], strict=True) for word in ("--cap", *what)
            ]
            self.call("ceph-authtool", keyring, "--gen-key", "-n", name, *pairs)
        addresses = f"[v2:127.0.0.1:{self.ports[1]},v1:127.0.0.1:{self.ports[2]}]"
        self.call("monmaptool", "--create", "--fsid", fsid, "--addv", "a", addresses, monmap)
        self._call("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)

    def run(self) -> None:
        self._spawn("ceph-mon", "-i", "a")
        if not (self.folder / "made").exists():
            self._call("ceph", "--connect-timeout", "30", "osd", "new", OSD_ID)
            self._call("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", OSD_ID)
            self._call("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=h0")
        self._spawn("ceph-osd", "-i", "0")
        self._spawn("radosgw", "-n", "client.rgw")

    def first_started(self) -> None:
        user = ("--uid=tests", "--display-name=tests", f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}")
        self._call("radosgw-admin", "user", "create", *user)

    def _spawn(self, name: str, *arguments: str) -> None:
        found = program(name)
        assert found is not None, f"{name} is not installed"
        self.spawn(found, "-f", *arguments, "-c", str(self.folder / "ceph.conf"))

    def _call(self, name: str, *arguments: str) -> None:
        self.call(name, *arguments, "-c", str(self.folder / "ceph.conf"))
