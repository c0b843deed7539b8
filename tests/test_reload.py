# SPDX-License-Identifier: Apache-2.0
"""A settings file that changes under a running gateway."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.serving import Served, serving
from trunkline_server.config.faults import SettingsError
from trunkline_server.config.settings import Settings
from trunkline_server.reload import RELOADED, Reloader, SettingsSource, waiting_settings

INTERVAL = 'reload.interval_s = 0.02\nhttp.listen = "127.0.0.1:0"\n'
MODEL = '[[models]]\nslug = "acme/{name}"\nendpoints = [{{ provider = "simulator", upstream_model = "sim/echo" }}]\n'
FAULTY = INTERVAL + '[[models]]\nslug = "acme"\nendpoints = [{ provider = "nobody", upstream_model = "x" }]\n'


def with_models(*names: str) -> str:
    """A file with models of the simulator's."""
    return INTERVAL + "".join(MODEL.format(name=name) for name in names)


class Stage:
    """A settings file, a reloader of it, the settings that were taken over, and the log."""

    def __init__(self, path: Path, records: list[logging.LogRecord]) -> None:
        self.path = path
        self.taken: list[Settings] = []
        self.refuse: Exception | None = None
        self._records = records
        self.source = SettingsSource(path=str(path))
        self.reloader = Reloader(self.source, self.source.read(), self._take_over)

    async def _take_over(self, settings: Settings) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.taken.append(settings)

    @property
    def slugs(self) -> list[list[str]]:
        """The models of what was taken over, each time."""
        return [[model.slug for model in settings.models] for settings in self.taken]

    @property
    def log(self) -> list[str]:
        """The lines, without the folder of the test."""
        return [
            f"{record.levelname}: {record.getMessage()}".replace(f"{self.path.parent}/", "") for record in self._records
        ]

    async def until(self, is_so: Callable[["Stage"], bool]) -> None:
        """Waits until something is so, at most some seconds."""
        async with asyncio.timeout(5):
            while not is_so(self):  # noqa: ASYNC110 - the reloader knows nothing of who watches it
                await asyncio.sleep(0.01)

    async def looks(self, count: int = 6) -> None:
        """Waits for some looks."""
        await asyncio.sleep(0.02 * count)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """What the reloader logs, whatever other tests did to the log."""
    logger = logging.getLogger("trunkline.reload")
    kept: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = kept.append  # type: ignore[method-assign] # a handler that keeps records
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield kept
    logger.removeHandler(handler)
    logger.setLevel(before)


@pytest.fixture
async def stage(tmp_path: Path, records: list[logging.LogRecord]) -> AsyncIterator[Stage]:
    """A reloader at work on a file with the model acme/one."""
    path = tmp_path / "g.toml"
    path.write_text(with_models("one"), "utf-8")
    made = Stage(path, records)
    running = asyncio.create_task(made.reloader.run())
    yield made
    running.cancel()
    await asyncio.wait([running])


async def test_a_change_is_taken_over(stage: Stage) -> None:
    """Once, and told once."""
    await stage.looks()
    stage.path.write_text(with_models("one", "two"), "utf-8")
    await stage.until(lambda at: bool(at.taken))
    await stage.looks()
    assert stage.slugs == [["acme/one", "acme/two"]]
    assert stage.log == ["INFO: g.toml: taken over, with 2 models and 0 providers of its own"]


async def test_a_change_before_the_first_look_is_seen(tmp_path: Path, records: list[logging.LogRecord]) -> None:
    """A file that changed while the process started is not missed."""
    path = tmp_path / "g.toml"
    path.write_text(with_models("one"), "utf-8")
    stage = Stage(path, records)
    path.write_text(with_models("two"), "utf-8")
    running = asyncio.create_task(stage.reloader.run())
    await stage.until(lambda at: bool(at.taken))
    running.cancel()
    assert stage.slugs == [["acme/two"]]


async def test_a_file_as_it_was_is_nothing(stage: Stage) -> None:
    """Neither a touch nor a comment is taken over or told."""
    await stage.looks()
    os.utime(stage.path, (1, 1))
    await stage.looks()
    stage.path.write_text("# a comment\n" + with_models("one"), "utf-8")
    await stage.looks()
    assert (stage.taken, stage.log) == ([], [])


async def test_a_faulty_file_changes_nothing(stage: Stage) -> None:
    """All its faults are told, each with its line, and once; that it is sound again is told, too."""
    stage.path.write_text(FAULTY, "utf-8")
    await stage.until(lambda at: bool(at.log))
    await stage.looks()
    assert stage.taken == []
    assert stage.log == [
        "ERROR: g.toml: 2 faults; what was offered before still is",
        "ERROR: g.toml:4: models[0].slug: must be written `author/name`, such as `openai/gpt-4o`",
        "ERROR: g.toml:5: models[0].endpoints[0].provider: no provider has the slug `nobody`: add a table [[providers]] with this slug",
    ]
    stage.path.write_text(with_models("one"), "utf-8")
    await stage.until(lambda at: len(at.log) > 3)
    assert (stage.taken, stage.log[3:]) == ([], ["INFO: g.toml: nothing has changed"])


async def test_a_file_that_is_gone_changes_nothing(stage: Stage) -> None:
    """It is told once, and a file that comes back is read."""
    stage.path.unlink()
    await stage.until(lambda at: bool(at.log))
    await stage.looks()
    assert stage.log == [
        "ERROR: g.toml: 1 fault; what was offered before still is",
        "ERROR: g.toml: cannot be read: No such file or directory",
    ]
    stage.path.write_text(with_models("back"), "utf-8")
    await stage.until(lambda at: bool(at.taken))
    assert stage.slugs == [["acme/back"]]


async def test_a_file_that_is_put_in_place_is_seen(stage: Stage) -> None:
    """A new file under the old name, and a link that is turned to another file, with the old one's size and time."""
    await stage.looks()
    before = stage.path.stat()
    for name in ("two", "six"):
        other = stage.path.with_name(f"{name}.toml")
        other.write_text(with_models(name), "utf-8")
        os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    stage.path.with_name("two.toml").rename(stage.path)
    await stage.until(lambda at: len(at.taken) == 1)
    link = stage.path.with_name("link")
    link.symlink_to("six.toml")
    link.rename(stage.path)
    await stage.until(lambda at: len(at.taken) == 2)
    assert stage.slugs == [["acme/two"], ["acme/six"]]


async def test_a_file_is_not_read_while_it_is_written(stage: Stage) -> None:
    """A text that grows with every look is read when it stops growing."""
    await stage.looks()
    with stage.path.open("w", encoding="utf-8") as file:
        for line in with_models(*"abcdefgh").splitlines(keepends=True):
            file.write(line)
            file.flush()
            await asyncio.sleep(0.01)
    await stage.until(lambda at: bool(at.taken))
    assert [len(slugs) for slugs in stage.slugs] == [8]


async def test_asking_reads_at_once(stage: Stage) -> None:
    """Whoever asks is answered, also where nothing has changed."""
    stage.reloader.ask()
    await stage.until(lambda at: bool(at.log))
    assert (stage.taken, stage.log) == ([], ["INFO: g.toml: nothing has changed"])


async def test_what_waits_for_a_restart_is_told(stage: Stage) -> None:
    """Providers, models and routing change; the rest is named."""
    stage.path.write_text('http.listen = "127.0.0.1:1"\nrecords.most = 5\nrouting.zdr = true\n', "utf-8")
    await stage.until(lambda at: len(at.log) == 2)
    assert stage.log[1] == "WARNING: g.toml: changes of http, records, reload wait for a restart"
    assert stage.taken[0].routing.zdr


async def test_a_failure_does_not_end_the_watch(stage: Stage) -> None:
    """What could not be taken over is told; the next change is."""
    stage.refuse = RuntimeError("no")
    stage.path.write_text(with_models("two"), "utf-8")
    await stage.until(lambda at: bool(at.log))
    stage.refuse = None
    stage.path.write_text(with_models("three"), "utf-8")
    await stage.until(lambda at: bool(at.taken))
    assert stage.log[0] == "ERROR: g.toml cannot be taken over; what was offered before still is"
    assert stage.slugs == [["acme/three"]]


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    """It is a fault like others."""
    path = tmp_path / "g.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="is not a text in UTF-8"):
        SettingsSource(path=str(path)).read()


def test_every_setting_is_taken_over_or_waits() -> None:
    """What is taken over exists, and what differs elsewhere is found."""
    assert set(Settings.model_fields) >= RELOADED
    assert waiting_settings(Settings(), Settings(simulator=False, default_model="a/b")) == []
    assert waiting_settings(Settings(), Settings(insecure=True)) == ["insecure"]


@asynccontextmanager
async def served(path: Path, *arguments: str) -> AsyncIterator[tuple[Served, aiohttp.ClientSession]]:
    """`trunkline serve` with the file, and a client."""
    async with serving("--config", str(path), *arguments) as at, aiohttp.ClientSession() as http:
        yield at, http


async def list_models(at: Served, http: aiohttp.ClientSession) -> set[str]:
    """What the gateway offers."""
    async with http.get(f"{at.http_url}/v1/models") as answer:
        return {model["id"] for model in (await answer.json())["data"]}


async def wait_for_model(at: Served, http: aiohttp.ClientSession, slug: str) -> None:
    """Waits until the gateway offers a model, at most some seconds."""
    async with asyncio.timeout(10):
        while slug not in await list_models(at, http):  # noqa: ASYNC110 - another process's doing
            await asyncio.sleep(0.05)


async def read_stream(at: Served, http: aiohttp.ClientSession, begun: asyncio.Event, model: str) -> bytes:
    """A whole stream; `begun` is set with its first event."""
    body: dict[str, Any] = {
        "model": model,
        "stream": True,
        "messages": [{"role": "user", "content": "word " * 24}],
    }
    async with http.post(f"{at.http_url}/v1/chat/completions", json=body) as answer:
        text = b""
        async for line in answer.content:
            begun.set()
            text += line
        return text


SLOW = '[[models]]\nslug = "acme/slow"\nendpoints = [{ provider = "simulator", upstream_model = "sim/fault?tps=8" }]\n'


@pytest.mark.parametrize("how", ["change", "hang-up"])
async def test_a_running_gateway_takes_over_its_file(tmp_path: Path, how: str) -> None:
    """By the change itself or on SIGHUP: new models are served, old ones are gone, and a stream of one of them goes on to its end."""
    path = tmp_path / "g.toml"
    path.write_text(SLOW, "utf-8")
    interval = {"change": "0.1", "hang-up": "0"}[how]
    async with served(path, "--reload-interval-s", interval) as (at, http):
        begun = asyncio.Event()
        stream = asyncio.create_task(read_stream(at, http, begun, "acme/slow"))
        await begun.wait()
        path.write_text(with_models("new"), "utf-8")
        if how == "hang-up":
            at.process.send_signal(signal.SIGHUP)
        await wait_for_model(at, http, "acme/new")
        assert not stream.done()
        assert "acme/slow" not in await list_models(at, http)
        text = await stream
        _, log = await at.stop()
    assert text.rstrip().endswith(b"[DONE]")
    assert b'"error"' not in text
    assert log.count("taken over") == 1
    assert (at.process.returncode, "Traceback" in log) == (0, False)


async def test_a_running_gateway_bears_a_faulty_file(tmp_path: Path) -> None:
    """Hang-ups with a faulty file tell its faults with their lines, end nothing and change nothing."""
    path = tmp_path / "g.toml"
    path.write_text(with_models("one"), "utf-8")
    async with served(path, "--reload-interval-s", "0") as (at, http):
        path.write_text(FAULTY, "utf-8")
        for _ in range(3):
            at.process.send_signal(signal.SIGHUP)
            await asyncio.sleep(0.05)
        assert "acme/one" in await list_models(at, http)
        _, log = await at.stop()
    assert f"{path}:4: models[0].slug" in log
    assert (at.process.returncode, "Traceback" in log) == (0, False)


@pytest.mark.slow
async def test_each_worker_takes_over_the_file(tmp_path: Path) -> None:
    """With several workers a change needs no hang-up either: soon all of them offer the new model."""
    path = tmp_path / "g.toml"
    path.write_text(with_models("one"), "utf-8")
    async with serving("--config", str(path), "--workers", "2", "--reload-interval-s", "0.1") as at:
        path.write_text(with_models("new"), "utf-8")
        count = 0
        async with asyncio.timeout(20):
            while count < 12:  # new connections, so that both workers are asked, whoever takes them
                async with aiohttp.ClientSession() as http:
                    count = count + 1 if "acme/new" in await list_models(at, http) else 0
                await asyncio.sleep(0.02)
        _, log = await at.stop()
    assert log.count("taken over") == 2
    assert (at.process.returncode, "Traceback" in log) == (0, False)
