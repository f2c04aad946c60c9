"""Exchange, played by aiosmtpd in a thread of this process, with habits that can be changed at any moment.

ExchangeStandIn owns its thread and its sessions, and remembers every command and mail. With
habits.accept_all it also serves as the sink for outward mail. Failing to listen is a LabError.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import threading
from pathlib import Path
from typing import Callable, Iterable, NamedTuple

from habits import OK, TOO_MANY_CONNECTIONS, UNABLE_TO_RELAY, Habits
from process import LabError, MissingTool

try:
    from aiosmtpd.smtp import SMTP
except ImportError:
    SMTP = None


class Command(NamedTuple):
    session: int
    verb: str
    argument: str


class Mail(NamedTuple):
    session: int
    sender: str
    recipients: list[str]
    text: str


class ExchangeStandIn:
    """Listens on address:port. `commands`, `transcript` and `mails` grow; forget() empties them."""

    def __init__(self, recipients: Iterable[str] = (), closed: Iterable[str] = (), address: str = "127.0.0.1",
                 port: int = 2525, hostname: str = "ex1.corp.example", certificate: tuple[Path, Path] | None = None,
                 habits: Habits | None = None) -> None:
        if SMTP is None:
            raise MissingTool("aiosmtpd is not installed for this Python (Debian package python3-aiosmtpd)")
        self.address, self.port, self.hostname = address, port, hostname
        self.recipients: set[str] = {r.lower() for r in recipients}  # closed ones are listed in `closed` only
        self.closed: set[str] = {r.lower() for r in closed}
        self.habits = habits or Habits()
        self.tls = _tls(certificate)
        self._thread: threading.Thread | None = None
        self.forget()

    # --- what it was asked

    def forget(self) -> None:
        self.commands: list[Command] = []
        self.transcript: list[str] = []  # `3 C: MAIL FROM:<>`, `3 S: 250 …`: session, side, line
        self.mails: list[Mail] = []
        self.sessions = 0
        self.peak = 0  # most sessions at a time

    def said(self, verb: str, session: int | None = None) -> list[str]:
        """The arguments of all such commands, in order."""
        return [c.argument for c in self.commands if c.verb == verb and session in (None, c.session)]

    def asked(self, address: str | None = None) -> list[str]:
        """The addresses of all RCPTs, or of those for one address."""
        found = [_address(argument) for argument in self.said("RCPT")]
        return [a for a in found if address is None or a == address.lower()]

    def by_session(self) -> dict[int, list[Command]]:
        sessions: dict[int, list[Command]] = {}
        for one in self.commands:
            sessions.setdefault(one.session, []).append(one)
        return sessions

    # --- the server

    def __enter__(self) -> "ExchangeStandIn":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Accepts connections when it returns."""
        self._protocols: set[_Protocol] = set()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda *_: None)  # a client that hangs up is none of our concern
        listening: list[BaseException | None] = []
        ready = threading.Event()

        def serve() -> None:
            asyncio.set_event_loop(self._loop)
            try:
                self._server = self._loop.run_until_complete(self._loop.create_server(
                    lambda: _Protocol(self, self._loop), self.address, self.port, reuse_address=True))
                listening.append(None)
            except OSError as error:
                listening.append(error)
            ready.set()
            if listening[0] is None:
                self._loop.run_forever()

        self._thread = threading.Thread(target=serve, daemon=True, name=f"stand-in:{self.port}")
        self._thread.start()
        ready.wait()
        if listening[0]:
            raise LabError(f"{self.address}:{self.port}: {listening[0]}")

    def stop(self) -> None:
        """An outage: all sessions are cut off, new connections refused."""
        if not self._thread:
            return

        def end() -> None:
            self._server.close()
            for protocol in list(self._protocols):
                if protocol.transport:
                    protocol.transport.abort()
            self._loop.call_soon(self._loop.stop)

        self._loop.call_soon_threadsafe(end)
        self._thread.join(10)
        self._thread = None

    def renew(self, change: Callable[[], object]) -> None:
        """As if restarted with that change, without an outage: no session of before sees anything of it."""
        changed = threading.Event()

        def renew() -> None:
            for protocol in list(self._protocols):
                if protocol.transport:
                    protocol.transport.abort()
            change()
            changed.set()

        self._loop.call_soon_threadsafe(renew)
        changed.wait()


class _Protocol(SMTP or object):
    """One session. Aiosmtpd speaks SMTP; the habits stand between it and the client."""

    def __init__(self, stand_in: ExchangeStandIn, loop: asyncio.AbstractEventLoop) -> None:
        self.stand_in, self.errors, self.verb, self.recipient = stand_in, 0, "BANNER", ""
        stand_in.sessions += 1
        self.number = stand_in.sessions
        super().__init__(_Handler(stand_in), hostname=stand_in.hostname, ident="Microsoft ESMTP MAIL Service ready",
                         enable_SMTPUTF8=True, loop=loop, decode_data=False,
                         tls_context=stand_in.tls if stand_in.habits.starttls else None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        live = self.stand_in._protocols
        live.add(self)
        self.one_too_many = 0 < self.stand_in.habits.max_sessions < len(live)
        self.stand_in.peak = max(self.stand_in.peak, len(live))
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.stand_in._protocols.discard(self)
        super().connection_lost(error)

    async def command(self, verb: str, argument: str | None, usual) -> None:
        self.verb = verb
        self.recipient = _address(argument or "")
        self.stand_in.commands.append(Command(self.number, verb, argument or ""))
        self._note("C", f"{verb} {argument}" if argument else verb)
        reply = _of(self.stand_in.habits.replies, verb)
        await (self.push(reply) if reply else usual(argument))

    async def push(self, status) -> None:
        """All that the server says comes by here."""
        text = status.decode() if isinstance(status, bytes) else str(status)
        habits = self.stand_in.habits
        if self.verb == "BANNER":
            text = habits.replies.get("BANNER", text)
            if self.one_too_many:
                text = TOO_MANY_CONNECTIONS["BANNER"]
        if _in(habits.close, self.verb) or (self.verb == "RCPT" and self.recipient in habits.close_at):
            self._note("S", "(closed)")
            self.transport.abort()
            raise ConnectionResetError
        if _in(habits.hang, self.verb):
            self._note("S", "(silence)")
            await asyncio.Event().wait()  # until the client hangs up, or stop()
        if self.verb == "RCPT" and text[:1] == "5":
            slow = habits.slow_from and self.errors + 1 >= habits.slow_from
            await asyncio.sleep(habits.tarpit + (1 if slow else 0))
        over = text.startswith("421") or (self.verb == "BANNER" and text[:1] in "45")
        if text[:1] == "5" and not over:
            self.errors += 1
            if habits.max_errors and self.errors >= habits.max_errors:
                text, over = "421 4.7.0 Too many errors on this connection, closing transmission channel", True
        self._note("S", text)
        await super().push(text)
        if over:
            self.transport.close()
            raise ConnectionResetError

    def _note(self, side: str, text: str) -> None:
        self.stand_in.transcript += [f"{self.number} {side}: {line}" for line in text.splitlines()]


def _method(verb: str):
    usual = getattr(SMTP, f"smtp_{verb}")

    @functools.wraps(usual)  # aiosmtpd keeps its help texts as attributes of the function
    async def method(self: _Protocol, argument: str | None) -> None:
        await self.command(verb, argument, functools.partial(usual, self))
    return method


for _verb in ("HELO", "EHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "STARTTLS", "VRFY", "AUTH") if SMTP else ():
    setattr(_Protocol, f"smtp_{_verb}", _method(_verb))


class _Handler:
    """What aiosmtpd asks at RCPT and at the end of DATA."""

    def __init__(self, stand_in: ExchangeStandIn) -> None:
        self.stand_in = stand_in

    async def handle_RCPT(self, server, session, envelope, address: str, options) -> str:
        habits, key = self.stand_in.habits, address.lower()
        if key.rpartition("@")[2] in habits.foreign:
            return UNABLE_TO_RELAY["RCPT"]
        reply = habits.rcpt_replies.get(key) or (
            OK if habits.accept_all or habits.check_at_end or key in self.stand_in.recipients
            or key.rpartition("@")[2] in habits.accept_domains
            else habits.closed if key in self.stand_in.closed else habits.unknown)
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: _Protocol, session, envelope) -> str:
        server.verb = "."
        habits = self.stand_in.habits
        known = self.stand_in.recipients | self.stand_in.closed
        if "." in habits.replies:
            return habits.replies["."]
        if habits.check_at_end and not all(r.lower() in known for r in envelope.rcpt_tos):
            return habits.unknown
        self.stand_in.mails.append(Mail(server.number, envelope.mail_from or "", list(envelope.rcpt_tos),
                                        envelope.content.decode("utf-8", "replace")))
        return "250 2.6.0 Queued mail for delivery"


def _tls(certificate: tuple[Path, Path] | None) -> ssl.SSLContext | None:
    if not certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def _of(replies: dict[str, str], verb: str) -> str | None:
    return replies.get(verb) or replies.get("*")


def _in(verbs: set[str], verb: str) -> bool:
    return verb in verbs or "*" in verbs


def _address(argument: str) -> str:
    return argument[argument.find("<") + 1:argument.rfind(">")].lower()
