"""`petitbleu`: the command line.  Each subcommand is a module; here they are gathered, and failures become one line."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from eas.cli import account, check, collect, copy_store, demo, device, export, import_, init, serve, undelete, wbxml
from eas.run.explained import EXPLAINED, explain
from lmtp import cli as lmtp_cli
from storage.logs import set_up_logging

OK, FAILED, USAGE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0 done, 1 failed, 2 not understood (argparse exits by itself)."""
    parsed = parser().parse_args(arguments)
    set_up_logging("warning", address_key=None)  # servers set it up anew, as configured
    try:
        code: int = parsed.run(parsed)
    except EXPLAINED as error:
        print(f"petitbleu: {explain(error)}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return FAILED
    return code


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    whole = argparse.ArgumentParser(
        prog="petitbleu", description="An Exchange ActiveSync server for the mail apps that phones already have."
    )
    whole.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    subparsers = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in (
        init,
        serve,
        lmtp_cli,
        account,
        device,
        export,
        import_,
        undelete,
        check,
        collect,
        copy_store,
        demo,
        wbxml,
    ):
        module.add_parser(subparsers)
    return whole


def _version() -> str:
    try:
        return version("petitbleu")
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
