// What the pages offer. The server decides what it takes: see [auth] in resources/users.toml.

export const settings = {
  // Whether "passkey" is among the `methods`.
  passkeys: true,
  // The providers of [auth.oauth.NAME], each with what people call it: { name: "acme", title: "Acme" }
  providers: [],
};
