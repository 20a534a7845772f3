// Sign-in with another provider. No token is ever in a URL: what comes back is a code, good once and only with the
// verifier that this tab keeps.

import { post, Problem } from "./api.js";
import { text } from "./passkeys.js";
import { settings } from "./settings.js";

const KEPT = "mainstay-oauth";

const WORDS = {
  access_denied: "The other side was told no.",
  link_required: "There is an account with this e-mail already. Sign in to it, then link the provider in your profile.",
};

/** Leaves for the provider; it comes back to /sign-in. `purpose` is "sign-in" or "link". */
export async function leave(name, purpose, next) {
  const verifier = text(crypto.getRandomValues(new Uint8Array(32)));
  const challenge = text(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
  sessionStorage.setItem(KEPT, JSON.stringify({ verifier, name, purpose, next }));
  const query = new URLSearchParams({ return_to: `${location.origin}/sign-in`, code_challenge: challenge });
  location.assign(`/auth/oauth/${encodeURIComponent(name)}?${query}`);
}

/** What the page was called with by a provider: null, or { purpose, next, answer }. Throws what went wrong. */
export async function back() {
  const query = new URLSearchParams(location.search);
  const code = query.get("code");
  const error = query.get("error");
  if (!code && !error) return null;
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  sessionStorage.removeItem(KEPT);
  history.replaceState(null, "", location.pathname);
  if (error) throw new Problem({ detail: WORDS[error] ?? `The provider could not sign you in (${error}).` });
  if (!kept) throw new Problem({ detail: "This sign-in began in another window. Begin again here." });
  const proof = { code, code_verifier: kept.verifier };
  const link = kept.purpose === "link";
  const answer = await post(link ? `/auth/oauth/${encodeURIComponent(kept.name)}/link` : "/auth/oauth/token", proof);
  return { purpose: kept.purpose, next: kept.next, answer };
}

/** What people call a provider. */
export const titled = (name) => settings.providers.find((one) => one.name === name)?.title ?? name;
