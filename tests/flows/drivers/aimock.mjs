// aimock as a provider: node aimock.mjs PACKAGE_FOLDER
// prints its URL, and serves until its standard input ends.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder] = process.argv.slice(2);
const require = createRequire(`${folder}/node_modules/`);
const { LLMock } = await import(pathToFileURL(require.resolve("@copilotkit/aimock")).href);

const mock = new LLMock({ port: 0 });
mock.onMessage("hello", { content: "Hi there, this is a mock with words enough for some chunks." });
await mock.start();
process.stdout.write(`${mock.url}\n`);
process.stdin.resume();
process.stdin.on("end", async () => {
  await mock.stop();
  process.exit(0);
});
