# SPDX-License-Identifier: Apache-2.0
"""LiteLLM's proxy, set up as well as it can be on one core, in an environment of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.gateways import API_KEY, MODELS, Running, Site, Wire, http_call
from bench.processes import ROOT, find_free_port

_FOLDER = ROOT / ".venv-litellm"
_ENVIRONMENT = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    # Prices and tables come from the package: nothing is fetched at the start.
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
}


def make_settings(upstream_port: int) -> dict[str, Any]:
    """What LiteLLM is told, as it stands in its YAML file. A model whose price it does not know would be looked up anew on every call."""
    parameters = {
        "api_base": f"http://127.0.0.1:{upstream_port}/v1",
        "api_key": "sk-upstream",
        "input_cost_per_token": 1.5e-7,
        "output_cost_per_token": 6e-7,
    }
    return {
        "model_list": [
            {"model_name": model, "litellm_params": {"model": f"openai/{model}", **parameters}} for model in MODELS
        ],
        "litellm_settings": {"num_retries": 0},
        "general_settings": {"master_key": API_KEY},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteLlm:
    """LiteLLM under uvicorn, the server that its documentation has for production."""

    folder: Path = _FOLDER
    name: str = "litellm"
    settings: str = (
        "proxy, 1 worker under uvicorn, LITELLM_MODE=PRODUCTION, LITELLM_LOG=ERROR, master key, no database, models with prices, "
        "no retries, uvloop, httptools and opentelemetry installed"
    )

    def why_absent(self) -> str | None:
        """It takes 800 MB of disk, so `make bench` does not install it by itself."""
        return None if self._program.exists() else "LiteLLM is not installed: make bench-peers"

    def find_version(self) -> str:
        """As its wheel says, such as 1.106.2."""
        wheels = sorted(self.folder.glob("lib/python3*/site-packages/litellm-*.dist-info"))
        return wheels[-1].name.removeprefix("litellm-").removesuffix(".dist-info") if wheels else "unknown"

    def start(self, site: Site) -> Running:
        """Start the proxy; it needs more than ten seconds until it listens. Raises BenchError."""
        settings = site.folder / "litellm.yaml"
        # JSON is YAML as well.
        settings.write_text(json.dumps(make_settings(site.upstream_http_port), indent=1), encoding="utf-8")
        port = find_free_port()
        flags = ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
        command = [str(self._program), "--config", str(settings), *flags]
        pid = site.spawn(command, environment=_ENVIRONMENT)
        return Running(pids=(pid,), calls={Wire.HTTP: http_call(port, authorization=f"Bearer {API_KEY}")})

    @property
    def _program(self) -> Path:
        return self.folder / "bin" / "litellm"


GATEWAY = LiteLlm()
