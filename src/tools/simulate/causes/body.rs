//! What the bytes of an answer tell.

super::declare! {
    EMPTY "empty" Error Unreachable
        "回答是空的"
        "the answer is empty"
        => "把 echostr（企业微信是解密后的）写进回答；PHP 检查是否忘了 echo"
        "write the echostr (decrypted, for WeCom) as the answer; in PHP look for a missing echo";
    BOM "bom" Error Echo
        "回答前面有 BOM（EF BB BF）：源文件存成了“UTF-8 带 BOM”"
        "a byte order mark (EF BB BF) stands before the answer: a source file was saved as UTF-8 with BOM"
        => "把所有 PHP 文件（包括被包含的）存成 UTF-8 无 BOM；或输出前 ob_clean()"
        "save every file, included ones too, as UTF-8 without BOM; or ob_clean() before the answer";
    BLANK_BEFORE "blank_before" Error Echo
        "回答前面有空格或空行：<?php 之前或被包含文件 ?> 之后有空行"
        "a blank or line break stands before the answer: something before <?php, or after ?> of an included file"
        => "删掉它；删掉文件末尾的 ?>；或输出前 ob_clean()"
        "remove it; leave the closing ?> out; or ob_clean() before the answer";
    BLANK_BEHIND "blank_behind" Warning Echo
        "回答后面有换行或空格；文档不允许，是否被容忍没有公布"
        "a line break or blank stands behind the answer; the documentation forbids it, whether it is tolerated is not published"
        => "不用 println/echo 换行，直接输出 echostr"
        "print without a line break (print rather than println)";
    QUOTED "quoted" Error Echo
        "回答带引号：字符串被当成 JSON 输出（FastAPI、Spring @RestController、res.json）"
        "the answer stands in quotes: a string was written as JSON (FastAPI, Spring, res.json)"
        => "按 text/plain 输出（FastAPI：PlainTextResponse；Express：res.send）"
        "answer text/plain (FastAPI: PlainTextResponse; Express: res.send)";
    JSON_WRAPPED "json_wrapped" Error Echo
        "回答是 JSON，而不是 echostr 本身（统一返回格式把它包了起来）"
        "the answer is JSON around the echostr, or instead of it (a wrapper for all responses)"
        => "让这个接口绕过统一返回包装，按 text/plain 输出"
        "exempt this handler from the wrapper and answer text/plain";
    SPA_INDEX "spa_index" Error Echo
        "回答是单页应用的 index.html：请求没有到后端"
        "the answer is a single-page app's index.html: the request did not reach the backend"
        => "在代理里把这个路径转发给后端，放在 try_files 之前"
        "have the proxy forward this path to the backend, before the fallback (try_files)";
    LOGIN_PAGE "login_page" Error Echo
        "回答是登录页"
        "the answer is a login page"
        => "让回调路径不经过登录检查"
        "exempt the callback's path from the login";
    HTML_PAGE "html_page" Error Echo
        "回答是 HTML 页面：默认页、错误页或别的站点"
        "the answer is an HTML page: a default, an error, or another site"
        => "核对域名指向的站点和路径的路由"
        "check which site the name leads to and what serves the path";
    SOURCE_CODE "source_code" Error Echo
        "回答是脚本源码：服务器没有执行 PHP"
        "the answer is a script's source: the server does not run PHP"
        => "配置 PHP（php-fpm、模块）"
        "configure PHP (php-fpm, the module)";
    FIXED_TEXT "fixed_text" Error Echo
        "回答的是固定文字（success、ok、健康检查），不是 echostr：走到了消息处理或健康检查"
        "the answer is a fixed text (success, ok, a health check) instead of the echostr: it came from the message handler or a health check"
        => "有 echostr 的 GET 要单独处理，返回它"
        "handle a GET with echostr apart, and answer it";
    CIPHERTEXT_ECHOED "ciphertext_echoed" Error Echo
        "把密文原样返回，没有解密：用了公众号的代码处理企业微信"
        "the ciphertext came back undecrypted: code for official accounts serves WeCom"
        => "用企业微信的 VerifyURL：校验 msg_signature 并解密 echostr"
        "use WeCom's VerifyURL: check msg_signature, then decrypt the echostr";
    ENVELOPE_KEPT "envelope_kept" Error Echo
        "解密后没有去掉前面的随机串、长度或后面的 CorpID、填充"
        "decrypted, but random bytes, length, receive id or padding were not cut off"
        => "去掉 16 字节随机串和 4 字节长度，按长度取内容"
        "skip 16 random bytes and the 4 of the length, and take as many bytes as it says";
    NUMBER_ROUNDED "number_rounded" Error Echo
        "echostr 被当成数字，20 位超出范围后变了样"
        "the echostr was taken for a number: one of 20 digits does not survive"
        => "把 echostr 当字符串处理"
        "treat the echostr as text";
    GARBLED "garbled" Error Echo
        "解密出来是乱码：EncodingAESKey 不一致"
        "what was decrypted is garbage: the EncodingAESKey differs"
        => "从控制台重新复制 EncodingAESKey（43 位）"
        "copy the EncodingAESKey (43 characters) again from the console";
    TOKEN_ANSWERED "token_answered" Error Echo
        "把 Token 当成回答返回了：加密失败时的样例代码会这样"
        "the answer shows the token: sample code does so when its cryptography fails"
        => "换掉 Token；返回解密后的 echostr；老 JRE 换 JCE 策略文件"
        "change the token; answer the decrypted echostr; an old JRE needs the unlimited policy files";
    TEXT_AROUND "text_around" Error Echo
        "回答里有 echostr，但前后还有别的内容：调试输出、PHP 警告"
        "the echostr is in the answer, with other text around it: debug output, PHP notices"
        => "删掉调试输出，关闭 display_errors"
        "remove debug output and switch display_errors off";
    OTHER_TEXT "other_text" Error Echo
        "200，但内容不是 echostr"
        "200, but the content is not the echostr"
        => "看程序对这个请求做了什么；Token 不一致时有的代码也回 200"
        "see what the program did; some answer 200 when the signature does not hold";
    SDK_SIGNATURE "sdk_signature" Error Echo
        "-40001 签名校验失败：Token 不一致、参数顺序、echostr 没解码或解码两次、方案不对"
        "-40001, signature: the token differs, arguments are in another order, the echostr was not decoded or decoded twice, or the scheme is another"
        => "核对 Token；把 URL 解码一次的 msg_signature、timestamp、nonce、echostr 传给 SDK"
        "compare tokens; pass msg_signature, timestamp, nonce and echostr to the SDK, each decoded once";
    SDK_BODY "sdk_body" Error Echo
        "-40002 解析 XML/JSON 失败：GET 走到了 POST 的处理"
        "-40002, XML or JSON: the GET went to the handler of messages"
        => "按方法分开处理：GET 用 VerifyURL，POST 用 DecryptMsg"
        "part the methods: VerifyURL for GET, DecryptMsg for POST";
    SDK_ARGUMENTS "sdk_arguments" Error Echo
        "-40003 计算签名失败：传给 SDK 的参数类型或顺序不对"
        "-40003, computing the digest: arguments of a wrong type or order"
        => "所有参数按字符串、按文档顺序传入"
        "pass all arguments as text in the documented order";
    SDK_KEY "sdk_key" Error Echo
        "-40004 EncodingAESKey 非法：不是 43 位、带空格，或 Base64 过严"
        "-40004, EncodingAESKey: not 43 characters, a blank, or a strict Base64 decoder"
        => "从控制台重新复制 43 位的 EncodingAESKey"
        "copy the 43 characters again from the console";
    SDK_RECEIVE_ID "sdk_receive_id" Error Echo
        "-40005 接收方不一致：CorpID、SuiteID、AppID 填错"
        "-40005, receive id: another CorpID, SuiteID or AppID"
        => "按场景填：自建应用用 CorpID，第三方指令回调用 SuiteID，AI 机器人为空"
        "CorpID for own apps, SuiteID for a suite's instructions, empty for AI bots";
    SDK_DECRYPTION "sdk_decryption" Error Echo
        "-40006/-40007/-40008 加解密失败：EncodingAESKey 不一致或密文受损"
        "-40006 to -40008, decryption: the EncodingAESKey differs or the ciphertext was damaged"
        => "核对 EncodingAESKey；echostr 里的“+”不能变成空格"
        "compare the EncodingAESKey; \"+\" in the echostr must not become a blank";
    SDK_BASE64 "sdk_base64" Error Echo
        "-40009/-40010 Base64 失败：“+”变成了空格"
        "-40009, -40010, Base64: \"+\" became a blank"
        => "echostr 只解码一次；不要再 urldecode"
        "decode the echostr once; no further urldecode";
    HTML_TYPE "html_type" Note Silent
        "echostr 按 text/html 输出，它不在签名里：可能被用来反射脚本"
        "the echostr is answered as text/html and is not signed: it may reflect a script"
        => "用 Content-Type: text/plain 和 X-Content-Type-Options: nosniff"
        "answer text/plain with X-Content-Type-Options: nosniff";
}
