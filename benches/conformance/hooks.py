"""What the fuzzer can't take from the document: values of formats that are ours, and which refusals have a reason."""

import pathlib
import sys
import uuid

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import people  # noqa: E402 (it lies beside this file)

# A filter is a language; any of these holds for every resource. A cursor is given out by the server.
schemathesis.openapi.format("cel", st.sampled_from(["true", "1 < 2", "id != null", "!(id == null)"]))
schemathesis.openapi.format("cursor", st.just(""))
# One key for one write.
schemathesis.openapi.format("idempotency-key", st.uuids().map(str))
# What groups sort by depends on what else is asked for.
schemathesis.openapi.format("sort-of-totals", st.just("count"))
schemathesis.openapi.format(
    "date-time",
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
)
schemathesis.openapi.format(
    "uri",
    st.from_regex(r"\Ahttps?://[a-z]{1,10}\.example(/[a-z0-9/._~-]{0,20})?(\?[a-z=&]{0,9})?\Z"),
)
schemathesis.openapi.format(
    "email",
    st.from_regex(r"\A[a-z0-9][a-z0-9_+-]{0,20}@[a-z0-9]{1,20}(\.[a-z]{2,6}){1,2}\Z"),
)

# The most short filters of one request (docs/src/reading.md).
SHORT_FILTERS = 32
OURS = {"filter", "sort", "limit", "cursor", "offset", "count", "fields", "expand", "group", "sum", "avg", "min", "max",
        "search", "upsert", "last_event_id"}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Completes a case with what no schema can say: what the server gives out, and what goes with what."""
    # An address of its own: what counts calls and failures by address is not what is tried here.
    dress = people.Dress(people.address())
    kwargs["auth"] = dress
    if case.headers is not None and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if case.headers is not None and case.method.upper() == "POST":
        # An answer that may have no body is more than OpenAPI can say.
        case.headers.pop("Prefer", None)
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    path = case.operation.path
    people.prepare(case, dress, positive)
    if path.startswith("/auth/"):
        return
    query = case.query if isinstance(case.query, dict) else {}
    if not positive:
        # By `upsert` a record is found that has what the body lacks: a body that is wrong by itself need not be wrong then.
        query.pop("upsert", None) if case.meta is not None and case.meta.is_negative_at(ParameterLocation.BODY) else None
        return
    if "cursor" in query and "offset" in query:
        query.pop("cursor")
    if path.endswith("/aggregate"):
        # Something has to be asked for, and a field that is filtered by its name can't be grouped by it too.
        query["count"] = "true"
        query["group"] = [name for name in query.get("group", []) if name not in query]
        if not query["group"]:
            query.pop("group")
    short = [name for name in query if name not in OURS and not name.startswith("expand[")]
    for name in sorted(short, key=lambda name: hash((name, len(short))))[SHORT_FILTERS:]:
        query.pop(name)
    if case.method.upper() in ("PATCH", "DELETE") and "{id}" not in path and "filter" not in query and not short:
        # Some filter has to be there: this one, or a short one.
        query["filter"] = "true"
    case.query = query


# Refusals of a request that is as the document says: the words are `code` of the problem's errors.
ALWAYS = {
    "rule",  # [validate]: the state of the whole record
    "not_writable", "immutable", "system",  # read-only fields with other values
    "size", "depth",  # of a JSON document
    "nul",  # in a name or a text anywhere in one; all other strings have a pattern that says so
    "range",  # an integer from 2^53 on, written with a point: it may have been another number
}
# And those that depend on what is stored: how many a filter finds,
MATCHING = ALWAYS | {"max_items"}
# whether who is replaced is a person, who has an address, or a machine, which has none,
REPLACING = ALWAYS | {"required"}
# and what there was before a change.
CHANGES = ALWAYS | {
    "null", "min", "max", "precision", "scale", "overflow",  # a sum after `$increment`
    "max_items", "duplicate", "required",  # a list after `$append` and `$remove`
    "schema",  # a document after a merge
}


# Under /auth: an expiry that is over, roles that one has not, an address that has an account, what no browser has made.
ACCOUNTS = {"past", "role", "unique", "credential", "invite"}


@schemathesis.check
def refusals_have_reasons(ctx, response, case):
    """A 422 for what the document allows is for one of a few reasons, each told with its place."""
    if response.status_code != 422 or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.operation.path == "/api/batch":
        return  # what its operations may be is said in words
    problem = response.json()
    assert problem.get("errors"), f"a refusal without a place: {problem}"
    for error in problem["errors"]:
        assert error["code"] in reasons(case, error), f"refused though the document allows it: {error}"


def reasons(case, error):
    """The words that may be the reason of a refusal."""
    method, at = case.method.upper(), error.get("pointer", "")
    if case.operation.path.startswith("/auth/"):
        if at == "/password":
            # Counted after normalisation (NFC), and none of the commonest.
            return {"min", "max", "common"}
        return CHANGES | ACCOUNTS if case.operation.path == "/auth/me" else ALWAYS | ACCOUNTS
    if method == "PATCH":
        return CHANGES
    if method == "DELETE":
        return MATCHING
    if method == "PUT":
        return REPLACING if at == "/email" else ALWAYS
    if method == "POST" and isinstance(case.query, dict) and "upsert" in case.query:
        # It is found by these fields, which may be null or absent otherwise.
        return CHANGES
    return ALWAYS
