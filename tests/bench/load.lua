-- The load of one measurement, for wrk. The job is a Lua file that the runner
-- writes; its path is the argument. It describes the requests and the expected
-- responses. Every response is checked.
--
--   head, tail    parts of the request before and after a token
--   source        "none": there is no token; "list": the token is from a file;
--                 "random": it is random, 43 characters of base64url
--   list, width   the file, and the length of a line without its end
--   first, count  the first line to use, and the number of lines before starting
--                 over
--   offset        the line at which this measurement starts
--   other, every  one of every requests is this other one; 0: none
--   threads       number of threads
--   status, want  the expected status, and rules for the body, one of which must
--                 match: {exact=} or {starts=, holds=}

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
local ends = "AEIMQUYcgkosw048" -- the last character has only four bits

local job, list, pairs_of, at, step
local all = {}

function setup(thread)
  thread:set("id", #all)
  all[#all + 1] = thread
end

function init(args)
  job = dofile(args[1])
  sent, wrong, unavailable, other_answered, used, example = 0, 0, 0, 0, 0, "" -- global: for done
  at, step = job.offset + id, job.threads
  if job.source == "list" then
    local file = assert(io.open(job.list, "rb"))
    file:seek("set", job.first * (job.width + 1))
    list = file:read(job.count * (job.width + 1))
    file:close()
  elseif job.source == "random" then
    local seed = assert(io.open("/dev/urandom", "rb"))
    local a, b, c = seed:read(3):byte(1, 3)
    seed:close()
    math.randomseed(a * 65536 + b * 256 + c + id)
    pairs_of = {}
    for i = 1, 64 do
      for j = 1, 64 do
        pairs_of[#pairs_of + 1] = alphabet:sub(i, i) .. alphabet:sub(j, j)
      end
    end
  end
end

local made = {}

local function token()
  if job.source == "list" then
    local line = at % job.count
    at, used = at + step, used + 1
    return list:sub(line * (job.width + 1) + 1, line * (job.width + 1) + job.width)
  elseif job.source == "random" then
    for i = 1, 21 do
      made[i] = pairs_of[math.random(4096)]
    end
    local i = math.random(16)
    made[22] = ends:sub(i, i)
    return table.concat(made)
  end
  return ""
end

function request()
  sent = sent + 1
  if job.every > 0 and sent % job.every == 0 then
    return job.other
  end
  return job.head .. token() .. job.tail
end

local function good(body)
  for i, rule in ipairs(job.want) do
    if rule.exact then
      if body == rule.exact then return i end
    elseif body:sub(1, #rule.starts) == rule.starts and body:find(rule.holds, 1, true) then
      return i
    end
  end
end

function response(status, headers, body)
  local rule = status == job.status and good(body)
  if status == 503 and body:find('"temporarily_unavailable"', 1, true) then
    unavailable = unavailable + 1
  elseif not rule then
    wrong = wrong + 1
    if example == "" then example = status .. " " .. body end
  elseif rule > 1 then
    other_answered = other_answered + 1
  end
end

local function quoted(s)
  return '"' .. s:sub(1, 300):gsub('[%c\128-\255]', "?"):gsub('[\\"]', "\\%0") .. '"'
end

function done(summary, latency, requests)
  local sent, wrong, unavailable, other, used, example = 0, 0, 0, 0, 0, ""
  for _, thread in ipairs(all) do
    sent = sent + thread:get("sent")
    wrong = wrong + thread:get("wrong")
    unavailable = unavailable + thread:get("unavailable")
    other = other + thread:get("other_answered")
    used = math.max(used, thread:get("used"))
    if example == "" then example = thread:get("example") end
  end
  local e = summary.errors
  io.write(string.format(
    '\nresult {"requests":%d,"sent":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"p999_us":%d,"socket_errors":%d,"wrong":%d,"unavailable":%d,"other":%d,"used":%d,"example":%s}\n',
    summary.requests, sent, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    e.connect + e.read + e.write + e.timeout, wrong, unavailable, other, used * #all, quoted(example)))
end
