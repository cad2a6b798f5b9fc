-- The server-URL verification of an official account: SHA-1 over the sorted token, timestamp and nonce.
local ffi = require "ffi"
ffi.cdef [[ unsigned char *ngx_hex_dump(unsigned char *to, const unsigned char *from, size_t length); ]]
local hex = ffi.new("unsigned char[40]")

return function(token)
    local query = ngx.req.get_uri_args(16)
    local signature, echostr = query.signature, query.echostr
    local timestamp, nonce = query.timestamp, query.nonce
    -- One that is given twice is a table.
    if type(signature) ~= "string" or type(echostr) ~= "string"
        or type(timestamp) ~= "string" or type(nonce) ~= "string" then
        return ngx.exit(400)
    end
    local parts = { token, timestamp, nonce }
    table.sort(parts)
    ffi.C.ngx_hex_dump(hex, ngx.sha1_bin(table.concat(parts)), 20)
    if ffi.string(hex, 40) ~= signature then
        return ngx.exit(403)
    end
    ngx.header.content_length = #echostr
    ngx.print(echostr)
end
