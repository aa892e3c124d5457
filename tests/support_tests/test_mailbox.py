"""The phone's model takes answers as a real phone does, and complains where one would be lost."""

import pytest

from eas.wbxml.element import Element, element, leaf
from eas.wbxml.pages import AirSync, AirSyncBase, Email
from tests.support.drafts import Draft, DraftFile
from tests.support.mailbox import ConfusedPhone, Folder, read_collection
from tests.support.sync_requests import add, delete, flag, read, unflag
from tests.support_tests.examples import added, changed, mail, removed, responded, synced


def apply(folder: Folder, answer: Element, *sent: Element) -> None:
    folder.apply(read_collection(answer.children[0].children[0]), sent)


@pytest.fixture
def folder() -> Folder:
    folder = Folder("5")
    apply(folder, synced("1"))
    apply(folder, synced("2", added("5:1", mail("one")), added("5:2", mail("two"))))
    return folder


def test_items_and_key_are_kept(folder: Folder) -> None:
    assert (folder.sync_key, sorted(folder.items)) == ("2", ["5:1", "5:2"])
    item = folder.find("one")
    assert (item.is_read, item.is_flagged, item.body, item.attachments) == (False, False, "Noon?", [])


def test_an_add_of_a_known_item_replaces_it(folder: Folder) -> None:
    apply(folder, synced("3", changed("5:1", leaf(Email.Cc, "x"))))
    apply(folder, synced("4", added("5:1", mail("new"))))
    assert (folder.items["5:1"].subject, folder.items["5:1"].text(Email.Cc)) == ("new", "")


def test_a_change_leaves_the_rest(folder: Folder) -> None:
    apply(folder, synced("3", changed("5:1", leaf(Email.Read, True))))
    assert (folder.items["5:1"].is_read, folder.items["5:1"].subject) == (True, "one")


def test_a_change_of_an_unknown_item_confuses(folder: Folder) -> None:
    with pytest.raises(ConfusedPhone, match="unknown 5:9"):
        apply(folder, synced("3", changed("5:9", leaf(Email.Read, True))))


def test_deletes_remove_and_deleting_again_does_nothing(folder: Folder) -> None:
    apply(folder, synced("3", removed("5:1"), removed("5:2", "SoftDelete"), removed("5:9")))
    assert folder.items == {}


def test_changes_under_the_same_key_confuse(folder: Folder) -> None:
    with pytest.raises(ConfusedPhone, match="same key"):
        apply(folder, synced("2", removed("5:1")))


def test_an_invalid_key_begins_anew(folder: Folder) -> None:
    apply(folder, synced("2", status=3))
    assert (folder.sync_key, folder.items) == ("0", {})


def test_another_failure_changes_nothing(folder: Folder) -> None:
    apply(folder, synced("2", status=5))
    assert (folder.sync_key, len(folder.items)) == ("2", 2)


def test_the_last_answer_can_be_forgotten_once(folder: Folder) -> None:
    apply(folder, synced("3", removed("5:1"), changed("5:2", leaf(Email.Read, True))))
    folder.roll_back()
    assert (folder.sync_key, sorted(folder.items), folder.items["5:2"].is_read) == ("2", ["5:1", "5:2"], False)
    with pytest.raises(ConfusedPhone):
        folder.roll_back()


def test_silence_means_that_the_own_change_holds(folder: Folder) -> None:
    apply(folder, synced("3"), read("5:1"), flag("5:1"), delete("5:2"))
    assert (folder.items["5:1"].is_read, folder.items["5:1"].is_flagged, list(folder.items)) == (True, True, ["5:1"])
    apply(folder, synced("4"), unflag("5:1"))
    assert not folder.items["5:1"].is_flagged


def test_what_failed_does_not_hold(folder: Folder) -> None:
    failed = (responded("Change", 7, server_id="5:1"), responded("Delete", 8, server_id="5:2"))
    apply(folder, synced("3", responses=failed), read("5:1"), delete("5:2"))
    assert (folder.items["5:1"].is_read, sorted(folder.items)) == (False, ["5:1", "5:2"])


def test_an_own_add_gets_its_id_from_the_server(folder: Folder) -> None:
    draft = Draft(to="a@example.test", subject="draft", body="x", files=(DraftFile("f1", "a.txt", b"x"),))
    answer = synced(
        "3", responses=(responded("Add", 1, client_id="c1", server_id="5:3"), responded("Add", 6, client_id="c2"))
    )
    apply(folder, answer, draft.add("c1"), add("c2", leaf(Email.Subject, "refused")))
    assert (sorted(folder.items), folder.find("draft").body) == (["5:1", "5:2", "5:3"], "x")
    assert folder.items["5:3"].attachments == []


def test_a_fetched_item_is_taken(folder: Folder) -> None:
    body = element(AirSyncBase.Body, leaf(AirSyncBase.Type, 1), leaf(AirSyncBase.Data, "all of it"))
    fetched = responded("Fetch", 1, server_id="5:1")
    fetched.children.append(element(AirSync.ApplicationData, body))
    apply(folder, synced("3", responses=(fetched,)))
    assert folder.items["5:1"].body == "all of it"


def test_a_subject_must_be_there_once(folder: Folder) -> None:
    apply(folder, synced("3", added("5:3", mail("one"))))
    for subject in ("one", "none"):
        with pytest.raises(ConfusedPhone):
            folder.find(subject)
