"""Debian's libwbxml2 (0.11) through ctypes: WBXML to XML and back, in its ActiveSync language."""

import ctypes
from ctypes.util import find_library
from typing import Final

ACTIVESYNC: Final = 2402  # wbxml_conv.h: WBXML_LANG_ACTIVESYNC; our public identifier does not tell the language
CANONICAL: Final = 2  # WBXML_GEN_XML_CANONICAL: no white space of its own


class LibwbxmlError(Exception):
    """The library refused a document; `code` is its WBXMLError."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class Libwbxml:
    """The loaded library.  Raises OSError when it is not installed."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(find_library("wbxml2") or "libwbxml2.so.1")
        self._free = self._library.wbxml_free
        self._free.argtypes = [ctypes.c_void_p]

    def to_xml(self, document: bytes) -> bytes:
        """Return *document* (WBXML) as XML; OPAQUE that its tables know as such comes out in base64."""
        converter = self._create("wbxml2xml")
        self._library.wbxml_conv_wbxml2xml_set_language(converter, ACTIVESYNC)
        self._library.wbxml_conv_wbxml2xml_set_gen_type(converter, CANONICAL)
        self._library.wbxml_conv_wbxml2xml_enable_preserve_whitespaces(converter)
        return self._run("wbxml2xml", converter, document)

    def to_wbxml(self, xml: bytes) -> bytes:
        """Return *xml* as WBXML, with a header like ours."""
        converter = self._create("xml2wbxml")
        self._library.wbxml_conv_xml2wbxml_enable_preserve_whitespaces(converter)
        self._library.wbxml_conv_xml2wbxml_disable_string_table(converter)
        self._library.wbxml_conv_xml2wbxml_disable_public_id(converter)
        return self._run("xml2wbxml", converter, xml)

    def _create(self, direction: str) -> ctypes.c_void_p:
        converter = ctypes.c_void_p()
        code = self._library[f"wbxml_conv_{direction}_create"](ctypes.byref(converter))
        if code:
            raise LibwbxmlError(code)
        return converter

    def _run(self, direction: str, converter: ctypes.c_void_p, data: bytes) -> bytes:
        output, size = ctypes.c_void_p(), ctypes.c_uint()
        run = self._library[f"wbxml_conv_{direction}_run"]
        code = run(converter, data, len(data), ctypes.byref(output), ctypes.byref(size))
        self._library[f"wbxml_conv_{direction}_destroy"](converter)
        if code:
            raise LibwbxmlError(code)
        converted = ctypes.string_at(output, size.value)
        self._free(output)
        return converted
