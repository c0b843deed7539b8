# SPDX-License-Identifier: Apache-2.0
"""Every setting, once. Flags of `trunkline serve`, environment variables, the file's keys, checks and docs are made from these classes.

A setting is a field with its type, its default and the sentence below it. A section is a class. To add a setting, add a field.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict, StringConstraints

from trunkline_server.catalog.rows import ModelRow, ModelSlug, ProviderRow, Row, Seconds, Switch, Text, text_like
from trunkline_server.config.values import Listen, SecretText

Bytes = Annotated[int, Strict(), Field(ge=1024)]
Pause = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Strict(), Field(ge=1)]
Sha256 = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True),
    text_like(r"[0-9a-f]{64}", "64 hex digits, as `trunkline keys new` prints them"),
]


class HttpSettings(Row):
    """The HTTP edge: OpenAI's and OpenRouter's JSON."""

    listen: Listen = Listen(host="127.0.0.1", port=8080)
    """Where to listen."""
    first_byte_hold_s: Pause = 10.0
    """How long a stream's status line waits for the first content, so that a failure keeps its real status. Seconds."""
    comment_interval_s: Seconds = 15.0
    """How often a silent stream gets an SSE comment that keeps the connection open. Seconds."""
    keepalive_timeout_s: Seconds = 75.0
    """How long an idle connection stays open for the next request. Seconds."""


class GrpcSettings(Row):
    """The gRPC edge."""

    listen: Listen = Listen(host="127.0.0.1", port=50051)
    """Where to listen."""
    reflection: Switch = True
    """Serve reflection, by which grpcurl and others learn the contract."""
    keepalive_interval_s: Seconds = 60.0
    """How often a silent connection is pinged. Seconds."""
    keepalive_timeout_s: Seconds = 20.0
    """How long a ping's answer may take before the connection is dropped. Seconds."""
    min_ping_interval_s: Seconds = 10.0
    """Clients that ping more often are disconnected (`too_many_pings`). Seconds."""
    max_connection_idle_s: Seconds | None = None
    """A connection without calls is closed after this time. Seconds; unset: never."""
    max_connection_age_s: Seconds | None = None
    """A connection is asked to reconnect after this time, so that calls spread over workers, and over gateways behind a balancer. Seconds; unset: 60 with several workers, else never."""
    max_connection_age_grace_s: Seconds = 600.0
    """How long the calls on a connection that reached its age may still take. Seconds."""
    max_concurrent_streams: Count = 1000
    """Most calls at once on one connection."""
    request_timeout_s: Seconds = 120.0
    """How long a call's request may take to come whole; a call left half open is ended then. Seconds."""


class CallSettings(Row):
    """Limits of a call, the same on both wires."""

    default_timeout_s: Seconds = 600.0
    """The time limit of a call that names none. Seconds."""
    max_timeout_s: Seconds = 600.0
    """The longest time limit that a call may ask for; longer ones are cut to it. Seconds."""
    max_body_bytes: Bytes = 32 * 1024 * 1024
    """The largest request. Bytes."""


class DrainSettings(Row):
    """How the gateway stops on SIGTERM."""

    delay_s: Pause = 0.0
    """How long it still accepts calls after it has told health checks that it stops, so that a balancer can notice. Seconds."""
    grace_s: Pause = 30.0
    """How long the calls under way may still take. Seconds."""


class RecordSettings(Row):
    """The records of finished calls, which `GET /v1/generation` shows. They are kept in memory."""

    most: Count = 10_000
    """How many are kept; beyond that the oldest go."""


class LogSettings(Row):
    """The log, one line a call. It never holds prompts, answers or keys."""

    format: Literal["text", "json"] = "text"
    """How a line is written."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important lines that are written."""


class KeySettings(Row):
    """A client's key, as `trunkline keys new` prints it."""

    name: Text
    """Whose key it is; stands in the log."""
    sha256: Sha256
    """The SHA-256 of the key in hex. The key itself is in no file of the gateway."""


class ProviderSettings(ProviderRow):
    """A provider: who offers models, and how it is spoken to."""

    api_key: SecretText | None = None
    """The gateway's key at the provider, best as `"${NAME_OF_A_VARIABLE}"`; unset: none is sent."""


class Settings(Row):
    """All settings of the gateway."""

    insecure: Switch = False
    """Allow what is refused for safety: serving other machines without keys, and plain `http://` to providers on other machines."""
    simulator: Switch = True
    """Offer the built-in simulator's models (`sim/echo` and others) beside the file's."""
    default_model: ModelSlug | None = None
    """The model of requests that name none; unset: such a request is refused, or goes to the first model when only the simulator is there."""
    workers: Count | None = None
    """How many processes serve the ports, best one a core; a supervisor replaces the dead, and on SIGHUP all, one by one (docs/workers.md; Linux). Unset: one process without a supervisor."""
    http: HttpSettings = HttpSettings()
    grpc: GrpcSettings = GrpcSettings()
    calls: CallSettings = CallSettings()
    drain: DrainSettings = DrainSettings()
    log: LogSettings = LogSettings()
    records: RecordSettings = RecordSettings()
    keys: tuple[KeySettings, ...] = ()
    """Who may call; none: everybody on this machine, and nobody else."""
    providers: tuple[ProviderSettings, ...] = ()
    """The endpoints stand with the models."""
    models: tuple[ModelRow, ...] = ()
    """The models, each with its endpoints."""
