"""What holds for the summary of any bytes; said once, for the tests and the fuzz target."""

from storage.message.index import PREVIEW_CHARACTERS_MAX
from storage.message.splitter import PARTS_MAX
from storage.message.summary import Summary
from storage.message.transfer import decode_part, part_text


def assert_sound(data: bytes, summary: Summary) -> None:
    """What holds for every summary of any bytes."""
    assert summary.size == len(data)
    assert 0 <= summary.header_size <= len(data)
    assert 1 <= len(summary.parts) <= PARTS_MAX
    at = 0
    for part in summary.parts:
        assert at <= part.header_start <= part.start <= part.end <= len(data)
        at = part.end
        assert part.name or not part.is_attachment
        decode_part(part, data[part.start : part.end])
        part_text(part, data[part.start : part.end]).encode()
    for text in (summary.subject, summary.from_, summary.to, summary.preview, summary.thread_topic):
        text.encode()
        assert "\0" not in text
        assert "\n" not in text
    assert len(summary.preview) <= PREVIEW_CHARACTERS_MAX
    assert len(summary.conversation_id) == 16
    assert len(summary.conversation_index) % 5 == 0
    assert Summary.unpack(summary.pack()) == summary
