// SPDX-License-Identifier: Apache-2.0
// OpenAI's SDK for JavaScript as its users write it, against the gateway at the URL given: test_openai_npm.py looks at what it prints.

import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { Record, gather } from "./record.mjs";

const [url, key] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 20_000 });
const completions = client.chat.completions;
const messages = [{ role: "user", content: "Hello big world" }];
const ask = (model = "sim/echo", fields = {}) => ({ model, messages, ...fields });
const GetWeather = z.object({ city: z.string(), days: z.int().min(1) });
const Trip = z.object({ city: z.string(), stops: z.array(z.enum(["sea", "hill"])).min(1).max(3), note: z.string().nullable() });
const tool = zodFunction({ name: "get_weather", description: "Tells it.", parameters: GetWeather });
const tools = [tool];

const record = new Record();
record.describe = (error) => ({
  kinds: Object.keys(OpenAI).filter((name) => name.endsWith("Error") && error instanceof OpenAI[name]),
  body: error.error ?? null,
  requestId: error.requestID ?? null,
  generationId: error.headers?.get?.("x-generation-id") ?? null,
  retryAfter: error.headers?.get?.("retry-after") ?? null,
});

await record.add("whole", async () => {
  const { data, response, request_id: requestId } = await completions.create(ask()).withResponse();
  return { data, requestId, id: response.headers.get("x-generation-id"), own: data._request_id };
});
await record.add("stream", async () => gather(await completions.create(ask("sim/echo", { stream: true }))));
await record.add("choices", async () => completions.create(ask("sim/echo", { n: 2, logprobs: true, top_logprobs: 1 })));
await record.add("helper", async () => {
  const events = [];
  const stream = completions.stream(ask("sim/echo"));
  stream.on("content", (delta) => events.push(delta));
  const final = await stream.finalChatCompletion();
  return { events, content: await stream.finalContent(), usage: final.usage, finish: final.choices[0].finish_reason };
});
await record.add("a stream sent on", async () => {
  const stream = await completions.create(ask("sim/echo", { stream: true }));
  const [left, right] = stream.tee();
  return [await gather(left), await gather(right)];
});

await record.add("tools", async () => completions.create(ask("sim/tools", { tools })));
await record.add("streamed tools", async () => (await completions.stream(ask("sim/tools", { tools })).finalMessage()).tool_calls);
await record.add("parsed tools", async () => {
  const answer = await completions.parse(ask("sim/tools", { tools }));
  return GetWeather.parse(answer.choices[0].message.tool_calls[0].function.parsed_arguments);
});
for (const stream of [false, true]) {
  await record.add(stream ? "tools run in a stream" : "tools run", async () => {
    const asked = [];
    const run = (given) => (asked.push(given), "rain");
    const runnable = zodFunction({ name: "get_weather", function: run, parameters: GetWeather });
    const runner = completions.runTools(ask("sim/tools", { tools: [runnable], stream }));
    return { content: await runner.finalContent(), asked: asked.map((given) => GetWeather.parse(given)).length };
  });
}

const form = zodResponseFormat(Trip, "trip");
await record.add("parsed", async () => {
  const answer = await completions.parse(ask("sim/json", { response_format: form }));
  return Trip.parse(answer.choices[0].message.parsed);
});
await record.add("parsed stream", async () => {
  const final = await completions.stream(ask("sim/json", { response_format: form })).finalChatCompletion();
  return Trip.parse(final.choices[0].message.parsed);
});

await record.add("models", async () => (await gather(client.models.list())).map((model) => [model.id, model.object]));
await record.add("a model", async () => client.models.retrieve("sim/echo"));
await record.add("no such model", async () => client.models.retrieve("no/such"));
await record.add("not served", async () => client.embeddings.create({ model: "sim/echo", input: "x" }));

// Of the calls of the last seconds a fifth may be retries; a call whose retry is held back says so in place of its failure.
const goodCallsPerFailure = 5;
const faults = ["status=400", "status=404", "status=413", "status=422", "status=429&retry_after=7", "status=500", "status=503", "status=504", "refuse=1"];
for (const fault of faults) {
  for (const stream of [false, true]) {
    for (let count = 0; count < goodCallsPerFailure; count++) await completions.create(ask());
    await record.add(`${fault} ${stream ? "streamed" : "whole"}`, async () => completions.create(ask(`sim/fault?${fault}`, { stream })));
  }
}
await record.add("unknown model", async () => completions.create(ask("sim/ecko")));
await record.add("bad value", async () => completions.create(ask("sim/echo", { temperature: 5, top_logprobs: 99 })));
await record.add("wrong key", async () => client.withOptions({ apiKey: "tl-wrong" }).models.list());
await record.add("out of time", async () => completions.create(ask("sim/fault?hang=1"), { timeout: 200 }));
for (const [name, fault] of [["broken midway", "cut_after=3"], ["an error midway", "error_at=4"]]) {
  await record.add(name, async () => {
    let text = "";
    try {
      for await (const chunk of await completions.create(ask(`sim/fault?${fault}`, { stream: true }))) text += chunk.choices[0]?.delta.content ?? "";
    } catch (error) {
      return { text, failed: error instanceof OpenAI.APIError, body: error.error };
    }
    return { text };
  });
}

// The provider behind these never finishes; pytest sees there whether it was left.
await record.add("left by abort", async () => {
  const stream = await completions.create(ask("acme/one", { stream: true }));
  for await (const _ of stream) stream.controller.abort();
});
await record.add("left by break", async () => {
  for await (const _ of await completions.create(ask("acme/one", { stream: true }))) break;
});
await record.add("left by signal", async () => {
  const leaving = new AbortController();
  setTimeout(() => leaving.abort(), 200);
  await completions.create(ask("acme/one"), { signal: leaving.signal });
});
record.print();
