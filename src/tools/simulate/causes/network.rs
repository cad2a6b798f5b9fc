//! What is wrong before a byte of HTTP: the URL, its name, its addresses, the connection.

super::declare! {
    URL_PORT "url_port" Error Unreachable
        "公众号、小程序只访问 80（http）和 443（https）端口"
        "official accounts and mini programs call port 80 (http) and 443 (https) only"
        => "URL 不写端口，让服务（或前面的代理）监听 80 或 443"
        "leave the port out of the URL and have the server, or a proxy before it, listen on 80 or 443";
    URL_IN_CLEAR "url_in_clear" Note Silent
        "URL 是 http：验证可以通过，但消息在路上是明文"
        "the URL is http: verification can pass, but messages travel in clear"
        => "有证书的话改用 https"
        "use https if there is a certificate";
    URL_IS_ADDRESS "url_is_address" Note Silent
        "URL 里是 IP 而不是域名：没有 SNI；已认证的企业会被要求使用有备案的域名"
        "the URL has an IP address instead of a name: there is no SNI, and verified companies are asked for a name with ICP filing"
        => "用已备案的域名"
        "use a domain name that has an ICP filing";
    DNS_FAILURE "dns_failure" Error Unreachable
        "域名解析不出地址"
        "the name does not resolve to any address"
        => "检查域名拼写和 DNS 的 A 记录；刚改的记录要等生效"
        "check the spelling and the A record; a new record takes time to spread";
    IPV6_ONLY "ipv6_only" Error Unreachable
        "域名只有 IPv6（AAAA）地址，微信和企业微信的服务器连不上"
        "the name has IPv6 addresses (AAAA) only, which the consoles' servers do not reach"
        => "加一条指向公网 IPv4 的 A 记录"
        "publish an A record with a public IPv4 address";
    ADDRESS_NOT_PUBLIC "address_not_public" Warning Unreachable
        "地址是内网或本机地址，只有本机或内网能访问，微信访问不到"
        "the address is private or loopback: it works from here, and the consoles cannot reach it"
        => "让域名指向公网地址，或用内网穿透"
        "point the name at a public address, or use a tunnel";
    CONNECTION_REFUSED "connection_refused" Error Unreachable
        "连接被拒绝：端口上没有程序在监听，或防火墙拒绝"
        "the connection is refused: nothing listens on the port, or a firewall rejects it"
        => "启动服务；看监听地址是不是 127.0.0.1；放行防火墙"
        "start the server; look whether it listens on 127.0.0.1 only; open the firewall";
    CONNECTION_TIMEOUT "connection_timeout" Error Unreachable
        "连接超时：安全组、防火墙、备案拦截，或地址不对"
        "the connection times out: a security group, a firewall, an ICP block, or the wrong address"
        => "在安全组和防火墙放行端口，核对公网地址"
        "open the port in security group and firewall, and check the public address";
    CONNECTION_FAILED "connection_failed" Error Unreachable
        "连不上服务器"
        "no connection to the server"
        => "检查网络、路由和地址"
        "check network, route and address";
    CLOSED_WITHOUT_ANSWER "closed_without_answer" Error Refused
        "连接上了，但没有回答就被关闭：WAF（如 nginx 444、雷池）拦截，或程序崩溃"
        "the connection was closed without an answer: a WAF (nginx 444, SafeLine and the like), or the program crashed"
        => "在 WAF 放行这个路径（HTTP/1.0、User-Agent: Mozilla/4.0）；看程序日志"
        "let this path through the WAF (HTTP/1.0, User-Agent: Mozilla/4.0); look at the program's log";
    NO_ANSWER "no_answer" Error Unreachable
        "连接上了，但在时限内没有回答，或响应头没有来全"
        "connected, but no answer, or not a whole head, came in time"
        => "看程序是不是卡在别的请求、数据库或外部调用上；先回答，再做事"
        "see whether the program hangs on another request, a database or a call; answer first, work later";
    NOT_HTTP "not_http" Error Refused
        "回答不是 HTTP"
        "the answer is not HTTP"
        => "端口上是另一个程序，或 https 服务收到了 http；核对端口和协议"
        "another program has the port, or an https server got http; check port and scheme";
    HTTPS_PORT_IN_CLEAR "https_port_in_clear" Error Refused
        "用 http 访问了 https 端口"
        "the URL says http, the port speaks https"
        => "把 URL 改成 https://"
        "write https:// in the URL";
}
