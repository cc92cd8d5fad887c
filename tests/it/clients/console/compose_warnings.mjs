// What is said before anybody is disappointed: a property that nobody has, a launch to nobody, a device whose
// token was given up, a link that opens nothing.

import { api, is, overflows, picture, shows, showsNot, visit } from "./browser.mjs";

const button = (within, name) => within.getByRole("button", { name, exact: true });

export async function warnings(tab) {
  await visit(tab, "/campaigns/new");
  await tab.getByLabel("Title").fill("To nobody");
  await tab.getByRole("textbox", { name: "Text" }).fill("Hello");
  await misspelt(tab);
  await nobody(tab);
  await givenUp(tab);
  await details(tab);
}

async function misspelt(tab) {
  await button(tab, "Condition").first().click();
  await tab.getByRole("combobox", { name: "Property", exact: true }).fill("contry");
  await tab.keyboard.press("Tab");
  await shows(tab, "No device has a property “contry”.");
  await tab.getByRole("combobox", { name: "Value of contry" }).fill("KR");
  await button(tab, "country").click();
  await shows(tab, "Devices where country is “KR”.");
  await showsNot(tab, "No device has a property");
}

/** Nobody is launched to; for later there may be somebody. */
async function nobody(tab) {
  await tab.getByRole("combobox", { name: "Value of country" }).fill("Atlantis");
  await button(tab, "Launch").click();
  const dialog = tab.getByRole("dialog", { name: "Nobody would get this campaign" });
  await dialog.getByText("No device matches the audience").waitFor();
  is((await dialog.getByRole("button").allInnerTexts()).join() === "Back to it", "a launch to nobody is offered");
  await button(dialog, "Back to it").click();
  await tab.getByLabel("At a time").check();
  await button(tab, "Schedule").click();
  const later = tab.getByRole("dialog", { name: "Schedule this campaign?" });
  await later.getByText("Devices may come until then.").waitFor();
  await button(later, "Schedule").waitFor();
  await button(later, "Cancel").click();

  // A test that has to save first says so, and one that has not does not.
  await tab.getByLabel("Title").fill("To nobody yet");
  const test = tab.getByRole("dialog", { name: "Send a test" });
  await button(tab, "Send a test").click();
  await test.getByText("Saved as a draft first.").waitFor();
  await button(test, "Close").click();
  await button(tab, "Send a test").click();
  await button(test, "Close").waitFor();
  is(!(await test.innerText()).includes("Saved as a draft"), "it says that it was saved when it was not");
  await button(test, "Close").click();
}

/** A device that matches is not sent to once its token was given up. */
async function givenUp(tab) {
  await api("PUT", "/devices", { external_id: "given-up", push_token: "of-old", send_platform: "FCM", device_platform: "ANDROID", properties: [{ key: "country", value: "Atlantis" }] });
  const { uuid } = await api("POST", "/notifications", { title: "To Atlantis", body: "b", conditions: { key: "country", operator: "str_eq", value: "Atlantis" } });
  // As the API shows a device that a provider no longer knows.
  const pruned = { at: new Date().toISOString(), reason: "UNREGISTERED" };
  await tab.route((url) => url.pathname === "/devices/given-up", async (route) => {
    const answer = await route.fetch();
    const told = await answer.json();
    await route.fulfill({ response: answer, json: { ...told, result: { ...told.result, pruned } } });
  });
  await tab.getByLabel("Why does a device match?").fill("given-up");
  await shows(tab, "It matches, but would not be sent to: its token was given up");
  await visit(tab, `/devices/given-up?campaign=${uuid}`);
  await shows(tab, "but would not be sent to: its token was given up.");
  is((await tab.locator("[aria-labelledby=explanation] .badge.good").count()) === 0, "it is green");
  await api("DELETE", "/devices/given-up");
}

async function details(tab) {
  await visit(tab, "/campaigns/new");
  await tab.getByLabel("Link").fill("shop.com/tonight");
  await shows(tab, "it will probably open nothing");
  await tab.getByLabel("Link").fill("https://shop.com/tonight");
  await showsNot(tab, "it will probably open nothing");

  // A time that is over is said at once, not at the launch.
  await tab.getByLabel("At a time").check();
  await tab.getByLabel("Date").fill("2020-01-01");
  await shows(tab, "This moment has passed.");
  await tab.getByLabel("Date").fill("2099-01-01");
  await showsNot(tab, "This moment has passed.");
  await tab.getByLabel("At once").check();

  // The count has its word in the bar, on a telephone too, and the page has no room to spare at its side.
  await tab.setViewportSize({ width: 390, height: 844 });
  await tab.locator(".foot-count").filter({ hasText: /^[\d,]+ devices?$/ }).waitFor();
  is((await tab.locator(".foot-count").innerText()).includes("device"), "the count in the bar has no word");
  await tab.screenshot({ path: picture("compose-phone-foot") });
  is(!(await overflows(tab)), "the page is wider than a telephone");
  await tab.setViewportSize({ width: 1280, height: 900 });
  await tab.getByLabel("Link").fill("");
}
