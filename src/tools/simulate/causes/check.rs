//! What shows only when several answers are laid side by side: how the server checks.

super::declare! {
    FORGED_ACCEPTED "forged_accepted" Error Silent
        "伪造的签名也通过：服务器没有校验，任何人都能冒充微信"
        "a forged signature passes: the server does not check, and anybody can pose as the console"
        => "先校验签名，再返回 echostr"
        "check the signature before you answer the echostr";
    UNSIGNED_ACCEPTED "unsigned_accepted" Error Silent
        "没有签名也返回 echostr"
        "the echostr is answered without any signature"
        => "缺少签名参数时拒绝"
        "refuse where the signature is missing";
    NUMERIC_SORT "numeric_sort" Error Refused
        "排序按数字而不是按字节：timestamp 和 nonce 位数不同时失败（时好时坏）"
        "the strings are sorted as numbers: it fails where timestamp and nonce have different lengths, now and then"
        => "按字符串排序（PHP：sort($a, SORT_STRING)；JS：不带比较函数的 sort()）"
        "sort as text (PHP: sort($a, SORT_STRING); JS: sort() without a function)";
    UNSORTED "unsorted" Error Refused
        "没有排序，按固定顺序拼接"
        "the strings are joined in a fixed order, not sorted"
        => "token、timestamp、nonce（企业微信加 echostr）按字典序排序后拼接"
        "sort token, timestamp, nonce (and echostr for WeCom) before joining";
    PLUS_LOST "plus_lost" Error Refused
        "echostr 里的“+”变成了空格：解码了两次"
        "\"+\" in the echostr becomes a blank: it is decoded twice"
        => "框架已解码，不要再 urldecode"
        "the framework has decoded it; do not decode again";
    ECHOSTR_IN_DIGEST "echostr_in_digest" Error Refused
        "把 echostr 也放进了签名：公众号只签 token、timestamp、nonce"
        "the echostr is in the digest: official accounts sign token, timestamp and nonce alone"
        => "签名里去掉 echostr"
        "leave the echostr out of the digest";
    ECHOSTR_NOT_IN_DIGEST "echostr_not_in_digest" Error Refused
        "签名里没有 echostr：企业微信签四个字符串"
        "the echostr is not in the digest: WeCom signs four strings"
        => "用 token、timestamp、nonce、echostr 四个算 msg_signature"
        "make msg_signature over token, timestamp, nonce and echostr";
    ECHOSTR_NOT_DECODED "echostr_not_decoded" Error Refused
        "用没有 URL 解码的 echostr 计算签名"
        "the digest is made over the echostr as it stands in the URL, not decoded"
        => "先 URL 解码一次"
        "decode it once first";
    OTHER_SCHEME "other_scheme" Error Refused
        "服务器按另一种方案校验（公众号 / 企业微信弄反了）"
        "the server checks by the other scheme (official account and WeCom mixed up)"
        => "换成对应平台的代码或配置"
        "use the code or the configuration of the right platform";
    TOKEN_EMPTY "token_empty" Error Refused
        "服务器的 Token 是空的：配置没有读到"
        "the server's token is empty: its configuration was not read"
        => "检查环境变量、配置文件是否加载"
        "see whether the variable or the file was loaded";
    TOKEN_MISSPELT "token_misspelt" Error Refused
        "服务器的 Token 写得不一样：多了空格、换行、引号、BOM、零宽空格，或大小写、全角半角不同"
        "the server's token is spelt otherwise: a blank, a line break, quotes, a BOM, a zero-width blank, another case, or full-width characters"
        => "去掉多余的字符，从控制台重新复制"
        "remove what is too much; copy it again from the console";
    TOKEN_OF_ANOTHER "token_of_another" Error Refused
        "服务器用的是另一个端点的 Token"
        "the server has the token of another endpoint"
        => "换成这个应用的 Token"
        "give it this one's token";
    KEY_OF_ANOTHER "key_of_another" Error Refused
        "服务器用的是另一个端点的 EncodingAESKey"
        "the server has the EncodingAESKey of another endpoint"
        => "换成这个应用的 EncodingAESKey"
        "give it this one's EncodingAESKey";
    RECEIVE_ID_EMPTY "receive_id_empty" Error Refused
        "服务器要求接收方为空（AI 机器人的写法），而这里是企业的 ID"
        "the server wants an empty receive id, as AI bots have, and this one is not empty"
        => "在服务器上填 CorpID"
        "configure the CorpID there";
    OPENING_FAILS "opening_fails" Error Refused
        "签名通过，但解密或接收方检查失败：EncodingAESKey 或 CorpID/SuiteID 不一致"
        "the signature is accepted, but the envelope is not: EncodingAESKey or receive id differs"
        => "核对 EncodingAESKey 和 CorpID/SuiteID（自建应用用 CorpID）"
        "compare EncodingAESKey and receive id (CorpID for own apps)";
    HTTP10_REFUSED "http10_refused" Error Refused
        "HTTP/1.0 的请求被拒绝，HTTP/1.1 是好的：WAF 或代理不认 HTTP/1.0，而公众号就是 HTTP/1.0"
        "HTTP/1.0 is refused and HTTP/1.1 is not: a WAF or proxy dislikes the version that official accounts speak"
        => "在 WAF 或代理放行 HTTP/1.0"
        "let HTTP/1.0 through";
    CLIENT_FILTERED "client_filtered" Error Refused
        "浏览器的请求通过，User-Agent: Mozilla/4.0 的被拦：机器人过滤"
        "a browser's request passes and one with User-Agent: Mozilla/4.0 does not: a bot filter"
        => "对这个路径关闭机器人过滤"
        "exempt this path from the bot filter";
    OTHER_VERSION_FAILS "other_version_fails" Warning Refused
        "换一个 HTTP 版本（1.0 / 1.1）就失败"
        "the answer is right over one version of HTTP (1.0, 1.1) and wrong over the other"
        => "两个版本都要回答"
        "answer both versions";
    WITHOUT_SNI_FAILS "without_sni_fails" Warning Refused
        "不带 SNI 时回答不对：到了另一个站点"
        "without SNI the answer is wrong: it comes from another site"
        => "把这个域名设为默认站点"
        "make this name the default site";
    LETTERS_IN_NONCE "letters_in_nonce" Error Refused
        "nonce 里有字母就失败：官方调试工具会发字母"
        "a nonce with letters fails, as the official debug tool sends"
        => "把 nonce 当字符串"
        "treat the nonce as text";
    UNSTEADY "unsteady" Error Refused
        "同样的请求有时通过有时失败：多个实例的配置不同"
        "requests of the same kind pass and fail in turn: several instances differ"
        => "让所有实例用同一份配置"
        "have all instances use one configuration";
}
