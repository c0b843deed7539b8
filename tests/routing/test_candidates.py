# SPDX-License-Identifier: Apache-2.0
"""Which endpoints of a model may serve a request, and the word for why the others may not."""

from typing import Any

import pytest

from support.builders import make_endpoint, make_function, make_message, make_model, make_provider, make_request
from support.planning import DOLLAR_A_MILLION, make_ask, rejected, tags
from trunkline.v1.message_pb2 import ContentPart
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline_server.catalog.entry import Endpoint, Model
from trunkline_server.routing.candidates import (
    EXCLUSION_WORDS,
    PRIVACY_RULES,
    SOFT_PARAMETERS,
    Deployment,
    find_candidates,
    forbids_fallbacks,
    is_free,
    tiers_asked_for,
)
from trunkline_server.routing.needs import PARAMETERS

VERTEX = make_provider("google-vertex", name="Google Vertex")
EAST, WEST = (
    make_endpoint(VERTEX, tag="google-vertex/us-east5"),
    make_endpoint(VERTEX, tag="google-vertex/europe-west1"),
)
ACME, ZETA = make_endpoint("acme"), make_endpoint("zeta")
FOUR = [EAST, ACME, WEST, ZETA]


@pytest.mark.parametrize(
    ("slug", "expected"),
    [
        pytest.param("google-vertex", [EAST, WEST], id="a base slug means all variants"),
        pytest.param("google-vertex/us-east5", [EAST], id="a tag means one endpoint"),
        pytest.param("Google Vertex", [EAST, WEST], id="the provider's name"),
        pytest.param("ACME", [ACME], id="case does not matter"),
        pytest.param("google", [], id="a part of a slug means nothing"),
        pytest.param("google-vertex/us", [], id="a part of a tag means nothing"),
        pytest.param("google-vertex/", [], id="a stroke at the end means nothing"),
        pytest.param("", [], id="nothing means nothing"),
    ],
)
def test_a_slug_names_endpoints(slug: str, expected: list[Endpoint]) -> None:
    """A slug of a preference means a provider, a variant or one endpoint."""
    assert [endpoint for endpoint in FOUR if slug.lower() in endpoint.names] == expected


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        pytest.param({}, FOUR, id="none"),
        pytest.param({"only": ["zeta", "acme"]}, [ACME, ZETA], id="only keeps the catalog's order"),
        pytest.param({"ignore": ["acme", "google-vertex"]}, [ZETA], id="ignore"),
        pytest.param({"only": ["google-vertex"], "ignore": ["google-vertex/us-east5"]}, [WEST], id="both"),
        pytest.param({"only": ["acme"], "ignore": ["acme"]}, [], id="contradiction"),
        pytest.param({"only": ["nobody"]}, [], id="unknown provider"),
        pytest.param({"ignore": ["nobody"]}, FOUR, id="ignoring nobody"),
        pytest.param({"order": ["zeta"]}, FOUR, id="order alone excludes nobody"),
        pytest.param({"order": ["zeta"], "allow_fallbacks": True}, FOUR, id="nor does it with fallbacks"),
        pytest.param({"allow_fallbacks": False}, FOUR, id="nor do forbidden fallbacks alone"),
        pytest.param({"order": ["Zeta", "acme"], "allow_fallbacks": False}, [ACME, ZETA], id="order alone is left"),
        pytest.param({"order": ["nobody"], "allow_fallbacks": False}, [], id="order of nobody"),
    ],
)
def test_preferences_filter_by_name(preferences: dict[str, Any], expected: list[Endpoint]) -> None:
    """`only`, `ignore` and an `order` without fallbacks filter hard; each endpoint is either a candidate or excluded with its reason."""
    candidates, exclusions = find_candidates(make_model("acme/one", *FOUR), make_ask(**preferences))
    assert list(candidates) == expected
    assert rejected(exclusions) == {endpoint.tag: "allowed_providers" for endpoint in FOUR if endpoint not in expected}


OPEN = make_provider("open", trains_on_prompts=False, keeps_prompts=False)
PRECISE = make_endpoint(
    OPEN,
    quantization="bf16",
    distillable=True,
    supported_parameters=frozenset({"seed", "tools"}),
    prices_pusd={"prompt": 2 * DOLLAR_A_MILLION, "completion": 7, "request": 3, "image": 5, "audio": 9},
)
CHEAP = make_endpoint("cheap", prices_pusd={"prompt": DOLLAR_A_MILLION})
GRATIS = make_endpoint("gratis", prices_pusd={"prompt": 0, "completion": 0})
TWO = make_model("acme/one", PRECISE, CHEAP)


@pytest.mark.parametrize(
    ("preferences", "expected", "word"),
    [
        pytest.param({"data_collection": "DATA_COLLECTION_DENY"}, "open", "data_policy:training", id="no training"),
        pytest.param({"data_collection": "DATA_COLLECTION_ALLOW"}, "open cheap", None, id="training allowed"),
        pytest.param({"zdr": True}, "open", "data_policy:zdr", id="nothing retained"),
        pytest.param({"zdr": False}, "open cheap", None, id="retention allowed"),
        pytest.param({"enforce_distillable_text": True}, "open", "data_policy:distillable", id="distillable"),
        pytest.param({"enforce_distillable_text": False}, "open cheap", None, id="distillable or not"),
        pytest.param({"quantizations": ["bf16", "fp8"]}, "open", "quantization", id="precision"),
        pytest.param({"quantizations": ["unknown"]}, "cheap", "quantization", id="unknown precision"),
        pytest.param({"max_price": {"prompt_pusd": 10**12}}, "cheap", "max_price", id="a dollar a million"),
        pytest.param({"max_price": {"prompt_pusd": 2 * 10**12}}, "open cheap", None, id="just enough"),
        pytest.param({"max_price": {"completion_pusd": 6_999_999}}, "cheap", "max_price", id="per million of answer"),
        pytest.param({"max_price": {"completion_pusd": 7_000_000}}, "open cheap", None, id="just enough of answer"),
        pytest.param({"max_price": {"request_pusd": 2}}, "cheap", "max_price", id="per request"),
        pytest.param({"max_price": {"image_pusd": 4}}, "cheap", "max_price", id="per image"),
        pytest.param({"max_price": {"audio_pusd": 8}}, "cheap", "max_price", id="per unit of audio"),
        pytest.param({"max_price": {"image_pusd": 0, "prompt_pusd": 2 * 10**12}}, "cheap", "max_price", id="0 is free"),
        pytest.param({"max_price": {}}, "open cheap", None, id="no price named"),
        pytest.param({"require_parameters": True}, "open", "require_parameters", id="parameters"),
        pytest.param({"require_parameters": False}, "open cheap", None, id="parameters wished for"),
    ],
)
def test_preferences_filter_by_what_is_known(preferences: dict[str, Any], expected: str, word: str | None) -> None:
    """Privacy, precision, price and parameters filter hard; what is unknown counts against an endpoint."""
    ask = make_ask(make_request(seed=1, provider=ProviderPreferences(**preferences)))
    candidates, exclusions = find_candidates(TWO, ask)
    assert tags(candidates) == expected
    assert set(rejected(exclusions).values()) == ({word} - {None})


def test_required_parameters_that_nobody_sent() -> None:
    """`require_parameters` asks nothing where no parameter is sent."""
    assert find_candidates(TWO, make_ask(require_parameters=True)) == ([*TWO.endpoints], [])


@pytest.mark.parametrize(
    ("fields", "required", "expected"),
    [
        pytest.param({"user": "ann"}, True, "acme", id="a field outside of the vocabulary of parameters"),
        pytest.param({"seed": 1}, True, "acme", id="a parameter that the row lists all the same"),
        pytest.param({"temperature": 1.0}, True, "acme strict", id="another parameter"),
        pytest.param({"user": "ann"}, False, "acme strict", id="not required"),
    ],
)
def test_required_parameters_that_a_dialect_drops(fields: dict[str, Any], required: bool, expected: str) -> None:
    """An endpoint whose provider would not get a field that is set does not know all parameters."""
    known = frozenset({"seed", "temperature"})
    strict = make_endpoint("strict", supported_parameters=known, refused_parameters=frozenset({"user", "seed"}))
    model = make_model("acme/one", make_endpoint("acme", supported_parameters=known), strict)
    ask = make_ask(make_request(**fields, provider=ProviderPreferences(require_parameters=required)))
    candidates, exclusions = find_candidates(model, ask)
    assert tags(candidates) == expected
    assert set(rejected(exclusions).values()) <= {"require_parameters"}


KNOWS = {
    "all": frozenset({"tools", "response_format", "reasoning", "verbosity"}),
    "tools": frozenset({"tools"}),
    "effort": frozenset({"reasoning_effort"}),
    "none": frozenset({"seed"}),
}
SKILLED = make_model("acme/one", *(make_endpoint(tag, supported_parameters=known) for tag, known in KNOWS.items()))
FORMAT = {"json_object": {}}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param({}, "all tools effort none", id="nothing"),
        pytest.param({"temperature": 1.0}, "all tools effort none", id="others are ignored"),
        pytest.param({"tools": [make_function()]}, "all tools", id="tools"),
        pytest.param({"response_format": FORMAT}, "all", id="a format"),
        pytest.param({"verbosity": "low"}, "all", id="verbosity"),
        pytest.param({"reasoning": {"effort": "low"}}, "all effort", id="reasoning"),
        pytest.param({"reasoning_effort": "low"}, "all effort", id="the shorthand of reasoning"),
        pytest.param({"tools": [make_function()], "verbosity": "low"}, "all", id="two of them"),
    ],
)
def test_soft_parameters_prefer(sent: dict[str, Any], expected: str) -> None:
    """Where some endpoints know a soft parameter that is sent, only those are used."""
    candidates, exclusions = find_candidates(SKILLED, make_ask(make_request(**sent)))
    assert tags(candidates) == expected
    assert set(rejected(exclusions)) == set(KNOWS) - set(expected.split())
    assert set(rejected(exclusions).values()) <= {"require_parameters"}


def test_soft_parameters_remove_no_model() -> None:
    """Where nobody knows them, or nobody who is left, they are ignored."""
    ask = make_ask(make_request(tools=[make_function()], verbosity="low"), ignore=["all", "tools"])
    assert tags(find_candidates(SKILLED, ask)[0]) == "effort none"


def test_soft_parameters_are_parameters() -> None:
    """The table is written in the vocabulary of `supported_parameters`."""
    assert {*SOFT_PARAMETERS, *(word for words in SOFT_PARAMETERS.values() for word in words)} <= PARAMETERS


TIERED = make_model(
    "acme/one",
    ACME,
    make_endpoint("acme", tag="acme/priority", service_tier="priority"),
    make_endpoint("acme", tag="acme/flex", service_tier="flex"),
    ZETA,
)


@pytest.mark.parametrize(
    ("tier", "variant", "preferences", "expected"),
    [
        pytest.param(None, None, {}, "acme zeta", id="nobody asks"),
        pytest.param("auto", None, {}, "acme zeta", id="the standard one"),
        pytest.param("priority", None, {}, "acme acme/priority zeta", id="priority falls back"),
        pytest.param("fast", None, {}, "acme acme/priority zeta", id="fast is priority"),
        pytest.param("flex", None, {}, "acme/flex", id="flex does not"),
        pytest.param("flex", None, {"ignore": ["acme"]}, "zeta", id="flex without an endpoint of flex"),
        pytest.param(None, "nitro", {}, "acme acme/priority zeta", id="nitro makes priority eligible"),
        pytest.param(None, "floor", {}, "acme acme/flex zeta", id="floor makes flex eligible"),
        pytest.param(None, "exacto", {}, "acme zeta", id="exacto asks for no tier"),
        pytest.param(None, None, {"only": ["acme"]}, "acme", id="a base slug does not name tiers"),
        pytest.param(None, None, {"only": ["acme/flex"]}, "acme/flex", id="its tag does"),
        pytest.param(None, None, {"order": ["Acme/Flex"]}, "acme acme/flex zeta", id="in order too"),
        pytest.param(
            "priority", None, {"only": ["acme"]}, "acme acme/priority", id="a base slug, and the tier asked for"
        ),
        pytest.param("priority", None, {"ignore": ["acme"]}, "zeta", id="ignore means tiers as well"),
        pytest.param(
            None, None, {"order": ["acme"], "allow_fallbacks": False}, "acme", id="order alone does not name tiers"
        ),
    ],
)
def test_service_tiers(tier: str | None, variant: str | None, preferences: dict[str, Any], expected: str) -> None:
    """Endpoints of a service tier serve only who asks for it: by tier, by variant, or by their own name."""
    request = make_request(service_tier=tier, provider=ProviderPreferences(**preferences))
    assert tags(find_candidates(TIERED, make_ask(request, variant))[0]) == expected


@pytest.mark.parametrize(
    ("tier", "variant", "expected"),
    [
        (None, None, set()),
        ("fast", None, {"priority"}),
        (None, "floor", {"flex"}),
        ("flex", "nitro", {"flex", "priority"}),
    ],
)
def test_tiers_asked_for(tier: str | None, variant: str | None, expected: set[str]) -> None:
    """Tier and variant both ask."""
    assert tiers_asked_for(make_ask(make_request(service_tier=tier), variant)) == expected


def test_a_tier_that_was_not_asked_for_is_told() -> None:
    """The word is the tier's, whatever else would exclude it."""
    assert rejected(find_candidates(TIERED, make_ask())[1]) == {
        "acme/priority": "service_tier",
        "acme/flex": "service_tier",
    }


def test_free_endpoints() -> None:
    """`:free` leaves those of which nothing costs."""
    candidates, exclusions = find_candidates(make_model("acme/one", CHEAP, GRATIS, ACME), make_ask(variant="free"))
    assert (tags(candidates), rejected(exclusions)) == ("gratis", {"cheap": "free", "acme": "free"})
    assert (is_free(CHEAP), is_free(GRATIS)) == (False, True)


@pytest.mark.parametrize("limit", [{"prompt_pusd": 10**15}, {"image_pusd": 1}])
def test_unknown_prices_are_no_low_ones(limit: dict[str, int]) -> None:
    """What an endpoint without prices costs is told afterwards: it is not free, and within no limit; an empty limit asks nothing of it."""
    assert not is_free(ACME)
    model = make_model("acme/one", GRATIS, ACME)
    assert tags(find_candidates(model, make_ask(max_price=limit))[0]) == "gratis"
    assert tags(find_candidates(model, make_ask(max_price={}))[0]) == "gratis acme"


LONG_COSTS = make_endpoint("long", prices_pusd={"prompt": 0}, prices_above=((100, {"prompt": DOLLAR_A_MILLION}),))


def test_prices_of_long_prompts() -> None:
    """What costs beyond a length is not free, and a prompt beyond it is held to what it would cost."""
    model = make_model("acme/one", LONG_COSTS, GRATIS)
    limit = {"max_price": {"prompt_pusd": 1}}
    assert tags(find_candidates(model, make_ask(variant="free"))[0]) == "gratis"
    assert tags(find_candidates(model, make_ask(**limit))[0]) == "long gratis"
    assert tags(find_candidates(model, make_ask(make_request("x" * 404), **limit))[0]) == "gratis"


TEXT_ONLY = make_model("acme/one", ACME, input_modalities=("text",), output_modalities=("text",))
SEEING = make_model("acme/one", ACME, input_modalities=("text", "image"), output_modalities=("text", "audio"))
UNKNOWN = make_model("acme/one", ACME)


def request_with(**part: Any) -> Any:
    """A request whose message has one more part."""
    message = make_message()
    message.user.content.append(ContentPart(**part))
    return make_request(messages=[message])


PICTURE = request_with(image_url={"url": "https://acme.test/a.png"})


@pytest.mark.parametrize(
    ("model", "request_", "word"),
    [
        pytest.param(TEXT_ONLY, make_request(), None, id="text"),
        pytest.param(TEXT_ONLY, PICTURE, "input_modalities", id="an image"),
        pytest.param(SEEING, PICTURE, None, id="an image that is read"),
        pytest.param(UNKNOWN, PICTURE, None, id="an image where nothing is known"),
        pytest.param(SEEING, request_with(input_audio={"data": ""}), "input_modalities", id="sound"),
        pytest.param(SEEING, request_with(video_url={"url": ""}), "input_modalities", id="a video"),
        pytest.param(SEEING, request_with(file={"filename": "a.pdf"}), "input_modalities", id="a file"),
        pytest.param(TEXT_ONLY, make_request(modalities=["text"]), None, id="text is wanted"),
        pytest.param(TEXT_ONLY, make_request(modalities=["text", "audio"]), "output_modalities", id="sound is wanted"),
        pytest.param(SEEING, make_request(modalities=["audio"]), None, id="sound that is made"),
        pytest.param(
            UNKNOWN, make_request(modalities=["image"]), None, id="an image where nothing is known of answers"
        ),
    ],
)
def test_modalities(model: Model, request_: Any, word: str | None) -> None:
    """A model that does not read or write what the request needs is left out, with all its endpoints."""
    assert set(rejected(find_candidates(model, make_ask(request_))[1]).values()) == ({word} - {None})


@pytest.mark.parametrize(
    ("limits", "request_", "word"),
    [
        pytest.param({"context_length": 1000}, make_request("x" * 3000), None, id="fits"),
        pytest.param({"context_length": 1000}, make_request("x" * 5000), None, id="may fit"),
        pytest.param({"context_length": 1000}, make_request("x" * 8016), "context_length", id="cannot fit"),
        pytest.param({"context_length": 1000}, make_request("x" * 8, max_tokens=999), None, id="with its answer"),
        pytest.param(
            {"context_length": 1000}, make_request("x" * 16, max_tokens=999), "context_length", id="not with its answer"
        ),
        pytest.param({"max_prompt_tokens": 100}, make_request("x" * 808), "context_length", id="prompt too long"),
        pytest.param(
            {"max_prompt_tokens": 100}, make_request("x" * 800, max_tokens=999), None, id="prompt alone counts"
        ),
        pytest.param({"max_completion_tokens": 10}, make_request(max_tokens=10), None, id="just enough"),
        pytest.param({"max_completion_tokens": 10}, make_request(max_tokens=11), "max_tokens", id="too brief"),
        pytest.param(
            {"max_completion_tokens": 10}, make_request(max_completion_tokens=11), "max_tokens", id="new name"
        ),
        pytest.param({"max_completion_tokens": 10}, make_request(), None, id="no length asked for"),
        pytest.param({}, make_request("x" * 100_000, max_tokens=10**6), None, id="nothing known"),
    ],
)
def test_lengths(limits: dict[str, int], request_: Any, word: str | None) -> None:
    """An endpoint that is too small by any count is left out; an estimate leaves out nobody. The others of the model stay."""
    model = make_model("acme/one", ZETA, make_endpoint("acme", **limits))
    assert rejected(find_candidates(model, make_ask(request_))[1]) == ({"acme": word} if word else {})


DENY = Deployment(preferences=ProviderPreferences(only=["google-vertex", "acme"], zdr=False))


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        pytest.param({}, [EAST, ACME, WEST], id="the deployment's alone"),
        pytest.param({"only": ["zeta"]}, [], id="a request cannot widen it"),
        pytest.param({"only": ["zeta", "acme"]}, [ACME], id="a request narrows it"),
        pytest.param({"order": ["zeta"]}, [EAST, ACME, WEST], id="nor can order widen it"),
    ],
)
def test_a_deployment_narrows_first(preferences: dict[str, Any], expected: list[Endpoint]) -> None:
    """What the deployment demands holds for every request."""
    model = make_model("acme/one", *FOUR)
    assert list(find_candidates(model, make_ask(deployment=DENY, **preferences))[0]) == expected


def test_the_words_of_privacy_are_words() -> None:
    """PRIVACY_RULES holds words of exclusions."""
    assert set(EXCLUSION_WORDS) > PRIVACY_RULES


@pytest.mark.parametrize(
    ("given", "expected"), [({}, False), ({"allow_fallbacks": True}, False), ({"allow_fallbacks": False}, True)]
)
def test_forbidden_fallbacks(given: dict[str, bool], expected: bool) -> None:
    """Unset, fallbacks are allowed."""
    assert forbids_fallbacks(ProviderPreferences(**given)) is expected


@pytest.mark.parametrize(
    ("deployment", "expected"),
    [
        pytest.param({"only": ["acme/Priority"]}, "acme/priority", id="only"),
        pytest.param({"order": ["acme/priority"]}, "acme acme/priority", id="order"),
        pytest.param({"only": ["acme"]}, "acme", id="the provider alone"),
    ],
)
def test_the_deployment_may_name_a_tier(deployment: dict[str, Any], expected: str) -> None:
    """An endpoint of a service tier that the deployment names serves without being asked for."""
    model = make_model("acme/one", make_endpoint("acme"), make_endpoint(tag="acme/priority", service_tier="priority"))
    rules = Deployment(preferences=ProviderPreferences(**deployment))
    assert tags(find_candidates(model, make_ask(deployment=rules))[0]) == expected
