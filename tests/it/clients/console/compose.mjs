// Writing a campaign: the audience by keyboard, as JSON and in words, why a device matches, the hour that does
// not exist, what survives a reload, what leaving asks, and a launch whose answer is lost.

import { api, inBrowser, is, picture, shows, showsNot, signIn, site, violations, visit } from "./browser.mjs";
import { twoTabs } from "./compose_tabs.mjs";
import { typing } from "./compose_typing.mjs";
import { warnings } from "./compose_warnings.mjs";

const TITLE = "Doors open at eight";

const count = (conditions) => api("POST", "/devices/-/:count", { conditions });
const counted = (tab, total) =>
  tab.waitForFunction((n) => document.querySelector(".reach:not(.stale) .reach-total strong")?.textContent === n, total.toLocaleString("en"));
const words = (tab) => tab.locator(".in-words").innerText();
const json = (tab) => tab.getByLabel("The audience as JSON");
const mode = (tab, name) => tab.getByRole("button", { name, exact: true }).click();
const focused = (tab, part) => tab.waitForFunction((name) => document.activeElement.closest(`[data-part="${name}"]`), part);
const uuid = (tab) => /campaigns\/([0-9a-f-]{36})/.exec(tab.url())[1];

await inBrowser(async (open) => {
  const tab = await open();
  await signIn(tab);
  await visit(tab, "/campaigns/new");
  await missing(tab);
  await audience(tab);
  await text(tab);
  await why(tab);
  await schedule(tab);
  await leaving(tab);
  await testing(tab);
  await launching(tab);
  // What one leaves unsaved in a tab is not the next one's.
  for (const walk of [typing, warnings, twoTabs]) {
    const other = await open();
    await signIn(other);
    await walk(other);
  }
});

/** What is missing is said where it is missing, and nothing is made. */
async function missing(tab) {
  const before = (await api("GET", "/notifications?size=100")).length;
  await tab.getByRole("button", { name: "Launch", exact: true }).click();
  await shows(tab, "Enter a title.");
  await tab.getByLabel("Title").fill(TITLE);
  await tab.getByRole("textbox", { name: "Text" }).fill("See you tonight.");
  await showsNot(tab, "Enter a title.");
  is((await api("GET", "/notifications?size=100")).length === before, "something was made of an empty form");
  await tab.locator(".payload").first().waitFor();
}

/** Conditions by the keyboard alone, with suggestions; the count is the API's. */
async function audience(tab) {
  await tab.getByRole("button", { name: "Condition", exact: true }).focus();
  await tab.keyboard.press("Enter");
  await focused(tab, "key");
  await tab.keyboard.type("coun");
  await tab.getByRole("option", { name: /^country/ }).waitFor();
  await tab.keyboard.press("ArrowDown");
  await tab.keyboard.press("Enter");
  await tab.keyboard.press("Tab");
  await tab.keyboard.press("Tab");
  await tab.keyboard.type("KR");
  await counted(tab, (await count({ key: "country", operator: "str_eq", value: "KR" })).total);

  await tab.getByRole("button", { name: "Group", exact: true }).first().focus();
  await tab.keyboard.press("Enter");
  await focused(tab, "key");
  await tab.keyboard.type("@platform");
  await tab.getByLabel("Value of Platform").selectOption("iOS");
  is((await words(tab)) === "Devices where country is “KR” and Platform is iOS.", await words(tab));

  // Down into the group beside, and up out of it again.
  await tab.getByRole("button", { name: /^Move: country/ }).focus();
  await tab.keyboard.press("ArrowDown");
  await shows(tab, "Devices where country is “KR” or Platform is iOS.");
  await focused(tab, "handle");
  const either = { join_type: "OR", conditions: [{ key: "country", operator: "str_eq", value: "KR" }, { key: "@platform", operator: "str_eq", value: "ios" }] };
  await counted(tab, (await count(either)).total);
  await tab.keyboard.press("ArrowUp");
  await shows(tab, "Devices where country is “KR” and Platform is iOS.");
}

/** As JSON: nothing is lost; mistakes are shown at their place, those that the server finds too. */
async function text(tab) {
  await mode(tab, "JSON");
  const nested = {
    join_type: "AND",
    conditions: [{ key: "age", operator: "int_gte", value: "30" }, { join_type: "NOT", conditions: [{ key: "@tag", operator: "str_in", value: ["vip"] }] }],
  };
  await json(tab).fill(JSON.stringify(nested));
  await counted(tab, (await count(nested)).total);
  await mode(tab, "Builder");
  await tab.getByText("None of these", { exact: true }).first().waitFor({ state: "attached" });
  await mode(tab, "JSON");
  is(JSON.stringify(JSON.parse(await json(tab).inputValue())) === JSON.stringify(nested), await json(tab).inputValue());

  await json(tab).fill((await json(tab).inputValue()).replace('"key": "age",', '"key": "age"'));
  await shows(tab, "Line 2: a comma or } is expected here");
  is(await tab.getByRole("button", { name: "Builder" }).isDisabled(), "a text that does not read can be left");
  await tab.getByRole("button", { name: "Undo to the last that read" }).click();

  tab.expected.push(/status of 400 .*\/devices\/-\//);
  await json(tab).fill(JSON.stringify({ join_type: "AND", conditions: [nested, { key: "$odd", operator: "exists" }] }));
  await tab.locator(".audience-text .problem").waitFor();
  await mode(tab, "Builder");
  await tab.locator(".clause .problem").waitFor();
  is((await tab.locator(".clause:has(> .problem) .key input").inputValue()) === "$odd", "the problem stands at another clause");
  await mode(tab, "JSON");
  await json(tab).fill(JSON.stringify(nested));
  await mode(tab, "Builder");
  await counted(tab, (await count(nested)).total);
}

/** Each clause says what the device has there. */
async function why(tab) {
  const conditions = { key: "age", operator: "int_lt", value: 30 };
  const [device] = await api("POST", "/devices/-/:search", { conditions, size: 1 });
  tab.expected.push(/status of 404 .*\/audience\/:explain/);
  await tab.getByLabel("Why does a device match?").fill(device.external_id);
  await shows(tab, "It does not match");
  const age = device.device_properties.find((property) => "age" in property).age;
  is((await tab.locator(".clause.fails .verdict").first().innerText()).includes(`has ${age}.`), "the device's value is missing");
  is((await violations(tab)).length === 0, (await violations(tab)).join("\n"));
  await tab.screenshot({ path: picture("compose-why"), fullPage: true });
  await tab.getByRole("button", { name: "Clear" }).click();
}

/** A time zone of one's choice; the hour that is left out, and the one that comes twice. */
async function schedule(tab) {
  await tab.getByLabel("At a time").check();
  await tab.getByRole("combobox", { name: "Time zone" }).fill("Europe/Berlin");
  await tab.getByLabel("Date").fill("2033-03-27");
  await tab.getByLabel("Time", { exact: true }).fill("02:30");
  await shows(tab, "02:30 does not exist on that day.");
  await tab.getByRole("button", { name: "Use 03:30" }).click();
  await shows(tab, "is Sunday, 27 March 2033, 01:30 UTC");
  await tab.getByLabel("Date").fill("2033-10-30");
  await tab.getByLabel("Time", { exact: true }).fill("02:30");
  await shows(tab, "is Sunday, 30 October 2033, 00:30 UTC");
  await tab.getByLabel(/the second/).check();
  await shows(tab, "is Sunday, 30 October 2033, 01:30 UTC");
}

/** Leaving asks; what is not saved survives a reload; what is saved is what was written. */
async function leaving(tab) {
  await tab.getByRole("link", { name: "Devices", exact: true }).click();
  await tab.getByRole("dialog", { name: "Leave without saving?" }).waitFor();
  await tab.getByRole("button", { name: "Stay" }).click();
  await tab.reload();
  await shows(tab, "This is what you wrote here before and did not save.");
  is((await tab.getByLabel("Title").inputValue()) === TITLE, "the title is lost");
  await tab.getByRole("button", { name: "Save draft" }).click();
  await tab.waitForURL(/\/campaigns\/[0-9a-f-]{36}\/edit$/);
  const stored = await api("GET", `/notifications/${uuid(tab)}`);
  is(stored.status === 0 && stored.title === TITLE && stored.scheduled_at.startsWith("2033-10-30T01:30:00"), JSON.stringify(stored));
  await tab.reload();
  await shows(tab, /^Sunday, 30 October 2033, 01:30 \(UTC\+00:00\)|is Sunday, 30 October 2033, 01:30 UTC/);
  await showsNot(tab, "did not save");
}

/** A test goes to the chosen devices. */
async function testing(tab) {
  await tab.getByRole("button", { name: "Send a test" }).click();
  await tab.getByRole("combobox", { name: /^Devices/ }).fill(site.reached);
  await tab.keyboard.press("Enter");
  await tab.getByRole("button", { name: "Send the test" }).click();
  await tab.getByRole("dialog").getByText("Accepted").waitFor();
  await tab.getByRole("button", { name: "Close" }).click();
}

/** The dialog says to how many; a lost answer and a double click launch once. */
async function launching(tab) {
  await tab.getByLabel("At once").check();
  const { reachable } = await count((await api("GET", `/notifications/${uuid(tab)}`)).conditions);
  const reached = Object.values(reachable).reduce((all, devices) => all + devices, 0);
  let [launches, keys] = [0, new Set()];
  tab.expected.push(/ERR_FAILED .*:launch$/);
  await tab.route("**/:launch", async (route) => {
    launches += 1;
    keys.add(route.request().headers()["idempotency-key"]);
    if (launches > 1) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await tab.getByRole("button", { name: "Launch", exact: true }).click();
  const dialog = tab.getByRole("dialog", { name: "Launch this campaign?" });
  await dialog.getByText("can be reached").waitFor();
  is((await dialog.innerText()).includes(`${reached.toLocaleString("en")} can be reached`), await dialog.innerText());
  await tab.screenshot({ path: picture("compose-launch") });
  await dialog.getByRole("button", { name: /^Launch to/ }).dblclick();
  await dialog.getByText("The server cannot be reached.").waitFor();
  await dialog.getByRole("button", { name: "Try again" }).click();
  await tab.waitForURL(/\/campaigns\/[0-9a-f-]{36}$/);
  is(launches === 2 && keys.size === 1, `${launches} launches with ${keys.size} keys`);
  is((await api("GET", `/notifications/${uuid(tab)}`)).status !== 0, "it is still a draft");
}
