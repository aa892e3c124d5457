"""Debian's nginx in a folder of its own, with `deploy/nginx` in front of a server, on another port."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from eas.wire.tls import self_signed
from tests.interop.programs import DEPLOY, free_ports, listens, need, replace, wait_until

START_SECONDS = 20.0
STOP_SECONDS = 10.0
# What may stand in a site's nginx.conf, and must not reach us: everything compressed, a time-out of a minute.
MAIN = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
{user}
events {{ worker_connections 512; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/temporary/body;
    proxy_temp_path {folder}/temporary/proxy;
    fastcgi_temp_path {folder}/temporary/fastcgi;
    uwsgi_temp_path {folder}/temporary/uwsgi;
    scgi_temp_path {folder}/temporary/scgi;
    gzip on;
    gzip_types *;
    gzip_proxied any;
    gzip_min_length 0;
    proxy_read_timeout 2s;
    include {folder}/petitbleu.conf;
}}
"""


class Nginx:
    """The running nginx."""

    def __init__(self, folder: Path, upstream_port: int) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        self._upstream_port = upstream_port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it speaks HTTPS."""
        return f"https://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Write the configuration, and start."""
        folder = self.folder
        (folder / "temporary").mkdir()
        certificate = self_signed(folder, ["localhost", "127.0.0.1"]).certificate
        snippet = folder / "petitbleu-locations.conf"
        snippet.write_text((DEPLOY / "nginx/petitbleu-locations.conf").read_text())
        (folder / "petitbleu.conf").write_text(
            replace(
                (DEPLOY / "nginx/petitbleu.conf").read_text(),
                {
                    "127.0.0.1:8080": f"127.0.0.1:{self._upstream_port}",
                    "listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl",
                    "    listen [::]:443 ssl;\n": "",
                    "mail.example.org autodiscover.example.org": "localhost 127.0.0.1",
                    "/etc/letsencrypt/live/mail.example.org/fullchain.pem": str(certificate),
                    "/etc/letsencrypt/live/mail.example.org/privkey.pem": str(certificate),
                    "snippets/petitbleu-locations.conf": str(snippet),
                },
            )
        )
        user = "user root;" if folder.owner() == "root" else ""  # pytest's folders are for their owner alone
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
        self._process = subprocess.Popen(
            [need("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")],
            stdin=subprocess.DEVNULL,
        )
        wait_until(lambda: listens(self.port), START_SECONDS, "nginx listens")

    def stop(self) -> None:
        """Stop."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_SECONDS)


@contextlib.contextmanager
def running_nginx(folder: Path, upstream_port: int) -> Iterator[Nginx]:
    """Run nginx until the end of the block."""
    nginx = Nginx(folder, upstream_port)
    try:
        nginx.start()
        yield nginx
    finally:
        nginx.stop()
