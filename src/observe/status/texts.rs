//! What the page says, in Chinese and in English, side by side so that neither is forgotten.

/// Makes [`Texts`] and its two values.
macro_rules! texts {
    ($($name:ident: $zh:literal, $en:literal;)+) => {
        /// Every text of the page in one language.
        #[derive(Debug)]
        pub(super) struct Texts { $(pub(super) $name: &'static str),+ }

        static ZH: Texts = Texts { $($name: $zh),+ };
        static EN: Texts = Texts { $($name: $en),+ };
    };
}

texts! {
    code: "zh-CN", "en";
    other_code: "en", "zh";
    other_language: "English", "中文";
    title: "wxgate 状态", "wxgate status";
    serving: "运行中", "serving";
    draining: "正在排空", "draining";
    since: "启动于", "started";
    as_of: "更新于", "as of";
    stale: "已无法连接 wxgate，以下是最后一次看到的状态", "wxgate does not answer any more: this is what was last seen";
    none: "无", "none";
    unknown: "未知", "unknown";
    ago: "前", " ago";
    second: "秒", "s";
    minute: "分钟", "min";
    hour: "小时", "h";
    day: "天", "d";
    times: "次数", "times";
    time: "时间", "time";
    client: "客户端", "client";

    endpoints: "回调地址：后台怎么填", "Endpoints: what to enter in the console";
    no_endpoints: "还没有配置 endpoints，所有请求都直接转发给后端。", "No endpoints are configured: every request goes to the backend.";
    official_account: "公众号、小程序 (official_account)", "official account, mini program (official_account)";
    wecom: "企业微信 (wecom)", "WeCom (wecom)";
    open_platform: "第三方平台 (open_platform)", "open platform (open_platform)";
    url: "URL", "URL";
    no_name: "没有配置 host，证书里也没有域名：请填 https://你的域名", "No host is configured and no certificate has a name: enter https://YOUR-NAME";
    wrong_port: "公众平台只接受 80 和 443 端口：请让公网 443 端口通到这里，并检查 http.redirect_port。", "This console takes ports 80 and 443 only: lead the public port 443 here, and see http.redirect_port.";
    token: "Token", "Token";
    token_first: "填 tokens 中的第 1 个（最新的）；有效个数：", "the first of tokens, the newest; number valid:";
    key: "EncodingAESKey", "EncodingAESKey";
    key_first: "填 encoding_aes_keys 中的第 1 个（最新的）；有效个数：", "the first of encoding_aes_keys, the newest; number valid:";
    key_none: "未配置。后台会要求填写：随机生成即可，并选择明文模式", "none is configured. The console wants one: let it make one, and choose plain mode";
    mode: "消息加解密方式", "Encryption";
    mode_plain: "明文模式", "plain mode";
    mode_either: "安全模式（推荐）或兼容模式；明文模式的校验也能通过", "security mode (recommended) or compatible mode; verifications in plain mode pass too";
    mode_encrypted: "始终加密，无需选择", "always encrypted, there is no choice";
    receive_ids: "接收方 ID", "Receive ids";
    receive_any: "不检查", "not checked";
    receive_empty: "（空）", "(empty)";
    messages: "消息 (POST)", "Messages (POST)";
    messages_forward: "原样转发给后端", "passed on to the backend untouched";
    messages_observe: "检查并计数，全部转发给后端 (observe)", "checked and counted, all passed on to the backend (observe)";
    messages_verify: "检查签名，伪造的被拒绝 (verify)", "checked: forged ones are refused (verify)";
    messages_open: "检查并解密后转发，回复自动加密 (open)", "checked and opened for the backend, its replies sealed (open)";
    allow: "允许来源", "Allowed from";
    verified: "通过", "passed";
    refused: "拒绝", "refused";
    since_start: "启动以来的校验", "Verifications since the start";
    slots_used: "各凭据命中次数（新→旧）", "Times each one matched (newest first)";

    simulate: "像后台那样请求一次这个 URL：", "Ask this URL as the console does:";
    simulate_name: "按域名（后台看到的）", "by its name, as the console";
    simulate_itself: "直连本进程", "this process itself";
    simulate_busy: "已有一次模拟在进行，请等它结束。", "A simulation is running: wait for its end.";
    simulate_unknown: "没有这个回调地址，配置可能刚刚重新加载过。", "There is no such endpoint; the configuration may have been reloaded.";
    simulate_no_url: "这不是 URL，应形如 https://你的域名/路径。", "This is no URL such as https://YOUR-NAME/path.";
    simulate_other_path: "URL 的路径与 endpoints[].path 不一致。", "The path of the URL is not endpoints[].path.";
    simulate_other_host: "这里只请求自己的回调地址：URL 的域名必须是 endpoints[].host，没有配置时必须是证书里的域名（直连本进程则不限）。其他服务器请用 wxgate simulate 命令。", "Only own endpoints are asked: the host of the URL must be endpoints[].host or, without one, a name on a certificate (any name, of this process itself). For other servers there is the command wxgate simulate.";
    simulate_other_port: "URL 的端口必须是 80、443、http.redirect_port 或某个监听端口。", "The port of the URL must be 80, 443, http.redirect_port or that of a listener.";
    simulate_no_listener: "本进程没有可以直连的监听：没有这种协议的，或它要求 PROXY protocol。", "This process has no listener that it could ask: none for this scheme, or one that wants the PROXY protocol.";
    simulation: "模拟后台校验", "Playing the console";
    simulated_name: "按域名", "by its name";
    simulated_itself: "直连本进程", "this process itself at";
    simulation_runs: "正在进行，通常一秒之内结束……", "It runs; that usually takes less than a second …";
    simulation_too_long: "超过 60 秒仍未结束，已放弃。可以在命令行运行 wxgate simulate。", "It took longer than 60 seconds and was given up. Try wxgate simulate in a terminal.";
    simulation_failed: "没有结果：", "No result:";
    simulation_passes: "通过", "passed";
    simulation_fails: "不通过", "failed";
    simulation_allow: "这个回调地址限制了来源 (allow)：如果名单里没有本机，403 是正常的，说明不了后台的结果。", "This endpoint has an allow list: without this machine in it, a 403 is right and says nothing of the console.";
    simulation_days: "证书剩余天数", "days left on the certificate:";
    simulation_requests: "发出的请求：", "requests made:";
    simulation_counts: "这些请求也计入校验次数和日志：伪造的和没有签名的被拒绝，说明一切正常。没有发送消息 (POST)。", "These requests are counted and logged as any: that the forged and the unsigned one are refused is as it should be. No message (POST) was sent.";
    error: "错误", "error";
    warning: "警告", "warning";
    note: "提示", "note";
    seen: "看到", "seen";
    mend: "办法", "mend";
    console_says: "后台会显示", "the console says";
    no_answer: "没有回答", "no answer";

    verifications: "最近的 URL 校验", "The last verifications";
    no_verifications: "还没有收到校验请求。在后台点“提交”或“保存”后几秒内仍没有出现，说明请求没有到达这里：请检查域名解析、端口、防火墙和前面的代理。", "None has come yet. If none appears within seconds of pressing 提交 or 保存 in the console, the request does not get here: check DNS, port, firewall and whatever is in front.";
    endpoint: "回调地址", "endpoint";
    verdict: "结果", "verdict";
    cause: "原因与处理", "cause and mend";
    runbook: "手册", "runbook";
    runbook_file: "docs/runbook.zh-CN.md", "docs/runbook.md";
    request: "请求", "request";
    older: "更早的：", "earlier ones:";

    strays: "像校验、但路径未配置的请求", "Requests that look like verifications of an unknown path";
    strays_mend: "请核对后台填写的 URL 路径与 endpoints[].path（以及 host）是否一致，前面的代理是否改写了路径。", "Compare the path of the URL in the console with endpoints[].path (and host), and see whether a proxy in front rewrites it.";
    path: "路径", "path";
    host: "Host", "host";

    charts: "最近一小时", "The last hour";
    chart_verifications: "URL 校验", "Verifications";
    chart_requests: "请求（按状态码）", "Requests by status";
    chart_latency: "请求耗时", "Time of requests";
    per_minute: "每分钟最多", "most in a minute";
    slowest: "最高", "highest";
    hour_ago: "60 分钟前", "60 min ago";
    now: "现在", "now";
    no_data: "没有数据", "nothing yet";

    certificates: "证书", "Certificates";
    no_certificates: "没有证书（没有 https 监听）。", "None: there is no https listener.";
    name: "名称", "name";
    names: "域名", "host names";
    issuer: "颁发者", "issuer";
    days_left: "剩余天数", "days left";
    expired: "已过期", "has ended";
    chain: "证书链", "chain";
    chain_alone: "只有服务器证书：可能缺中间证书", "the server's own alone: an intermediate one may be missing";
    self_signed: "自签名：微信不信任", "self-signed: no console trusts it";
    placeholder: "ACME 占位证书：尚未取得正式证书", "ACME's placeholder: no certificate has been obtained yet";
    acme: "ACME", "ACME";
    acme_failures: "连续失败", "failures in a row";
    acme_obtained: "取得于", "obtained";
    acme_next: "下次申请", "next attempt";

    upstream: "后端", "Backend";
    address: "地址", "address";
    last_connected: "最近一次连接成功", "last connected";
    last_failure: "最近一次连接失败", "last failed to connect";
    unreachable: "最近一次连接失败了", "the last attempt to connect failed";
    never: "还没有", "not yet";
    errors_hour: "一小时内的错误", "errors in the last hour";
    first_byte: "首字节耗时（一小时内）", "time to the first byte, in the last hour";
    connections: "连接", "connections";
    waiting: "排队请求", "requests waiting";

    traffic: "监听与连接", "Listeners and connections";
    in_flight: "处理中的请求", "requests in flight";
    tunnels: "WebSocket 等隧道", "tunnels such as WebSocket";
    reload: "最近一次重新加载", "last reload";
    reload_none: "启动后没有重新加载过", "none since the start";
    reload_success: "已生效", "in force";
    reload_unchanged: "没有变化", "nothing had changed";
    reload_failure: "失败，旧配置继续生效", "failed: the old configuration stays";
    reload_restart: "需要重启才能生效的配置项", "not taken over: these keys need a restart";

    handshakes: "失败的 TLS 握手", "TLS handshakes that failed";
    no_handshakes: "没有失败的握手。", "None failed.";
    in_hour: "一小时内", "in the last hour";
    reason: "原因", "reason";
    offered: "对方支持", "offered";

    configuration: "生效中的配置", "The configuration in force";
    configuration_hidden: "密钥和令牌显示为 ***。", "Secrets are shown as ***.";
    key_name: "配置项", "key";
    value: "值", "value";
    json: "JSON 格式", "the same as JSON";
    p50: "一半请求不超过", "half took at most";
    p95: "95% 不超过", "95% took at most";
    separator: "，", ", ";
}

/// A language of the page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Language {
    /// 简体中文.
    Chinese,
    /// English.
    English,
}

impl Language {
    /// Its texts.
    pub(super) fn texts(self) -> &'static Texts {
        match self {
            Self::Chinese => &ZH,
            Self::English => &EN,
        }
    }

    /// By the query's `lang`, else by `Accept-Language` (RFC 9110 section 12.5.4), else English.
    pub(super) fn asked(query: Option<&str>, accepted: Option<&str>) -> Self {
        let mut pairs = query.unwrap_or_default().split('&');
        let named = pairs.find_map(|pair| pair.strip_prefix("lang="));
        named
            .and_then(Self::of)
            .or_else(|| Self::preferred(accepted?))
            .unwrap_or(Self::English)
    }

    fn preferred(accepted: &str) -> Option<Self> {
        let mut best = None;
        for range in accepted.split(',') {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let weight = parameters.trim().strip_prefix("q=");
            let weight: f64 = weight.map_or(Some(1.0), |q| q.parse().ok())?;
            let is_better = best.is_none_or(|(_, most)| weight > most);
            if let Some(language) = Self::of(tag.trim())
                && weight > 0.0
                && is_better
            {
                best = Some((language, weight));
            }
        }
        best.map(|(language, _)| language)
    }

    /// `zh` in all its regions and scripts, and `en`.
    fn of(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        match primary.to_ascii_lowercase().as_str() {
            "zh" => Some(Self::Chinese),
            "en" => Some(Self::English),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_asked_for_then_the_one_preferred() {
        let table = [
            (None, None, "en"),
            (None, Some("zh-CN,zh;q=0.9,en;q=0.8"), "zh-CN"),
            (None, Some("en-US,en;q=0.9,zh;q=0.8"), "en"),
            (None, Some("fr, en;q=0.2, zh-Hant-TW;q=0.7"), "zh-CN"),
            (None, Some("zh;q=0, en;q=0.1"), "en"),
            (None, Some("de"), "en"),
            (None, Some("zh;q=x"), "en"),
            (Some("lang=zh"), Some("en"), "zh-CN"),
            (Some("a=b&lang=en"), Some("zh"), "en"),
            (Some("lang=%3Cscript%3E"), Some("zh"), "zh-CN"),
        ];
        for (query, accepted, expected) in table {
            let language = Language::asked(query, accepted);
            assert_eq!(language.texts().code, expected, "{query:?} {accepted:?}");
        }
    }
}
