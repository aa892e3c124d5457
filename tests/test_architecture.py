"""The direction of imports: who may know whom (`ARCHITECTURE.md`, section 1)."""

import sys

import pytest

from tests.sources import ROOT, imports, modules

MODULES = modules()

# The first prefix that fits counts.  Values: prefixes of what it may import of the project.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "eas.wbxml": ("eas.wbxml",),
    "eas.protocol": ("eas.protocol",),
    "eas.wire": ("eas.wire", "eas.protocol"),
    "eas.login": ("eas.login", "eas.protocol", "storage"),
    "eas.items": ("eas.items", "eas.wbxml", "eas.protocol"),
    "eas.sync": ("eas.sync", "eas.items", "eas.protocol", "storage"),
    "eas.mail": ("eas.mail", "eas.items", "eas.protocol", "eas.address", "storage"),
    "eas.finding": ("eas.finding", "eas.wbxml", "storage"),
    "eas.sending": ("eas.sending", "eas.context", "eas.mail", "storage"),
    "eas.transfer": ("eas.transfer", "eas.items", "storage"),
    "storage.message": ("storage.message",),
    "storage": ("storage",),
    "lmtp": ("lmtp", "storage"),
}
COMPOSITION = ("eas.run", "eas.cli", "eas.demo", "eas.__main__", "lmtp.cli")
"""Where objects are wired together: these may know everything."""

LIBRARIES: dict[str, tuple[str, ...]] = {
    "aiohttp": ("eas.wire", "storage.engine_s3", "storage.s3.requests"),
    "aioboto3": ("storage.engine_s3",),
    "botocore": ("storage.engine_s3", "storage.s3"),
    "nacl": ("storage.seal",),
    "argon2": ("storage.seal",),
    "msgpack": ("storage",),
    "zstandard": ("storage",),
    "lxml": ("eas.web", "storage.s3.xml"),
    "redis": ("storage.feeds.redis_channel",),
    "ldap3": ("storage.directories.ldap_connection",),
    "aiosmtplib": ("eas.mail.submission",),
    "uvloop": COMPOSITION,
    "cryptography": ("eas.wire.tls",),
}


def _of(module: str, prefixes: tuple[str, ...]) -> bool:
    return any(
        module == prefix
        or module.startswith((prefix + ".", prefix + "_"))
        or (prefix.endswith("_") and module.startswith(prefix))
        for prefix in prefixes
    )


@pytest.mark.parametrize("module", [name for name in MODULES if not _of(name, COMPOSITION)])
def test_a_module_imports_only_what_its_package_may_know(module: str) -> None:
    allowed = next((MAY_IMPORT[prefix] for prefix in MAY_IMPORT if _of(module, (prefix,))), None)
    for name in imports(MODULES[module]):
        if name not in MODULES or allowed is None:
            continue
        assert _of(name, allowed), f"{module} imports {name}"


@pytest.mark.parametrize("module", list(MODULES))
def test_a_library_is_used_only_where_it_belongs(module: str) -> None:
    for name in imports(MODULES[module]):
        library = name.partition(".")[0]
        if library in LIBRARIES:
            assert _of(module, LIBRARIES[library]), f"{module} imports {library}"


def test_commands_do_not_import_dispatch_or_http() -> None:
    for module, path in MODULES.items():
        if _of(module, ("eas.commands",)):
            for name in imports(path):
                assert not _of(name, ("eas.dispatch", "eas.wire", "eas.run", "lmtp")), f"{module} imports {name}"


def test_only_the_composition_root_of_eas_imports_lmtp() -> None:
    for module, path in MODULES.items():
        if module.startswith("eas") and not _of(module, COMPOSITION):
            assert not any(_of(name, ("lmtp",)) for name in imports(path)), module


def test_there_is_no_circle_of_imports() -> None:
    edges = {
        module: {name for name in imports(path) if name in MODULES and name != module}
        for module, path in MODULES.items()
    }
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " → ".join((*trail[trail.index(module) :], module))
        if module in done:
            return
        for name in sorted(edges[module]):
            visit(name, (*trail, module))
        done.add(module)

    sys.setrecursionlimit(5000)
    for module in MODULES:
        visit(module, ())


def test_no_module_but_clients_names_a_client() -> None:
    names = ("outlook", "iphone", "ipad", "samsung", "nine", "touchdown", "gmail", "aosp", "nokia", "blackberry")
    for module, path in MODULES.items():
        if module == "eas.clients":
            continue
        code = "\n".join(line.partition("#")[0] for line in path.read_text().lower().splitlines())
        strings = [word for word in names if f'"{word}' in code or f"'{word}" in code]
        assert not strings, f"{module} names {strings}"


def test_no_module_shadows_one_of_the_standard_library_where_it_is_run_by_path() -> None:
    for path in [*(ROOT / "eas").glob("*.py"), *(ROOT / "lmtp").glob("*.py"), *(ROOT / "storage").glob("*.py")]:
        if path.stem not in ("__init__", "__main__"):
            assert path.stem not in sys.stdlib_module_names, path
