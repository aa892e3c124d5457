"""Our packages are ours, or we do not start."""

import pytest

from eas.run import packages
from eas.run.packages import ForeignPackage, check_packages


def test_ours_are_ours() -> None:
    check_packages()


def test_a_distribution_that_brings_one_of_our_names_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"storage": ["petitbleu", "azure-storage"], "eas": ["petitbleu"]}
    monkeypatch.setattr(packages, "packages_distributions", lambda: found)
    with pytest.raises(ForeignPackage, match=r"azure-storage .* 'storage'"):
        check_packages()


def test_a_package_from_elsewhere_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "OURS", ("eas", "json"))
    with pytest.raises(ForeignPackage, match="json"):
        check_packages()
    monkeypatch.setattr(packages, "OURS", ("no_such_package",))
    with pytest.raises(ForeignPackage, match="None"):
        check_packages()
