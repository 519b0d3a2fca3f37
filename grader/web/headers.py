"""Add headers to every answer of an application."""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

__all__ = ["with_headers"]


def with_headers(send: Send, added: Mapping[str, str]) -> Send:
    """Return a function that sends messages with more headers.

    Args:
        send: The function that sends.
        added: Header → value. A header that the application has set keeps its value.
    """

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in added.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
