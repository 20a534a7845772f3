"""Signs somebody up, and an administrator in by the link of `mainstay user add`; prints both tokens."""

import re
import sys

import people

secret = re.search(r"#(?:secret=)?([A-Za-z0-9_-]{40,})", sys.argv[1])[1]
status, _, answer = people.call("POST", "/auth/password/reset", {"secret": secret, "password": people.PASSWORD})
assert status == 204, answer
credentials = {"email": "admin@fuzzer.example", "password": people.PASSWORD}
print(people.Person().token, people.call("POST", "/auth/sign-in", credentials)[2]["access_token"])
