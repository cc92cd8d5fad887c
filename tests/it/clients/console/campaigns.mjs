// Campaigns from the list to their end: what the lists show, sending a draft, pausing, another rate, going on
// and stopping, each told live; and the overview with its limits.

import { api, inBrowser, is, overflows, picture, settled, shows, showsNot, signIn, site, violations, visit } from "./browser.mjs";

await inBrowser(async (open) => {
  const tab = await open();
  // It lasts for a minute, and is conducted when the lists have been walked through.
  await api("PUT", `/notifications/${site.sending}/status`, { status: "PAUSED" });
  await signIn(tab);
  await remembersRates(tab);
  await lists(tab);
  await sends(tab);
  await conducts(tab);
  await isInTheLog(tab);
  await sendsWhatItShows(tab);
  await limits(tab);
  await readsTheChart(tab);
  await errs(tab);
  await schedules(tab);
  await hasAMenu(open);
});

function button(tab, name) {
  return tab.getByRole("button", { name, exact: true });
}

function state(tab, name) {
  return tab.locator(".campaign-head .badge", { hasText: name }).waitFor();
}

async function lists(tab) {
  await visit(tab, "/campaigns");
  const names = () => tab.locator(".row-link").allTextContents();
  is((await names()).length === 3, `the list shows ${await names()}`);
  await button(tab, "Drafts").click();
  await showsNot(tab, "Doors open at eight");
  await tab.waitForFunction(() => [...document.querySelectorAll(".row-link")].map((row) => row.textContent).join() === "Last tickets");
  is(tab.url().endsWith("?state=drafts"), `the address forgets the filter: ${tab.url()}`);
  await button(tab, "Scheduled").click();
  await shows(tab, "No campaign is in this state.");
  await button(tab, "Show all").click();
  await shows(tab, "See you tonight");
  await searches(tab, names);
  await tab.keyboard.press("j");
  await tab.keyboard.press("Enter");
  await tab.waitForURL(/\/campaigns\/[0-9a-f-]{36}$/);
  // Back, the row that was opened has the focus again.
  const opened = tab.url().split("/").at(-1);
  await tab.goBack();
  await tab.waitForFunction((uuid) => document.activeElement.matches(`.row-link[href$="${uuid}"]`), opened);
}

/** By a part of the title, in whatever case; the address tells, and the states narrow it further. */
async function searches(tab, names) {
  await tab.keyboard.press("/");
  await tab.keyboard.type("DOORS");
  await tab.waitForFunction(() => [...document.querySelectorAll(".row-link")].map((row) => row.textContent).join() === "Doors open at eight");
  await tab.waitForURL(/\?q=DOORS$/);
  await tab.reload();
  await settled(tab);
  is((await names()).join() === "Doors open at eight", `after a reload: ${await names()}`);
  await button(tab, "Drafts").click();
  await shows(tab, "No campaign in this state has “DOORS” in its title.");
  await button(tab, "Clear the search").click();
  await shows(tab, "Last tickets");
  await button(tab, "All").click();
  await shows(tab, "Doors open at eight");
  is(tab.url().endsWith("/campaigns"), `the address: ${tab.url()}`);
  await tab.locator("main").focus();
}

/** A chart begins full: what was sent before anybody looked stands there. */
async function remembersRates(tab) {
  await visit(tab, "/");
  const chart = tab.getByRole("slider", { name: /Pushes a second by provider/ });
  await chart.waitFor();
  await tab.waitForFunction(() => {
    const line = document.querySelector(".chart-line")?.getAttribute("d") ?? "";
    return line.split("L").length > 100;
  });
}

async function sends(tab) {
  const { reachable } = await api("POST", "/devices/-/:count", { conditions: (await api("GET", `/notifications/${site.draft}`)).conditions });
  await visit(tab, `/campaigns/${site.draft}`);
  await state(tab, "Draft");
  const reached = Object.values(reachable).reduce((all, devices) => all + devices, 0);
  await button(tab, "Launch").click();
  await button(tab, `Launch to ${reached} devices`).click();
  await state(tab, "Sent");
  await shows(tab, "from launch to the last outcome");
  await tab.locator(".timeline", { hasText: /Written.*Launched.*Sent/ }).waitFor();
}

/** What somebody else wrote meanwhile is shown before it is sent, to anybody or for a test. */
async function sendsWhatItShows(tab) {
  const { uuid } = await api("POST", "/notifications", { title: "Early birds", body: "As it was" });
  const writes = (body) => api("PUT", `/notifications/${uuid}`, { body });
  const isDraft = async () => (await api("GET", `/notifications/${uuid}`)).status === 0;
  const question = (text) => tab.getByRole("dialog").filter({ hasText: "It was changed elsewhere" }).filter({ hasText: text });
  tab.expected.push(/status of 412/);
  await visit(tab, `/campaigns/${uuid}`);
  await tab.locator(".push", { hasText: "As it was" }).waitFor();

  await button(tab, "Send a test").click();
  await tab.getByRole("combobox", { name: /^Devices/ }).fill(site.reached);
  await tab.keyboard.press("Enter");
  await writes("For a test");
  await button(tab, "Send the test").click();
  await question("For a test").waitFor();
  const timeline = await api("GET", `/notifications/${uuid}/timeline`);
  is(!timeline.some(({ event }) => event === "tested"), `a test went out unseen: ${JSON.stringify(timeline)}`);
  await tab.locator(".push", { hasText: "For a test" }).waitFor();
  // It is for the same devices still.
  await button(tab, "Send the test").click();
  await tab.getByRole("dialog").getByText("Accepted").waitFor();
  await button(tab, "Close").click();

  await button(tab, "Launch").click();
  const sure = tab.getByRole("button", { name: /^Launch to/ });
  await sure.waitFor();
  await writes("By somebody else");
  await sure.click();
  await question("By somebody else").waitFor();
  is(await isDraft(), "what nobody saw was launched");
  is(await button(tab, "Cancel").evaluate((cancel) => cancel === document.activeElement), "another Enter would launch it unread");
  const window = tab.viewportSize();
  for (const [looks, size, colorScheme] of [["light", window, "light"], ["dark", window, "dark"], ["phone", { width: 390, height: 844 }, "light"]]) {
    await tab.setViewportSize(size);
    await tab.emulateMedia({ colorScheme });
    const wrong = await violations(tab);
    is(wrong.length === 0 && !(await overflows(tab)), `${looks}: wider than the window, or ${wrong.join("\n")}`);
    await tab.screenshot({ path: picture(`campaign-changed-${looks}`) });
  }
  await tab.setViewportSize(window);
  await button(tab, "Cancel").click();
  await tab.locator(".push", { hasText: "By somebody else" }).waitFor();
  is(await isDraft(), "what was left was launched");

  await button(tab, "Launch").click();
  await sure.waitFor();
  await writes("Once more");
  await sure.click();
  await question("Once more").waitFor();
  await sure.click();
  await state(tab, "Sent");
  is((await api("GET", `/notifications/${uuid}`)).body === "Once more", "something else was sent");
}

async function conducts(tab) {
  await api("PUT", `/notifications/${site.sending}/status`, { status: "LAUNCHED" });
  await visit(tab, `/campaigns/${site.sending}`);
  await state(tab, "Sending");
  await button(tab, "Pause").click();
  await state(tab, "Paused");
  await button(tab, "Change rate").click();
  const rate = tab.getByRole("textbox", { name: "Pushes a second" });
  await rate.fill("a lot");
  await rate.press("Enter");
  await shows(tab, "A whole number of pushes a second, or nothing.");
  await rate.fill("2");
  await rate.press("Enter");
  await shows(tab, /at most 2 a second/);
  await button(tab, "Resume").click();
  await state(tab, "Sending");
  await button(tab, "Stop").click();
  await shows(tab, /will not get it\./);
  await button(tab, "Stop").last().click();
  await state(tab, "Stopped");
  await tab.locator(".timeline", { hasText: /Paused.*Rate changed to 2 a second.*Resumed.*Stopped for good/ }).waitFor();
  is((await api("GET", `/notifications/${site.sending}`)).status === 4, "a stopped campaign is not DELETED");
}

/** Stopping what was under way and deleting a draft are told apart. */
async function isInTheLog(tab) {
  const { uuid } = await api("POST", "/notifications", { title: "Never mind", body: "b" });
  await api("PUT", `/notifications/${uuid}/status`, { status: "DELETED" });
  await visit(tab, "/audit");
  const entry = (text) => tab.getByRole("listitem").filter({ hasText: text }).first().waitFor();
  await entry("deleted the draft Never mind.");
  await entry(/stopped See you tonight after about \d+ devices?\./);
  await visit(tab, `/campaigns/${uuid}`);
  await tab.locator(".timeline", { hasText: /Written.*Deleted/ }).waitFor();
}

/** A campaign that stops by itself says why, what then, and where. */
async function errs(tab) {
  await api("PUT", "/devices", { external_id: "mailbox", push_token: "ana@example.com", send_platform: "EMAIL", device_platform: "WEB", tags: ["mail"] });
  const draft = { title: "Letters", body: "b", conditions: { key: "@tag", operator: "str_eq", value: "mail" } };
  const { uuid } = await api("POST", "/notifications", draft);
  await api("POST", `/notifications/${uuid}/:launch`);
  await visit(tab, `/campaigns/${uuid}`);
  await state(tab, "Error");
  const told = await tab.getByRole("alert").first().innerText();
  is(told.startsWith("It stopped by itself: the app has no credentials for any matching platform. Once that is mended"), told);
  await tab.locator(".timeline", { hasText: /Launched.*Stopped by an error/ }).waitFor();
  is((await overflows(tab)) === false && (await violations(tab)).length === 0, "the page of a campaign in error is not for everybody");
  await tab.screenshot({ path: picture("campaign-error") });
  await button(tab, "Resume").waitFor();
  await tab.getByRole("link", { name: "To the credentials" }).click();
  await tab.waitForURL(/\/apps$/);
}

/** When it is to be launched stands with its zone, wherever it stands. */
async function schedules(tab) {
  const { uuid } = await api("POST", "/notifications", { title: "أهلا وسهلا", body: "b", scheduled_at: "2096-07-23T11:00:00Z" });
  await api("POST", `/notifications/${uuid}/:launch`);
  const zoned = "23 Jul 2096, 13:00 CEST";
  await visit(tab, `/campaigns/${uuid}`);
  await shows(tab, new RegExp(`To be launched ${zoned}`));
  await tab.locator("dl.facts", { hasText: `Scheduled${zoned}` }).waitFor();
  await tab.locator(".timeline", { hasText: `for ${zoned}` }).waitFor();
  await visit(tab, "/campaigns");
  await tab.getByRole("row", { name: new RegExp(`For ${zoned}`) }).waitFor();
  // A title of another script begins where the others do.
  const starts = await tab.locator(".row-link").evaluateAll((links) => links.map((link) => {
    const range = document.createRange();
    range.selectNodeContents(link);
    return Math.round(range.getBoundingClientRect().left);
  }));
  is(new Set(starts).size === 1, `titles begin at ${starts}`);
  await api("PUT", `/notifications/${uuid}/status`, { status: "DELETED" });
}

/** On a phone there is one button, and a menu of the others. */
async function hasAMenu(open) {
  const phone = await open({ phone: true });
  await signIn(phone);
  await visit(phone, `/campaigns/${site.sent}`);
  is((await phone.locator(".moves button:visible").count()) === 2, "there are more buttons than one and a menu");
  await button(phone, "What else can be done").click();
  await phone.getByRole("menuitem", { name: "Duplicate" }).click();
  await phone.waitForURL(/\/edit$/);
}

async function limits(tab) {
  await visit(tab, "/");
  const before = await api("GET", "/limits");
  await button(tab, "Change the limit: APNs").click();
  const limit = tab.getByLabel("APNs: pushes a second");
  await limit.fill("-1");
  await limit.press("Enter");
  await shows(tab, "A whole number of pushes a second; 0 is no limit.");
  await limit.fill("1,234");
  await limit.press("Enter");
  await tab.locator(".limit", { hasText: "1,234 a second" }).waitFor();
  is((await api("GET", "/limits")).apns === 1234, "the limit is not in force");
  await button(tab, "Change the limit: APNs").click();
  await button(tab, "Back to the settings’ own").click();
  await showsNot(tab, "1,234 a second");
  is((await api("GET", "/limits")).apns === before.apns, "the settings’ own limit is not back");
}

async function readsTheChart(tab) {
  await settled(tab);
  const chart = tab.getByRole("slider", { name: /Pushes a second by provider/ });
  await chart.focus();
  await tab.keyboard.press("PageDown");
  is(/^10 s ago: /.test(await chart.getAttribute("aria-valuetext")), "the chart does not read by the keyboard");
  await tab.getByText("As a table").click();
  await tab.getByRole("cell", { name: "120 s ago" }).waitFor();
}
