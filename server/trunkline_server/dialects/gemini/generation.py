# SPDX-License-Identifier: Apache-2.0
"""The knobs of a request as `generationConfig`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from trunkline_server.dialects.gemini.families import Family
from trunkline_server.dialects.gemini.report import Report
from trunkline_server.dialects.gemini.thinking import render_thinking
from trunkline_server.dialects.schemas import BY_INSTRUCTION, instruction

RENAMED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "temperature": "temperature",
        "top_p": "topP",
        "presence_penalty": "presencePenalty",
        "frequency_penalty": "frequencyPenalty",
        "logprobs": "responseLogprobs",
        "top_logprobs": "logprobs",
    }
)
"""Fields that are sent as they are."""

IMAGE_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({"aspect_ratio": "aspectRatio", "image_size": "imageSize"})
"""The settings of image_config that imageConfig has."""

MOST_CANDIDATES: Final = 8
"""Most answers of one request (ai.google.dev/api/generate-content and Vertex AI's page on inference: 1 to 8)."""
MOST_STOPS: Final = 5
_SEED_MASK: Final = 2**31 - 1
_DEFAULT_LIMIT: Final = 65_536
_JSON: Final = "application/json"
_DETAILS: Final[Mapping[str, str]] = MappingProxyType({"low": "MEDIA_RESOLUTION_LOW", "high": "MEDIA_RESOLUTION_HIGH"})
_SOUND_FORMATS: Final = frozenset({"pcm16", "pcm"})
_AUDIO_KEYS: Final = frozenset({"voice", "format"})
_SCHEMA_KEYS: Final = frozenset({"name", "description", "schema", "strict"})


def render_generation(
    body: dict[str, Any], family: Family, report: Report, *, has_functions: bool, limit: int | None
) -> tuple[dict[str, Any], str]:
    """The generationConfig, and an instruction where the form of the answer can only be asked for ("" elsewhere). Takes its fields out of the body.

    `limit` is the most tokens that the endpoint gives, None where that is not known.
    """
    config = {word: body.pop(name) for name, word in RENAMED.items() if name in body}
    if "logprobs" in config and not config.setdefault("responseLogprobs", True):
        del config["logprobs"]
        report.drop("top_logprobs")
    newer, older = body.pop("max_completion_tokens", None), body.pop("max_tokens", None)
    most = older if newer is None else newer
    if most is not None:
        config["maxOutputTokens"] = most
    config |= _render_sampling(body, report)
    form, order = _render_form(body, family, report, has_functions=has_functions)
    config |= form
    config |= _render_media(body, report)
    thinking = render_thinking(body, family, most or limit or _DEFAULT_LIMIT, report)
    if thinking:
        config["thinkingConfig"] = thinking
    return config, order


def _render_sampling(body: dict[str, Any], report: Report) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if (top_k := body.pop("top_k", None)) is not None:
        if top_k:
            config["topK"] = top_k
        else:
            report.change("top_k", "left out, since 0 switches it off")
    if stop := body.pop("stop", None):
        config["stopSequences"] = [stop] if type(stop) is str else stop[:MOST_STOPS]
    if (count := body.pop("n", None)) is not None:
        config["candidateCount"] = min(count, MOST_CANDIDATES)
        if count > MOST_CANDIDATES:
            report.change("n", f"clamped to {MOST_CANDIDATES}")
    if (seed := body.pop("seed", None)) is not None:
        # Google's field has 32 bits and a sign; the same seed gives the same number.
        config["seed"] = seed if -_SEED_MASK <= seed <= _SEED_MASK else seed & _SEED_MASK
        if config["seed"] != seed:
            report.change("seed", f"reduced to {config['seed']}")
    return config


def _render_form(
    body: dict[str, Any], family: Family, report: Report, *, has_functions: bool
) -> tuple[dict[str, Any], str]:
    """The form of the answer. Models before generation 3 take no form beside functions, so there it is asked for."""
    form = body.pop("response_format", None)
    if form is None or form["type"] == "text":
        return {}, ""
    if form["type"] not in ("json_schema", "json_object"):
        report.drop("response_format")
        return {}, ""
    if has_functions and not family.is_current:
        report.change("response_format", BY_INSTRUCTION)
        return {}, instruction(form)
    config: dict[str, Any] = {"responseMimeType": _JSON}
    schema = form.get("json_schema", {})
    report.drop_others("response_format.json_schema", schema, _SCHEMA_KEYS)
    if "schema" in schema:
        config["responseJsonSchema"] = schema["schema"]
    return config, ""


def _render_media(body: dict[str, Any], report: Report) -> dict[str, Any]:
    """What the answer is made of, in which voice, in which shape; and how closely pictures are looked at."""
    config: dict[str, Any] = {}
    if modalities := body.pop("modalities", None):
        config["responseModalities"] = [modality.upper() for modality in modalities]
    if (audio := body.pop("audio", None)) is not None:
        report.drop_others("audio", audio, _AUDIO_KEYS)
        if "voice" in audio:
            config["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": audio["voice"]}}}
        if audio.get("format", "pcm16") not in _SOUND_FORMATS:
            report.change("audio", "answered in 16-bit PCM, the provider's only format")
    if (image := body.pop("image_config", None)) is not None:
        known = {word: image[name] for name, word in IMAGE_SETTINGS.items() if name in image}
        report.drop_others("image_config", image, IMAGE_SETTINGS.keys())
        if known:
            config["imageConfig"] = known
    details = {detail for detail in _details_of(body) if detail != "auto"}
    if len(details) == 1 and (resolution := _DETAILS.get(next(iter(details)))):
        config["mediaResolution"] = resolution
    elif details:
        report.drop("messages.content.image_url.detail")
    return config


def _details_of(body: Mapping[str, Any]) -> Iterator[str]:
    """How closely each picture is to be looked at. Google's resolution is one for the whole request."""
    for message in body["messages"]:
        content = message.get("content")
        for part in content if type(content) is list else ():
            if part["type"] == "image_url":
                yield part["image_url"].get("detail", "auto")
