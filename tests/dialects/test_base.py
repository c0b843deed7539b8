# SPDX-License-Identifier: Apache-2.0
"""What every dialect keeps to."""

import pytest

from support.answer_cuts import make_codec
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.base import Dialect
from trunkline_server.dialects.registry import make_dialects

DIALECTS = list(make_dialects(make_codec()).values())


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("status", [200, 204, 302, 404, 500])
def test_an_empty_body_is_a_failure(dialect: Dialect, status: int) -> None:
    """An answer without a body is never a whole answer, whatever its status."""
    with pytest.raises(GatewayError):
        dialect.decoder(status=status, headers={}).close()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_new_decoder_waits_for_bytes(dialect: Dialect) -> None:
    """Nothing is finished before anything has come, and an empty block changes nothing."""
    decoder = dialect.decoder(status=200, headers={})
    assert decoder.feed(b"") == []
    assert not decoder.finished
