"""Are the packages that Python found ours?  Three plain names at the top level: others may have them, too."""

import importlib.util
from importlib.metadata import packages_distributions
from pathlib import Path

OURS = ("eas", "storage", "lmtp")
DISTRIBUTION = "petitbleu"


class ForeignPackage(Exception):
    """A package of one of our names is somebody else's; says which."""


def check_packages() -> None:
    """Raise `ForeignPackage` if one of our packages comes from elsewhere, or another distribution brings one, too.

    Installing a distribution with a package `storage` overwrites ours without a word.
    """
    home = Path(__file__).parents[2]
    for name in OURS:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).parent.parent != home:
            raise ForeignPackage(f"the package {name!r} is {spec and spec.origin}, not Petit Bleu's in {home}")
    found = packages_distributions()
    for name in OURS:
        foreign = sorted({other for other in found.get(name, ()) if other.lower() != DISTRIBUTION})
        if foreign:
            raise ForeignPackage(
                f"{', '.join(foreign)} is installed here, too, and has a package {name!r}: give Petit Bleu an "
                "environment of its own"
            )
