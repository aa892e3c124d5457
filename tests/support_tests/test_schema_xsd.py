"""Our tables and Microsoft's schemas agree, where somebody has those: EAS_XSD=<folder> pytest tests/support_tests.

What the tables call right the schemas must call right, but for the places that `schema` lists.
"""

import os
from functools import cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from eas.protocol.versions import ANNOUNCED, Version
from tests.support.schema import ROOTS, validate
from tests.support_tests import xsd
from tests.support_tests.documents import answer, spoilt

SEEDS = 1 << 32
FOLDER = os.environ.get("EAS_XSD", "")
LOOSER = (  # how the schemas complain where we are looser on purpose: see tests/support/schema.py
    "'{AirSync}Class'",
    "'{GetItemEstimate}Class'",
    "'{AirSync}ApplicationData': This element is not expected.",
    "'{MeetingResponse}Status': This element is not expected.",
    "'{Settings}RightsManagementInformation': Missing child element(s).",
)

pytestmark = pytest.mark.skipif(not FOLDER, reason="EAS_XSD names no folder with the schemas")


@cache
def schema() -> etree.XMLSchema:
    return xsd.load(Path(FOLDER))


@pytest.mark.parametrize("version", ANNOUNCED)
@pytest.mark.parametrize("root", ROOTS, ids=repr)
@given(seed=st.integers(0, SEEDS))
def test_what_is_right_for_us_is_right_for_microsoft(version: Version, root: object, seed: int) -> None:
    tag = next(tag for tag in ROOTS if tag is root)
    if not tag.since <= version:
        return
    random = Random(seed)
    document = answer(tag, version, random)
    for one in (document, spoilt(document, random), spoilt(document, random)):
        if not validate(one, version):
            found = [fault for fault in xsd.faults(schema(), one) if not any(known in fault for known in LOOSER)]
            assert found == []
