// Every page of the console, light, dark and on a phone: nothing on the browser's console, no serious or
// critical violation by axe-core, nothing wider than the window; and a picture of each.

import { inBrowser, is, overflows, picture, settled, signIn, site, violations, visit } from "./browser.mjs";

const LOOKS = { light: {}, dark: { dark: true }, phone: { phone: true } };

/** Addresses of the routes of app.js, by a name for their pictures. A new route needs no line here unless
 * its parameters have new names. */
async function addresses() {
  const source = await (await fetch(`${site.base}/console/app.js`)).text();
  const routes = [...source.matchAll(/\[\s*'(\/[^']*)',\s*\(\) => import/g)].map(([, route]) => route);
  is(routes.length > 5, `app.js has few routes: ${routes}`);
  const addresses = routes.map((route) => {
    const ids = { ":uuid": route.endsWith("/edit") ? site.draft : site.sent, ":id": "demo-0" };
    const path = route.replace(/:\w+/g, (name) => ids[name] ?? is(false, `what is ${name} of ${route}?`));
    return [route.replace(/[:/]+/g, "-").replace(/^-|-$/g, "") || "overview", path];
  });
  return [...addresses, ["campaigns-sending", `/campaigns/${site.sending}`], ["app", `/apps?app=${site.app}`], ["missing", "/nowhere"]];
}

await inBrowser(async (open) => {
  const wrong = [];
  const pages = await addresses();
  for (const [looks, options] of Object.entries(LOOKS)) {
    const tab = await open(options);
    await tab.goto("/console/");
    await tab.getByLabel("Key", { exact: true }).waitFor();
    await judge(tab, "sign-in", looks, wrong);
    await signIn(tab, site.operator);
    for (const [name, path] of pages) {
      await visit(tab, path);
      await judge(tab, name, looks, wrong);
    }
  }
  is(wrong.length === 0, wrong.join("\n"));
  return { pages: pages.length };
});

async function judge(tab, name, looks, wrong) {
  if (name !== "sign-in") await settled(tab);
  await tab.screenshot({ path: picture(`${name}-${looks}`), fullPage: true });
  wrong.push(...(await violations(tab)).map((violation) => `${name}, ${looks}: ${violation}`));
  if (await overflows(tab)) wrong.push(`${name}, ${looks}: wider than the window`);
}
