"""What every group of commands of the client stands on: the transport, what the phone holds, and refusals."""

from eas.wbxml.element import Element
from eas.wbxml.tag import Tag
from tests.support.answers import Answer
from tests.support.mailbox import Mailbox
from tests.support.transport import TIMEOUT_SECONDS, Transport

SUCCESS = 1


class Refused(Exception):
    """The server refused a command as a whole: by HTTP (`status` None), or by the Status of the root."""

    def __init__(self, answer: Answer, status: int | None) -> None:
        super().__init__(f"{answer.command}: HTTP {answer.status}, Status {status}")
        self.answer = answer
        self.status = status


class Commanding(Transport):
    """A transport with a mailbox."""

    mailbox: Mailbox

    def answered(self) -> Answer:
        """The last answer.  There must have been one."""
        assert self.last is not None
        return self.last

    async def command(
        self,
        root: Element,
        status: Tag,
        *,
        also: tuple[int, ...] = (),
        multipart: bool = False,
        timeout: float = TIMEOUT_SECONDS,
    ) -> Element:
        """Post a command and return the root of the answer.

        Raises `Refused` unless HTTP is 200 and the child *status* is missing, 1, or one of *also*.
        """
        answer = await self.post(root.tag.name, root, multipart=multipart, timeout=timeout)
        if answer.root is None:
            raise Refused(answer, None)
        found = answer.root.number_or(status, SUCCESS)
        if found != SUCCESS and found not in also:
            raise Refused(answer, found)
        return answer.root
