// WalletConnect's own EchoClient, unchanged but for where it reaches, and a token made by its own library.
// Arguments: where Fanfare listens, the tenant, the device token. Prints what was answered as JSON.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The packages lie in the directory that this is run in.
const require = createRequire(pathToFileURL(process.cwd() + "/"));
const { EchoClient } = await import(pathToFileURL(require.resolve("@walletconnect/core")));
const { generateKeyPair, signJWT, encodeIss } = require("@walletconnect/relay-auth");
const { pino } = require("@walletconnect/logger");

const [base, project, token] = process.argv.slice(2);
const statuses = [];
const real = globalThis.fetch;
globalThis.fetch = async (url, options) => {
  const { pathname, search } = new URL(url);
  const answer = await real(base + pathname + search, options);
  statuses.push(answer.status);
  return answer;
};

const keys = generateKeyPair();
const did = encodeIss(keys.publicKey);
const clientId = did.replace("did:key:", "");
const client = new EchoClient(project, pino({ level: "silent" }));
await client.registerDeviceToken({ clientId, token, notificationType: "fcm" });
await client.registerDeviceToken({ clientId, token, notificationType: "fcm", enableEncrypted: true });

// What the mobile clients add: a token that proves the id, and `?auth=`.
const proof = await signJWT("subject", base, 3600, keys);
await fetch(`https://echo.walletconnect.com/${project}/clients?auth=${clientId}`, {
  method: "POST",
  headers: { "Content-Type": "application/json", Authorization: proof },
  body: JSON.stringify({ client_id: did, type: "FCM", token, always_raw: true }),
});
console.log(JSON.stringify({ client_id: clientId, statuses }));
process.exit(0);
