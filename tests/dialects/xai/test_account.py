# SPDX-License-Identifier: Apache-2.0
"""What becomes of each field on its way to xAI."""

from trunkline_server.dialects.account import missing, refused
from trunkline_server.dialects.xai.account import ACCOUNT


def test_what_xai_refuses() -> None:
    """Every field is accounted for; a caller who requires one of these is not sent there."""
    assert missing(ACCOUNT) == ()
    assert refused(ACCOUNT) == {
        "audio",
        "cache_control",
        "image_config",
        "logit_bias",
        "metadata",
        "min_p",
        "modalities",
        "prediction",
        "prompt_cache_options",
        "repetition_penalty",
        "top_a",
        "top_k",
        "verbosity",
    }
