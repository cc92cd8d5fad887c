// A person's whole way, with the keyboard alone: signing in, a nested audience whose count follows, the preview,
// the launch, the bar to its end, another campaign paused and resumed, a device that failed found, and sent to
// again.

import { api, inBrowser, is, picture, settled, shows, signIn, site } from "./browser.mjs";

const TITLE = "The doors are open";

/** Presses Tab until what has the focus is named so, as somebody without a mouse does. */
async function tabTo(tab, name, role = "button") {
  const wanted = tab.getByRole(role, { name, exact: typeof name === "string" }).first();
  await wanted.waitFor();
  for (let presses = 0; presses < 120; presses += 1) {
    if (await wanted.evaluate((element) => element === document.activeElement)) return;
    await tab.keyboard.press("Tab");
  }
  throw new Error(`${role} ${name} cannot be reached by Tab`);
}

async function press(tab, name) {
  await tabTo(tab, name);
  await tab.keyboard.press("Enter");
}

const focused = (tab, part) =>
  tab.waitForFunction((name) => document.activeElement.closest(`[data-part="${name}"]`), part);

const matching = (tab, total) =>
  tab.waitForFunction((n) => document.querySelector(".reach:not(.stale) .reach-total strong")?.textContent === n, total.toLocaleString("en"));

const count = async (conditions) => (await api("POST", "/devices/-/:count", { conditions })).total;

async function composes(tab) {
  await tab.locator("main").focus();
  await tab.keyboard.press("n");
  await settled(tab);
  await tabTo(tab, "Title", "textbox");
  await tab.keyboard.type(TITLE);
  await tabTo(tab, "Text", "textbox");
  await tab.keyboard.type("Come in");
  await tab.locator(".payload").first().waitFor();
  await tab.locator(".preview, [class*=preview]").getByText(TITLE).first().waitFor();

  const age = { key: "age", operator: "int_gte", value: 18 };
  await condition(tab, "Condition", "age", "18");
  const first = await tab.locator(".reach-total strong").textContent();
  await condition(tab, "Group", "country", "KR");
  await tab.waitForFunction((before) => document.querySelector(".reach:not(.stale) .reach-total strong")?.textContent !== before, first);
  is((await count(age)) > (await count({ join_type: "AND", conditions: [age, { key: "country", operator: "str_eq", value: "KR" }] })), "the second condition narrows nothing");
}

/** A condition of `key` and `value`, with the operator that its type begins with. */
async function condition(tab, button, key, value) {
  await press(tab, button);
  await focused(tab, "key");
  await tab.keyboard.type(key);
  await tab.keyboard.press("Tab");
  await tab.keyboard.press("Tab");
  await tab.keyboard.type(value);
}

async function launches(tab) {
  // Everybody of age, in the words of the API: what the builder made is read and replaced as text.
  await press(tab, "JSON");
  const text = tab.getByLabel("The audience as JSON");
  const made = JSON.parse(await text.inputValue());
  is(JSON.stringify(made).includes('"age"') && JSON.stringify(made).includes('"country"'), JSON.stringify(made));
  await tabTo(tab, "The audience as JSON", "textbox");
  await tab.keyboard.press("Control+A");
  const wide = { join_type: "OR", conditions: [made, { key: "@platform", operator: "str_in", value: ["ios", "android"] }] };
  await tab.keyboard.insertText(JSON.stringify(wide));
  await matching(tab, await count(wide));
  await press(tab, "Launch");
  const dialog = tab.getByRole("dialog", { name: "Launch this campaign?" });
  await dialog.getByText("can be reached").waitFor();
  await tabTo(tab, /^Launch to [0-9,]+ device/);
  await tab.keyboard.press("Enter");
  await tab.waitForURL(/\/campaigns\/[0-9a-f-]{36}$/);
}

/** The bar moves to its end, and what it says is what the API says. */
async function watches(tab) {
  await tab.locator(".campaign-head .badge", { hasText: "Sent" }).waitFor();
  const uuid = /campaigns\/([0-9a-f-]{36})/.exec(tab.url())[1];
  const { failed, reasons } = await api("GET", `/notifications/${uuid}`);
  const missed = Object.values(failed).reduce((all, n) => all + n, 0);
  is(missed > 0 && reasons.BadPriority > 0, `the gateway should have refused some: ${JSON.stringify(reasons)}`);
  await shows(tab, "BadPriority");
  site.launched = { uuid, refused: reasons.BadPriority };
}

async function pausesAnother(tab) {
  await tab.locator("main").focus();
  await tab.keyboard.press("g");
  await tab.keyboard.press("c");
  await settled(tab);
  await tabTo(tab, "See you tonight", "link");
  await tab.keyboard.press("Enter");
  await press(tab, "Pause");
  await tab.locator(".campaign-head .badge", { hasText: "Paused" }).waitFor();
  is((await api("GET", `/notifications/${site.sending}`)).status === 6, "it is not paused");
  await press(tab, "Resume");
  await tab.locator(".campaign-head .badge", { hasText: "Sending" }).waitFor();
}

/** From the failure to its device and back, and to those that failed once more. */
async function sendsAgain(tab) {
  await tab.goto(`/console/campaigns/${site.launched.uuid}`);
  await settled(tab);
  const device = tab.locator("[aria-labelledby=failures] a[href*='/devices/']").first();
  await device.waitFor();
  await device.focus();
  await tab.keyboard.press("Enter");
  await tab.waitForURL(/\/devices\//);
  await shows(tab, TITLE);
  await tab.goBack();
  await settled(tab);
  await press(tab, "Send to all of them again");
  await press(tab, new RegExp(`^Send to ${site.launched.refused} device`));
  await tab.locator(".timeline", { hasText: "Sent again to those that failed" }).waitFor();
  await tab.locator(".campaign-head .badge", { hasText: "Sent" }).waitFor();
  await tab.waitForFunction(() => !/BadPriority/.test(document.querySelector("main").innerText));
  const { failed } = await api("GET", `/notifications/${site.launched.uuid}`);
  is(Object.values(failed).every((n) => n === 0), `still failed: ${JSON.stringify(failed)}`);
  await tab.screenshot({ path: picture("whole-way") });
}

await inBrowser(async (open) => {
  const tab = await open();
  await signIn(tab);
  await composes(tab);
  await launches(tab);
  await watches(tab);
  await pausesAnother(tab);
  await sendsAgain(tab);
});
