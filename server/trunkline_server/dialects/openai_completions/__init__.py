# SPDX-License-Identifier: Apache-2.0
"""The legacy language of OpenAI's text completions, from clients of POST /v1/completions alone: providers are asked in their chat languages.

`inbound.parse_request` reads a client's request, `outbound.render_answer` and `outbound.ChunkRenderer` write its answer. Failures are told as in
`openai_responses.errors.render_error`: the envelope is the same.
"""
