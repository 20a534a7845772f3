// Uses the template `accounts` as people do: in several browsers at once, with their mail, an authenticator app and a passkey.
//
//     node crates/testkit/browser/accounts.mjs http://localhost:8080 MAIL-DIRECTORY DIRECTORY
//
// Run by scripts/browser-test, which serves the app, finds a browser and keeps what it looked like in DIRECTORY.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const [base, mails, directory] = process.argv.slice(2);
const { chromium } = createRequire(path.join(process.env.PLAYWRIGHT ?? import.meta.dirname, "x.js"))("playwright-core");
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

const DESK = { viewport: { width: 1280, height: 900 } };
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const [FIRST, SECOND, THIRD] = ["a lighthouse by the sea", "seven geese over a barn", "the clock runs backwards"];
const ADA = "ada@example.com";
const faults = [];

/** A browser of its own. */
async function window(name, options) {
  const context = await browser.newContext({ ...options, baseURL: base });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("console", (message) => { if (message.type() === "error" && !/status of 4\d\d/.test(message.text())) faults.push(`${name}: ${message.text()}`); });
  page.on("pageerror", (error) => faults.push(`${name}: ${error}`));
  page.on("request", (request) => { if (!request.url().startsWith(base) && !request.url().startsWith("data:")) faults.push(`${name} asked ${request.url()}`); });
  page.shot = async (what) => {
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${name}, ${what}: ${wide} pixels wider than the window`);
    await page.screenshot({ path: path.join(directory, `accounts-${name}-${what}.png`), fullPage: true });
  };
  return page;
}

/** The newest mail to an address whose subject matches, once it is there; each is read once. */
const read = new Set();
async function mail(to, subject) {
  for (let tries = 0; tries < 100; tries += 1) {
    for (const file of readdirSync(mails).filter((name) => name.endsWith(".eml")).sort()) {
      const text = readFileSync(path.join(mails, file), "utf8");
      if (read.has(file) || !text.startsWith(`To: ${to}\n`) || !subject.test(text.split("\n")[1])) continue;
      read.add(file);
      return text;
    }
    await pause(100);
  }
  throw new Error(`no mail to ${to} came: ${subject}`);
}
const code = async (to) => /^(\d{6})$/m.exec(await mail(to, /\d{6}/))[1];

/** What an authenticator app shows (RFC 6238); a step that was used is waited out. */
let used = 0;
async function totp(secret) {
  const step = () => Math.floor(Date.now() / 30_000);
  while (step() <= used) await pause(500);
  used = step();
  const bits = [...secret.replaceAll(" ", "")].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(used));
  const hash = createHmac("sha1", key).update(counter).digest();
  const at = hash[19] & 15;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

const press = (page, name, exact = true) => page.getByRole("button", { name, exact }).click();
/** The page is there, and its script has begun: before that, forms are the browser's own. */
const heading = async (page, name) => {
  await page.getByRole("heading", { name, level: 1 }).waitFor();
  await page.getByRole("navigation").waitFor();
};

async function signIn(page, password, email = ADA) {
  await page.goto("/sign-in");
  await page.getByRole("navigation").waitFor();
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await press(page, "Sign in");
}

async function signUp(page) {
  await page.goto("/");
  await heading(page, "Notes that are yours");
  await page.shot("welcome");
  await page.getByRole("link", { name: "Make an account" }).click();
  await heading(page, "Make an account");
  await page.getByLabel("E-mail").fill("ada@example");
  await page.getByLabel("Password", { exact: true }).fill("short");
  await press(page, "Sign up");
  for (const label of ["Name", "Password"]) {
    const field = page.getByLabel(label, { exact: true });
    await page.waitForFunction((id) => document.getElementById(id).getAttribute("aria-invalid") === "true", await field.getAttribute("id"));
  }
  assert.equal(await page.evaluate(() => document.activeElement.id), "name", "the reader is taken to the first fault");
  await page.shot("sign-up-faults");
  await page.getByLabel("Name").fill("Ada");
  await page.getByLabel("E-mail").fill(ADA);
  await page.getByLabel("Password", { exact: true }).fill(FIRST);
  await press(page, "Sign up");
  await heading(page, "Look into your mail");
  await page.shot("sign-up-code");
  await page.getByLabel("Code").fill("000000");
  await press(page, "Confirm");
  await page.locator("#code-form .said.bad, #code-form .error").filter({ hasText: /\w/ }).waitFor();
  await page.getByLabel("Code").fill(await code(ADA));
  await press(page, "Confirm");
  await heading(page, "Your notes");
  const cookies = await page.context().cookies();
  const session = cookies.find((cookie) => /^mainstay_\d+$/.test(cookie.name));
  assert.deepEqual([session.httpOnly, session.sameSite], [true, "Lax"]);
  assert.equal(await page.evaluate(() => document.cookie + JSON.stringify([localStorage, sessionStorage])), "[{},{}]", "no script can read a secret");
}

async function keepNotes(page) {
  await page.getByLabel("Title").fill("Milk & <b>bread</b>");
  await page.getByLabel("Text").fill("Two bottles.\nOne loaf.");
  await press(page, "Keep it");
  await page.getByRole("heading", { name: "Milk & <b>bread</b>" }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Milk & <b>bread</b>" }).waitFor();
  await page.shot("notes");
  await press(page, "Keep it");
  await page.locator("#title-error").waitFor();
}

async function profile(page) {
  await page.getByRole("link", { name: "Profile" }).click();
  await heading(page, "Profile");
  await page.getByText("confirmed", { exact: true }).waitFor();
  assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "Ada");
  await page.getByLabel("Name", { exact: true }).fill("Ada L.");
  await press(page, "Save");
  await page.getByText("Saved.").waitFor();
  await page.shot("profile");
}

async function sessions(ada, phone) {
  await signIn(phone, "not her password at all");
  await phone.locator("#sign-in .said.bad").filter({ hasText: "wrong" }).waitFor();
  await phone.shot("sign-in-wrong");
  await signIn(phone, FIRST);
  await heading(phone, "Your notes");
  await phone.shot("notes");
  await ada.goto("/sessions");
  await ada.getByText("this one").waitFor();
  assert.equal(await ada.locator("#sessions > li").count(), 2);
  await ada.shot("sessions");
  await ada.getByRole("button", { name: /^End the session/ }).click();
  await ada.getByText("The session has ended.").waitFor();
  assert.equal(await ada.locator("#sessions > li").count(), 1);
  // What is still on the other screen does nothing any more.
  await phone.getByLabel("Title").fill("From the grave");
  await press(phone, "Keep it");
  await phone.locator("#note .said.bad").waitFor();
  await phone.goto("/profile");
  await heading(phone, "Sign in");
  assert.match(phone.url(), /next=%2Fprofile/);
  await phone.getByLabel("E-mail").fill(ADA);
  await phone.getByLabel("Password", { exact: true }).fill(FIRST);
  await press(phone, "Sign in");
  await heading(phone, "Profile");
  await phone.shot("profile");
}

async function changePassword(ada, phone) {
  await ada.goto("/profile");
  await ada.getByLabel("Current password", { exact: true }).fill("not it, I fear, not it");
  await ada.getByLabel("New password", { exact: true }).fill(SECOND);
  await press(ada, "Change it");
  await ada.locator("#password .said.bad").filter({ hasText: "wrong" }).waitFor();
  await ada.getByLabel("Current password", { exact: true }).fill(FIRST);
  await press(ada, "Change it");
  await ada.getByText("Your other sessions have ended.", { exact: false }).last().waitFor();
  await ada.locator("#password .said").filter({ hasText: "Changed." }).waitFor();
  await phone.goto("/");
  await heading(phone, "Notes that are yours");
  await signIn(phone, FIRST);
  await phone.locator("#sign-in .said.bad").waitFor();
  await mail(ADA, /password has changed/);
}

async function changeEmail(ada) {
  const anew = "ada@elsewhere.example";
  await ada.goto("/profile");
  await ada.getByLabel("New e-mail").fill("nonsense");
  await press(ada, "Send a code there");
  await ada.locator("#email-error").waitFor();
  for (const [to, from] of [[anew, ADA], [ADA, anew]]) {
    await ada.getByLabel("New e-mail").fill(to);
    await press(ada, "Send a code there");
    await ada.locator("#mail-code").getByLabel("Code").fill(await code(to));
    await press(ada, "Confirm");
    await ada.locator("#address").filter({ hasText: to }).waitFor();
    await mail(from, /address has changed/);
  }
}

/** The server asks for a proof where the last one is old; here a first answer stands in for ten minutes of waiting. */
function refuseOnce(page, path) {
  const refusal = { type: "/problems/reauthenticate", title: "Sign in again", status: 403 };
  return page.route(path, (route) => route.fulfill({ status: 403, contentType: "application/problem+json", body: JSON.stringify(refusal) }), { times: 1 });
}

async function proveAgain(ada) {
  await ada.goto("/profile");
  await refuseOnce(ada, "**/auth/email/change");
  await ada.getByLabel("New e-mail").fill("ada@third.example");
  await press(ada, "Send a code there");
  const dialog = ada.getByRole("dialog", { name: "Is it you?" });
  await dialog.getByLabel("Password", { exact: true }).fill("no");
  await dialog.getByRole("button", { name: "Go on" }).click();
  await dialog.locator(".said.bad").filter({ hasText: "wrong" }).waitFor();
  await ada.shot("reauth");
  await dialog.getByLabel("Password", { exact: true }).fill(SECOND);
  await dialog.getByRole("button", { name: "Go on" }).click();
  await mail("ada@third.example", /\d{6}/);
  await ada.locator("#mail-code").getByLabel("Code").waitFor();
}

async function authenticatorApp(ada, phone) {
  await ada.goto("/profile");
  await press(ada, "Set it up");
  const secret = await ada.locator("#secret").filter({ hasText: /\w/ }).textContent();
  assert.match(await ada.locator("#uri").getAttribute("href"), /^otpauth:\/\/totp\//);
  await ada.shot("totp");
  await ada.locator("#totp-confirm").getByLabel("Code").fill("000000");
  await ada.locator("#totp-confirm").getByRole("button", { name: "Confirm" }).click();
  await ada.locator("#totp-confirm .said.bad, #totp-confirm .error").filter({ hasText: /\w/ }).waitFor();
  await ada.locator("#totp-confirm").getByLabel("Code").fill(await totp(secret));
  await ada.locator("#totp-confirm").getByRole("button", { name: "Confirm" }).click();
  await ada.getByRole("heading", { name: "Recovery codes" }).waitFor();
  await ada.shot("recovery-codes");
  const codes = await ada.locator("#codes li").allTextContents();
  assert.ok(codes.length >= 8, `${codes}`);
  await press(ada, "I have kept them");

  await signIn(phone, SECOND);
  await heading(phone, "One step more");
  await phone.shot("second-step");
  await phone.getByLabel("Code").fill("000000");
  await press(phone, "Go on");
  await phone.locator("#factor .said.bad, #factor .error").filter({ hasText: /\w/ }).waitFor();
  await phone.getByLabel("Code").fill(await totp(secret));
  await press(phone, "Go on");
  await heading(phone, "Your notes");
  await press(phone, "Sign out");
  await heading(phone, "Sign in");
  await signIn(phone, SECOND);
  await phone.getByLabel("Code").fill(codes[0]);
  await press(phone, "Go on");
  await heading(phone, "Your notes");
  await press(phone, "Sign out");
  await heading(phone, "Sign in");
  await signIn(phone, SECOND);
  await phone.getByLabel("Code").fill(codes[0]);
  await press(phone, "Go on");
  await phone.locator("#factor .said.bad, #factor .error").filter({ hasText: /\w/ }).waitFor();
  return codes.slice(1);
}

async function passkey(ada) {
  const devices = await ada.context().newCDPSession(ada);
  await devices.send("WebAuthn.enable");
  await devices.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  await ada.goto("/profile");
  await ada.getByLabel("Name for it").fill("My laptop");
  await press(ada, "Add a passkey");
  await ada.getByRole("heading", { name: "My laptop" }).waitFor();
  await ada.shot("passkey");
  await press(ada, "Sign out");
  await heading(ada, "Sign in");
  await press(ada, "Sign in with a passkey");
  await heading(ada, "Your notes");
  await ada.goto("/profile");
  await press(ada, "Remove the passkey My laptop");
  await refuseOnce(ada, "**/auth/factors/*");
  await ada.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await ada.getByRole("dialog", { name: "Is it you?" }).getByRole("button", { name: "Use a passkey" }).click();
  await ada.getByRole("heading", { name: "My laptop" }).waitFor({ state: "detached" });
}

async function forgotten(ada, phone, codes) {
  await phone.goto("/sign-in");
  await phone.getByRole("link", { name: "Forgot your password?" }).click();
  await phone.getByLabel("E-mail").fill("nobody@example.com");
  await phone.shot("forgot");
  await press(phone, "Send the link");
  await heading(phone, "Look into your mail");
  await phone.goto("/forgot");
  await phone.getByLabel("E-mail").fill(ADA);
  await press(phone, "Send the link");
  await heading(phone, "Look into your mail");
  const link = /^(http\S+)$/m.exec(await mail(ADA, /set a new password/))[1];
  assert.ok(link.startsWith(`${base}/reset#`), link);
  await phone.goto(link);
  await heading(phone, "Set a new password");
  assert.equal(new URL(phone.url()).hash, "", "the secret is not left in the address");
  await phone.getByLabel("New password", { exact: true }).fill("short");
  await press(phone, "Set it");
  await phone.locator("#password-error").waitFor();
  await phone.getByLabel("New password", { exact: true }).fill(THIRD);
  await phone.shot("reset");
  await press(phone, "Set it");
  await heading(phone, "Done");
  await ada.goto("/profile");
  await heading(ada, "Sign in");
  await phone.goto("about:blank");
  await phone.goto(link);
  await phone.getByLabel("New password", { exact: true }).fill(SECOND);
  await press(phone, "Set it");
  await phone.locator("#reset .said.bad").filter({ hasText: /\w/ }).waitFor();
  await signIn(ada, THIRD);
  // A second step is asked for after a reset, too.
  await ada.getByLabel("Code").fill(codes.shift());
  await press(ada, "Go on");
  await heading(ada, "Your notes");
}

/** A key for a program: shown once, used by one that has no cookie, listed with its use, revoked. */
async function apiKeys(ada) {
  await ada.goto("/keys");
  await heading(ada, "API keys");
  await ada.getByText("You have none.").waitFor();
  await press(ada, "Make a key");
  await ada.locator("#name-error").waitFor();
  await ada.getByLabel("Name for it").fill("Nightly backup");
  await refuseOnce(ada, "**/auth/keys");
  await press(ada, "Make a key");
  const dialog = ada.getByRole("dialog", { name: "Is it you?" });
  await dialog.getByLabel("Password", { exact: true }).fill(SECOND);
  await dialog.getByRole("button", { name: "Go on" }).click();
  await ada.getByRole("heading", { name: "Your new key" }).waitFor();
  const key = await ada.locator("#key").textContent();
  assert.match(key, /^msk_[^_]+_[\w-]{43}$/);
  const asks = (method, at, body) => fetch(base + at, { method, body, headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" } });
  assert.equal((await asks("GET", "/api/notes")).status, 200);
  assert.equal((await asks("POST", "/api/notes", '{"title":"By key"}')).status, 403, "it may read, and that alone");
  assert.equal((await asks("GET", "/auth/sessions")).status, 403);
  await ada.getByText("Never used").waitFor();
  await ada.shot("key-made");
  await press(ada, "I have kept it");
  await ada.getByLabel("Name for it").fill("Importer");
  await ada.getByLabel("It may").selectOption("add notes, and read none");
  await ada.getByLabel("It ends").selectOption("when I revoke it");
  await press(ada, "Make a key");
  await ada.getByRole("heading", { name: "Importer" }).waitFor();
  await ada.reload();
  await ada.getByRole("heading", { name: "Nightly backup" }).waitFor();
  await ada.getByText("Last used", { exact: false }).waitFor();
  assert.equal(await ada.getByText(key).count(), 0, "it is not shown again");
  await ada.shot("keys");
  await press(ada, "Revoke the key Nightly backup");
  await ada.getByRole("dialog", { name: "Revoke this key?" }).getByRole("button", { name: "Revoke" }).click();
  await ada.getByRole("heading", { name: "Nightly backup" }).waitFor({ state: "detached" });
  assert.equal((await asks("GET", "/api/notes")).status, 401);
}

/** What the server says of links is shown, also of a provider that the pages do not offer. */
async function linked(ada) {
  await ada.goto("/profile");
  await heading(ada, "Profile");
  assert.ok(await ada.locator("#links-card").isHidden());
  const items = [{ id: "acme", issuer: "https://id.example", subject: "ada", created_at: new Date().toISOString() }];
  await ada.route("**/auth/oauth", (route) => route.fulfill({ json: { items } }));
  await ada.goto("/profile");
  await ada.getByRole("heading", { name: "acme" }).waitFor();
  await ada.shot("linked");
  await press(ada, "Unlink acme");
  const dialog = ada.getByRole("dialog", { name: "Unlink acme?" });
  await dialog.getByRole("button", { name: "Unlink" }).click();
  await dialog.locator(".said.bad").filter({ hasText: /not linked/ }).waitFor();
  await ada.unroute("**/auth/oauth");
}

/** A page of another origin on the same site gets the browser to send the cookie, and the server takes nothing from it. */
async function forged(ada) {
  const evil = createServer((_, answer) => answer.writeHead(200, { "Content-Type": "text/html" }).end("<title>Evil</title>"));
  await new Promise((ready) => evil.listen(0, "localhost", ready));
  const tab = await ada.context().newPage();
  await tab.goto(`http://localhost:${evil.address().port}/`);
  const calls = [["POST", "/auth/sign-out", "{}"], ["POST", "/api/notes", '{"title":"Forged"}'], ["POST", "/auth/password/forgot", "{}"]];
  for (const [method, at, body] of calls) {
    const [answer] = await Promise.all([
      tab.waitForResponse((response) => response.url().endsWith(at) && response.request().method() === method),
      tab.evaluate(([to, how, what]) => fetch(to, { method: how, body: what, mode: "no-cors", credentials: "include" }).then(() => null, () => null), [base + at, method, body]),
    ]);
    // Without the cookie it would be another status: the browser did send it.
    assert.equal(answer.status(), 403, at);
  }
  await tab.evaluate((to) => {
    const form = document.createElement("form");
    Object.assign(form, { action: to, method: "post", enctype: "text/plain" });
    document.body.append(form);
    form.submit();
  }, `${base}/auth/sign-out`);
  await tab.waitForURL(/sign-out/);
  assert.match(await tab.locator("body").textContent(), /problems\/csrf/);
  await tab.close();
  evil.close();
  await ada.goto("/");
  await heading(ada, "Your notes");
  assert.equal(await ada.getByText("Forged").count(), 0);
}

async function leave(ada) {
  await ada.goto("/profile");
  await press(ada, "Delete my account");
  const dialog = ada.getByRole("dialog", { name: "Delete your account?" });
  await dialog.waitFor();
  await ada.shot("delete");
  await dialog.getByRole("button", { name: "Delete it" }).click();
  await heading(ada, "Your account is gone.");
  await heading(ada, "Notes that are yours");
  await signIn(ada, THIRD);
  await ada.locator("#sign-in .said.bad").filter({ hasText: "wrong" }).waitFor();
}

/** Each page, as it looks to a stranger: every field has a name, no id is there twice, the keyboard reaches the content. */
async function look(page) {
  for (const at of ["/", "/sign-up", "/sign-in", "/forgot", "/reset#x"]) {
    await page.goto("about:blank");
    await page.goto(at);
    await page.getByRole("navigation").waitFor();
    const faulty = await page.evaluate(() => {
      const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
      const bare = [...document.querySelectorAll("input, textarea")].filter((one) => one.labels.length === 0).map((one) => one.outerHTML);
      return [...ids.filter((id, index) => ids.indexOf(id) !== index), ...bare];
    });
    assert.deepEqual(faulty, [], at);
    await page.shot(at.replace(/\W/g, "") || "home");
  }
  await page.goto("/sign-in");
  await page.getByRole("navigation").waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
}

const told = async (what, work) => {
  const result = await work;
  console.log(`${what}: good`);
  return result;
};

try {
  for (const colorScheme of ["light", "dark"]) {
    await told(`pages, ${colorScheme}`, look(await window(`desk-${colorScheme}`, { ...DESK, colorScheme })));
    await told(`pages on a phone, ${colorScheme}`, look(await window(`phone-${colorScheme}`, { ...PHONE, colorScheme })));
  }
  const ada = await window("ada", { ...DESK, colorScheme: "light" });
  const phone = await window("phone", { ...PHONE, colorScheme: "dark" });
  await told("sign up", signUp(ada));
  await told("notes", keepNotes(ada));
  await told("profile", profile(ada));
  await told("sessions", sessions(ada, phone));
  await told("change the password", changePassword(ada, phone));
  await told("change the e-mail", changeEmail(ada));
  await told("prove who it is again", proveAgain(ada));
  await told("API keys", apiKeys(ada));
  await told("linked accounts", linked(ada));
  const codes = await told("an authenticator app", authenticatorApp(ada, phone));
  await told("a passkey", passkey(ada));
  await told("a forgotten password", forgotten(ada, phone, codes));
  await told("a forged request", forged(ada));
  await told("delete the account", leave(ada));
} finally {
  await browser.close();
}
assert.deepEqual(faults, [], "errors in a page, or requests elsewhere");
console.log("The pages work.");
