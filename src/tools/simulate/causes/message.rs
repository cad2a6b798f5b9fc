//! What the answer to a message (POST) tells.

super::declare! {
    MESSAGE_NOT_ROUTED "message_not_routed" Error Message
        "验证（GET）通过，但 POST 没有路由（404/405）：消息收不到"
        "verification (GET) passes, but POST is not routed (404, 405): no message will arrive"
        => "在同一路径处理 POST"
        "serve POST on the same path";
    MESSAGE_CSRF "message_csrf" Error Message
        "POST 被框架的 CSRF 检查拦住（419，或 403 CSRF）"
        "the framework's CSRF check refuses the POST (419, or 403 with CSRF)"
        => "把回调路径加进 CSRF 例外"
        "exempt the callback's path from the CSRF check";
    MESSAGE_REFUSED "message_refused" Error Message
        "签名正确的消息被拒绝"
        "a well signed message is refused"
        => "POST 用 msg_signature（加密时）或 signature 校验；核对 Token、EncodingAESKey、AppID/CorpID"
        "check msg_signature (encrypted) or signature on POST; compare token, key and id";
    MESSAGE_FAILED "message_failed" Error Message
        "处理消息时程序出错"
        "the program fails on a message"
        => "看程序日志；先回答 success，再处理"
        "look at the log; answer success first, work later";
    MESSAGE_REDIRECTED "message_redirected" Error Message
        "POST 被重定向"
        "the POST is redirected"
        => "在这个路径直接回答"
        "answer at this very path";
    MESSAGE_REPLY_INVALID "message_reply_invalid" Error Message
        "对消息的回答既不是 success、空，也不是合法的回复"
        "the answer to a message is neither success, nor empty, nor a valid reply"
        => "不回复时回答 success 或空；JSON、HTML 都不行"
        "answer success or nothing where there is no reply; neither JSON nor HTML";
    MESSAGE_REPLY_IN_CLEAR "message_reply_in_clear" Error Message
        "加密消息得到明文回复"
        "an encrypted message is answered in clear"
        => "回复也要加密并带 MsgSignature"
        "seal the reply, and sign it";
    MESSAGE_REPLY_BROKEN "message_reply_broken" Error Message
        "加密的回复打不开：签名、密钥或接收方不对"
        "the sealed reply does not open: signature, key or receive id is wrong"
        => "用收到消息的密钥加密；签名用回复里的 TimeStamp、Nonce、Encrypt"
        "seal with the key of the message; sign TimeStamp, Nonce and Encrypt of the reply";
    MESSAGE_TOO_SLOW "message_too_slow" Error Message
        "对消息的回答超过 5 秒：微信会重发三次"
        "the answer to a message takes more than 5 s: it will be sent three times"
        => "先回答 success，再异步处理"
        "answer success first, and work behind it";
    MESSAGE_UNANSWERED "message_unanswered" Error Message
        "对消息没有（完整的）回答"
        "no answer, or no whole one, to a message"
        => "看程序日志；POST 也要结束响应"
        "look at the program's log; end the response to a POST too";
    MESSAGE_UNVERIFIED "message_unverified" Warning Silent
        "伪造签名的消息得到同样的回答：可能没有校验"
        "a message with a forged signature gets the same answer: it may be unchecked"
        => "校验消息的签名（wxgate 可以代做：messages: verify）"
        "check the signature of messages too (wxgate can: messages: verify)";
}
