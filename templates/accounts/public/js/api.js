// Calls to the server: JSON both ways. The session is in a cookie that no script can read; the browser sends it by itself.

/** A problem document (RFC 9457), or why there is none. */
export class Problem extends Error {
  constructor(document) {
    super(document.detail || document.title || "Something went wrong.");
    this.status = document.status ?? 0;
    /** "validation", "bad-credentials", … */
    this.kind = (document.type ?? "").split("/").pop();
    /** The single faults: { pointer, code, detail } */
    this.errors = document.errors ?? [];
    /** The number to ask for in the server's log. */
    this.request = document.request_id;
  }
}

/** The answer's JSON, or null where it has none. Throws a Problem. */
export async function call(method, path, body) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  // Where a session begins, it shall be a cookie.
  if (path.startsWith("/auth/")) headers["Mainstay-Session"] = "cookie";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Problem({ detail: "The server can't be reached. Look at your connection, and try again." });
  }
  const text = await answer.text();
  let json = null;
  try {
    json = text ? JSON.parse(text) : null;
  } catch {
    // What is no JSON comes from something in between.
  }
  if (!answer.ok) throw new Problem({ status: answer.status, title: `The server answered ${answer.status}.`, ...json });
  return json;
}

export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);
export const patch = (path, body) => call("PATCH", path, body);
export const remove = (path) => call("DELETE", path);
