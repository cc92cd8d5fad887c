// What the scripts that test the console share: a browser, its tabs, signing in, and how to wait and to look.
//
// A script is run with one argument, JSON that says where the server is and with which keys (`site`), by
// tests/it/console.rs. It fails by throwing; what it answers is printed as the last line.
//
// With FANFARE_TEST_JITTER=1000 each call of the API waits for up to so many milliseconds, as it falls: that
// finds what a script takes for granted of their order.

import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// The packages lie in the directory that this is run in.
const require = createRequire(pathToFileURL(process.cwd() + "/"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** Where the server is (`base`), the keys (`key`, `operator`), ids, and where pictures go (`pictures`). */
export const site = JSON.parse(process.argv[2]);

// Quiet, and content in a container.
const ARGUMENTS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
const JITTER_MS = Number(process.env.FANFARE_TEST_JITTER ?? 0);
const SIZES = { wide: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

/** Runs `work(open)` with a browser; `open(looks)` opens a tab with an identity of its own. */
export async function inBrowser(work) {
  mkdirSync(site.pictures, { recursive: true });
  const browser = await chromium.launch({ executablePath: site.chromium, args: ARGUMENTS });
  const tabs = [];
  try {
    const told = await work(async (looks) => {
      const tab = await openTab(browser, looks);
      tabs.push(tab);
      return tab;
    });
    for (const tab of tabs) is(tab.faults.length === 0, `the browser's console says: ${tab.faults.join("; ")}`);
    console.log(JSON.stringify(told ?? {}));
  } catch (error) {
    await Promise.all(tabs.map((tab, index) => tab.screenshot({ path: picture(`failed-${process.pid}-${index}`), fullPage: true }).catch(() => {})));
    for (const tab of tabs) console.error(`${tab.url()}: ${tab.faults.join("; ") || "nothing on the browser's console"}`);
    throw error;
  } finally {
    await browser.close();
  }
}

async function openTab(browser, { dark = false, phone = false } = {}) {
  const context = await browser.newContext({
    baseURL: site.base, colorScheme: dark ? "dark" : "light", viewport: phone ? SIZES.phone : SIZES.wide,
    reducedMotion: "reduce", locale: "en-GB", timezoneId: "Europe/Berlin", permissions: ["clipboard-read", "clipboard-write"],
  });
  // Nothing takes so long but on a machine that has much else to do.
  context.setDefaultTimeout(90_000);
  if (JITTER_MS) await context.route("**/*", late);
  const tab = await context.newPage();
  tab.faults = [];
  // Where a test asks for a refusal, an answer of 4xx is as it should be.
  tab.expected = [];
  tab.on("console", (message) => {
    const fault = `${message.text()} ${message.location().url}`;
    if (message.type() === "error" && !tab.expected.some((pattern) => pattern.test(fault))) tab.faults.push(fault);
  });
  tab.on("pageerror", (error) => tab.faults.push(error.stack));
  return tab;
}

/** Sends on a call of the API some time later, every other one at once. */
async function late(route) {
  const wait = route.request().resourceType() === "fetch" ? Math.max(0, 2 * Math.random() - 1) * JITTER_MS : 0;
  await new Promise((resolve) => setTimeout(resolve, wait));
  // The page may have given it up meanwhile.
  await route.continue().catch(() => {});
}

/** Signs in with a key, the app's own by default. */
export async function signIn(tab, key = site.key) {
  await tab.goto("/console/");
  await tab.getByLabel("Key", { exact: true }).fill(key);
  await tab.getByRole("button", { name: "Sign in" }).click();
  await tab.getByRole("navigation", { name: "Pages" }).waitFor();
}

/** Goes to a page of the console (`/devices`) by its address, and waits until it has what it shows. */
export async function visit(tab, path) {
  await tab.goto(`/console${path}`);
  await settled(tab);
}

/** Waits until the page stands and nothing on it is still to come. */
export async function settled(tab) {
  await tab.locator("main.page > *").first().waitFor();
  await tab.waitForFunction(() => !document.querySelector('main .loading, main [aria-busy="true"]'));
}

/** Waits until this text can be seen. */
export const shows = (tab, text) => tab.getByText(text).filter({ visible: true }).first().waitFor();

/** Waits until this text can no longer be seen. */
export const showsNot = (tab, text) => tab.getByText(text).filter({ visible: true }).first().waitFor({ state: "hidden" });

/** What axe-core finds wrong and calls serious or critical, a line each. */
export async function violations(tab) {
  await tab.evaluate(axe);
  const { violations } = await tab.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, help, nodes }) => `${id}: ${help} (${nodes.slice(0, 3).map(({ html, any }) => `${html.slice(0, 120)} ${any[0]?.message ?? ""}`).join(" | ")})`);
}

/** Whether the page is wider than its window. */
export const overflows = (tab) => tab.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth + 1);

/** Where a picture of this name goes. */
export const picture = (name) => join(site.pictures, `${name}.png`);

/** Fails with a sentence unless it holds. */
export function is(holds, sentence) {
  if (!holds) throw new Error(sentence);
}

/** Calls the API with a key; what the envelope holds. */
export async function api(method, path, body, key = site.key) {
  const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
  const answer = await fetch(site.base + path, { method, headers, body: body && JSON.stringify(body) });
  const { success, result, reason } = await answer.json();
  is(success, `${method} ${path}: ${answer.status} ${reason}`);
  return result;
}
