"""A small SMTP client over a bare socket: it records every line, and never hides what the server said."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field


@dataclass
class Dialogue:
    """One session as it went: `lines` are `C: …` and `S: …`; `replies` the replies by command (the last of each verb)."""

    lines: list[str] = field(default_factory=list)
    replies: dict[str, str] = field(default_factory=dict)

    @property
    def rcpt(self) -> str:
        """The reply to RCPT; empty if it never came to that."""
        return self.replies.get("RCPT", "")

    @property
    def code(self) -> str:
        """`450 4.1.1`: code and enhanced code of the reply to RCPT."""
        return " ".join(self.rcpt.split()[:2]) if self.rcpt[:1] in ("4", "5") else self.rcpt[:3]

    def __str__(self) -> str:
        return "\n".join(self.lines)


class SmtpClient:
    """One session. A closed connection or a timeout becomes a line of its own in the dialogue, no exception."""

    def __init__(self, address: str, port: int, source: str | None = None, seconds: float = 20) -> None:
        self.dialogue = Dialogue()
        self._file = None
        try:
            self._socket = socket.create_connection((address, port), seconds, (source, 0) if source else None)
            self._file = self._socket.makefile("rb")
        except OSError as error:
            self.dialogue.lines.append(f"(no connection: {error})")
            return
        self._read("")

    def say(self, line: str) -> str:
        """Sends one command, returns the reply (lines of a long one joined by newlines; empty: the session is over)."""
        if not self._file:
            return ""
        self.dialogue.lines.append(f"C: {line}")
        return self._read(line.split(" ")[0].split(":")[0].upper()) if self._send(line.encode() + b"\r\n") else ""

    def starttls(self) -> bool:
        """STARTTLS without looking at the certificate; afterwards say EHLO again."""
        if not self.say("STARTTLS").startswith("220"):
            return False
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            self._socket = context.wrap_socket(self._socket)
        except OSError as error:
            return bool(self._over(str(error)))
        self._file = self._socket.makefile("rb")
        self.dialogue.lines.append("(TLS)")
        return True

    def data(self, message: str) -> str:
        """DATA, the message, and the reply to its end, which the dialogue keeps under `.`."""
        if not self.say("DATA").startswith("354"):
            return ""
        lines = [("." + line if line.startswith(".") else line) for line in message.splitlines()]
        self.dialogue.lines.append(f"C: ({len(lines)} lines of mail)")
        return self._read(".") if self._send(("\r\n".join(lines) + "\r\n.\r\n").encode()) else ""

    def quit(self) -> Dialogue:
        if self._file:
            self.say("QUIT")
            self.close()
        return self.dialogue

    def close(self) -> None:
        """Hangs up without a word."""
        if self._file:
            self._file.close()
            self._socket.close()
            self._file = None

    def _send(self, data: bytes) -> bool:
        if not self._file:
            return False
        try:
            self._socket.sendall(data)
            return True
        except OSError as error:
            return bool(self._over(str(error)))

    def _read(self, verb: str) -> str:
        reply: list[str] = []
        while self._file:
            try:
                line = self._file.readline(4096).decode("utf-8", "replace").rstrip("\r\n")
            except OSError as error:
                return self._over(str(error))
            if not line:
                return self._over("closed by the server")
            self.dialogue.lines.append(f"S: {line}")
            reply.append(line)
            if line[3:4] != "-":
                self.dialogue.replies[verb] = "\n".join(reply)
                return self.dialogue.replies[verb]
        return ""

    def _over(self, why: str) -> str:
        self.dialogue.lines.append(f"({why})")
        self.close()
        return ""
