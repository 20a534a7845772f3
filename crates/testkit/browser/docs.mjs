// Uses the page at /docs as people do: light and dark, on a desk and on a phone, by mouse and by keyboard.
//
//     node crates/testkit/browser/docs.mjs http://127.0.0.1:8080 KEY DIRECTORY
//
// Run by scripts/browser-test, which serves an app, finds a browser and keeps what it looked like in DIRECTORY.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const [base, key, directory] = process.argv.slice(2);
const { chromium } = createRequire(path.join(process.env.PLAYWRIGHT ?? import.meta.dirname, "x.js"))("playwright-core");
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

let faults = [];

async function open(name, options, story) {
  const context = await browser.newContext({ ...options, baseURL: base });
  const page = await context.newPage();
  page.on("console", (message) => { if (message.type() === "error" && !/status of 4\d\d/.test(message.text())) faults.push(`${name}: ${message.text()}`); });
  page.on("pageerror", (error) => faults.push(`${name}: ${error}`));
  page.on("request", (request) => { if (!request.url().startsWith(base) && !request.url().startsWith("data:")) faults.push(`${name} asked ${request.url()}`); });
  const shot = async (what) => {
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${name}, ${what}: ${wide} pixels wider than the window`);
    await page.screenshot({ path: path.join(directory, `${name}-${what}.png`) });
  };
  await story(page, shot);
  await context.close();
  console.log(`${name}: good`);
}

async function tour(page, shot, phone) {
  await page.goto("/docs");
  await page.getByRole("heading", { level: 1 }).waitFor();
  await shot("overview");
  if (phone) {
    assert.ok(await page.locator("#nav").isHidden(), "a phone begins with the content");
    await page.getByRole("button", { name: "Menu" }).click();
    await shot("menu");
  }
  await page.getByRole("searchbox").fill("list products");
  await page.getByRole("link", { name: /List products/ }).click();
  assert.match(page.url(), /#\/call\/listProducts$/);
  await page.getByLabel("limit", { exact: true }).fill("2");
  await page.getByLabel("sort", { exact: true }).fill("-price,name");
  const command = page.getByLabel("The request as a curl command");
  assert.match(await command.textContent(), /^curl -i '.*\/api\/products\?limit=2&sort=-price,name'/);
  await shot("call");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("200 OK", { exact: true }).waitFor();
  const items = JSON.parse(await page.getByLabel("The body of the answer").textContent()).items;
  assert.equal(items.length, 2);
  assert.equal(items[0].bytes, undefined, "a stranger sees no sizes");
  await page.getByText("x-request-id", { exact: true }).waitFor();
  await page.getByLabel("The body of the answer").scrollIntoViewIfNeeded();
  await shot("answer");
}

async function signIn(page, shot) {
  await page.goto("/docs");
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.getByRole("button", { name: "Stranger" }).click();
  await page.getByLabel(/^Token/).fill(key);
  await page.getByRole("button", { name: "Use" }).click();
  await page.getByText("The document is now the one that you may see.").waitFor();
  await shot("identity");
  await page.getByRole("button", { name: "Token" }).click();
  await page.goto("/docs#/call/createGenre");
  await page.getByLabel("Body").fill('{"name": "Polka"}');
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("201 Created", { exact: true }).waitFor();
  const made = JSON.parse(await page.getByLabel("The body of the answer").textContent());
  await page.goto("/docs#/call/getGenre");
  await page.getByLabel("id required").fill(String(made.id));
  await page.keyboard.press("Enter");
  await page.getByText("200 OK", { exact: true }).waitFor();
  await page.goto("/docs#/call/deleteGenre");
  await page.getByLabel("id required").fill(String(made.id));
  await page.keyboard.press("Enter");
  await page.getByText("204 No Content", { exact: true }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByText("404 Not Found", { exact: true }).waitFor();
  await shot("problem");
}

/** A session in a cookie, begun and ended from the page itself. */
async function cookie(page, shot) {
  await page.goto("/docs#/call/signUp");
  const body = page.getByLabel("Body");
  await body.waitFor();
  await shot("sign-up");
  await page.getByLabel("Mainstay-Session header").selectOption("cookie");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("201 Created", { exact: true }).waitFor();
  await page.getByText(/^The session is in a cookie/).waitFor();
  await page.getByRole("button", { name: "Stranger" }).click();
  await page.getByLabel("Session cookie of this site").check();
  await page.getByRole("button", { name: "Use" }).click();
  await page.getByText("The document is now the one that you may see.").waitFor();
  await page.goto("/docs#/call/getMe");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("200 OK", { exact: true }).waitFor();
  await page.goto("/docs#/call/signOut");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("204 No Content", { exact: true }).waitFor();
  await page.goto("/docs#/call/getMe");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("401 Unauthorized", { exact: true }).waitFor();
  await page.goto("/docs#/call/reauthenticate");
  await page.getByText("A mailed code", { exact: true }).waitFor();
  await shot("reauth");
}

async function byKeyboard(page) {
  await page.goto("/docs");
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.keyboard.press("/");
  await page.keyboard.type("aggregate orders");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL(/#\/call\/aggregateOrders$/);
  assert.equal(await page.evaluate(() => document.activeElement.id), "main", "the reader is taken to the content");
}

async function links(page, shot) {
  await page.goto("/docs#/type/ProductCreate");
  await page.getByRole("heading", { name: "ProductCreate" }).waitFor();
  await shot("type");
  await page.getByRole("link", { name: /Create one product/ }).last().click();
  await page.waitForURL(/createProduct/);
  await page.goto("/docs#/call/watchProducts");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText(": open").waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("Stopped.").waitFor();
  await page.goto("/docs#/call/nothing");
  await page.getByRole("heading", { name: "Not here" }).waitFor();
}

try {
  for (const colorScheme of ["light", "dark"]) {
    await open(`desk-${colorScheme}`, { colorScheme, viewport: { width: 1440, height: 900 } }, (page, shot) => tour(page, shot, false));
    await open(`phone-${colorScheme}`, { colorScheme, viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }, (page, shot) => tour(page, shot, true));
  }
  await open("signed-in", { viewport: { width: 1024, height: 768 } }, signIn);
  await open("cookie", { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }, cookie);
  await open("keyboard", { viewport: { width: 1440, height: 900 } }, byKeyboard);
  await open("links", { viewport: { width: 1440, height: 900 } }, links);
} finally {
  await browser.close();
}
assert.deepEqual(faults, [], "errors in the page, or requests elsewhere");
console.log("The page works.");
