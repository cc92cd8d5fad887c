// The pages of devices: finding one, turning pages, changing what is known of it, and why a campaign is for it.

import { api, inBrowser, is, picture, settled, shows, showsNot, signIn, site, visit } from "./browser.mjs";

await inBrowser(async (open) => {
  const tab = await open();
  await signIn(tab);
  await finding(tab);
  await turning(tab);
  await comingBack(tab);
  await changing(tab);
  await explaining(tab);
  await deleting(tab);
});

function rows(tab) {
  return tab.locator(".device-rows tbody tr");
}

async function finding(tab) {
  await visit(tab, "/devices");
  await shows(tab, "can be reached");
  await tab.keyboard.press("/");
  await tab.keyboard.type("demo-7");
  await tab.keyboard.press("Enter");
  await tab.getByRole("link", { name: "demo-7", exact: true }).waitFor();
  await tab.waitForFunction(() => document.querySelectorAll(".device-rows tbody tr").length === 1);

  // A part of an alias is found among the aliases, and an id is compared whole, which is said.
  await api("PUT", "/devices", { external_id: "phone-of-alice", alias: "mrs-alice7-smith", send_platform: "FCM", push_token: "alices", device_platform: "ANDROID" });
  await shows(tab, "The whole id, exactly as it was registered.");
  await tab.getByLabel("External id").fill("alice7");
  await tab.keyboard.press("Enter");
  await shows(tab, "No device has exactly this external id.");
  await tab.getByRole("button", { name: "Search aliases for “alice7”" }).click();
  await tab.getByRole("link", { name: "phone-of-alice", exact: true }).waitFor();
  is((await tab.getByLabel("Find by").inputValue()) === "alias" && tab.url().includes("q=alice7"), tab.url());
  await api("DELETE", "/devices/phone-of-alice");
  await tab.getByLabel("Alias").fill("x".repeat(100_000));
  await tab.keyboard.press("Enter");
  await shows(tab, "No device matches.");
  is(tab.url().length < 500, `an address of ${tab.url().length} characters`);
  await tab.goto(`/console/devices?q=${"y".repeat(5000)}`);
  await settled(tab);
  is((await tab.getByLabel("External id").inputValue()).length === 256, "what the address asks for is not cut");

  // A property of its own type; what is found agrees with the API.
  await tab.getByLabel("Find by").selectOption("property");
  await tab.getByLabel("Property", { exact: true }).fill("age");
  await tab.getByLabel("Type").selectOption("integer");
  await tab.getByLabel("Value").fill("30");
  await tab.keyboard.press("Enter");
  await shows(tab, "Matching devices");
  const { total } = await api("POST", "/devices/-/:count", { conditions: { key: "age", operator: "int_eq", value: 30 } });
  await tab.waitForFunction((n) => document.querySelector(".device-figures dd")?.textContent === String(n), total);

  // The search is in the address; one that finds nothing says so.
  await tab.reload();
  await shows(tab, "Matching devices");
  await tab.getByLabel("Value").fill("not a number");
  await tab.keyboard.press("Enter");
  await shows(tab, "Give a whole number.");
  await tab.getByLabel("Find by").selectOption("tag");
  await tab.getByLabel("Tag").fill("nobody-has-it");
  await tab.keyboard.press("Enter");
  await shows(tab, "No device matches.");
  await tab.getByRole("button", { name: "Show all" }).click();
  await rows(tab).nth(20).waitFor();
}

async function turning(tab) {
  await visit(tab, "/devices");
  const first = await rows(tab).first().innerText();
  const pages = tab.getByRole("navigation", { name: "Pages of devices" });
  await pages.getByRole("button").last().click();
  await shows(tab, /^51–100 of/);
  is((await rows(tab).first().innerText()) !== first, "the second page begins as the first");
  await tab.reload();
  await shows(tab, /^51–100 of/);
  await pages.getByRole("button").first().click();
  await shows(tab, /^1–50 of/);

  // Answers may be shorter than was asked for: that is not the end, and a page has what a page has.
  await tab.route("**/devices/-/:search", (route) => {
    const asked = route.request().postDataJSON();
    return route.continue({ postData: JSON.stringify({ ...asked, size: Math.min(asked.size, 20) }) });
  });
  await visit(tab, "/devices");
  await shows(tab, /^1–50 of/);
  await pages.getByRole("button").last().click();
  await shows(tab, /^51–100 of/);
  await pages.getByRole("button").last().click();
  await shows(tab, /^101–120 of 120/);
  is(await pages.getByRole("button").last().isDisabled(), "there is more after the last device");
  await tab.unrouteAll({ behavior: "wait" });
}

/** Back from a device, and after a reload, the list stands where it was left. */
async function comingBack(tab) {
  await visit(tab, "/devices");
  await rows(tab).nth(45).getByRole("link").click();
  await tab.waitForURL(/\/devices\/[^?]+$/);
  await settled(tab);
  await tab.evaluate(() => scrollTo(0, 0));
  await tab.goBack();
  await rows(tab).nth(45).waitFor();
  const stands = () => tab.waitForFunction(() => scrollY > 500);
  await stands();
  await tab.reload();
  await rows(tab).nth(45).waitFor();
  await stands();
  // A page that is gone to anew begins at its top.
  await tab.getByRole("link", { name: "Overview", exact: true }).click();
  await tab.waitForFunction(() => scrollY === 0);
}

async function changing(tab) {
  await visit(tab, "/devices/demo-3");
  const { push_token: token } = await api("GET", "/devices/demo-3");
  is(!(await tab.content()).includes(token), "the whole token is shown");

  await tab.getByLabel("Another tag").fill("tested");
  await tab.keyboard.press("Enter");
  await tab.getByRole("button", { name: "Remove the tag tested" }).waitFor();

  // What is typed while a tag is saved is the next one; neither is lost.
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await tab.route((url) => url.pathname === "/devices/demo-3", async (route) => {
    if (route.request().method() === "PATCH") await held;
    await route.continue();
  });
  await tab.getByLabel("Another tag").pressSequentially("first");
  await tab.keyboard.press("Enter");
  await tab.getByLabel("Another tag").pressSequentially("second");
  release();
  await tab.getByRole("button", { name: "Remove the tag first" }).waitFor();
  is((await tab.getByLabel("Another tag").inputValue()) === "second", "a saved tag took what was typed along");
  await tab.keyboard.press("Enter");
  await tab.getByRole("button", { name: "Remove the tag second" }).waitFor();
  await tab.unrouteAll({ behavior: "wait" });

  // 20.0 is no whole number, and stays none.
  await tab.getByRole("region", { name: "Properties" }).getByRole("button", { name: "Add" }).click();
  const dialog = tab.getByRole("dialog");
  await dialog.getByLabel("Property").fill("score");
  await dialog.getByLabel("Type").selectOption("float");
  await dialog.getByLabel("Value", { exact: true }).fill("20");
  await dialog.getByRole("button", { name: "Save" }).click();
  await tab.getByRole("row", { name: /score 20\.0 Number/ }).waitFor();
  const matching = await api("POST", "/devices/-/:count", { conditions: { key: "score", operator: "float_eq", value: 20.5 - 0.5 } });
  is(matching.total === 1, `${matching.total} devices have the score`);

  // A refusal of the server stands beside its field, and nothing is lost.
  tab.expected.push(/status of 400/);
  await tab.getByRole("button", { name: "Change score" }).click();
  await dialog.getByLabel("Type").selectOption("string");
  await dialog.getByLabel("Value", { exact: true }).fill("x".repeat(1100));
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.getByRole("alert").waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();

  await tab.getByRole("button", { name: "Remove score" }).click();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await tab.getByRole("row", { name: /score/ }).waitFor({ state: "hidden" });

  await tab.getByRole("region", { name: "About this device" }).getByRole("button", { name: "Change" }).click();
  await dialog.getByLabel("Alias").fill("somebody");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "hidden" });
  const device = await api("GET", "/devices/demo-3");
  is(device.alias === "somebody" && device.tags.includes("tested") && device.push_token === token, JSON.stringify(device));
}

async function explaining(tab) {
  const { result } = await (await fetch(`${site.base}/devices/-/:search`, {
    method: "POST", headers: { Authorization: `Bearer ${site.key}`, "Content-Type": "application/json" },
    body: JSON.stringify({ conditions: { key: "@platform", operator: "str_eq", value: "web" }, size: 1 }),
  })).json();
  await visit(tab, `/devices/${result[0].external_id}`);
  const choice = tab.getByRole("combobox", { name: "Campaign" });
  await choice.fill("DOORS open");
  await tab.getByRole("option", { name: /^Doors open at eight/ }).waitFor();
  await tab.waitForFunction(() => document.querySelectorAll("[role=option]").length === 1);
  await tab.screenshot({ path: picture("device-campaigns") });
  await choice.press("ArrowDown");
  await choice.press("Enter");
  await shows(tab, "Does not match");
  is((await choice.inputValue()) === "Doors open at eight" && tab.url().endsWith(`?campaign=${site.sent}`), `${await choice.inputValue()} at ${tab.url()}`);
  await tab.locator(".explained .mark.no").first().waitFor();
  await tab.reload();
  await settled(tab);
  await shows(tab, "Does not match");
  is((await choice.inputValue()) === "Doors open at eight", `after a reload: ${await choice.inputValue()}`);
  // What is typed only searches; what is left unchosen changes nothing, what is emptied is no choice.
  await choice.fill("ight");
  await tab.getByRole("option", { name: /^See you tonight/ }).waitFor();
  await choice.press("Tab");
  is((await choice.inputValue()) === "Doors open at eight", `left unchosen: ${await choice.inputValue()}`);
  await choice.fill("");
  await choice.press("Enter");
  await showsNot(tab, "Does not match");
  is(!tab.url().includes("campaign="), `the address: ${tab.url()}`);

  await visit(tab, `/devices/${site.reached}`);
  await tab.locator(".happened li").first().waitFor();
  await tab.getByRole("button", { name: "Opened", exact: true }).click();
  await shows(tab, "Nothing of this kind.");
}

async function deleting(tab) {
  await visit(tab, "/devices/demo-5");
  await tab.getByRole("button", { name: "Delete", exact: true }).click();
  const dialog = tab.getByRole("dialog");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await api("GET", "/devices/demo-5");
  await tab.getByRole("button", { name: "Delete", exact: true }).click();
  await dialog.getByRole("button", { name: "Delete 1 device" }).click();
  await tab.getByRole("heading", { name: "Devices", level: 1 }).waitFor();
  tab.expected.push(/status of 404/);
  await visit(tab, "/devices/demo-5");
  await shows(tab, "There is no such device");
  await visit(tab, "/audit");
  await shows(tab, "deleted the device");
  await tab.getByLabel("What", { exact: true }).selectOption("key.created");
  await showsNot(tab, "deleted the device");
}
