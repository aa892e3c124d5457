"""Debian's Postfix in a folder of its own: its default configuration, `deploy/postfix`, and other ports."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.interop.programs import DEPLOY, WHERE, free_ports, listens, need, need_root, replace, wait_until

DEFAULTS = Path("/usr/share/postfix")
START_SECONDS = 20.0
USER = "postfix"


class Postfix:
    """The running Postfix.  Mail for example.test goes to LMTP, other mail to a sink that writes it down."""

    def __init__(self, folder: Path, lmtp_port: int) -> None:
        self.folder = folder
        self.lmtp_port = lmtp_port
        self.smtp_port, self.submission_port, self._sink_port = free_ports(3)
        self._sink: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Write the configuration, and start."""
        for name in ("etc", "queue", "data", "log", "sink"):
            (self.folder / name).mkdir()
        for name in ("data", "sink"):
            shutil.chown(self.folder / name, USER)
        main, master = (
            "".join(file.read_text() for file in files)
            for files in (
                (DEFAULTS / "main.cf.debian", DEPLOY / "postfix/main.cf"),
                (DEFAULTS / "master.cf.dist", DEPLOY / "postfix/master.cf"),
            )
        )
        etc = self.folder / "etc"
        (etc / "main.cf").write_text(
            replace(main, {"example.org": "example.test", "127.0.0.1:2424": f"127.0.0.1:{self.lmtp_port}"})
        )
        master = replace(master, {"\n127.0.0.1:587 ": f"\n127.0.0.1:{self.submission_port} "})
        (etc / "master.cf").write_text(
            replace(master, {"\nsmtp      inet  n ": f"\n127.0.0.1:{self.smtp_port} inet  n "})
        )
        self._run("postconf", "-F", "*/*/chroot=n")  # a chroot would want files of the system in the queue's folder
        self._run("postconf", "-e", *self._places(), *_IMPATIENCE)
        self._start_sink()
        self._run("postfix", "start")
        wait_until(lambda: listens(self.smtp_port) and listens(self.submission_port), START_SECONDS, "Postfix listens")

    def deliver_to(self, lmtp_ports: Sequence[int]) -> None:
        """Let it deliver each mail, at each attempt, to any one of several servers."""
        places = ",".join(f"lmtp:inet:127.0.0.1:{port}" for port in lmtp_ports)
        self._run("postconf", "-e", f"transport_maps=pipemap:{{inline:{{example.test=any}},randmap:{{{places}}}}}")
        self._run("postfix", "reload")

    def stop(self) -> None:
        """Stop; what is in the queue stays there."""
        self._run("postfix", "stop", check=False)
        if self._sink is not None:
            self._sink.terminate()
            self._sink.wait()

    def queue(self) -> list[str]:
        """Return the addresses for which mail waits, one for each mail and address."""
        waiting = [json.loads(line) for line in self._run("postqueue", "-j").splitlines()]
        return [recipient["address"] for mail in waiting for recipient in mail["recipients"]]

    def flush(self) -> None:
        """Try all that waits again."""
        self._run("postqueue", "-f")

    def sent(self) -> list[str]:
        """Return what went out into the world: envelope (`X-Mail-Args`, `X-Rcpt-Args`) and message as one text each."""
        return [file.read_bytes().decode("utf-8", "replace") for file in sorted((self.folder / "sink").iterdir())]

    def log(self) -> str:
        """Return Postfix's log."""
        file = self.folder / "log/mail.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def _places(self) -> list[str]:
        return [
            f"queue_directory={self.folder}/queue",
            f"data_directory={self.folder}/data",
            f"maillog_file_prefixes={self.folder}",
            f"maillog_file={self.folder}/log/mail.log",
            f"relayhost=[127.0.0.1]:{self._sink_port}",
            "inet_interfaces=loopback-only",
            "myhostname=mx.example.test",
            "mydestination=",
            "mynetworks=192.0.2.0/24",  # so that the tests are strangers, except at the door for phones
            "alias_maps=",
        ]

    def _start_sink(self) -> None:
        command = ["smtp-sink", "-u", USER, "-d", f"{self.folder}/sink/mail.", f"127.0.0.1:{self._sink_port}", "100"]
        self._sink = subprocess.Popen([need(command[0]), *command[1:]], stdin=subprocess.DEVNULL)
        wait_until(lambda: listens(self._sink_port), START_SECONDS, "smtp-sink listens")

    def _run(self, program: str, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            [need(program), "-c", str(self.folder / "etc"), *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": WHERE},
        )
        assert not check or done.returncode == 0, f"{program} {arguments}: {done.stderr}\n{self.log()}"
        return done.stdout


_IMPATIENCE = ("minimal_backoff_time=1s", "maximal_backoff_time=2s", "queue_run_delay=1s", "transport_retry_time=1s")


@contextlib.contextmanager
def running_postfix(lmtp_port: int) -> Iterator[Postfix]:
    """Run Postfix until the end of the block.  Its folder is one that its own user can enter, unlike pytest's."""
    need_root()
    need("postfix")
    with tempfile.TemporaryDirectory(prefix="petitbleu-postfix-") as name:
        Path(name).chmod(0o755)
        postfix = Postfix(Path(name), lmtp_port)
        try:
            postfix.start()
            yield postfix
        finally:
            postfix.stop()
