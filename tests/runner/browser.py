"""A headless Chromium, spoken to over its own debugging protocol."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
START_S = 30.0


def chromium() -> str:
    """Return the path of a Chromium; without one the test is left out, or fails in CI."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no chromium; .ci/run installs the package chromium")
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    return found


class Browser:
    """One page. errors: what its console and its loader complained of; requests: addresses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.number = 0
        self.child: subprocess.Popen[bytes] | None = None

    def start(self, profile: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [chromium(), "--headless=new", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
             "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)

    async def __aenter__(self) -> "Browser":
        profile = self.folder / "chromium"
        self.child = self.start(profile)
        told = profile / "DevToolsActivePort"
        end = time.monotonic() + START_S
        while not told.exists() or "\n" not in told.read_text():
            assert time.monotonic() < end, "chromium did not start"
            assert self.child.poll() is None, "chromium ended at once"
            await asyncio.sleep(0.1)
        port = told.read_text().split()[0]
        self.session = aiohttp.ClientSession()
        async with self.session.get(f"http://127.0.0.1:{port}/json") as answer:
            page = next(t for t in await answer.json() if t["type"] == "page")
        self.socket = await self.session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0)
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()
        await self.session.close()
        assert self.child is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one request; what the page complains of meanwhile is kept."""
        self.number += 1
        await self.socket.send_json({"id": self.number, "method": method, "params": params})
        while True:
            told = await self.socket.receive_json(timeout=START_S)
            if told.get("id") == self.number:
                assert "error" not in told, told
                return dict(told["result"])
            self.note(told)

    def note(self, told: dict[str, Any]) -> None:
        what, params = told.get("method"), told.get("params", {})
        if what == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"])[:500])
        elif what == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.errors.append(json.dumps(params["args"])[:500])
        elif what == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif what == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    async def run(self, script: str) -> Any:
        """Return what an expression of JavaScript comes to; promises are waited for."""
        told = await self.call("Runtime.evaluate", expression=script, awaitPromise=True,
                               returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def wait_for(self, script: str, limit_s: float = 20.0) -> Any:
        end = time.monotonic() + limit_s
        while not (found := await self.run(script)):
            assert time.monotonic() < end, f"waited too long for {script}: {self.errors}"
            await asyncio.sleep(0.1)
        return found

    async def size(self, width: int, height: int, *, phone: bool = False) -> None:
        await self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                        deviceScaleFactor=2 if phone else 1, mobile=phone)

    async def picture(self) -> bytes:
        """Return the whole page as PNG."""
        told = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(told["data"])
