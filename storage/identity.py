"""Who an account belongs to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an account belongs to."""

    address: str
    aliases: tuple[str, ...] = ()
    display_name: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses, the primary one first."""
        return (self.address, *self.aliases)
