-- Asks grantd whether a request may pass. haproxy.cfg beside this file loads it, and calls
-- it for each request that is guarded:
--
--   http-request lua.grantd scope=cards&token_use=client
--
-- It sets txn.grantd_status to 200, 401 or 403, as grantd decided; to 503 if nobody could
-- decide. It also sets txn.grantd_challenge, and a variable for each X-Auth header. It
-- reads no body, and sends grantd nothing else that the caller sent.

-- Where the frontend grantd of haproxy.cfg listens.
local grantd = "abns@grantd"

local stated = { "client_id", "subject", "scope", "token_use", "customer_id", "org_id", "partner_id" }

-- first returns the only value of a header of the response; "" if there is none.
local function first(headers, name)
    local values = headers and headers[name]
    return values and values[0] or ""
end

-- all returns the values of a header of the request; nil if there is none. grantd refuses
-- a repeated Authorization, so it must learn of it.
local function all(headers, name)
    local values, list = headers[name], {}
    if values == nil then
        return nil
    end
    for i = 0, #values do
        list[#list + 1] = values[i]
    end
    return list
end

core.register_action("grantd", { "http-req" }, function(txn, question)
    txn:set_var("txn.grantd_status", 503)
    local path = txn.f:pathq()
    if path == nil then
        return
    end
    local response = core.httpclient():get({
        url = "http://127.0.0.1/forward-auth?" .. question, -- dst says where, not the name here
        dst = grantd,
        timeout = 1500, -- ms; those of the backend end before
        headers = {
            ["host"] = { "grantd" },
            ["authorization"] = all(txn.http:req_get_headers(), "authorization"),
            ["x-original-method"] = { txn.f:method() },
            ["x-original-uri"] = { path },
            ["x-real-ip"] = { txn.f:src() },
        },
    })
    local status = response and response.status
    if status ~= 200 and status ~= 401 and status ~= 403 then
        return
    end
    for _, name in ipairs(stated) do
        txn:set_var("txn.grantd_" .. name, first(response.headers, "x-auth-" .. name:gsub("_", "-")))
    end
    txn:set_var("txn.grantd_challenge", first(response.headers, "www-authenticate"))
    txn:set_var("txn.grantd_status", status)
end, 1)
