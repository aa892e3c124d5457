"""Captures are loaded whole and scrubbed, or not at all."""

from datetime import date
from pathlib import Path

import pytest

from eas.wbxml.dump import dump, parse_dump
from eas.wbxml.encoder import encode
from tests.support.captures import (
    CAPTURES,
    SCRUBBED_LOGIN,
    BadCapture,
    differences,
    load_capture,
    load_captures,
    save_capture,
)
from tests.support_tests.examples import added, mail, synced

LINE = "POST /Microsoft-Server-ActiveSync?Cmd=Sync&User=a@example.test&DeviceId=d&DeviceType=t HTTP/1.1"
HEADERS = {"Authorization": "Basic c2VjcmV0", "Cookie": "secret", "MS-ASProtocolVersion": "14.1"}
ABOUT = 'date = 2024-01-02\nclient = "Mail 1.0"\nprotocol = "14.1"\nscrubbed = ["login"]\n'
BODY = encode(synced("1"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "mail-testos-1.0" / "01-Sync"
    save_capture(place, LINE, HEADERS, BODY, dump(synced("*")))
    (place / "about.toml").write_text(ABOUT)
    return place


def test_what_was_saved_is_loaded(place: Path) -> None:
    (capture,) = load_captures("Sync", place.parents[1])
    assert (str(capture), capture.request_line, capture.request) == ("mail-testos-1.0/01-Sync", LINE, BODY)
    assert capture.headers == {"Authorization": SCRUBBED_LOGIN, "MS-ASProtocolVersion": "14.1"}
    assert (capture.about.date, capture.about.scrubbed, capture.about.status) == (date(2024, 1, 2), ("login",), 200)
    assert capture.response_root == synced("*")
    assert load_captures("Ping", place.parents[1]) == []


def test_a_missing_body_and_an_empty_answer_are_none(place: Path) -> None:
    (place / "request.bin").unlink()
    (place / "response.txt").write_text("")
    capture = load_capture(place)
    assert (capture.request, capture.response_root) == (b"", None)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("about.toml", 'client = "Mail 1.0"\nprotocol = "14.1"\n'),
        ("about.toml", 'date = "today"\nclient = "Mail 1.0"\nprotocol = "14.1"\n'),
        ("about.toml", ABOUT + "colour = 1\n"),
        ("about.toml", "="),
        ("request.headers", f"{LINE}\nAuthorization: Basic c2VjcmV0\n"),
        ("request.headers", f"{LINE}\nCookie: a=b\n"),
        ("request.headers", f"{LINE}\nnonsense\n"),
        ("request.headers", LINE.replace("example.test", "real.de")),
        ("request.bin", "ann@real.de"),
        ("response.txt", 'AirSync:Sync\n  Status "ann@real.de"\n'),
    ],
)
def test_a_capture_that_breaks_the_rules_is_refused(place: Path, file: str, content: str) -> None:
    (place / file).write_text(content)
    with pytest.raises(BadCapture):
        load_capture(place)


@pytest.mark.parametrize("file", ["about.toml", "request.headers", "response.txt"])
def test_a_capture_that_is_not_whole_is_refused(place: Path, file: str) -> None:
    (place / file).unlink()
    with pytest.raises(BadCapture):
        load_capture(place)


def test_a_name_must_say_number_and_command(place: Path) -> None:
    with pytest.raises(BadCapture, match="NN-Command"):
        load_capture(place.rename(place.parent / "Sync"))


def test_a_star_matches_any_value_and_nothing_else_does() -> None:
    answer = synced("7", added("5:1", mail("x")))
    assert differences(parse_dump(dump(synced("*", added("*", mail("*"))))), answer) == []
    assert differences(synced("8", added("5:1", mail("x"))), answer) == [
        "/Sync/Collections/Collection/SyncKey: '8' is '7'"
    ]
    assert len(differences(synced("7"), answer)) == 1
    assert len(differences(answer, answer.children[0])) == 1
    assert (len(differences(None, answer)), differences(None, None)) == (1, [])


def test_the_captures_of_the_project_keep_the_rules() -> None:
    assert CAPTURES.is_dir()
    load_captures()
