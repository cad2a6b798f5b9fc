//! What a status, a header or the form of an answer tells.

super::declare! {
    REDIRECT_SLASH "redirect_slash" Error Refused
        "服务器重定向到带（或不带）末尾斜杠的路径，微信不跟随重定向"
        "the server redirects to the path with or without the slash at its end, and consoles follow no redirect"
        => "在控制台填重定向后的地址，或让两种写法都直接处理"
        "enter the target of the redirect in the console, or serve both spellings";
    REDIRECT_HTTPS "redirect_https" Error Refused
        "http 被重定向到 https，微信不跟随重定向"
        "http is redirected to https, and consoles follow no redirect"
        => "在控制台填 https:// 的地址"
        "enter the https:// URL in the console";
    REDIRECT_HOST "redirect_host" Error Refused
        "服务器重定向到另一个域名（如 www），微信不跟随重定向"
        "the server redirects to another host (such as www), and consoles follow no redirect"
        => "在控制台填重定向后的域名"
        "enter that host in the console";
    REDIRECT_LOGIN "redirect_login" Error Refused
        "服务器重定向到登录页"
        "the server redirects to a login page"
        => "让回调路径不经过登录检查"
        "exempt the callback's path from the login";
    REDIRECT "redirect" Error Refused
        "服务器重定向，微信不跟随"
        "the server redirects, and consoles follow no redirect"
        => "在这个路径直接回答 200"
        "answer 200 at this very path";
    CDN_CHALLENGE "cdn_challenge" Error Refused
        "CDN 或 WAF 要求人机验证（如 Cloudflare）"
        "a CDN or WAF wants a human (Cloudflare's challenge and the like)"
        => "为这个路径关闭人机验证，或不经过 CDN"
        "switch the challenge off for this path, or go around the CDN";
    ICP_BLOCK "icp_block" Error Refused
        "域名没有备案，被服务商拦截"
        "the hoster blocks the name, which has no ICP filing"
        => "备案，或换成已备案的域名"
        "file for ICP, or use a name that has one";
    LOGIN_REQUIRED "login_required" Error Refused
        "401：回调路径要求登录或密码"
        "401: the callback's path wants a login"
        => "让回调路径不经过认证（Basic Auth、网关鉴权）"
        "exempt the callback's path from authentication";
    CSRF "csrf" Error Refused
        "框架的 CSRF 检查拦住了请求（419，或 403 CSRF）"
        "the framework's CSRF check refuses the request (419, or 403 with CSRF)"
        => "把回调路径加进 CSRF 例外（Laravel：$except；Django：@csrf_exempt）"
        "exempt the callback's path (Laravel: $except; Django: @csrf_exempt)";
    WAF "waf" Error Refused
        "WAF 拦截了请求"
        "a WAF refuses the request"
        => "在 WAF 放行这个路径"
        "let this path through the WAF";
    REFUSED "refused" Error Refused
        "服务器拒绝了正确的请求：Token 不一致，签名算法有误，或被 IP、WAF 规则拦截"
        "the server refuses a good request: its token differs, its digest is made wrongly, or a rule on addresses refuses it"
        => "核对两边的 Token（空格、大小写、换行），改后要重启或重新加载；看服务器日志"
        "compare the tokens (blanks, case, line break) and reload after a change; look at the server's log";
    NOT_FOUND "not_found" Error Refused
        "404：路径没有对应的处理，或代理改写了路径"
        "404: nothing serves this path, or a proxy rewrote it"
        => "核对 URL 的路径（大小写、前缀、斜杠）和代理的 location"
        "compare the URL's path (case, prefix, slash) with the route and the proxy's location";
    NOT_FOUND_SLASH "not_found_slash" Error Refused
        "404，但末尾斜杠不同的路径是好的"
        "404, and the path with the other slash at its end is good"
        => "在控制台填那个路径"
        "enter that path in the console";
    GET_NOT_ROUTED "get_not_routed" Error Refused
        "GET 没有路由（405），只处理了 POST：URL 验证是 GET"
        "GET is not routed (405), POST may be: verification is a GET"
        => "在同一路径处理 GET，返回 echostr"
        "serve GET on the same path and answer the echostr";
    RATE_LIMITED "rate_limited" Error Refused
        "429：被限流"
        "429: a rate limit"
        => "回调路径不限流"
        "exempt the callback's path from rate limits";
    CRYPTO_MISSING "crypto_missing" Error Refused
        "缺少加密库或被限制（pycryptodome、mcrypt、openssl、JCE）"
        "the cryptography is missing or restricted (pycryptodome, mcrypt, openssl, JCE)"
        => "安装它；老 JRE 换 JCE 无限制策略文件"
        "install it; an old JRE needs the unlimited policy files";
    KEY_MALFORMED "key_malformed" Error Refused
        "服务器的 EncodingAESKey 格式有误，或 Base64 解码过严：必须 43 位，不带“=”和空格"
        "the server's EncodingAESKey is malformed, or its Base64 decoder too strict: 43 characters, without = and blanks"
        => "从控制台重新复制；用宽松的 Base64 解码（末位多余的两位要忽略）"
        "copy it again from the console; use a decoder that ignores the two surplus bits at its end";
    SCRIPT_ERROR "script_error" Error Refused
        "程序抛出异常"
        "the program raises an error"
        => "看程序日志里的堆栈"
        "look at the trace in the program's log";
    SERVER_ERROR "server_error" Error Refused
        "500：程序出错"
        "500: the program fails"
        => "看程序日志"
        "look at the program's log";
    BACKEND_DOWN "backend_down" Error Refused
        "502/504：代理后面的程序没启动或超时"
        "502 or 504: the program behind the proxy is down or too slow"
        => "启动后端；核对代理的地址和端口"
        "start the backend; check address and port in the proxy";
    UNAVAILABLE "unavailable" Error Refused
        "503：服务不可用、维护中或被防护拦截"
        "503: unavailable, under maintenance, or refused by a shield"
        => "恢复服务；检查防护规则"
        "bring it back; check the shield's rules";
    STATUS_OTHER "status_other" Error Refused
        "状态码不是 200"
        "the status is not 200"
        => "验证请求必须回答 200"
        "answer a verification with 200";
    ANSWER_CHUNKED "answer_chunked" Error Refused
        "对 HTTP/1.0 请求用了分块传输（chunked），公众号读不懂"
        "a request by HTTP/1.0 was answered in chunks, which official accounts cannot read"
        => "设置 Content-Length，一次写完；代理里 chunked_transfer_encoding off"
        "set Content-Length and write once; in nginx chunked_transfer_encoding off";
    ANSWER_COMPRESSED "answer_compressed" Error Refused
        "回答被压缩了（gzip），而请求没有说接受压缩"
        "the answer is compressed, which the request did not allow"
        => "对回调路径关闭压缩"
        "switch compression off for this path";
    ANSWER_UNFINISHED "answer_unfinished" Error Unreachable
        "回答没有结束：没有 Content-Length，也没有关闭连接（如 write 后没有 end）"
        "the answer does not end: no Content-Length, and the connection stays open (write without end)"
        => "发完后结束响应（Node：res.end/res.send）"
        "end the response (Node: res.end or res.send)";
    ANSWER_CUT "answer_cut" Error Refused
        "连接在 Content-Length 之前断开：长度写错，或程序中途退出"
        "the connection ends before Content-Length: the length is wrong, or the program died"
        => "按字节（不是字符）计算 Content-Length"
        "count Content-Length in bytes, not characters";
    ANSWER_TOO_LONG "answer_too_long" Error Refused
        "回答超过 64 KiB"
        "the answer has more than 64 KiB"
        => "只回答 echostr"
        "answer the echostr alone";
    TOO_SLOW "too_slow" Error Unreachable
        "太慢：公众号 5 秒、企业微信 1 秒之内要收完"
        "too slow: the last byte must come within 5 s (official account) or 1 s (WeCom)"
        => "验证请求先直接回答；耗时的事放到后台"
        "answer a verification at once; do slow work behind it";
    SLOW_AT_FIRST "slow_at_first" Warning Unreachable
        "第一次太慢，之后正常：冷启动（免费平台休眠、函数冷启动）"
        "too slow at first, in time later: a cold start (a sleeping free plan, a cold function)"
        => "保持实例常驻，或保存前先访问一次"
        "keep an instance running, or call it once before you press save";
    SLOW "slow" Warning Silent
        "用了时限的六成以上"
        "more than 60 % of the time limit was used"
        => "减少验证请求上的工作"
        "do less on a verification";
}
