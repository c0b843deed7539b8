# SPDX-License-Identifier: Apache-2.0
"""The outage that `make outage` plays: a provider that dies in three ways, the gateway's settings, and what is concluded."""

import asyncio
import subprocess
import sys
import tomllib
from collections.abc import Sequence

import aiohttp
import pytest

from bench.faulty import PIECES, Fault, FaultyProvider
from bench.outage import PROVIDERS, Outage, format_table, main, make_settings
from support.source_tree import ROOT
from trunkline_server.config.settings import Settings

QUESTIONS = (b'{"stream": false}', b'{"stream": true}')


async def ask(provider: FaultyProvider, body: bytes = QUESTIONS[0]) -> tuple[int, str]:
    """The status and the text of one answer, over a connection of its own."""
    url, timeout = f"http://127.0.0.1:{provider.port}/v1/chat/completions", aiohttp.ClientTimeout(total=0.3)
    async with aiohttp.ClientSession(timeout=timeout) as http, http.post(url, data=body) as answer:
        return answer.status, await answer.text()


def outage(*, errors: Sequence[str] = (), back_after_s: float = 14.0, seen: int | None = 6) -> Outage:
    """What came of one death."""
    return Outage(
        fault=Fault.HANG,
        calls=10_500,
        errors=errors,
        attempts=5,
        probes=1,
        seen=seen,
        out_after_s=2.04,
        slowest_s=2.1,
        back_after_s=back_after_s,
        well_after_s=29.0,
        share=1 / 3,
    )


@pytest.mark.parametrize("fault", Fault)
async def test_a_provider_dies_and_comes_back(fault: Fault) -> None:
    """It answers both forms, then fails in its way, and answers again at the same port; it counts what reached it."""
    async with FaultyProvider() as provider:
        whole, streamed = [await ask(provider, body) for body in QUESTIONS]
        assert (whole[0], streamed[0]) == (200, 200)
        assert "".join(PIECES) in whole[1]
        assert streamed[1].endswith("data: [DONE]\n\n")
        await provider.die(fault)
        dead = await asyncio.gather(ask(provider), return_exceptions=True)
        seen = provider.requests
        await provider.recover()
        assert (await ask(provider))[0] == 200
    expected = {Fault.REFUSE: aiohttp.ClientConnectorError, Fault.HANG: TimeoutError, Fault.BREAK: tuple}
    assert isinstance(dead[0], expected[fault])
    assert seen == (2 if fault is Fault.REFUSE else 3)


def test_the_settings_are_good() -> None:
    """One model at three providers of one price, all of which are waited for shortly."""
    settings = Settings.model_validate(tomllib.loads(make_settings([1, 2, 3])))
    (model,) = settings.models
    assert [endpoint.provider for endpoint in model.endpoints] == [name.lower() for name in PROVIDERS]
    assert len({repr(endpoint.prices) for endpoint in model.endpoints}) == 1


@pytest.mark.parametrize(
    ("made", "kept"),
    [(outage(), True), (outage(errors=["HTTP 502"]), False), (outage(back_after_s=30.1), False)],
    ids=["unseen", "seen", "late"],
)
def test_the_promise(made: Outage, kept: bool) -> None:
    """Nobody sees a failure, and the provider is back within 30 s."""
    assert made.is_kept is kept


def test_the_table() -> None:
    """A row for each outage; errors stand below."""
    table = format_table([outage(), outage(seen=None, errors=["HTTP 502"])])
    assert "| hang | 10,500 | 0 | 5 | 2.04 | 1 | 6 | 2.10 | 14.0 | 29.0 | 33% |" in table
    assert "| none can reach it |" in table
    assert table.endswith("\nhang: HTTP 502")


def test_other_ways_to_die_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The command knows three."""
    with pytest.raises(SystemExit):
        main(["--only", "smoulder"])
    assert "smoulder" in capsys.readouterr().err


@pytest.mark.slow
def test_a_short_outage() -> None:
    """The command plays one death at a gateway of its own, and nobody sees it."""
    command = [sys.executable, "-m", "bench.outage", "--calls", "400", "--only", "refuse"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert (done.returncode, done.stderr) == (0, "... refuse: 400 calls\n")
    assert "| refuse |" in done.stdout
