// Sign-in with another provider. No token is ever in a URL: what comes back is a code, good once and only with the
// verifier that this tab keeps.

import { post, Problem } from "./api.js";
import { sure } from "./dialogs.js";
import { text } from "./passkeys.js";

const KEPT = "mainstay-oauth";

const WORDS = {
  access_denied: "The other side was told no.",
  temporarily_unavailable: "The provider does not answer at the moment. Try again in a while.",
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
  if (kept.purpose === "link") {
    const linked = await sure(() => post(`/auth/oauth/${encodeURIComponent(kept.name)}/link`, proof));
    if (linked === false) throw new Problem({ detail: "The account is not linked." });
  }
  const answer = kept.purpose === "link" ? null : await post("/auth/oauth/token", proof);
  return { purpose: kept.purpose, next: kept.next, answer };
}
