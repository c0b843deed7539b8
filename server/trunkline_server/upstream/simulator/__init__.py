# SPDX-License-Identifier: Apache-2.0
"""The simulator: a provider inside the process, deterministic and without a network. It is shipped, and serves where nothing else is set up.

An answer follows from the request alone: the conversation, the tools, the formats and the seed. Its models:

- `sim/echo` repeats the last user text, a word a chunk;
- `sim/tools` calls the offered tools with arguments made from their schemas, and speaks of the results;
- `sim/json` fills JSON schemas (so does every model, when response_format asks for it), and wraps plain text in an object;
- `sim/reasoner` thinks first: reasoning and signed reasoning_details, then content;
- `sim/vision` describes the parts of the last user message;
- `sim/image` returns a small PNG beside its text;
- `sim/fault?...` echoes while things go wrong as its query says (fault.py).

Every model keeps max_tokens, max_completion_tokens, stop, n, logprobs, top_logprobs, response_format and a tool_choice that forces calls, and reports
usage by the tokens of tokens.py. Requests that cannot be read, or that ask for more than limits.py allows, get an OpenAI-shaped 400 that names the
place. Long work is done in slices, so that the gateway's other calls go on.
"""

from trunkline_server.upstream.simulator.server import SimulatorUpstream

__all__ = ["SimulatorUpstream"]
