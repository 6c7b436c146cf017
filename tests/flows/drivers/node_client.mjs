// What an app does with the official Node client, under any version of it:
//   node node_client.mjs PACKAGE_FOLDER BASE_URL STRICT_BASE_URL
// prints one JSON object: for each thing tried, what came of it.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, baseURL, strictBaseURL] = process.argv.slice(2);
const require = createRequire(`${folder}/node_modules/`);
const { default: OpenAI, toFile } = await import(pathToFileURL(require.resolve("openai")).href);
const { VERSION } = await import(pathToFileURL(require.resolve("openai/version")).href);

const open = (url) => new OpenAI({ baseURL: url, apiKey: "k", maxRetries: 0, timeout: 20_000 });
const messages = [
  { role: "system", content: "old" },
  { role: "user", content: "Größe? 価格? 😀" },
];
const headers = { "x-user-id": "ana" };

const all = async (stream) => {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
};
const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join("");
const errorOf = async (ask) => {
  try {
    await ask();
    return null;
  } catch (error) {
    return [error.constructor.name, error.status ?? null, error.code ?? null, error.headers?.get?.("retry-after") ?? null];
  }
};

const tried = {
  async chat(client) {
    const { data, response } = await client.chat.completions
      .create({ model: "support", messages }, { headers })
      .withResponse();
    return {
      finish: data.choices[0].finish_reason,
      has_text: data.choices[0].message.content.length > 0,
      model: data.model,
      headers: [...response.headers.keys()].filter((name) => name.startsWith("x-sluice")).sort(),
      has_request_id: Boolean(response.headers.get("x-request-id")),
      variant: response.headers.get("x-sluice-variant"),
    };
  },
  async chat_stream(client) {
    const [plain, counted] = [
      await all(await client.chat.completions.create({ model: "support", messages, stream: true })),
      await all(
        await client.chat.completions.create({
          model: "support",
          messages,
          stream: true,
          stream_options: { include_usage: true },
        }),
      ),
    ];
    return {
      text: textOf(plain) !== "",
      same: textOf(plain) === textOf(counted),
      finish: plain.at(-1).choices[0].finish_reason,
      usages: [plain, counted].map((chunks) => chunks.filter((chunk) => chunk.usage).length),
    };
  },
  async chat_async(client) {
    const ask = async (number) => {
      if (number % 2) return (await client.chat.completions.create({ model: "support", messages })).choices[0].finish_reason;
      const chunks = await all(await client.chat.completions.create({ model: "support", messages, stream: true }));
      return chunks.at(-1).choices[0].finish_reason;
    };
    return [...new Set(await Promise.all([...Array(12).keys()].map(ask)))];
  },
  async chat_tools(client) {
    const tools = [{ type: "function", function: { name: "look_up", parameters: { type: "object", properties: {} } } }];
    const tool_choice = { type: "function", function: { name: "look_up" } };
    const whole = await client.chat.completions.create({ model: "support", messages, tools, tool_choice });
    return whole.choices[0].message.tool_calls.map((call) => call.function.name);
  },
  async responses(client) {
    const whole = await client.responses.create({ model: "support", input: "Where is it?", instructions: "old" }, { headers });
    return { status: whole.status, has_text: whole.output_text.length > 0, model: whole.model };
  },
  async responses_stream(client) {
    const events = await all(await client.responses.create({ model: "support", input: "Where is it?", stream: true }));
    const final = await client.responses.stream({ model: "support", input: "Where is it?" }).finalResponse();
    return {
      first: events[0].type,
      last: events.at(-1).type,
      rising: events.every((event, index) => event.sequence_number === index),
      helper: final.status,
    };
  },
  async completions(client) {
    return (await client.completions.create({ model: "support", prompt: "Where" })).choices[0].text.length > 0;
  },
  async embeddings(client) {
    const found = await client.embeddings.create({ model: "embed", input: ["one", "two"] });
    return [found.data.length, found.data[0].embedding.length > 0, found.model];
  },
  async models(client) {
    const ids = (await all(await client.models.list())).map((model) => model.id);
    return [ids.includes("support"), (await client.models.retrieve("support")).id];
  },
  async files(client) {
    const upload = Buffer.alloc(512_000, 7);
    const made = await client.files.create({ file: await toFile(upload, "data.bin"), purpose: "assistants" });
    const back = Buffer.from(await (await client.files.content(made.id)).arrayBuffer());
    return [made.bytes === upload.length, back.equals(upload)];
  },
  async errors(client) {
    const ask = async (model, stream = false) => {
      const answer = await client.chat.completions.create({ model, messages, stream });
      if (stream) await all(answer);
    };
    const found = {};
    for (const name of ["400", "401", "403", "404", "409", "422", "429:7", "500", "503"]) {
      found[name] = await errorOf(() => ask(`fault-${name}`));
    }
    found["cut stream"] = await errorOf(() => ask("fault-reset@mid:3", true));
    found["empty"] = await errorOf(() => ask("fault-empty"));
    return found;
  },
};

const ownErrors = async (client) => ({
  model: await errorOf(() => client.chat.completions.create({ model: "nobody", messages })),
  responses: await errorOf(() => client.responses.create({ model: "nobody", input: "hi" })),
  files: await errorOf(() => client.files.list()),
  large: await errorOf(() =>
    client.chat.completions.create({ model: "small", messages: [{ role: "user", content: "x".repeat(5_000) }] }),
  ),
  variant: await errorOf(() =>
    client.chat.completions.create({ model: "support", messages }, { headers: { "x-sluice-force-variant": "nobody" } }),
  ),
});

const found = { version: VERSION };
const client = open(baseURL);
for (const [name, attempt] of Object.entries(tried)) {
  try {
    found[name] = await attempt(client);
  } catch (error) {
    found[name] = `${error.constructor.name}: ${error.message}`;
  }
}
found.own_errors = await ownErrors(open(strictBaseURL));
process.stdout.write(`${JSON.stringify(found)}\n`);
