"""`petitbleu serve`: the server of a site."""

import argparse
import socket
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from eas.address import parse_address
from eas.cli.typed import count
from eas.context import Submit
from eas.mail.submission import Submission
from eas.run.packages import check_packages
from eas.run.ports import Ports, reserve
from eas.run.process import Site, serve
from eas.run.sections import AllSettings, add_config, load
from storage.logs import set_up_logging
from storage.startup import read_deployment_key

WORKERS_MAX = 256
_EXAMPLES = """examples:
  petitbleu serve
  petitbleu serve --config /etc/petitbleu/petitbleu.toml --workers 4
      one process a core is a good number; all share ports and store
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "serve",
        help="run the server: ActiveSync for phones, LMTP for incoming mail",
        description="Run the server until SIGTERM or Ctrl-C: ActiveSync for phones, LMTP for incoming mail.  "
        "SIGHUP has it read renewed certificates.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser)
    parser.add_argument("--workers", type=count(WORKERS_MAX), default=1, metavar="N", help="processes (1)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to end."""
    check_packages()
    settings = load(arguments.config)
    key = None if settings.storage.log_addresses else read_deployment_key(settings.storage.deployment_key_file)
    set_up_logging(settings.storage.log_level, address_key=key)
    with ExitStack() as stack:
        site = site_of(settings)
        return serve(site, reserve(site.eas, site.lmtp.listen, stack), arguments.workers, lambda: None)


def site_of(settings: AllSettings) -> Site:
    """Return what the server is made from; certificates' paths are taken from the file's folder."""
    eas = replace(
        settings.eas,
        certificate=_from(settings.folder, settings.eas.certificate),
        certificate_key=_from(settings.folder, settings.eas.certificate_key),
    )

    def submit(_ports: Ports) -> Submit:
        return Submission(*parse_address(settings.eas.submission))

    return Site(
        storage=settings.storage,
        eas=eas,
        lmtp=settings.lmtp,
        submit=submit,
        tls_folder=settings.storage.path,
        tls_names=(settings.lmtp.hostname or socket.gethostname(), "localhost"),
    )


def _from(folder: Path, path: str) -> str:
    return str(folder / path) if path else ""
