// Signing in with a key, and out again.

import { api, inBrowser, is, shows, signIn, site, visit } from "./browser.mjs";

await inBrowser(async (open) => {
  const tab = await open();

  // That nobody has signed in yet is no error.
  await tab.goto("/console/devices");
  await tab.getByLabel("Key", { exact: true }).waitFor();
  is(tab.faults.length === 0, `a first visit logs ${tab.faults.join("; ")}`);

  // A wrong key is refused with a sentence, and stays in its field.
  tab.expected.push(/status of 401/);
  await tab.getByLabel("Key", { exact: true }).fill("not-a-key-of-anybody");
  await tab.keyboard.press("Enter");
  await shows(tab, "the key is not known");
  is((await tab.getByLabel("Key", { exact: true }).inputValue()) !== "", "the key was thrown away");

  // The right one leads to where the address says, by keyboard alone.
  await tab.getByLabel("Key", { exact: true }).fill(site.key);
  await tab.keyboard.press("Enter");
  await tab.getByRole("heading", { name: "Devices", level: 1 }).waitFor();
  const cookies = await tab.context().cookies();
  is(cookies.length === 1 && cookies[0].httpOnly && cookies[0].sameSite === "Strict", `cookies: ${JSON.stringify(cookies)}`);
  const kept = await tab.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie);
  is(!kept.includes(site.key), "the key is kept in the browser");

  // Signing out ends the session itself, not just its picture.
  await tab.getByRole("button", { name: "Sign out" }).click();
  await tab.getByRole("heading", { name: "Fanfare" }).waitFor();
  const answer = await fetch(`${site.base}/devices/demo-0`, { headers: { Cookie: `${cookies[0].name}=${cookies[0].value}` } });
  is(answer.status === 401, `the ended session is answered ${answer.status}`);

  // An operator chooses among the apps.
  const other = await open();
  await signIn(other, site.operator);
  await visit(other, "/audit");
  await shows(other, "signed in");
  await api("GET", "/notifications");
});
