//! What is wrong with TLS and the certificate. What trust store the consoles' servers have is not published: these are
//! faults of which any of them may be fatal.

super::declare! {
    TLS_NOT_SPOKEN "tls_not_spoken" Error Unreachable
        "https 端口上说的是明文 http"
        "the port of an https URL does not speak TLS"
        => "在这个端口配置证书，或把 URL 改成 http://"
        "configure a certificate on this port, or write http:// in the URL";
    TLS_OLD "tls_old" Error Unreachable
        "服务器只支持 TLS 1.0/1.1 等旧版本"
        "the server speaks old versions only (TLS 1.0, 1.1)"
        => "启用 TLS 1.2 和 1.3（nginx：ssl_protocols TLSv1.2 TLSv1.3）"
        "enable TLS 1.2 and 1.3 (nginx: ssl_protocols TLSv1.2 TLSv1.3)";
    TLS_NEW_ONLY "tls_new_only" Warning Unreachable
        "服务器只支持 TLS 1.3；微信用什么版本没有公布"
        "the server speaks TLS 1.3 only; which version the consoles speak is not published"
        => "同时启用 TLS 1.2"
        "enable TLS 1.2 beside it";
    TLS_FAILED "tls_failed" Error Unreachable
        "TLS 握手失败"
        "the TLS handshake fails"
        => "看服务器日志；检查证书和私钥、密码套件"
        "look at the server's log; check certificate, key and cipher suites";
    TLS_BROKEN_OFF "tls_broken_off" Error Unreachable
        "TLS 握手中途连接被切断，或一直没有回应"
        "the connection ends in the middle of the handshake, or nothing comes"
        => "看端口上是不是别的程序；看前面的防火墙、负载均衡是否转发到了 https 端口"
        "see whether another program has the port, and whether firewall or balancer in front pass it to an https port";
    TLS_NAME_UNKNOWN "tls_name_unknown" Error Unreachable
        "服务器不认识这个域名（TLS 告警 unrecognized_name）"
        "the server does not know this name (TLS alert unrecognized_name)"
        => "在服务器上为这个域名配置站点和证书；检查域名是否解析到了别的机器"
        "configure site and certificate for this name; see whether the name leads to another machine";
    TLS_CLIENT_CERTIFICATE "tls_client_certificate" Error Unreachable
        "服务器要求客户端证书，微信没有"
        "the server demands a client certificate, and the consoles have none"
        => "对回调路径不要求客户端证书"
        "demand no client certificate on the callback's host";
    CERTIFICATE_SELF_SIGNED "certificate_self_signed" Error Unreachable
        "证书是自签名的"
        "the certificate is self-signed"
        => "换成受信任机构签发的证书（如 Let's Encrypt）"
        "use a certificate of a trusted authority, such as Let's Encrypt";
    CERTIFICATE_CHAIN_INCOMPLETE "certificate_chain_incomplete" Error Unreachable
        "证书链不完整：服务器没有发送中间证书。浏览器会自己补，微信的服务器不会"
        "the chain is incomplete: the server does not send the intermediate certificate. Browsers fetch it, servers do not"
        => "用 fullchain（站点证书后面接中间证书）作为证书文件"
        "serve the full chain: the site's certificate followed by the intermediate";
    CERTIFICATE_UNTRUSTED "certificate_untrusted" Error Unreachable
        "签发证书的机构不受信任"
        "the certificate's authority is not trusted"
        => "换成公共机构签发的证书；测试自己的机构用 --ca"
        "use a public authority's certificate; to test with an authority of your own, give --ca";
    CERTIFICATE_WRONG_NAME "certificate_wrong_name" Error Unreachable
        "证书上没有这个域名"
        "the certificate is for other names"
        => "给这个域名签证书，或检查 SNI 选错了站点"
        "get a certificate for this name, or see why SNI chose another site";
    CERTIFICATE_EXPIRED "certificate_expired" Error Unreachable
        "证书已过期"
        "the certificate has expired"
        => "续期并让服务器重新加载"
        "renew it and have the server load it";
    CERTIFICATE_NOT_YET_VALID "certificate_not_yet_valid" Error Unreachable
        "证书还没到生效时间"
        "the certificate is not valid yet"
        => "核对服务器时间和证书的生效时间"
        "check the clock and the certificate's first day";
    CERTIFICATE_EXPIRES_SOON "certificate_expires_soon" Warning Silent
        "证书 14 天内过期"
        "the certificate expires within 14 days"
        => "现在续期；检查自动续期"
        "renew it now; see why it does not renew by itself";
    CERTIFICATE_INVALID "certificate_invalid" Error Unreachable
        "证书不能用作服务器证书，或格式有误"
        "the certificate cannot be used for a server, or is malformed"
        => "重新签发服务器用途的证书"
        "have a certificate for servers issued";
    TRUST_UNKNOWN "trust_unknown" Warning Silent
        "本机没有根证书，无法检查证书链"
        "this machine has no trusted authorities, so the chain was not checked"
        => "安装 ca-certificates，或用 --ca"
        "install ca-certificates, or give --ca";
    SNI_REQUIRED "sni_required" Warning Unreachable
        "不带 SNI 的客户端握手失败；微信是否带 SNI 没有公布"
        "a client without SNI is turned away; whether the consoles send SNI is not published"
        => "为不带 SNI 的客户端设默认证书（nginx：default_server）"
        "have a default certificate for clients without SNI (nginx: default_server)";
    SNI_OTHER_CERTIFICATE "sni_other_certificate" Warning Unreachable
        "不带 SNI 时得到另一张证书"
        "a client without SNI gets another certificate"
        => "把这个域名设为默认站点"
        "make this name the default site";
}
