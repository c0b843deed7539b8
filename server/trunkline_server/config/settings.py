# SPDX-License-Identifier: Apache-2.0
"""Every setting, once. Flags of `trunkline serve`, environment variables, the file's keys, checks and docs are made from these classes.

A setting is a field with its type, its default and the sentence below it. A section is a class. To add a setting, add a field.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Strict, StringConstraints

from trunkline_server.catalog.rows import (
    ModelRow,
    ModelSlug,
    Price,
    ProviderRow,
    Row,
    Seconds,
    Switch,
    Text,
    text_like,
)
from trunkline_server.config.values import Listen, SecretText, check_network

Bytes = Annotated[int, Strict(), Field(ge=1024)]
Pause = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Strict(), Field(ge=1)]
Sha256 = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True),
    text_like(r"[0-9a-f]{64}", "64 hex digits, as `trunkline keys new` prints them"),
]


Network = Annotated[str, AfterValidator(check_network)]
ProxyUrl = Annotated[
    str, text_like(r"http://[^/@?#\s]+/?", "`http://host:port`; user and password stand in `proxy_credentials`")
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


class ReloadSettings(Row):
    """How a running gateway takes over a changed settings file: providers, models and `[routing]`, as on SIGHUP. The rest waits for a restart."""

    interval_s: Pause = 2.0
    """How often the file is looked at; a change is taken over when two looks saw the same. Seconds; 0: never, only on SIGHUP."""


class LimitSettings(Row):
    """What happens to calls for an endpoint that is at its `most_concurrent`. They go to another endpoint of their model; only those that have none wait."""

    most_waiting: Annotated[int, Strict(), Field(ge=0)] = 100
    """How many calls may wait for a place at one endpoint; more are refused at once."""
    longest_wait_s: Pause = 10.0
    """How long a call waits for a place before it is refused. Seconds."""


class AttemptSettings(Row):
    """What calls do beyond one attempt after the other (docs/routing.md)."""

    hedge_after_s: Seconds | None = None
    """A unary call that has no answer after this time asks a second endpoint beside the first; who answers first serves it, the other is left. Seconds; unset: never."""


class MaxPriceSettings(Row):
    """The dearest endpoints that may serve, in USD."""

    prompt: Price | None = None
    """Per million prompt tokens."""
    completion: Price | None = None
    """Per million completion tokens."""
    request: Price | None = None
    """Per request."""
    image: Price | None = None
    """Per image."""
    audio: Price | None = None
    """Per unit of sound."""


class RoutingSettings(Row):
    """What holds for every request, before what its own `provider` says. Requests can narrow it, and never widen it."""

    only: tuple[Text, ...] = ()
    """Slugs of providers or endpoints: no others serve. Unset: all may."""
    ignore: tuple[Text, ...] = ()
    """Slugs of providers or endpoints that do not serve."""
    models: tuple[Text, ...] = ()
    """Slugs of the models that are served, `*` standing for any characters: `openai/*`. Unset: all."""
    data_collection: Literal["allow", "deny"] = "allow"
    """`deny`: only providers that do not train on prompts serve."""
    zdr: Switch = False
    """Only providers that keep no prompts serve."""
    enforce_distillable_text: Switch = False
    """Only endpoints whose answers may train other models serve."""
    quantizations: tuple[Text, ...] = ()
    """The precisions of weights that may serve, such as `fp8`; `unknown` for endpoints that name none. Unset: all."""
    max_price: MaxPriceSettings = MaxPriceSettings()
    """The dearest endpoints that may serve."""


class KeySettings(Row):
    """A client's key, as `trunkline keys new` prints it."""

    name: Text
    """Whose key it is; stands in the log."""
    sha256: Sha256
    """The SHA-256 of the key in hex. The key itself is in no file of the gateway."""


class ProviderSettings(ProviderRow):
    """A provider: who offers models, and how it is spoken to."""

    api_key: SecretText | None = None
    """The gateway's key at the provider, best as `"${NAME_OF_A_VARIABLE}"`; unset: that of the first of `key_variables` that is set, else none is sent."""
    aws_access_key_id: SecretText | None = None
    """For `auth = "aws"`: the account's key id; unset: found as AWS's own tools find it (AWS_ACCESS_KEY_ID, files, the machine's role)."""
    aws_secret_access_key: SecretText | None = None
    """The secret to `aws_access_key_id`."""
    aws_session_token: SecretText | None = None
    """The session's token, where both are lent."""
    credentials_file: Text | None = None
    """For `auth = "google"`: the file with a service account's key; unset: found as Google's own tools find it (GOOGLE_APPLICATION_CREDENTIALS, the machine's account)."""
    ca_file: Text | None = None
    """Certificates (PEM) that are trusted there in place of the system's."""
    proxy: ProxyUrl | None = None
    """The proxy that connections go through by CONNECT: `"http://proxy.example:3128"`. Unset: none, whatever the environment says."""
    proxy_credentials: SecretText | None = None
    """How the gateway signs in at the proxy: `user:password`."""


class FetchSettings(Row):
    """Images, files, sound and video that requests name by URL, and that the provider cannot fetch itself. Only public addresses are connected to."""

    enabled: Switch = True
    """Fetch them; false: such a request is refused."""
    hosts: tuple[Text, ...] = ()
    """The hosts that may be fetched from, `*` standing for any characters: `*.example.com`. Unset: all public ones."""
    networks: tuple[Network, ...] = ()
    """Networks that may be connected to although they are not public, such as `10.1.2.0/24`."""
    max_bytes: Bytes = 20 * 1024 * 1024
    """The largest thing that is fetched. Bytes."""
    max_per_request: Count = 10
    """Most things that are fetched for one request."""
    timeout_s: Seconds = 15.0
    """How long one may take, redirects too. Seconds."""


class Settings(Row):
    """All settings of the gateway."""

    insecure: Switch = False
    """Allow what is refused for safety: serving other machines without keys, and plain `http://` to providers on other machines."""
    simulator: Switch = True
    """Offer the built-in simulator's models (`sim/echo` and others) beside the file's."""
    environment_keys: Switch = True
    """Offer the shipped providers whose key is in the environment, under the name that the provider itself gives it (docs/providers.md)."""
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
    reload: ReloadSettings = ReloadSettings()
    routing: RoutingSettings = RoutingSettings()
    attempts: AttemptSettings = AttemptSettings()
    limits: LimitSettings = LimitSettings()
    fetch: FetchSettings = FetchSettings()
    keys: tuple[KeySettings, ...] = ()
    """Who may call; none: everybody on this machine, and nobody else."""
    providers: tuple[ProviderSettings, ...] = ()
    """The endpoints stand with the models. Where the gateway ships a provider with the same slug, the keys written here win, and the others are as shipped."""
    models: tuple[ModelRow, ...] = ()
    """The models, each with its endpoints. Where the gateway ships a model with the same slug, the keys written here win; endpoints are the same where their tags are."""
