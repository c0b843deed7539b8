# SPDX-License-Identifier: Apache-2.0
"""A request in each face's language that uses as much of it as one request can, for tests that break it in all places."""

from typing import Any

MESSAGES: dict[str, Any] = {
    "model": "acme/one",
    "max_tokens": 10,
    "stream": True,
    "system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "x"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "image", "source": {"type": "url", "url": "https://x.example/a"}},
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
                    "title": "t",
                    "citations": {"enabled": True},
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "x", "signature": "s"},
                {"type": "redacted_thinking", "data": "x"},
                {
                    "type": "text",
                    "text": "y",
                    "citations": [
                        {
                            "type": "char_location",
                            "cited_text": "x",
                            "document_index": 0,
                            "start_char_index": 0,
                            "end_char_index": 1,
                            "document_title": None,
                        }
                    ],
                },
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
                {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"q": "x"}},
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "s1",
                    "content": [
                        {
                            "type": "web_search_result",
                            "url": "https://x.example",
                            "title": "t",
                            "encrypted_content": "e",
                        }
                    ],
                },
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "is_error": True,
                    "content": [
                        {"type": "text", "text": "r"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                    ],
                }
            ],
        },
    ],
    "tools": [
        {
            "name": "f",
            "description": "d",
            "input_schema": {"type": "object"},
            "cache_control": {"type": "ephemeral"},
            "strict": True,
        },
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
    ],
    "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "summarized"},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    "metadata": {"user_id": "u", "x": "y"},
    "stop_sequences": ["a"],
    "service_tier": "auto",
    "top_k": 5,
    "temperature": 0.5,
    "cache_control": {"type": "ephemeral"},
    "context_management": {"edits": []},
    "mcp_servers": [],
    "container": "c",
}
RESPONSES: dict[str, Any] = {
    "model": "acme/one",
    "stream": True,
    "instructions": "x",
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "x"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "x"}],
            "content": [{"type": "reasoning_text", "text": "y"}],
            "encrypted_content": "e",
            "status": "completed",
        },
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_1",
            "status": "completed",
            "content": [
                {
                    "type": "output_text",
                    "text": "hi",
                    "annotations": [
                        {
                            "type": "url_citation",
                            "url": "https://x.example",
                            "title": "t",
                            "start_index": 0,
                            "end_index": 1,
                        }
                    ],
                    "logprobs": [],
                },
                {"type": "refusal", "refusal": "no"},
            ],
        },
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}", "status": "completed"},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "x"}]},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "y"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
        {"role": "user", "content": "x"},
    ],
    "tools": [
        {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True, "description": "d"},
        {"type": "custom", "name": "g", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
        {"type": "web_search", "search_context_size": "low"},
        {"type": "mcp", "server_label": "x", "server_url": "https://x.example"},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    "text": {
        "verbosity": "low",
        "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True},
    },
    "reasoning": {"effort": "low", "summary": "auto", "generate_summary": "auto"},
    "include": ["reasoning.encrypted_content", "message.output_text.logprobs", "web_search_call.action.sources"],
    "truncation": "auto",
    "max_output_tokens": 20,
    "max_tool_calls": 3,
    "metadata": {"a": "b"},
    "parallel_tool_calls": True,
    "service_tier": "auto",
    "store": False,
    "temperature": 0.5,
    "top_logprobs": 2,
    "user": "u",
    "prompt_cache_key": "k",
    "safety_identifier": "s",
    "stream_options": {"include_obfuscation": False},
    "previous_response_id": None,
    "background": False,
}
COMPLETIONS: dict[str, Any] = {
    "model": "acme/one",
    "prompt": ["x"],
    "echo": True,
    "logprobs": 2,
    "n": 1,
    "best_of": 1,
    "suffix": None,
    "stop": ["a"],
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_tokens": 5,
    "seed": 1,
    "logit_bias": {"1": 2},
    "user": "u",
}
FULL = {"/v1/messages": MESSAGES, "/v1/responses": RESPONSES, "/v1/completions": COMPLETIONS}
