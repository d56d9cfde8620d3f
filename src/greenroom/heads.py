"""Heads: uvicorn's protocol, with a bound on what comes beside a body, and on how long a head may take."""

import asyncio

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

BYTES_MAX = 32 * 1_024
SECONDS_MAX = 10.0


class Heads(HttpToolsProtocol):
    """HTTP/1.1 by httptools, as uvicorn has it, whose heads come to an end.

    The parser keeps a header whole and uvicorn keeps them all, so a caller could fill the memory with one, and hold a
    connection with half of one. Here bytes in a row that belong to no body (of heads, trailers, lengths of chunks) are
    counted: more than `bytes_max` are refused. A head has `seconds_max`, from the connection or from its own first
    byte; so has what is still to come of a body whose request was answered. Then the connection is closed. Between two
    requests uvicorn's `timeout_keep_alive` closes it.
    """

    bytes_max = BYTES_MAX
    seconds_max = SECONDS_MAX

    _piece = 0  # bytes of what is being read
    _beside_body = 0
    _rests = False  # nothing of another request has come
    _has_head = False  # and its body is to come
    _is_too_large = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's too
        super().connection_made(transport)
        self._await_end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._rests = False
        self._piece = len(data)
        self._beside_body += self._piece
        super().data_received(data)
        if self._rests or self.transport.is_closing():
            return
        if self._beside_body > self.bytes_max:
            self._is_too_large = True
            self.send_400_response("")
        elif not self._has_head and self._timer is None:
            self._await_end()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._rests = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._has_head:  # trailers are no headers (RFC 9110, 6.5.1): dropped
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._piece > self.bytes_max or self._beside_body > self.bytes_max:  # perhaps for what comes behind it
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            self._is_too_large = size > self.bytes_max
            if self._is_too_large:
                raise ValueError  # ends the parser, which has a refusal sent
        self._has_head, self._beside_body = True, 0
        self._end()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._beside_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._rests, self._has_head, self._beside_body = True, False, 0
        self._end()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._has_head and self._timer is None:
            self._await_end()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, as uvicorn does, and with 431 what is too large."""
        if not self._is_too_large:
            super().send_400_response(msg)
            return
        if self.cycle is None or self.cycle.response_complete:  # else it would end up inside another answer
            self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _await_end(self) -> None:
        self._timer = self.loop.call_later(self.seconds_max, self._close)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self._timer = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self._await_end()  # an earlier request of the same connection is still being answered
