# SPDX-License-Identifier: Apache-2.0
"""Reading the settings: sources, types, checks. Every fault is found before any is reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError

from trunkline.v1.provider_preferences_pb2 import DataCollection, MaxPrice, ProviderPreferences
from trunkline_server.catalog.entry import Catalog
from trunkline_server.catalog.load import build_catalog
from trunkline_server.catalog.merge import merge_models, merge_providers, unite_models
from trunkline_server.config.checks import check_written
from trunkline_server.config.faults import Fault, SettingsError, describe_error
from trunkline_server.config.lines import Path
from trunkline_server.config.scalars import find_scalars, strip
from trunkline_server.config.settings import RoutingSettings, Settings
from trunkline_server.config.shipped import complete, find_shipped, find_unfilled, pick_tables
from trunkline_server.config.sources import SettingsFile, Written, read_sources
from trunkline_server.dialects.registry import refused_parameters
from trunkline_server.routing.candidates import Deployment

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def read_settings(
    *,
    file: SettingsFile | None = None,
    environment: Mapping[str, str] = _NOTHING,
    flags: Mapping[str, object] = _NOTHING,
) -> Settings:
    """The settings of a file (None: the simulator alone), the environment's variables and the flags of the command line, the later winning.

    They have the keys of providers that the environment holds, too; nothing reads it after this. `flags` maps a flag such as `--log-format` to its value, as a text or already read. Raises SettingsError with every fault.
    """
    written = read_sources(file=file, environment=environment, flags=flags, scalars=tuple(find_scalars()))
    shipped = find_shipped(written, environment)
    faults = [*written.faults, *shipped.faults]
    settings = None
    try:
        settings = Settings.model_validate(written.tree)
    except ValidationError as error:
        faults += _type_faults(error, written)
    faults += [fault for fault in check_written(written, shipped.tables, shipped.off) if not _is_broken(fault, written)]
    if faults or settings is None:
        raise SettingsError(_in_order(faults))
    settings = complete(settings, shipped, environment)
    faults = [
        written.fault_at(("providers", index), message) for index, message in find_unfilled(settings, shipped.shelf)
    ]
    if faults:
        raise SettingsError(_in_order(faults))
    return settings


def make_catalog(settings: Settings) -> Catalog:
    """Everything that the settings offer: the file's models and providers over those that ship with the gateway."""
    shipped = [Settings.model_validate(table) for table in pick_tables(settings)]
    providers = merge_providers(settings.providers, [row for rows in shipped for row in rows.providers])
    shipped_models = unite_models(row for rows in shipped for row in rows.models)
    models = merge_models(settings.models, shipped_models, {row.slug for row in providers})
    # Whoever runs the gateway without a file and without keys should get an answer to the shortest request there is.
    keyless = all(row.api_key is None for row in settings.providers)
    only_builtin = models[0].slug if models and keyless and not settings.models else None
    default_model = settings.default_model or only_builtin
    return build_catalog(providers, models, default_model=default_model, refused=refused_parameters)


def make_deployment(routing: RoutingSettings) -> Deployment:
    """What the settings demand of every request."""
    preferences = ProviderPreferences(
        only=routing.only,
        ignore=routing.ignore,
        quantizations=routing.quantizations,
        # Only what demands something is set: a request meets no rule for the rest.
        zdr=True if routing.zdr else None,
        enforce_distillable_text=True if routing.enforce_distillable_text else None,
        data_collection=DataCollection.DATA_COLLECTION_DENY if routing.data_collection == "deny" else None,
    )
    dearest = routing.max_price
    prices = {
        f"{kind}_pusd": price for kind in type(dearest).model_fields if (price := getattr(dearest, kind)) is not None
    }
    if prices:
        preferences.max_price.CopyFrom(MaxPrice(**prices))
    return Deployment(preferences=preferences, models=routing.models)


def known_keys(path: Path) -> list[str]:
    """The keys that may stand in the table at a path."""
    annotation: Any = Settings
    for part in path:
        annotation = strip(annotation)
        if isinstance(part, int):
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            field = annotation.model_fields.get(part)
            annotation = field.annotation if field else None
        else:
            return []
    annotation = strip(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return list(annotation.model_fields)
    if get_origin(annotation) is not None and get_args(annotation):
        return [str(key) for key in get_args(strip(get_args(annotation)[0]))]
    return []


def _type_faults(error: ValidationError, written: Written) -> list[Fault]:
    faults = []
    for detail in error.errors(include_url=False, include_input=False):
        path: Path = detail["loc"]
        if path in written.broken:
            continue
        of_key = path[-1] == "[key]"
        table = path[:-2] if of_key else path[:-1]
        place = path[:-1] if of_key else table if detail["type"] == "missing" else path
        told = table if of_key or detail["type"] in {"missing", "extra_forbidden"} else path
        faults.append(written.fault_at(place, describe_error(detail, known_keys(table)), told=told))
    return faults


def _is_broken(fault: Fault, written: Written) -> bool:
    return fault.path in written.broken


def _in_order(faults: Sequence[Fault]) -> list[Fault]:
    """The faults of the file by line, then the others; each once."""
    return sorted(dict.fromkeys(faults), key=lambda fault: (fault.line == 0, fault.line))
