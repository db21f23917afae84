"""A small client for NATS, on asyncio and nothing else.

    client = Client(Options(servers=["nats://127.0.0.1:4222"]))
    await client.connect()
    client.subscribe("greet.*", lambda message: client.publish(message.reply, b"hello"))
    answer = await client.request("greet.world", b"", timeout=1.0)

It publishes, subscribes, asks and answers, with headers; signs in with a name, a token, a key or a credentials file;
speaks TLS; and comes back when the connection is lost. Nothing is kept for later: what is published while there is
no connection raises `Disconnected`, and whoever said it decides whether to say it again.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from nkeys import Signer

# What a connection may have unsent before publishing fails: the server does not read, or not quickly enough.
UNSENT_BYTES_MAX = 32 * 1024 * 1024
# The longest line of the protocol; a server's INFO is the longest of them.
LINE_BYTES_MAX = 1024 * 1024
PINGS_UNANSWERED_MAX = 2


class NatsError(Exception):
    """Something between this client and the server."""


class Disconnected(NatsError):
    """There is no connection: what was to be sent has not left, or it is not known whether it arrived."""


class NoResponders(NatsError):
    """Nobody listens where this was asked."""


class TooLarge(NatsError):
    """The server does not take as much in one message."""


class SignInFailed(NatsError):
    """The server does not let this client in."""


class NotAllowed(NatsError):
    """The server does not let this client publish or hear something."""


@dataclass(frozen=True)
class Message:
    """What was heard. `status` is for words of the server itself: "503" says that nobody listens."""

    subject: str
    data: bytes
    headers: dict[str, str]
    reply: str = ""
    status: str = ""


@dataclass(frozen=True)
class Options:
    """Where the server is, who we are there, and how long to wait for it. Times are in seconds."""

    servers: list[str]
    name: str = "python"
    user: str | None = None
    password: str | None = None
    token: str | None = None
    signer: Signer | None = None
    # For addresses that begin with tls://, and for servers that want it. None takes the authorities of this machine.
    tls: ssl.SSLContext | None = None
    # Answers to what is asked come to subjects that begin so.
    inbox_prefix: str = "_INBOX"
    connect_timeout: float = 5.0
    reconnect_wait: float = 0.25
    ping_interval: float = 5.0
    # Whether what this connection publishes comes back to its own subscriptions.
    echo: bool = True
    on_change: Callable[[bool], None] = field(default=lambda is_up: None)
    # What went wrong and is nobody's answer: a subscription that is not allowed, a callback that raised.
    on_error: Callable[[Exception], None] = field(default=lambda error: None)


@dataclass
class Subscription:
    """A subject that is listened to. With a group, only one of those that have it hears each message."""

    sid: int
    subject: str
    group: str
    callback: Callable[[Message], object]


class Client:
    """One connection to one of several servers. All of it belongs to the loop that it was connected on."""

    def __init__(self, options: Options) -> None:
        self.options = options
        # What the server said of itself last.
        self.info: dict[str, object] = {}
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._is_up = asyncio.Event()
        self._subscriptions: dict[int, Subscription] = {}
        self._last_sid = 0
        self._asked: dict[str, asyncio.Future[Message]] = {}
        self._inbox = f"{options.inbox_prefix}.{random.randbytes(8).hex()}"
        self._pongs: deque[asyncio.Future[None] | None] = deque()
        self._life: asyncio.Task[None] | None = None
        self.subscribe(f"{self._inbox}.*", self._answered)

    async def connect(self) -> None:
        """Connects to the first server that lets us in; raises what the last one said if none does."""
        await self._dial()
        self._life = asyncio.create_task(self._live())

    @property
    def is_connected(self) -> bool:
        return self._is_up.is_set()

    async def connected(self) -> None:
        """Waits until there is a connection."""
        await self._is_up.wait()

    @property
    def max_payload(self) -> int:
        """The most bytes that the server takes in one message, headers included."""
        said = self.info.get("max_payload")
        return said if isinstance(said, int) else 1024 * 1024

    def publish(self, subject: str, data: bytes, headers: dict[str, str] | None = None, reply: str = "") -> None:
        """Sends a message. That it left does not say that it arrived: `flush` does, and an answer does."""
        _check_subject(subject)
        head = _headers_as_bytes(headers) if headers else b""
        size = len(head) + len(data)
        if size > self.max_payload:
            raise TooLarge(f"{size} bytes for '{subject}', and the server takes {self.max_payload}")
        way = f"{subject} {reply}" if reply else subject
        line = f"HPUB {way} {len(head)} {size}" if head else f"PUB {way} {size}"
        self._send(line.encode(), head + data)

    def subscribe(self, subject: str, callback: Callable[[Message], object], group: str = "") -> Subscription:
        """Calls back with each message, in their order; also after the connection was lost and is back."""
        _check_subject(subject)
        self._last_sid += 1
        subscription = Subscription(self._last_sid, subject, group, callback)
        self._subscriptions[subscription.sid] = subscription
        if self.is_connected:
            self._send(_subscribe_line(subscription))
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Hears no more of it."""
        if self._subscriptions.pop(subscription.sid, None) is not None and self.is_connected:
            self._send(f"UNSUB {subscription.sid}".encode())

    def inbox(self) -> str:
        """A subject of its own for one answer."""
        return f"{self._inbox}.{random.randbytes(8).hex()}"

    def ask(
        self, subject: str, data: bytes, headers: dict[str, str] | None = None, inbox: str | None = None
    ) -> asyncio.Future[Message]:
        """Asks, now, and gives what will hold the first answer, or NoResponders, or Disconnected."""
        way_back = inbox or self.inbox()
        self.publish(subject, data, headers, reply=way_back)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._asked[way_back] = answer
        answer.add_done_callback(lambda _: self._asked.pop(way_back, None))
        return answer

    async def request(
        self, subject: str, data: bytes, headers: dict[str, str] | None = None, timeout: float = 5.0
    ) -> Message:
        """Asks, and gives the first answer. Raises NoResponders, Disconnected, or TimeoutError."""
        return await asyncio.wait_for(self.ask(subject, data, headers), timeout)

    async def is_heard(self, subject: str, data: bytes, headers: dict[str, str] | None = None) -> bool:
        """Publishes, and tells whether anybody listens there; whoever does need not answer."""
        answer = self.ask(subject, data, headers)
        try:
            # The server says that nobody listens before it answers the ping that came after.
            await self.flush()
            return not (answer.done() and isinstance(answer.exception(), NoResponders))
        finally:
            answer.cancel()

    async def flush(self, timeout: float = 5.0) -> None:
        """Waits until the server has read all that was sent before."""
        pong: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._send(b"PING")
        self._pongs.append(pong)
        await asyncio.wait_for(pong, timeout)

    async def close(self) -> None:
        """Sends what is unsent, and ends the connection."""
        if self._life is None:
            return
        try:
            await self.flush()
        except (NatsError, TimeoutError):
            # It is gone already: what was unsent is lost, as it would be with any connection that breaks.
            pass
        self._life.cancel()
        await asyncio.gather(self._life, return_exceptions=True)
        self._life = None
        self._hang_up(Disconnected("the connection was closed"))

    # ── the life of a connection ─────────────────────────────────────────────────────────────────

    async def _live(self) -> None:
        while True:
            pinging = asyncio.create_task(self._ping())
            try:
                await self._read()
            except (OSError, EOFError, NatsError, ValueError) as error:
                self._hang_up(Disconnected(f"the connection was lost: {error or type(error).__name__}"))
                self._tell(self.options.on_change, False)
            finally:
                pinging.cancel()
            while not self.is_connected:
                await asyncio.sleep(self.options.reconnect_wait * random.uniform(1, 2))
                try:
                    await self._dial()
                except (OSError, EOFError, NatsError, TimeoutError) as error:
                    self._tell(self.options.on_error, error)

    async def _dial(self) -> None:
        """Tries each server once."""
        last: Exception = NatsError("no server is named")
        for server in self.options.servers:
            try:
                await asyncio.wait_for(self._open(server), self.options.connect_timeout)
            except (OSError, EOFError, NatsError, TimeoutError) as error:
                self._hang_up(Disconnected("it could not be connected"))
                reason = str(error) or type(error).__name__
                kind = SignInFailed if isinstance(error, SignInFailed) else NatsError
                last = kind(f"cannot connect to {_shown(server)}: {reason}")
            else:
                for subscription in self._subscriptions.values():
                    self._send(_subscribe_line(subscription))
                self._tell(self.options.on_change, True)
                return
        raise last

    async def _open(self, server: str) -> None:
        """Connects, speaks TLS if either side wants it, signs in, and waits for the first PONG."""
        url = urlsplit(server if "://" in server else f"nats://{server}")
        if url.scheme not in ("nats", "tls") or not url.hostname:
            raise NatsError(f"'{_shown(server)}' is no address: write nats://host:port or tls://host:port")
        reader, writer = await asyncio.open_connection(url.hostname, url.port or 4222, limit=LINE_BYTES_MAX)
        self._reader, self._writer = reader, writer
        word, _, rest = (await self._line()).partition(b" ")
        if word != b"INFO":
            raise NatsError("whoever listens there does not speak NATS")
        self.info = json.loads(rest)
        if url.scheme == "tls" or self.options.tls is not None or self.info.get("tls_required"):
            context = self.options.tls or ssl.create_default_context()
            await writer.start_tls(context, server_hostname=url.hostname)
        connect = self._introduction(url.username, url.password)
        writer.write(b"CONNECT " + json.dumps(connect).encode() + b"\r\nPING\r\n")
        while (line := await self._line()) != b"PONG":
            if line.startswith(b"-ERR"):
                raise SignInFailed(line[5:].decode(errors="replace").strip("'"))
        self._pongs.clear()
        self._is_up.set()

    def _introduction(self, user: str | None, password: str | None) -> dict[str, object]:
        options = self.options
        said: dict[str, object] = {
            "verbose": False,
            "pedantic": False,
            "tls_required": False,
            "name": options.name,
            "lang": "python-stdlib",
            "version": "1.0.0",
            "protocol": 1,
            "headers": True,
            "no_responders": True,
            "echo": options.echo,
        }
        if options.signer is not None:
            nonce = self.info.get("nonce")
            if not isinstance(nonce, str):
                raise SignInFailed("the server asks for no signature: it knows nobody by a key")
            return {**said, **options.signer.answer(nonce)}
        if options.token is not None:
            return {**said, "auth_token": options.token}
        if options.user is not None:
            return {**said, "user": options.user, "pass": options.password or ""}
        if user is not None and password is None:
            return {**said, "auth_token": unquote(user)}
        if user is not None:
            return {**said, "user": unquote(user), "pass": unquote(password or "")}
        return said

    def _hang_up(self, reason: Disconnected) -> None:
        self._is_up.clear()
        if self._writer is not None:
            self._writer.close()
        self._writer = None
        self._reader = None
        waiting: list[asyncio.Future[Any]] = [*self._asked.values(), *(pong for pong in self._pongs if pong)]
        for one in waiting:
            if not one.done():
                one.set_exception(reason)
        self._pongs.clear()

    async def _ping(self) -> None:
        """A link that is cut half-way says nothing: whoever does not answer is gone."""
        while True:
            await asyncio.sleep(self.options.ping_interval)
            if self._writer is None:
                return
            if len(self._pongs) >= PINGS_UNANSWERED_MAX:
                self._writer.transport.abort()
                return
            self._pongs.append(None)
            self._send(b"PING")

    # ── lines ────────────────────────────────────────────────────────────────────────────────────

    def _send(self, line: bytes, payload: bytes | None = None) -> None:
        writer = self._writer
        if writer is None or not self.is_connected:
            raise Disconnected("there is no connection to the server")
        if writer.transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
            raise NatsError(f"more than {UNSENT_BYTES_MAX} bytes are unsent: the server reads too slowly")
        writer.write(line + b"\r\n" if payload is None else line + b"\r\n" + payload + b"\r\n")

    async def _line(self) -> bytes:
        if self._reader is None:
            raise Disconnected("there is no connection to the server")
        line = await self._reader.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError("the server ended the connection")
        return line[:-2]

    async def _read(self) -> None:
        while True:
            line = await self._line()
            word, _, rest = line.partition(b" ")
            if word in (b"MSG", b"HMSG"):
                await self._deliver(rest.decode().split(" "), has_headers=word == b"HMSG")
            elif word == b"PING":
                self._send(b"PONG")
            elif word == b"PONG":
                pong = self._pongs.popleft() if self._pongs else None
                if pong is not None and not pong.done():
                    pong.set_result(None)
            elif word == b"INFO":
                self.info = json.loads(rest)
            elif word == b"-ERR":
                said = rest.decode(errors="replace").strip("'")
                kind = NotAllowed if said.startswith("Permissions Violation") else NatsError
                self._tell(self.options.on_error, kind(said))
            elif word != b"+OK":
                raise NatsError(f"the server says what this client does not know: {word[:20]!r}")

    async def _deliver(self, words: list[str], has_headers: bool) -> None:
        """`subject sid [reply] [size of headers] size`, and then so many bytes."""
        subject, sid, *more = words
        *sizes, total = more
        head_size = int(sizes.pop()) if has_headers else 0
        assert self._reader is not None
        payload = (await self._reader.readexactly(int(total) + 2))[:-2]
        status, headers = _headers_from_bytes(payload[:head_size])
        message = Message(subject, payload[head_size:], headers, sizes[0] if sizes else "", status)
        subscription = self._subscriptions.get(int(sid))
        if subscription is not None:
            self._tell(subscription.callback, message)

    def _answered(self, message: Message) -> None:
        waiting = self._asked.get(message.subject)
        if waiting is None or waiting.done():
            return
        if message.status == "503":
            waiting.set_exception(NoResponders("nobody listens there"))
        else:
            waiting.set_result(message)

    def _tell(self, callback: Callable[..., object], word: object) -> None:
        """What somebody else's function raises must not end the connection."""
        try:
            callback(word)
        except Exception as error:
            if callback is not self.options.on_error:
                self._tell(self.options.on_error, error)


def _subscribe_line(subscription: Subscription) -> bytes:
    group = f"{subscription.group} " if subscription.group else ""
    return f"SUB {subscription.subject} {group}{subscription.sid}".encode()


def _check_subject(subject: str) -> None:
    if not subject or any(letter.isspace() for letter in subject):
        raise ValueError(f"{subject!r} is no subject: it is empty, or has a blank")


def _headers_as_bytes(headers: dict[str, str]) -> bytes:
    for name, value in headers.items():
        if "\r" in name + value or "\n" in name + value or ":" in name:
            raise ValueError(f"the header {name!r} cannot be sent: it has a line break, or a colon in its name")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"NATS/1.0\r\n{lines}\r\n".encode()


def _headers_from_bytes(head: bytes) -> tuple[str, dict[str, str]]:
    """The status, if the server itself speaks, and the headers; of several of one name the first."""
    if not head:
        return "", {}
    first, *lines = head.decode(errors="replace").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip(), value.strip())
    return first.removeprefix("NATS/1.0").strip()[:3], headers


def _shown(server: str) -> str:
    """An address without the name and the password in it."""
    return server.rpartition("@")[2] if "@" in server else server


def tls_context(ca: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:
    """Whom to trust, and as whom to come, from files."""
    context = ssl.create_default_context(cafile=ca)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


def options_from_environment(name: str, inbox_prefix: str) -> Options:
    """As the tools of NATS have it: NATS_URL, and NATS_CREDS, NATS_NKEY, NATS_TOKEN or NATS_USER, and for TLS NATS_CA,
    NATS_CERT and NATS_KEY."""
    from nkeys import from_credentials, from_seed

    def said(variable: str) -> str | None:
        return os.environ.get(variable) or None

    def content_of(variable: str) -> str | None:
        path = said(variable)
        if path is None:
            return None
        with open(path, encoding="utf-8") as file:
            return file.read()

    signer: Signer | None = None
    credentials, seed = content_of("NATS_CREDS"), content_of("NATS_NKEY")
    if credentials is not None:
        signer = from_credentials(credentials)
    elif seed is not None:
        signer = from_seed(seed)
    ca, certificate, key = said("NATS_CA"), said("NATS_CERT"), said("NATS_KEY")
    return Options(
        servers=[one.strip() for one in (said("NATS_URL") or "nats://127.0.0.1:4222").split(",")],
        name=name,
        user=said("NATS_USER"),
        password=said("NATS_PASSWORD"),
        token=said("NATS_TOKEN"),
        signer=signer,
        tls=tls_context(ca, certificate, key) if ca or certificate else None,
        inbox_prefix=inbox_prefix,
    )
