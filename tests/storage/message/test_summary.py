"""Packing: by position, tolerant of older and newer versions."""

from dataclasses import fields
from datetime import UTC, datetime

import msgpack

from storage.message.summary import Part, Summary

FIELDS = [field.name for field in fields(Summary)]
SUMMARY = Summary(
    subject="Grüße",
    date=datetime(1969, 7, 20, 20, 17, 40, tzinfo=UTC),
    parts=(Part(path="1", content_type="text/html"), Part(path="2", name="a.pdf", is_attachment=True)),
    html_part=0,
)


def test_unpack_undoes_pack_through_msgpack() -> None:
    assert Summary.unpack(msgpack.unpackb(msgpack.packb(SUMMARY.pack()))) == SUMMARY


def test_positions_of_a_newer_version_are_passed_over() -> None:
    values = [*SUMMARY.pack(), "new"]
    values[FIELDS.index("parts")] = [[*part.pack(), 1] for part in SUMMARY.parts]
    assert Summary.unpack(values) == SUMMARY


def test_fields_that_an_older_version_lacked_have_their_defaults() -> None:
    assert Summary.unpack(["Hello"]) == Summary(subject="Hello")
    assert Part.unpack(["2", "image/png"]) == Part("2", "image/png")


def test_parts_are_found_by_path_and_role() -> None:
    assert SUMMARY.part("2") == SUMMARY.parts[1]
    assert SUMMARY.part("3") is None
    assert SUMMARY.attachments == (SUMMARY.parts[1],)
    assert (SUMMARY.html, SUMMARY.text, SUMMARY.calendar) == (SUMMARY.parts[0], None, None)
