"""`petitbleu init`: the first step of a site."""

import argparse
import asyncio
import sys
from pathlib import Path

from eas.cli.admin import create_configuration, create_files, given_settings, try_store
from eas.run.sections import DEFAULT_PATH, SECTIONS, load
from storage.settings import Settings as StorageSettings
from storage.startup import example_configuration

_EXAMPLES = """examples:
  petitbleu init
      a site of this machine: /etc/petitbleu and /var/lib/petitbleu
  petitbleu init --config ./petitbleu.toml --store ./store
      everything in this folder
  petitbleu init --print-config
      only print a configuration file with every setting explained
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "init",
        help="write a commented configuration and create the store",
        description="Write a configuration file that explains every setting, the deployment's key and an empty file "
        "of accounts beside it, and create the store.  What is there already stays as it is.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH, metavar="FILE", help=f"({DEFAULT_PATH})")
    parser.add_argument("--store", type=Path, metavar="DIR", help=f"the store's folder ({StorageSettings().path})")
    parser.add_argument("--print-config", action="store_true", help="print the configuration file; make nothing")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make what is missing, and say what comes next."""
    if arguments.print_config:
        sys.stdout.write(example_configuration(SECTIONS))
        return 0
    config: Path = arguments.config
    given = given_settings(config, arguments.store, DEFAULT_PATH)
    made = create_configuration(config, example_configuration(SECTIONS, given))
    settings = load(config)
    made += create_files(settings.storage)
    for path in made:
        print(f"made {path}")
    asyncio.run(try_store(settings.storage))
    print(f"the store in {settings.storage.place} is ready")
    print(f"\nNow look into {config}, then:\n")
    shown = "" if config == DEFAULT_PATH else f" --config {config}"
    print(f"  petitbleu account add{shown} you@your.domain\n  petitbleu serve{shown}\n")
    print(f"Back up {settings.storage.deployment_key_file} apart from the store: without it no account is found again.")
    return 0
