"""A greylister: a Postfix policy service that defers each client, sender and recipient once. A thread."""

from __future__ import annotations

import socketserver
import threading


class Greylister:
    """Listens on 127.0.0.1:10023, where Gateway(greylist=True) asks. `seen` holds what was deferred before."""

    def __init__(self, port: int = 10023) -> None:
        self.seen: set[tuple[str, str, str]] = set()
        seen = self.seen

        class Policy(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                attributes: dict[str, str] = {}
                for raw in self.rfile:
                    name, _, value = raw.decode("utf-8", "replace").rstrip("\n").partition("=")
                    if name:
                        attributes[name] = value
                        continue
                    key = tuple(attributes.get(n, "") for n in ("client_address", "sender", "recipient"))
                    action = "DUNNO" if key in seen else "DEFER_IF_PERMIT 4.2.0 Greylisted, come back later"
                    seen.add(key)
                    self.wfile.write(f"action={action}\n\n".encode())
                    attributes = {}

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

        self._server = Server(("127.0.0.1", port), Policy, bind_and_activate=False)

    def start(self) -> None:
        self._server.server_bind()
        self._server.server_activate()
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
