"""What is remembered of a device."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from eas.protocol.versions import Version
from tests.commands.hierarchy import FolderList
from tests.commands.office import BEGIN, Office, Phone

DAY = timedelta(days=1)


@pytest.fixture
def office() -> Iterator[Office]:
    made = Office()
    yield made
    made.close()


@pytest.fixture
def listing(office: Office) -> FolderList:
    return FolderList(Phone(office.node()))


async def remembered(listing: FolderList, name: str) -> object:
    return (await listing.phone.state()).devices.get(listing.phone.device, name)


async def commits(listing: FolderList) -> int:
    return sum((await listing.phone.state()).commits.values())


async def test_type_version_and_times_are_remembered(office: Office, listing: FolderList) -> None:
    began = int(BEGIN.timestamp() * 1000)
    await listing.sync()
    assert await remembered(listing, "type") == "SP"
    assert await remembered(listing, "version") == Version.V16_1
    assert await remembered(listing, "first_seen") == await remembered(listing, "last_seen") == began
    office.now += 3 * DAY
    await listing.sync()
    assert await remembered(listing, "first_seen") == began
    assert await remembered(listing, "last_seen") == began + 3 * 86_400_000


async def test_a_day_of_asking_writes_nothing(office: Office, listing: FolderList) -> None:
    await listing.sync()
    before = await commits(listing)
    for _ in range(5):
        office.now += DAY / 6
        await listing.sync()
    assert await commits(listing) == before
    office.now += DAY / 6
    await listing.sync()
    assert await commits(listing) == before + 1


async def test_another_version_is_noted_at_once(listing: FolderList) -> None:
    await listing.sync()
    listing.phone.version = Version.V14_1
    await listing.sync()
    assert await remembered(listing, "version") == Version.V14_1
