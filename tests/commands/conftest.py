"""What tests of single commands begin with."""

from collections.abc import Iterator

import pytest

from tests.commands.office import Office, Phone


@pytest.fixture
def office() -> Iterator[Office]:
    made = Office()
    yield made
    made.close()


@pytest.fixture
def phone(office: Office) -> Phone:
    return Phone(office.node())
