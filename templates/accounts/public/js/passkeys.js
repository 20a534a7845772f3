// Passkeys (WebAuthn): between the server's JSON, with base64url for bytes, and what the browser wants.

import { post, Problem } from "./api.js";

/** Whether this browser can. */
export const possible = () => "PublicKeyCredential" in window;

/** Makes a passkey for whoever is signed in. */
export async function add(name) {
  const { ceremony, publicKey } = await post("/auth/passkeys/register/begin");
  const options = {
    ...publicKey,
    challenge: bytes(publicKey.challenge),
    user: { ...publicKey.user, id: bytes(publicKey.user.id) },
    excludeCredentials: (publicKey.excludeCredentials ?? []).map((one) => ({ ...one, id: bytes(one.id) })),
  };
  const made = await asked(() => navigator.credentials.create({ publicKey: options }));
  const credential = {
    ...common(made),
    response: {
      attestationObject: text(made.response.attestationObject),
      clientDataJSON: text(made.response.clientDataJSON),
      transports: made.response.getTransports?.() ?? [],
    },
  };
  return post("/auth/passkeys/register/finish", { ceremony, credential, name });
}

/** Signs in with a passkey: no e-mail is asked. */
export const signIn = async () => post("/auth/passkeys/sign-in/finish", await proof());

/** A passkey's proof of who somebody is. */
export async function proof() {
  const { ceremony, publicKey } = await post("/auth/passkeys/sign-in/begin");
  const options = {
    ...publicKey,
    challenge: bytes(publicKey.challenge),
    allowCredentials: (publicKey.allowCredentials ?? []).map((one) => ({ ...one, id: bytes(one.id) })),
  };
  const shown = await asked(() => navigator.credentials.get({ publicKey: options }));
  const credential = {
    ...common(shown),
    response: {
      authenticatorData: text(shown.response.authenticatorData),
      clientDataJSON: text(shown.response.clientDataJSON),
      signature: text(shown.response.signature),
      userHandle: shown.response.userHandle ? text(shown.response.userHandle) : null,
    },
  };
  return { ceremony, credential };
}

/** The browser's refusals in words that say what to do. */
async function asked(work) {
  try {
    return await work();
  } catch (error) {
    if (error.name === "InvalidStateError") throw new Problem({ detail: "This device has a passkey for this account already." });
    if (error.name === "NotAllowedError") throw new Problem({ detail: "It was cancelled, or took too long. Try again." });
    throw new Problem({ detail: "This browser can't use passkeys here." });
  }
}

const common = (credential) => ({
  id: credential.id,
  rawId: text(credential.rawId),
  type: credential.type,
  clientExtensionResults: credential.getClientExtensionResults(),
});

function bytes(base64url) {
  const binary = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** Bytes as base64url, without padding. */
export function text(buffer) {
  const binary = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
