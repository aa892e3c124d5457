"""A WBXML codec as one would write it down: byte by byte, a function a token.  The measure for the real one.

It reads and writes well-formed documents alone.
"""

from eas.wbxml.element import Element
from eas.wbxml.pages import tag_of


class NaiveDecoder:
    """One document, read a byte at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 4
        self._page = 0

    def decode(self) -> Element:
        """Return the root element."""
        root = self._token()
        if root is None:
            raise ValueError("no element")
        return root

    def _byte(self) -> int:
        byte = self._data[self._position]
        self._position += 1
        return byte

    def _token(self, parent: Element | None = None) -> Element | None:
        """Return the next child, or None at the END of *parent*, which takes the values on the way."""
        while True:
            byte = self._byte()
            if byte == 0x00:
                self._page = self._byte()
            elif byte == 0x01:
                return None
            elif byte == 0x03 and parent is not None:
                parent.value = self._text()
            elif byte == 0xC3 and parent is not None:
                parent.value = self._opaque()
            else:
                return self._element(byte)

    def _element(self, byte: int) -> Element:
        element = Element(tag_of(self._page, byte & 0x3F))
        if byte & 0x40:
            while (child := self._token(element)) is not None:
                element.children.append(child)
        return element

    def _text(self) -> str:
        text = bytearray()
        while (byte := self._byte()) != 0:
            text.append(byte)
        return text.decode()

    def _number(self) -> int:
        value = 0
        while True:
            byte = self._byte()
            value = value * 128 + byte % 128
            if byte < 128:
                return value

    def _opaque(self) -> bytes:
        data = bytearray()
        for _ in range(self._number()):
            data.append(self._byte())
        return bytes(data)


class NaiveEncoder:
    """One document, written a byte at a time."""

    def __init__(self) -> None:
        self._data = bytearray(b"\x03\x01\x6a\x00")
        self._page = 0

    def encode(self, root: Element) -> bytes:
        """Return the document."""
        self._element(root)
        return bytes(self._data)

    def _element(self, element: Element) -> None:
        if element.tag.page != self._page:
            self._page = element.tag.page
            self._data.append(0x00)
            self._data.append(self._page)
        if not element.children and not element.value:
            self._data.append(element.tag.token)
            return
        self._data.append(element.tag.token | 0x40)
        if isinstance(element.value, str):
            self._text(element.value)
        elif element.value:
            self._opaque(element.value)
        for child in element.children:
            self._element(child)
        self._data.append(0x01)

    def _text(self, text: str) -> None:
        self._data.append(0x03)
        for character in text:
            if character >= " " or character in "\t\r\n":
                self._data.extend(character.encode())
        self._data.append(0x00)

    def _opaque(self, data: bytes) -> None:
        self._data.append(0xC3)
        if len(data) >= 128:
            raise ValueError("the naive encoder writes short OPAQUE alone")
        self._data.append(len(data))
        for byte in data:
            self._data.append(byte)
