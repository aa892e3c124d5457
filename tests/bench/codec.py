"""The WBXML codec on a Sync answer with a hundred messages, 138 KB: against a naive codec, and by the clock.

The comparison is the gate, since both run on the same machine at the same moment.  The budgets by the clock leave a
factor of two over what a quiet core of 2023 needs (1.5 ms and 0.7 ms).
"""

from typing import Final

from eas.wbxml.decoder import decode
from eas.wbxml.encoder import encode
from tests.bench.figure import Figure, best_seconds
from tests.bench.naive import NaiveDecoder, NaiveEncoder
from tests.wbxml.documents import sync_answer

NAIVE_REPEATS: Final = 8


def run() -> list[Figure]:
    root = sync_answer()
    document = encode(root)
    if not (decode(document) == root == NaiveDecoder(document).decode() and NaiveEncoder().encode(root) == document):
        raise AssertionError("the codecs disagree")
    decoding = best_seconds(lambda: decode(document))
    encoding = best_seconds(lambda: encode(root))
    naive_decoding = best_seconds(lambda: NaiveDecoder(document).decode(), repeats=NAIVE_REPEATS)
    naive_encoding = best_seconds(lambda: NaiveEncoder().encode(root), repeats=NAIVE_REPEATS)
    return [
        Figure("codec: size of the Sync answer", len(document) / 1000, "KB"),
        Figure("codec: decode, times quicker than naive", naive_decoding / decoding, "×", 8, "at least"),
        Figure("codec: encode, times quicker than naive", naive_encoding / encoding, "×", 8, "at least"),
        Figure("codec: decode", decoding * 1000, "ms", 3.4),
        Figure("codec: encode", encoding * 1000, "ms", 1.4),
    ]
