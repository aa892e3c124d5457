"""`petitbleu wbxml`: read and write what phones send, on the command line."""

import argparse
import sys
from pathlib import Path

from eas.wbxml.decoder import WbxmlError, decode
from eas.wbxml.dump import DumpError, dump, parse_dump
from eas.wbxml.encoder import encode

_EXAMPLES = """examples:
  petitbleu wbxml decode request.bin
  petitbleu wbxml decode --hex '03 01 6a 00 00 07 56 52 03 30 00 01 01'
  petitbleu wbxml encode request.txt > request.bin
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand with its own."""
    parser = subparsers.add_parser(
        "wbxml",
        help="decode and encode WBXML",
        description="Decode WBXML to readable text, and encode that text again.  Without FILE: standard input.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    reading = actions.add_parser("decode", help="WBXML to text", description="Decode WBXML to text.")
    reading.add_argument("--hex", action="store_true", help="FILE is hexadecimal digits, or a text of them itself")
    reading.add_argument("file", nargs="?", default="-", metavar="FILE")
    reading.set_defaults(run=_decode)
    writing = actions.add_parser("encode", help="text to WBXML", description="Encode text, as decode writes it.")
    writing.add_argument("file", nargs="?", default="-", metavar="FILE")
    writing.set_defaults(run=_encode)


def _decode(arguments: argparse.Namespace) -> int:
    try:
        root = decode(_wbxml(arguments.file, is_hex=arguments.hex))
    except (WbxmlError, ValueError) as error:
        print(f"petitbleu: not WBXML: {error}", file=sys.stderr)
        return 1
    sys.stdout.write(dump(root))
    return 0


def _encode(arguments: argparse.Namespace) -> int:
    try:
        root = parse_dump(_read(arguments.file).decode())
    except (DumpError, UnicodeDecodeError) as error:
        print(f"petitbleu: not a dump: {error}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(encode(root))
    sys.stdout.buffer.flush()
    return 0


def _wbxml(file: str, *, is_hex: bool) -> bytes:
    if not is_hex:
        return _read(file)
    text = file if file != "-" and not Path(file).exists() else _read(file).decode("ascii")
    return bytes.fromhex(text)


def _read(file: str) -> bytes:
    return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
