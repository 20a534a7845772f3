-- The one wrk script, for every workload and every server. What to send comes from files:
--   PATHS   one request target per line (required)
--   METHOD  GET, or POST
--   BODIES  one JSON body per line, for POST
--   TOKEN   a file with the token to send as `Authorization: Bearer`
--   SEED    seed of the random choice
-- All requests are formatted before the clock starts; from then on the client only picks one.

local function lines(name)
  local all = {}
  for line in assert(io.open(name, "r")):lines() do
    if #line > 0 then all[#all + 1] = line end
  end
  return all
end

local ready = {}

function init()
  local method = os.getenv("METHOD") or "GET"
  local paths = lines(assert(os.getenv("PATHS"), "PATHS is required"))
  local bodies = os.getenv("BODIES") and lines(os.getenv("BODIES")) or {}
  local headers = { Host = wrk.headers["Host"] }
  if os.getenv("TOKEN") then headers["Authorization"] = "Bearer " .. lines(os.getenv("TOKEN"))[1] end
  if #bodies > 0 then headers["Content-Type"] = "application/json" end
  for i = 1, math.max(#paths, #bodies) do
    ready[i] = wrk.format(method, paths[(i - 1) % #paths + 1], headers, bodies[(i - 1) % math.max(#bodies, 1) + 1])
  end
  math.randomseed(tonumber(os.getenv("SEED") or "1"))
end

function request()
  return ready[math.random(#ready)]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"seconds":%.6f,"p50_us":%d,"p99_us":%d,"max_us":%d,"bad":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), latency.max,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
