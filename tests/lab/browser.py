"""A headless Chromium, driven through the DevTools protocol: messages in JSON, each ended by a NUL, over two pipes.

Scripts are evaluated from outside, so a page that forbids scripts of its own can be measured too. Nothing is
fetched: the lab has no network, and what a page asks for is recorded (`requests`).
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

from process import LabError, Process, need

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
         "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--font-render-hinting=none", "--remote-debugging-pipe"]


class Browser:
    """One page of one browser. Whoever makes it stops it (or leaves the `with` block)."""

    def __init__(self, folder: Path) -> None:
        chromium = need("chromium", "chromium")
        folder.mkdir(parents=True, exist_ok=True)
        self._profile = tempfile.mkdtemp(prefix="chromium-")  # its logs are none of the test's
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        argv = [chromium, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"]
        # Chromium reads descriptor 3 and writes descriptor 4; exec keeps the process the one that we end.
        self.process = Process(["/bin/bash", "-c", f'exec "$@" 3<&{commands} 4>&{answers}', "chromium", *argv],
                               folder / "chromium.log", env={"HOME": self._profile}, pass_fds=(commands, answers))
        os.close(commands)
        os.close(answers)
        self._number = 0
        self._read = b""
        self.requests: list[str] = []
        self.loaded = False
        self._session = ""
        try:
            self._attach()
        except BaseException:
            self.stop()
            raise

    def _attach(self) -> None:
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.send(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.process.stop()
        os.close(self._commands)
        os.close(self._answers)
        shutil.rmtree(self._profile, ignore_errors=True)

    def _message(self, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._answers], [], [], max(0, deadline - time.monotonic()))
            some = os.read(self._answers, 1 << 20) if ready else b""
            if not some:
                raise LabError(f"chromium {'ended' if ready else 'did not answer'}: {self.process.output()[-2000:]}")
            self._read += some
        text, _, self._read = self._read.partition(b"\0")
        message = json.loads(text)
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        if message.get("method") == "Page.loadEventFired":
            self.loaded = True
        return message

    def send(self, method: str, **params: object) -> dict[str, Any]:
        """Sends a command and waits for its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message(60)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise LabError(f"{method}: {answer['error']}")
                return answer["result"]

    def open(self, page: Path, width: int, height: int = 900, dark: bool = False) -> None:
        """Opens a file, as wide as that, and waits until it is loaded."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=2 if width < 600 else 1, mobile=width < 600)
        self.send("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.requests.clear()
        self.loaded = False
        self.send("Page.navigate", url=page.as_uri())
        while not self.loaded:
            self._message(60)

    def evaluate(self, script: str) -> Any:
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise LabError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def screenshot(self, file: Path, whole: bool = True) -> bytes:
        picture = base64.b64decode(self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"])
        file.write_bytes(picture)
        return picture

    def print(self, file: Path) -> bytes:
        document = base64.b64decode(self.send("Page.printToPDF", printBackground=True, preferCSSPageSize=True,
                                              paperWidth=8.27, paperHeight=11.69)["data"])
        file.write_bytes(document)
        return document


def kinds_of_rows(picture: bytes) -> int:
    """How many different rows of pixels a PNG has (before its filters are undone): few, if it shows nothing."""
    at, packed, width, channels = 8, b"", 0, 4
    while at < len(picture):
        length, kind = int.from_bytes(picture[at:at + 4], "big"), picture[at + 4:at + 8]
        body = picture[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, channels = int.from_bytes(body[:4], "big"), {0: 1, 2: 3, 4: 2, 6: 4}[body[9]]
        if kind == b"IDAT":
            packed += body
        at += 12 + length
    pixels = zlib.decompress(packed)
    row = 1 + width * channels
    return len({pixels[i:i + row] for i in range(0, len(pixels), row)})
