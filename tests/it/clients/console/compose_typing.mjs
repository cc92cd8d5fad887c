// Typing fast into fields that suggest: nothing typed is lost, and what is meant is taken.

import { api, is, visit } from "./browser.mjs";

const box = (tab, name) => tab.getByRole("combobox", { name, exact: typeof name === "string" });
const pressed = (tab, name) => tab.getByRole("button", { name, exact: true }).first().click();
const says = (tab, text) => tab.waitForFunction((wanted) => document.querySelector(".in-words")?.innerText === wanted, text);

/** Waits until the audience was counted again, and so everything was drawn again. */
const drawn = (tab, value) => tab.waitForResponse((answer) => answer.url().endsWith("/:count") && answer.request().postData().includes(JSON.stringify(value)));

/** The property, by its field's own hand. */
async function condition(tab, typed, key) {
  await pressed(tab, "Condition");
  await box(tab, "Property").last().fill("");
  await tab.keyboard.type(typed);
  await tab.keyboard.press(key);
}

export async function typing(tab) {
  await visit(tab, "/campaigns/new");
  // A sole suggestion, by Enter though the list has not come yet.
  await condition(tab, "countr", "Enter");
  await tab.waitForFunction(() => document.querySelector('.key input')?.value === "country");
  await tab.getByLabel("Comparison").selectOption({ label: "is one of" });

  // With the second value begun, the count of the first comes and everything is drawn again.
  const more = box(tab, /add a value/);
  await more.click();
  const counted = drawn(tab, ["KR"]);
  await tab.keyboard.type("KR");
  await tab.keyboard.press("Enter");
  await tab.keyboard.type("J");
  await counted;
  await tab.locator(".reach:not(.stale)").waitFor();
  await tab.keyboard.type("P");
  is((await more.inputValue()) === "JP", `of JP ${await more.inputValue()} is left`);
  await tab.keyboard.press("Enter");
  await says(tab, "Devices where country is one of “KR” or “JP”.");
  await pressed(tab, "Remove: country is one of “KR” or “JP”");

  // Decimal numbers are not read before they are written.
  await condition(tab, "spent", "Tab");
  await tab.keyboard.press("Tab");
  await tab.keyboard.type("0.05");
  await says(tab, "Devices where spent is at least 0.05.");
  is((await box(tab, "Value of spent").inputValue()) === "0.05", await box(tab, "Value of spent").inputValue());
  await pressed(tab, "Remove: spent is at least 0.05");
  // By its name among people.
  await condition(tab, "last seen", "Tab");
  await tab.waitForFunction(() => document.querySelector(".own input")?.value === "Last seen");
  await tab.getByLabel("Value of Last seen").fill("");
  await tab.getByLabel("Value of Last seen").pressSequentially("0.5");
  await says(tab, "Devices seen in the last 0.5 days.");

  // A year is written figure by figure.
  await tab.getByLabel("Comparison").selectOption({ label: "is before" });
  const moment = tab.getByLabel("Value of Last seen");
  await moment.click({ position: { x: 15, y: 10 } });
  await tab.keyboard.type("03012031");
  await tab.keyboard.press("Tab");
  await tab.keyboard.type("1030AM");
  is((await moment.inputValue()).slice(0, 10) === "2031-03-01" || (await moment.inputValue()).slice(0, 10) === "2031-01-03", await moment.inputValue());
  await tab.getByLabel("Comparison").selectOption({ label: "is in the last" });
  await tab.getByLabel("Value of Last seen").fill("7");
  await says(tab, "Devices seen in the last 7 days.");

  // A property that is begun as another one stays what it is.
  await api("POST", "/devices/demo-3/properties/:add", { properties: [{ key: "agenda", value: "x" }] });
  await pressed(tab, "Remove: seen in the last 7 days");
  await condition(tab, "age", "Tab");
  await tab.getByRole("group", { name: /^age is/ }).waitFor();
  // An id with a space in it.
  const device = tab.getByLabel("Why does a device match?");
  await device.pressSequentially("my phone");
  is((await device.inputValue()) === "my phone", await device.inputValue());
  await device.fill("");
  await tab.getByLabel("At a time").check();
  await box(tab, "Time zone").fill("Seoul");
  await tab.keyboard.press("Enter");
  await tab.waitForFunction(() => document.querySelector('combo-box input[aria-label="Time zone"]')?.value === "Asia/Seoul");
}
