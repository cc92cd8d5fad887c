// Apps and keys: an operator makes an app, gives it credentials and keys, and ends all of that again; who may
// less is shown less.

import { api, inBrowser, is, settled, shows, showsNot, signIn, site, visit } from "./browser.mjs";

await inBrowser(async (open) => {
  const tab = await open();
  await signIn(tab, site.operator);
  const secret = await makingAnApp(tab);
  await givingCredentials(tab);
  const viewer = await makingKeys(tab, secret);
  await revoking(tab, viewer, await lookingOnly(open, viewer));
  await configured(tab);
  await toasts(tab);
  await deletingTheApp(tab, secret);
  await auditing(tab);
});

/** The secret that is shown once; it must not be on the page afterwards. */
async function kept(tab) {
  const dialog = tab.getByRole("dialog");
  const shown = dialog.locator("input[readonly]");
  await shown.waitFor();
  const secret = await shown.inputValue();
  await dialog.getByRole("button", { name: "Copy" }).click();
  await dialog.getByRole("button", { name: "Copied" }).waitFor();
  is((await tab.evaluate(() => navigator.clipboard.readText())) === secret, "another text was copied");
  // Nothing but its button closes it.
  await tab.keyboard.press("Escape");
  await tab.keyboard.press("Escape");
  await tab.mouse.click(5, 5);
  await shows(tab, "It cannot be shown again.");
  is((await shown.inputValue()) === secret, "the secret went before it was stored");
  await dialog.getByRole("button", { name: "I have stored it" }).click();
  await dialog.waitFor({ state: "hidden" });
  is(!(await tab.content()).includes(secret), "the secret is still on the page");
  return secret;
}

async function status(key, app) {
  const headers = { Authorization: `Bearer ${key}`, ...(app && { "X-Fanfare-App": app }) };
  return (await fetch(`${site.base}/limits`, { headers })).status;
}

async function makingAnApp(tab) {
  await visit(tab, "/apps");
  await tab.getByRole("button", { name: "Create an app" }).click();
  const dialog = tab.getByRole("dialog");
  tab.expected.push(/status of (400|409)/);
  await dialog.getByLabel("Name").fill(site.app);
  await dialog.getByRole("button", { name: "Create" }).click();
  await dialog.getByRole("alert").waitFor();
  await dialog.getByLabel("Name").fill("tickets");
  await dialog.getByRole("button", { name: "Create" }).click();
  const secret = await kept(tab);
  await tab.getByRole("heading", { name: "tickets", level: 1 }).waitFor();
  is((await status(secret)) === 200, "the first key does not work");
  // Whoever made it looks at it, and at the other on the same page.
  const choice = tab.getByRole("combobox", { name: "App" });
  await tab.waitForFunction(() => document.querySelector('select[aria-label="App"]')?.value === "tickets");
  await visit(tab, "/devices");
  await shows(tab, "No device is registered yet");
  await choice.selectOption(site.app);
  await tab.waitForURL(/\/devices$/);
  await shows(tab, "demo-0");
  await visit(tab, `/campaigns/${site.sent}`);
  await choice.selectOption("tickets");
  await tab.waitForURL(/\/campaigns$/);
  await visit(tab, "/apps?app=tickets");
  return secret;
}

async function givingCredentials(tab) {
  const { credentials } = site;
  const dialog = tab.getByRole("dialog");
  const row = (name) => tab.locator(".provider-rows li").filter({ hasText: name });
  await row("APNs").getByRole("button", { name: "Give credentials" }).click();
  await dialog.getByRole("button", { name: "Save" }).waitFor();
  await dialog.getByLabel("Signing key", { exact: true }).setInputFiles(credentials.key_file);
  await dialog.getByLabel("Key id").fill(credentials.key_id);
  await dialog.getByLabel("Team id").fill(credentials.team_id);
  await dialog.getByLabel("Topic").fill(credentials.topic);
  await dialog.getByLabel("Environment").selectOption("sandbox");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "hidden" });
  is(!(await tab.content()).includes("PRIVATE KEY"), "the key is on the page");
  await row("APNs").getByRole("button", { name: "Check again" }).click();
  await row("APNs").getByText("Accepted").waitFor();

  // A file of another kind is refused before it is sent.
  await row("FCM").getByRole("button", { name: "Give credentials" }).click();
  await dialog.getByLabel("Service account").setInputFiles(credentials.key_file);
  await shows(tab, "This file is not JSON.");
  await dialog.getByLabel("Service account").setInputFiles(credentials.service_account_file);
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "hidden" });
  // It is asked by itself what it thinks of them.
  await row("FCM").getByText("Accepted").waitFor();
  await row("FCM").getByRole("button", { name: "Remove" }).click();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await row("FCM").getByRole("button", { name: "Give credentials" }).waitFor();
}

async function makingKeys(tab, secret) {
  const dialog = tab.getByRole("dialog");
  await tab.getByRole("button", { name: "Create a key" }).click();
  await dialog.getByLabel("Name").fill("viewer");
  await dialog.getByRole("button", { name: "Create" }).click();
  const first = await kept(tab);
  await tab.getByRole("row", { name: /viewer read/ }).waitFor();

  // Two secrets at once, until when is said; with no hours, the earlier one ends.
  const rotate = async (hours) => {
    await tab.getByRole("button", { name: "Rotate viewer" }).click();
    await dialog.getByLabel("Hours that both work").fill(hours);
    await dialog.getByRole("button", { name: "Make the new secret" }).click();
    return kept(tab);
  };
  const second = await rotate("24");
  await shows(tab, "Its earlier secret works until");
  const works = async (key) => (await fetch(`${site.base}/notifications`, { headers: { Authorization: `Bearer ${key}` } })).status === 200;
  is((await works(first)) && (await works(second)), "two secrets do not both work");
  const third = await rotate("0");
  is(!(await works(second)) && (await works(third)), "the earlier secret works on");
  is((await status(third)) === 403 && (await status(secret)) === 200, "a reading key reads the limits");
  return third;
}

async function lookingOnly(open, viewer) {
  const tab = await open();
  await signIn(tab, viewer);
  const pages = tab.getByRole("navigation", { name: "Pages" });
  is((await pages.getByRole("link").allInnerTexts()).join() === "Overview,Campaigns,Devices", "a reading key is shown other pages");
  await visit(tab, "/devices");
  await shows(tab, "No device is registered yet");
  is((await tab.getByRole("link", { name: "New campaign" }).filter({ visible: true }).count()) === 0, "a reading key may write a campaign");
  tab.expected.push(/status of 403/);
  await visit(tab, "/apps");
  await tab.getByRole("alert").waitFor();
  return tab;
}

async function revoking(tab, viewer, elsewhere) {
  const dialog = tab.getByRole("dialog");
  elsewhere.expected.push(/status of 401/);
  await tab.getByRole("button", { name: "Revoke viewer" }).click();
  await dialog.getByRole("button", { name: "Revoke 1 key" }).click();
  await tab.getByRole("row", { name: /viewer/ }).waitFor({ state: "hidden" });
  is((await status(viewer)) === 401, "the revoked key works on");
  // Whoever had signed in with it sees so, without a click.
  await elsewhere.getByRole("button", { name: "Sign in" }).waitFor();
}

async function configured(tab) {
  await visit(tab, `/apps?app=${site.app}`);
  await shows(tab, "Credentials are in the configuration file");
  is((await tab.getByRole("button", { name: /Delete|Replace|Rotate|Give/ }).count()) === 0, "what is configured can be changed");
}

/** The same is not said twice over, and goes with the page it was said on. */
async function toasts(tab) {
  const said = tab.locator(".toast", { hasText: "Twice." });
  // Said a while ago, and never to go by itself.
  await tab.evaluate(async () => {
    const { toast } = await import("/console/parts/toast.js");
    const { setTimeout } = window;
    const { now } = Date;
    window.setTimeout = () => 0;
    Date.now = () => now() - 5000;
    toast("Twice.");
    toast("Twice.");
    Object.assign(window, { setTimeout });
    Date.now = now;
  });
  is((await said.count()) === 1, "the same is said twice");
  await tab.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Campaigns" }).click();
  await said.waitFor({ state: "hidden" });
}

async function deletingTheApp(tab, secret) {
  await visit(tab, "/apps?app=tickets");
  await tab.getByRole("button", { name: "Delete", exact: true }).click();
  const dialog = tab.getByRole("dialog");
  await dialog.getByText("0 devices, 1 key").waitFor();
  await dialog.getByLabel("Type its name to go on").fill("ticket");
  await dialog.getByRole("button", { name: "Delete the app" }).click();
  await shows(tab, "That is not its name.");
  await dialog.getByLabel("Type its name to go on").fill("tickets");
  await dialog.getByRole("button", { name: "Delete the app" }).click();
  await dialog.waitFor({ state: "hidden" });
  await settled(tab);
  await tab.getByRole("link", { name: "tickets" }).waitFor({ state: "hidden" });
  is((await status(secret)) === 401, "a key of a deleted app works");
}

async function auditing(tab) {
  await visit(tab, "/audit");
  for (const said of ["created the app", "gave tickets credentials for APNs", "gave the key viewer a new secret", "revoked the key viewer", "deleted the app tickets"]) {
    await tab.getByRole("listitem").filter({ hasText: said }).first().waitFor();
  }
  await tab.getByLabel("What", { exact: true }).selectOption("key.rotated");
  await showsNot(tab, "deleted the app");
  await tab.getByRole("button", { name: "Details" }).first().click();
  await shows(tab, "in the console");

  // By who it was, as the entries say it or by the key's name.
  const names = (all) => tab.waitForFunction((name) => {
    const said = [...document.querySelectorAll(".log-line strong:first-child")].map((strong) => strong.textContent);
    return said.length > 0 && said.every((one) => one === name);
  }, all);
  await tab.getByLabel("What", { exact: true }).selectOption("");
  await tab.getByLabel("Who", { exact: true }).fill("master");
  await tab.keyboard.press("Enter");
  await names("master");
  await tab.getByLabel("Who", { exact: true }).fill("operator");
  await tab.keyboard.press("Enter");
  await names("Operator");
  await shows(tab, "deleted the app");
  await tab.reload();
  await names("Operator");
  is((await tab.getByLabel("Who", { exact: true }).inputValue()) === "Operator", "a reload forgets who it was");
  await tab.getByLabel("Who", { exact: true }).fill("nobody-of-this-name");
  await tab.keyboard.press("Enter");
  await shows(tab, "Nothing like this was done");

  const entries = await api("GET", "/audit?action=key.rotated", undefined, site.key);
  is(entries.length === 0, "an app sees the entries of another");
}
