// A server without a sealing secret: what is missing is said before anybody types credentials.

import { inBrowser, is, shows, signIn, site, visit } from "./browser.mjs";

await inBrowser(async (open) => {
  const tab = await open();
  await signIn(tab, site.operator);
  const headers = { "X-Server-Key": site.operator, "Content-Type": "application/json" };
  const made = await fetch(`${site.base}/apps`, { method: "POST", headers, body: JSON.stringify({ name: "tickets" }) });
  is(made.ok, `the app is not made: ${made.status}`);
  await visit(tab, "/apps?app=tickets");
  await shows(tab, "Credentials cannot be given yet.");
  const line = await tab.getByLabel("The lines of the configuration").innerText();
  is(/^\[internal\]\nsealing_secret = "[0-9a-f]{48}"$/.test(line.trim()), line);
  is((await tab.getByRole("button", { name: "Give credentials" }).count()) === 0, "credentials are asked for all the same");
});
