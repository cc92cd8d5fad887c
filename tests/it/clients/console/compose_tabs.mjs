// One draft in two tabs: what goes out is what was confirmed, and nobody's words are replaced unasked.

import { api, is, site, visit } from "./browser.mjs";

const body = (tab) => tab.getByRole("textbox", { name: "Text" });
const elsewhere = (tab) => tab.getByRole("dialog", { name: "This draft was changed elsewhere" });
const press = (within, name) => within.getByRole("button", { name, exact: true }).click();
const stored = (uuid) => api("GET", `/notifications/${uuid}`);

async function saves(tab, text) {
  await body(tab).fill(text);
  await press(tab, "Save draft");
}

/** Saves it where nobody else has, and waits until it is stored. */
async function stores(tab, uuid, text) {
  const answered = tab.waitForResponse((answer) => answer.request().method() === "PUT" && answer.url().endsWith(uuid));
  await saves(tab, text);
  is((await answered).ok(), `${text} is not stored`);
  is((await stored(uuid)).body === text, `something else than ${text} is stored`);
}

/** Walks two tabs through it; the first is `a`. */
export async function twoTabs(a) {
  const { uuid } = await api("POST", "/notifications", { title: "Two tabs", body: "As it was" });
  const b = await a.context().newPage();
  a.expected.push(/status of 412/);
  for (const tab of [a, b]) {
    await visit(tab, `/campaigns/${uuid}/edit`);
    await body(tab).waitFor();
  }

  // The second to save is asked.
  await saves(b, "From B");
  await b.getByText(/^Saved at/).waitFor({ state: "attached" });
  await saves(a, "From A");
  await elsewhere(a).getByText("From B").waitFor();
  is((await stored(uuid)).body === "From B", "A's words replaced B's before anybody was asked");
  await press(elsewhere(a), "Keep mine");
  await a.getByText(/^Saved at/).waitFor({ state: "attached" });
  is((await stored(uuid)).body === "From A", "A's words are not kept");

  // B, whose own copy is unchanged, is told before it confirms what is not stored.
  await press(b, "Launch");
  await elsewhere(b).getByText("From A").waitFor();
  is((await stored(uuid)).status === 0, "something was launched");
  await press(elsewhere(b), "Load theirs");
  await elsewhere(b).waitFor({ state: "hidden" });
  await b.waitForFunction(() => document.querySelector("#compose-body")?.value === "From A");

  // What survived a reload was written over the version of then.
  await body(b).fill("Unsaved in B");
  await stores(a, uuid, "Later from A");
  await b.reload();
  await b.getByText("did not save").waitFor();
  await press(b, "Save draft");
  await elsewhere(b).getByText("Later from A").waitFor();
  await press(elsewhere(b), "Load theirs");
  await b.waitForFunction(() => document.querySelector("#compose-body")?.value === "Later from A");

  // A test is of what stands here, or is not sent.
  await press(b, "Send a test");
  await b.getByRole("combobox", { name: /^Devices/ }).fill(site.reached);
  await b.keyboard.press("Enter");
  await stores(a, uuid, "Not for a test");
  await press(b, "Send the test");
  await elsewhere(b).getByText("Not for a test").waitFor();
  const timeline = await api("GET", `/notifications/${uuid}/timeline`);
  is(!timeline.some(({ event }) => event === "tested"), `a test went out unseen: ${JSON.stringify(timeline)}`);
  await press(elsewhere(b), "Load theirs");
  await b.waitForFunction(() => document.querySelector("#compose-body")?.value === "Not for a test");

  // And what is stored after the question was put is not what was confirmed.
  await press(b, "Launch");
  const question = b.getByRole("dialog", { name: "Launch this campaign?" });
  await question.getByText("Not for a test").waitFor();
  await stores(a, uuid, "From A again");
  await question.getByRole("button", { name: /^Launch to/ }).click();
  await elsewhere(b).getByText("From A again").waitFor();
  is((await stored(uuid)).status === 0, "what nobody confirmed was launched");
  await press(elsewhere(b), "Keep mine");
  await question.getByText("Not for a test").waitFor();
  await question.getByRole("button", { name: /^Launch to/ }).click();
  await b.waitForURL(/\/campaigns\/[0-9a-f-]{36}$/);
  const sent = await stored(uuid);
  is(sent.body === "Not for a test" && sent.status !== 0, JSON.stringify(sent));
  await b.close();
}
