-- Asks grantd about a request to Apache. apache.conf says where this file belongs, and
-- what a token needs.
local socket = require "socket"

-- Where grantd edge listens, and how long a request may wait for a decision, in seconds.
local host, port = "127.0.0.1", 8090
local patience = 1

-- What the API learns about the token.
local stated = {
    "X-Auth-Client-Id", "X-Auth-Subject", "X-Auth-Scope", "X-Auth-Token-Use",
    "X-Auth-Customer-Id", "X-Auth-Org-Id", "X-Auth-Partner-Id",
}

-- Headers with which only Apache may say something, with hyphens, underscores or dots: some
-- APIs do not tell them apart.
local reserved = { "^x%-auth%-", "^x%-forwarded%-", "^x%-original%-", "^x%-real%-ip$", "^x%-rewrite%-url$", "^forwarded$" }

-- clean removes what only Apache may say; mod_proxy adds X-Forwarded-For. A proxy removes the
-- headers that Connection names, so a caller could have those removed that are set here.
local function clean(r)
    for name in pairs(r:headers_in_table()) do
        local plain = name:lower():gsub("[^%w]", "-")
        for _, pattern in ipairs(reserved) do
            if plain:find(pattern) then
                r.headers_in[name] = nil
            end
        end
    end
    -- The API must not choose another protocol from a list.
    local websocket = (r.headers_in["Upgrade"] or ""):lower() == "websocket"
    if not websocket then
        r.headers_in["Upgrade"] = nil
    end
    local kept = {}
    for word in (r.headers_in["Connection"] or ""):lower():gmatch("[^%s,]+") do
        if word == "close" or word == "upgrade" and websocket then
            kept[#kept + 1] = word
        end
    end
    r.headers_in["Connection"] = kept[1] and table.concat(kept, ", ") or nil
    r.headers_in["X-Forwarded-Proto"] = r.is_https and "https" or "http"
end

-- ambiguous reports whether a path can be read in two ways: Apache chooses the location
-- by a path that it has decoded and shortened, and the API gets it as the caller wrote it.
local function ambiguous(uri)
    local path = uri:match("^[^?]*"):lower()
    return not path:find("^/") or path:find("//", 1, true)
        or (path .. "/"):find("/%.%.?/") or path:find("[;\\#]")
        -- a slash, a percent, a control character or one of the above, escaped
        or path:find("%%[01]%x") or path:find("%%2[35ef]") or path:find("%%3b") or path:find("%%5c") or path:find("%%7f")
        or path:find("%%c[01]") or path:find("%%e0%%[89]") or path:find("%%f0%%8") -- an overlong UTF-8 form
        or path:find("[\128-\255]")
end

-- kept is the connection that this thread keeps.
local kept

-- exchange sends the question and reads the head of the response. It returns the status
-- and the headers; or nothing, and whether the connection had been closed.
local function exchange(connection, question, deadline)
    local function remaining()
        connection:settimeout(math.max(deadline - socket.gettime(), 0), "t")
    end
    remaining()
    local sent, why = connection:send(question)
    if not sent then
        return nil, why == "closed"
    end
    local headers, status = {}, nil
    for _ = 1, 100 do
        remaining()
        local line, failed = connection:receive("*l")
        if not line then
            return nil, failed == "closed" and not status
        elseif not status then
            status = tonumber(line:match("^HTTP/1%.%d (%d%d%d)"))
            if not status then
                return nil, false
            end
        elseif line == "" then
            return status, headers
        else
            local name, value = line:match("^([^:]+):%s*(.-)%s*$")
            if name then
                headers[name:lower()] = value
            end
        end
    end
    return nil, false
end

-- ask returns the status and the headers of grantd's response; nothing if there is none.
local function ask(question)
    local deadline = socket.gettime() + patience
    for _ = 1, 2 do
        local connection, reused = kept, kept ~= nil
        kept = nil
        if not connection then
            connection = socket.tcp()
            connection:settimeout(patience)
            if not connection:connect(host, port) then
                connection:close()
                return nil
            end
            connection:setoption("tcp-nodelay", true)
        end
        local status, headers = exchange(connection, question, deadline)
        if status then
            if (headers["connection"] or ""):lower() == "close" then
                connection:close()
            else
                kept = connection
            end
            return status, headers
        end
        connection:close()
        local closed = headers
        if not (reused and closed) then
            return nil
        end
    end
    return nil
end

-- check is called by Apache for each request. If it fails, Apache responds with 500.
function check(r)
    if ambiguous(r.unparsed_uri) then
        return 403
    end
    clean(r)
    local need = r.subprocess_env["GRANTD"]
    if not need then
        return 404
    elseif need == "public" then
        return apache2.OK
    end
    local authorization = r.headers_in["Authorization"]
    -- The method is HEAD, whatever that of the caller: the response has no body.
    local status, headers = ask(table.concat({
        "HEAD /forward-auth?" .. need .. " HTTP/1.1",
        "Host: grantd",
        "X-Original-Method: " .. r.method,
        "X-Original-URI: " .. r.unparsed_uri,
        "X-Real-IP: " .. r.useragent_ip,
        authorization and "Authorization: " .. authorization .. "\r\n" or "",
    }, "\r\n") .. "\r\n")
    if status == 200 and headers["x-auth-subject"] then
        for _, name in ipairs(stated) do
            local value = headers[name:lower()]
            r.headers_in[name] = value ~= "" and value or nil
        end
        -- The token goes to the API too. Without the first two hyphens here, it does not.
        --r.headers_in["Authorization"] = nil
        return apache2.OK
    elseif status == 401 or status == 403 then
        r.err_headers_out["WWW-Authenticate"] = headers["www-authenticate"]
        return status
    end
    r.err_headers_out["Retry-After"] = "1"
    return 503
end
