"""The form of citations: `[MS-ASCMD] Sync/WindowSize`, `RFC 2033 4.2`; documents that exist."""

import re

import pytest

from tests.sources import modules

# fmt: off
DOCUMENTS = {
    "MS-ASHTTP", "MS-ASWBXML", "MS-ASCMD", "MS-ASPROV", "MS-ASAIRS", "MS-ASEMAIL", "MS-ASDTYPE", "MS-ASCON", "MS-ASCAL",
    "MS-ASCNTC", "MS-ASTASK", "MS-ASNOTE", "MS-OXOMSG", "MS-OXDISCO", "MS-LCID",
}
RFCS = {
    822, 1123, 1341, 1847, 1870, 2033, 2034, 2045, 2046, 2047, 2183, 2231, 2342, 2369, 2392, 2557, 2920, 3030, 3156,
    3461, 3462, 3463, 3464, 3501, 3503, 3798, 3834, 3848, 4155, 4511, 4512, 4513, 4514, 4515, 4648, 5234, 5280,
    5321, 5322, 5482, 5546, 5751, 5890, 6152, 6154, 6409, 6531, 6532, 6533, 6761, 6838, 7230, 7231, 7617, 8098,
    8265, 8551, 9106, 9110, 9112,
}
# fmt: on


@pytest.mark.parametrize("module", list(modules()))
def test_citations_name_documents_that_exist(module: str) -> None:
    text = modules()[module].read_text()
    for document in re.findall(r"\[(MS-[A-Z]+)\]", text):
        assert document in DOCUMENTS, f"{module}: [{document}]"
    for number in re.findall(r"RFC[ -]?(\d+)", text):
        assert int(number) in RFCS, f"{module}: RFC {number}"
    assert not re.search(r"(?<!\[)\bMS-AS[A-Z]{2,}\b(?!\])", text), f"{module}: a document without brackets"
