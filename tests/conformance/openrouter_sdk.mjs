// SPDX-License-Identifier: Apache-2.0
// OpenRouter's SDK for TypeScript as its users write it, against the gateway at the URL given: test_openrouter_npm.py looks at what it prints.
// The SDK checks every answer against its schemas, so what it takes has all keys of the original.

import { OpenRouter } from "@openrouter/sdk";
import { Record, gather } from "./record.mjs";

const [url, key] = process.argv.slice(2);
const make = (apiKey) =>
  new OpenRouter({ apiKey, serverURL: `${url}/api/v1`, retryConfig: { strategy: "none" }, timeoutMs: 20_000 });
const client = make(key);
const messages = [{ role: "user", content: "Hello big world" }];
const send = (model, fields = {}, options = {}) =>
  client.chat.send({ chatRequest: { model, messages, ...fields } }, options);

const schema = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer", minimum: 1 } },
  required: ["city", "days"],
  additionalProperties: false,
};
const tools = [{ type: "function", function: { name: "get_weather", description: "Tells it.", parameters: schema } }];
const form = { type: "json_schema", jsonSchema: { name: "trip", strict: true, schema } };
const pixel = { type: "image_url", imageUrl: { url: "data:image/gif;base64,R0lGODlhAQABAAAAACw=" } };

const record = new Record();
record.describe = (error) => ({ body: error.body ?? null, generationId: error.headers?.get?.("x-generation-id") ?? null });

const asked = {
  text: ["sim/echo"],
  "log probabilities": ["sim/echo", { logprobs: true, topLogprobs: 2 }],
  cut: ["sim/echo", { maxTokens: 1 }],
  tools: ["sim/tools", { tools, seed: 1 }],
  "tool required": ["sim/echo", { tools, toolChoice: "required", seed: 1 }],
  "tool named": ["sim/echo", { tools, toolChoice: { type: "function", function: { name: "get_weather" } }, seed: 1 }],
  form: ["sim/json", { responseFormat: form }],
  json: ["sim/json", { responseFormat: { type: "json_object" } }],
  reasoning: ["sim/reasoner", { reasoning: { effort: "high" } }],
  "an image read": ["sim/vision", { messages: [{ role: "user", content: [{ type: "text", text: "look" }, pixel] }] }],
  "an image made": ["sim/image", { modalities: ["image", "text"] }],
  preferences: [
    "sim/echo",
    { provider: { sort: "price", allowFallbacks: false, maxPrice: { prompt: "1" } }, user: "u", sessionId: "s", seed: 3, topK: 4 },
  ],
};
for (const [name, [model, fields]] of Object.entries(asked)) {
  await record.add(`${name} whole`, async () => send(model, fields));
  await record.add(`${name} streamed`, async () => gather(await send(model, { ...fields, stream: true })));
}
await record.add("round of tools", async () => {
  const { message } = (await send("sim/tools", { tools })).choices[0];
  const result = { role: "tool", toolCallId: message.toolCalls[0].id, content: "rain" };
  return send("sim/tools", { tools, messages: [...messages, message, result] });
});
await record.add("round of reasoning", async () => {
  const { message } = (await send("sim/reasoner", { reasoning: { effort: "high" } })).choices[0];
  return send("sim/reasoner", { messages: [...messages, message, ...messages] });
});

await record.add("models", async () => {
  const found = [];
  for await (const page of await client.models.list({ limit: 3, offset: 0 })) found.push(...page.result.data.map((model) => model.id));
  return found;
});
await record.add("models of the user", async () => {
  const found = [];
  for await (const page of await client.models.listForUser({ bearer: key })) found.push(...page.result.data.map((model) => model.id));
  return found;
});
await record.add("count", async () => client.models.count());
await record.add("model", async () => client.models.get({ author: "sim", slug: "echo" }));
await record.add("endpoints", async () => client.endpoints.list({ author: "sim", slug: "echo" }));
await record.add("zdr endpoints", async () => client.endpoints.listZdrEndpoints());
await record.add("providers", async () => client.providers.list());
await record.add("key", async () => client.apiKeys.getCurrentKeyMetadata());
await record.add("credits", async () => client.credits.getCredits());
await record.add("generation", async () => {
  const { id } = await send("sim/echo");
  return { id, found: await client.generations.getGeneration({ id }) };
});

const faults = ["status=400", "status=404", "status=413", "status=422", "status=429&retry_after=7", "status=500", "status=503", "status=504"];
for (const fault of faults) {
  await record.add(`${fault} whole`, async () => send(`sim/fault?${fault}`));
  await record.add(`${fault} streamed`, async () => send(`sim/fault?${fault}`, { stream: true }));
}
await record.add("unknown model", async () => send("no/such"));
await record.add("no such model", async () => client.models.get({ author: "no", slug: "such" }));
await record.add("no such generation", async () => client.generations.getGeneration({ id: "gen-none" }));
await record.add("wrong key", async () => make("tl-wrong").chat.send({ chatRequest: { model: "sim/echo", messages } }));
await record.add("broken midway", async () => gather(await send("sim/fault?cut_after=3", { stream: true })));

// The provider behind these never finishes; pytest sees there whether it was left.
await record.add("left by break", async () => {
  for await (const _ of await send("acme/one", { stream: true })) break;
});
await record.add("left by signal", async () => {
  const leaving = new AbortController();
  setTimeout(() => leaving.abort(), 200);
  await send("acme/one", {}, { fetchOptions: { signal: leaving.signal } });
});
await record.add("out of time", async () => send("acme/one", {}, { timeoutMs: 200 }));
record.print();
