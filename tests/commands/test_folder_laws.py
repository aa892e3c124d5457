"""The law of folder lists: a phone that applies what it is told ends equal to the server, whatever was lost on the way.

Random histories: two phones on two nodes make, change, move and remove folders; answers get lost, wholly or in part,
and requests come again.
"""

from collections.abc import Callable
from random import Random

import pytest

from eas.wbxml.element import Element
from eas.wbxml.pages import FolderHierarchy
from tests.commands.hierarchy import FolderList, create, delete, update
from tests.commands.office import Office, Phone

NAMES = ("Plans", "plans", "Inbox", "Letters", "Bills")
STEPS = 40


class Walker:
    """A phone whose user keeps house, over a bad line."""

    def __init__(self, office: Office, random: Random, name: str) -> None:
        self.random, self.nodes = random, [office.node() for _ in range(2)]
        self.listing = FolderList(Phone(self.nodes[0], device=name))

    async def step(self) -> None:
        random, listing = self.random, self.listing
        listing.phone.node = random.choice(self.nodes)
        if listing.key == "0" or random.random() < 0.3:
            await self._sync()
            return
        request, apply = self._act()
        if random.random() < 0.3:
            await listing.phone.ask(request)  # and nobody hears the answer
            if random.random() < 0.5:
                return
            listing.phone.node = random.choice(self.nodes)
        root = await listing.phone.ask(request)
        status = root.text(FolderHierarchy.Status)
        assert status not in ("6", "9", "10", "11")
        if status == "1":
            listing.key = root.text(FolderHierarchy.SyncKey)
            apply(root)

    async def _sync(self) -> None:
        is_heard = self.random.random() < 0.6
        await self.listing.sync(None if is_heard else self.random.randint(0, 8))

    def _act(self) -> tuple[Element, Callable[[Element], None]]:
        """Return a request, and what the phone does with the answer when it succeeded."""
        random, listing = self.random, self.listing
        parent = random.choice(["0", "inbox", *listing.has])
        name = random.choice(NAMES)
        own = [folder for folder in listing.has if folder.startswith("f")]
        what = random.choice(["create", "update", "delete"]) if own else "create"
        if what == "create":

            def made(root: Element) -> None:
                listing.has[root.text(FolderHierarchy.ServerId)] = (parent, name, "12")

            return create(listing.key, name, parent), made
        folder = random.choice(own)
        if what == "update":

            def changed(root: Element) -> None:
                listing.has[folder] = (parent, name, "12")

            return update(listing.key, folder, name, parent), changed
        return delete(listing.key, folder), lambda root: listing.drop(folder)


async def live(seed: int) -> None:
    office, random = Office(), Random(seed)
    walkers = [Walker(office, random, name) for name in ("one", "two")]
    for _ in range(STEPS):
        await random.choice(walkers).step()
    for walker in walkers:
        await walker.listing.sync()
        assert walker.listing.has == await walker.listing.truth()
        assert await walker.listing.sync() == []
    office.close()


@pytest.mark.parametrize("seed", range(60))
async def test_a_phone_ends_equal_to_the_server(seed: int) -> None:
    await live(seed)
