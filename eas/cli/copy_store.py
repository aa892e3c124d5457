"""`petitbleu copy-store`: a whole store to another place."""

import argparse
import asyncio
import sys
from pathlib import Path

from eas.cli.progress import Progress
from eas.cli.shown import megabytes
from eas.cli.typed import BadArgument
from eas.run.sections import load
from storage.copying import Copied, copy_store
from storage.opening import open_engine
from storage.settings import Settings

_EXAMPLES = """examples:
  petitbleu copy-store /var/lib/petitbleu s3://mail/store
      a folder into a bucket ($S3_ENDPOINT, $S3_ACCESS_KEY, $S3_SECRET_KEY, or Amazon's names)
  petitbleu copy-store s3://mail/store /backup/petitbleu
  petitbleu copy-store /etc/petitbleu/petitbleu.toml /etc/petitbleu/new.toml
      from the store of one configuration to that of another

FROM and TO are a folder, s3://BUCKET/PREFIX, or a configuration file.  FROM may be in use; run it again to catch up, a
last time when nobody writes there any more.  A run that was cut off goes on where it was.  Nothing in TO is replaced
or removed.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "copy-store",
        help="copy a whole store, between folders and buckets",
        description="Copy a whole store; every object is read back.  Exit code 1 when something is not the same "
        "on both sides.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="FROM")
    parser.add_argument("target", metavar="TO")
    parser.add_argument("--deep", action="store_true", help="compare what is in TO already byte for byte")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Copy, and tell what was done."""
    source, target = _settings(arguments.source), _settings(arguments.target)
    if source.place == target.place:
        raise BadArgument("FROM and TO are the same place")
    if source.engine == "local" and not (source.path / "store.sqlite").exists():
        raise BadArgument(f"there is no store in {source.path}")
    done = asyncio.run(_copy(source, target, is_deep=arguments.deep))
    for failure in done.failed:
        print(f"error: {failure}", file=sys.stderr)
    gone = f", {done.gone} were collected meanwhile" if done.gone else ""
    print(
        f"{done.accounts} accounts: {done.objects} objects ({megabytes(done.size_bytes)}) copied and read back, "
        f"{done.there} were there{gone}; {len(done.failed)} differ"
    )
    if not done.accounts:
        print(f"there is no account in {source.place}", file=sys.stderr)
        return 1
    print(
        f"Next: `petitbleu check` with a configuration for {target.place}, the same deployment key and the same users."
    )
    return 1 if done.failed else 0


def _settings(place: str) -> Settings:
    if place.startswith("s3://"):
        return Settings(engine="s3", bucket=place)
    path = Path(place)
    if path.is_file():
        settings = load(path).storage
        if settings.engine == "memory":
            raise BadArgument(f"{place}: a store in memory is no other process's")
        return settings
    return Settings(engine="local", path=path.absolute())


async def _copy(source: Settings, target: Settings, *, is_deep: bool) -> Copied:
    from_ = await open_engine(source, is_probed=False)
    try:
        to = await open_engine(target)
        try:
            with Progress("objects") as progress:
                return await copy_store(
                    from_, to, lambda count, size: progress.advance(count, None, size), is_deep=is_deep
                )
        finally:
            await to.close()
    finally:
        await from_.close()
