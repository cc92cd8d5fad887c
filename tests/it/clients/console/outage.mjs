// A provider is away, then it refuses the credentials: wherever somebody waits for it that is said, with what
// becomes of the devices.

import { api, inBrowser, is, overflows, picture, shows, showsNot, signIn, site, violations, visit } from "./browser.mjs";

await inBrowser(async (open) => {
  const tab = await open();
  await signIn(tab, site.operator);
  await accepted(tab);
  // While others push, nobody knows whom a campaign waits for.
  await api("PUT", `/notifications/${site.sending}/status`, { status: "DELETED" });
  await faults({ fcm: { refuse: true }, apns: {} });
  const uuid = await launched();
  await waits(tab, uuid);
  await everywhere(tab, open);
  await asks(tab, uuid);
  await faults({});
  await returns(tab, uuid);
  await refuses(tab);
});

/** Replaces the gateways' faults. */
async function faults(those) {
  const answer = await fetch(`${site.control}/faults`, { method: "PUT", body: JSON.stringify(those) });
  is(answer.ok, `the faults are not taken: ${answer.status} ${await answer.text()}`);
}

async function launched(besides) {
  const { uuid } = await api("POST", "/notifications", { title: "See you there", body: "b", ...besides });
  await api("POST", `/notifications/${uuid}/:launch`);
  return uuid;
}

function fcm(tab) {
  return tab.locator(".provider-rows li").filter({ hasText: "FCM" });
}

async function accepted(tab) {
  await visit(tab, `/apps?app=${site.app}`);
  await fcm(tab).getByText("Accepted", { exact: true }).waitFor();
}

async function waits(tab, uuid) {
  await visit(tab, `/campaigns/${uuid}`);
  const note = tab.getByText(/^[\d,]+ wait for FCM, which is out of order \(connection refused\); they are sent when it is back\. Nothing needs doing\.$/);
  await note.waitFor();
  const record = await api("GET", `/notifications/${uuid}`);
  const waiting = Number((await note.innerText()).split(" ")[0].replaceAll(",", ""));
  const ended = [record.sent, record.failed].flatMap(Object.values).reduce((all, devices) => all + devices, 0);
  const { total } = await api("POST", "/devices/-/:count", {});
  is(waiting === total - ended, `${waiting} wait, by the record ${total - ended}`);
  await tab.getByRole("row", { name: /^Waiting for FCM [\d,]+$/ }).waitFor();
  await shows(tab, /^\d+ %, waits for FCM$/);
  is((await overflows(tab)) === false && (await violations(tab)).length === 0, "the page of a campaign that waits is not for everybody");
  await tab.screenshot({ path: picture("outage-campaign"), fullPage: true });
}

/** In the list, over the overview, on every page, and where the credentials are. */
async function everywhere(tab, open) {
  await visit(tab, "/campaigns");
  await tab.getByRole("row", { name: /See you there/ }).getByText(/waits for FCM$/).waitFor();
  const mark = tab.getByRole("link", { name: "FCM out of order" });
  await mark.click();
  const banner = tab.getByText("FCM is out of order (connection refused). What is sent through it waits, and goes when it is back. Nothing needs doing.");
  await banner.waitFor();
  is((await banner.boundingBox()).y < 300, "the overview tells of it too far down");
  is((await violations(tab)).length === 0, "the overview of an outage is not for everybody");
  await tab.screenshot({ path: picture("outage-overview") });

  // What was asked before it went away counts for less than what is so now.
  await visit(tab, `/apps?app=${site.app}`);
  await fcm(tab).getByText("Out of order", { exact: true }).waitFor();
  await fcm(tab).getByText(/It accepted the credentials when it was asked/).waitFor();
  is((await fcm(tab).getByText("Accepted", { exact: true }).count()) === 0, "credentials are called accepted in an outage");
  await visit(tab, "/apps");
  await shows(tab, "FCM: Out of order");

  const phone = await open({ phone: true });
  await signIn(phone);
  await phone.getByRole("link", { name: "FCM" }).waitFor();
  is(!(await overflows(phone)), "the mark is too wide for a phone");
  await phone.screenshot({ path: picture("outage-phone") });
}

/** Before a test and before a launch. */
async function asks(tab, uuid) {
  const dialog = tab.getByRole("dialog");
  await visit(tab, `/campaigns/${uuid}`);
  await tab.getByRole("button", { name: "Send a test" }).click();
  await dialog.getByText("FCM is out of order (connection refused): a test to its devices is likely to fail now.").waitFor();
  const devices = await api("POST", "/devices/-/:search", { conditions: { key: "@platform", operator: "str_eq", value: "android" }, size: 1 });
  await dialog.getByRole("combobox", { name: "Devices" }).fill(devices[0].external_id);
  await tab.keyboard.press("Enter");
  await dialog.getByRole("button", { name: "Send the test" }).click();
  await dialog.getByText(/^The provider (could not be reached|did not answer in time)$/).waitFor();
  await dialog.getByRole("button", { name: "Close" }).click();
  await tab.locator(".timeline", { hasText: "Test failed for 1 device" }).waitFor();
  await visit(tab, `/campaigns/${site.draft}`);
  await tab.getByRole("button", { name: "Launch", exact: true }).click();
  await dialog.getByText("Its devices wait, and get the message when it is back.").waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await visit(tab, `/campaigns/${site.draft}/edit`);
  await tab.getByRole("button", { name: /^Launch/ }).click();
  await dialog.getByText("Its devices wait, and get the message when it is back.").waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
}

async function returns(tab, uuid) {
  await visit(tab, `/campaigns/${uuid}`);
  await tab.locator(".campaign-head .badge", { hasText: "Sent" }).waitFor();
  await showsNot(tab, /wait for FCM/);
  await tab.getByRole("link", { name: "FCM out of order" }).waitFor({ state: "hidden" });
}

async function refuses(tab) {
  await faults({ fcm: { rules: [{ status: 403, reason: "PERMISSION_DENIED" }] }, apns: {} });
  const uuid = await launched({ rate_limit: 5 });
  await visit(tab, `/campaigns/${uuid}`);
  const said = tab.getByText(/^FCM refuses the app’s credentials \(PERMISSION_DENIED\)\. Its devices fail until the credentials are mended/);
  await said.waitFor();
  await tab.getByRole("link", { name: "FCM refused" }).waitFor();
  // One that is over by then is not green, wherever it stands.
  const ended = await launched({ title: "Half of you" });
  await visit(tab, `/campaigns/${ended}`);
  await tab.locator(".campaign-head .badge.warn", { hasText: /^Sent, \d\d % failed$/ }).waitFor();
  await visit(tab, "/campaigns");
  await tab.locator("tr", { hasText: "Half of you" }).getByText(/^Sent, \d\d % failed$/).waitFor();
  await visit(tab, "/");
  await tab.locator(".campaign", { hasText: /Half of you.*Sent, \d\d % failed/ }).waitFor();
  await visit(tab, `/campaigns/${uuid}`);
  await tab.getByText("Other credentials may mend some of this.").getByRole("link").click();
  await tab.waitForURL(new RegExp(`/apps\\?app=${site.app}$`));
  await fcm(tab).getByText("Refused", { exact: true }).waitFor();
  await api("PUT", `/notifications/${uuid}/status`, { status: "DELETED" });
}
