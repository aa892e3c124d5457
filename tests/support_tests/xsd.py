"""Microsoft's schemas as a second opinion, where somebody has them: the folder that EAS_XSD names.

The files refer to other namespaces without `xs:import`, and spread one namespace over several files; libxml2 wants one
document a namespace with its imports spelled out.  So they are joined, in memory, before they are compiled.
"""

import base64
from collections import defaultdict
from pathlib import Path

from lxml import etree

from eas.wbxml.element import Element

XS = "http://www.w3.org/2001/XMLSchema"
BAD_IN_XML = {code: None for code in range(32) if chr(code) not in "\t\n\r"}


class _Joined(etree.Resolver):
    """Hands libxml2 the joined documents by their namespace."""

    def __init__(self, documents: dict[str, bytes]) -> None:
        super().__init__()
        self.documents = documents

    def resolve(self, system_url: str, public_id: str, context: object = None) -> object:
        """Answer `joined:<namespace>`."""
        document = self.documents[system_url.removeprefix("joined:")]
        return self.resolve_string(document, context)  # type: ignore[call-arg]  # the stubs demand a base_url


def load(folder: Path) -> etree.XMLSchema:
    """Compile every .xsd of a folder into one schema."""
    parts: defaultdict[str, list[etree._Element]] = defaultdict(list)
    for path in sorted(folder.glob("*.xsd")):
        root = etree.parse(path).getroot()
        parts[root.get("targetNamespace", "")].append(root)
    parser = etree.XMLParser(load_dtd=False)
    parser.resolvers.add(_Joined({space: _join(space, roots, set(parts)) for space, roots in parts.items()}))
    imports = "".join(_import(space) for space in parts)
    return etree.XMLSchema(etree.fromstring(f'<xs:schema xmlns:xs="{XS}">{imports}</xs:schema>', parser))


def _import(space: str) -> str:
    return f'<xs:import namespace="{space}" schemaLocation="joined:{space}"/>'


def _join(space: str, roots: list[etree._Element], spaces: set[str]) -> bytes:
    known: dict[tuple[str, str], bytes] = {}
    for root in roots:
        for component in root.iterchildren(etree.Element):
            if component.tag not in (f"{{{XS}}}import", f"{{{XS}}}include"):
                written = etree.tostring(component, with_tail=False)  # with the prefixes in scope where it stood
                known.setdefault((str(component.tag), component.get("name", "")), written)
    imports = "".join(map(_import, sorted(spaces - {space})))
    start = f'<xs:schema xmlns:xs="{XS}" targetNamespace="{space}" elementFormDefault="qualified">{imports}'
    return start.encode() + b"".join(known.values()) + b"</xs:schema>"


def to_xml(element: Element) -> etree._Element:
    """Write a tree as XML, each element in the namespace of its code page, bytes as base64."""
    node = etree.Element(f"{{{element.tag.page_name}}}{element.tag.name}")
    value = element.value
    if isinstance(value, bytes):
        node.text = base64.b64encode(value).decode()
    elif value is not None:
        node.text = value.translate(BAD_IN_XML)
    node.extend(map(to_xml, element.children))
    return node


def faults(schema: etree.XMLSchema, element: Element) -> list[str]:
    """Return what the schemas find wrong with an answer."""
    if schema.validate(to_xml(element)):
        return []
    return [str(entry.message) for entry in schema.error_log]  # type: ignore[attr-defined]  # the stubs forget it
