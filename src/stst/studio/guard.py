"""Who may talk to the studio: browsers on this computer that know its token."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY = 8 << 30  # maximum bytes of a request: one uploaded clip
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Middleware that refuses requests of other hosts, other sites, and without the token.

    The address that the command prints contains the token. The first request with it sets a
    cookie, so later addresses do not contain it.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    token : str
        The secret.
    port : int
        Port of the server.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app, self.token = app, token
        # Browsers do not separate the cookies of ports, so two studios need two names.
        self.cookie = f"stst-studio-{port}"
        self.hosts = [f"{name}:{port}" for name in ("127.0.0.1", "localhost")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif (answer := self._answer(scope)) is None:
            await self.app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            answer.headers.update(HEADERS | {"Connection": "close"})
            await answer(scope, receive, send)

    def _answer(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is not passed on."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if headers.get("host") not in self.hosts or not (
            origin is None or origin.removeprefix("http://") in self.hosts
        ):
            return PlainTextResponse("Not found", 404)
        if scope["type"] == "http" and (refusal := _body_refusal(headers)):
            return refusal
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        if scope["path"] == "/" and self._is_token(given):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict")
            return answer
        cookies = cookie_parser(headers.get("cookie", ""))
        if not self._is_token([cookies.get(self.cookie, "")]):
            return PlainTextResponse("Open the address that `stst studio` printed.", 403)
        return None

    def _is_token(self, given: Iterable[str]) -> bool:
        return any(hmac.compare_digest(each.encode(), self.token.encode()) for each in given)


def _body_refusal(headers: Headers) -> Response | None:
    if "transfer-encoding" in headers:
        return PlainTextResponse("Length required", 411)
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or int(length[:20]) > BODY:
        return PlainTextResponse(f"At most {BODY >> 30} GiB", 413)
    return None


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message["headers"] = [*message.get("headers", []), *added]
        await send(message)

    return sending
