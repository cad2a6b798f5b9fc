//! What an endpoint's messages are held to beside their signature: time, repetition, several credentials, a path with an
//! id in it; and what a reload changes of that.

use std::fs;

use crate::console::{ECHOSTR, Encrypted, seal, sign};
use crate::gate::Gate;
use crate::inbox::{Account, Inbox, Posted, SHOP, STAFF, counted, now, replies};

const MESSAGE: &str = "<xml><Content>a</Content></xml>";
const REPLY: &str = "<xml><Content>b</Content></xml>";
const OTHER_KEY: &str = "4Ma3YBrSBbX2aez8MJpXGBne5LSDwgGqHbhM9WPYIws";
const COMPONENT: Account = Account {
    platform: "open_platform",
    path: "/open/ticket",
    token: "openTOKEN3",
    key: OTHER_KEY,
    receive_id: "wx9876543210fedcba",
};

fn gate(backend: &Inbox, endpoints: &str) -> Gate {
    Gate::start(&format!("{}endpoints:\n{endpoints}", backend.yaml()))
}

/// As if it had been sent `seconds` from now.
fn dated(account: &Account, seconds: i64) -> Posted {
    let timestamp = (now().parse::<i64>().unwrap() + seconds).to_string();
    let signature = sign(&[account.token, &timestamp, "n1"]);
    Posted {
        target: format!(
            "{}?signature={signature}&timestamp={timestamp}&nonce=n1",
            account.path
        ),
        body: MESSAGE.into(),
    }
}

#[test]
fn a_message_is_as_old_as_its_timestamp() {
    let backend = Inbox::replying("success");
    let plain = "mode: plain, messages: verify, ";
    let gate = gate(
        &backend,
        &(SHOP.yaml(&format!("{plain}timestamp_window: 5m"))
            + &Account {
                path: "/any",
                ..SHOP
            }
            .yaml(plain)),
    );
    for (seconds, status) in [
        (0, 200),
        (-290, 200),
        (290, 200),
        (-310, 403),
        (310, 403),
        (-1_000_000, 403),
    ] {
        assert_eq!(
            dated(&SHOP, seconds).send(&gate).status(),
            status,
            "{seconds}"
        );
        assert_eq!(
            dated(&SHOP, seconds).to("/any").send(&gate).status(),
            200,
            "{seconds}"
        );
    }
    assert_eq!(counted(&gate, "shop", "refused", "stale_timestamp"), 3.0);
}

#[test]
fn the_same_message_is_taken_so_often_by_all_workers_together() {
    let backend = Inbox::replying("success");
    let replay = "timestamp_window: 5m, replay: {times: 3}";
    let endpoints = STAFF.yaml(&format!("messages: open, {replay}"))
        + &SHOP.yaml(&format!("mode: plain, messages: observe, {replay}"));
    let gate = gate(&backend, &endpoints);
    let (first, second) = (STAFF.sealed(MESSAGE), STAFF.sealed(MESSAGE));
    // What fails is not remembered, and what was forged is not.
    let mut forged = first.clone();
    forged.body[40] ^= 1;
    for _ in 0..5 {
        assert_eq!(forged.send(&gate).status(), 403);
    }
    for (posted, status) in [
        (&first, 200),
        (&second, 200),
        (&first, 200),
        (&first, 200),
        (&first, 403),
        (&second, 200),
        (&first, 403),
    ] {
        assert_eq!(posted.send(&gate).status(), status);
    }
    // In capital letters it is the same.
    let (path, query) = first.target.split_once("msg_signature=").unwrap();
    let shouted = Posted {
        target: format!(
            "{path}msg_signature={}{}",
            query[..40].to_uppercase(),
            &query[40..]
        ),
        ..first.clone()
    };
    assert_eq!(shouted.send(&gate).status(), 403);
    assert_eq!(counted(&gate, "staff", "refused", "replayed"), 3.0);
    assert_eq!(counted(&gate, "staff", "ok", "none"), 5.0);
    // A reload keeps what is known, and the memory is not its neighbour's.
    reload(&gate, |yaml| {
        yaml.to_owned() + "\nhttp: {redirect_port: 444}\n"
    });
    assert_eq!(first.send(&gate).status(), 403);
    assert_eq!(second.send(&gate).status(), 200);
    let plain = SHOP.plain(MESSAGE);
    for _ in 0..5 {
        assert_eq!(plain.send(&gate).status(), 200);
    }
    assert_eq!(counted(&gate, "shop", "observed", "replayed"), 2.0);
}

/// A message that cannot be written as JSON goes nowhere: its repetitions are no replays, and have the reason of the first.
#[test]
fn what_cannot_be_delivered_is_not_remembered_as_taken() {
    let backend = Inbox::replying("success");
    let endpoints =
        STAFF.yaml("messages: open, deliver: json, timestamp_window: 5m, replay: {times: 1}");
    let gate = gate(&backend, &endpoints);
    let posted = STAFF.sealed("<xml><a>text<b/></a></xml>");
    for _ in 0..3 {
        assert_eq!(posted.send(&gate).status(), 403);
    }
    assert_eq!(counted(&gate, "staff", "refused", "malformed_body"), 3.0);
    assert_eq!(counted(&gate, "staff", "refused", "replayed"), 0.0);
    let good = STAFF.sealed(MESSAGE);
    assert_eq!(good.send(&gate).status(), 200);
    assert_eq!(good.send(&gate).status(), 403);
    assert_eq!(counted(&gate, "staff", "refused", "replayed"), 1.0);
}

/// Changes the configuration and waits until it is in force.
fn reload(gate: &Gate, change: impl Fn(&str) -> String) {
    let path = gate.dir.path().join("config.yaml");
    let yaml = fs::read_to_string(&path).unwrap();
    let success = "wxgate_config_reloads_total{result=\"success\"}";
    let before = gate.metric(success);
    fs::write(&path, change(&yaml)).unwrap();
    gate.signal("-HUP");
    gate.wait_for_metric(success, before + 1.0);
}

#[test]
fn while_credentials_change_all_are_good_and_replies_are_sealed_by_those_that_opened() {
    let backend = Inbox::replying(REPLY);
    let endpoint = format!(
        "- {{name: staff, path: /staff, platform: wecom, tokens: [newTOKEN, '{}'], encoding_aes_keys: ['{OTHER_KEY}', '{}'], receive_ids: [wwnew, '{}'], messages: open}}\n",
        STAFF.token, STAFF.key, STAFF.receive_id
    );
    let gate = gate(&backend, &endpoint);
    let new = Account {
        token: "newTOKEN",
        key: OTHER_KEY,
        receive_id: "wwnew",
        ..STAFF
    };
    for (number, (account, slot)) in [(STAFF, "1"), (new, "0"), (STAFF, "1")]
        .into_iter()
        .enumerate()
    {
        let answer = account.sealed(MESSAGE).send(&gate);
        assert_eq!(crate::messages::opened_xml(&account, &answer), REPLY);
        let received = backend.last_of(number + 1);
        assert_eq!(received.field("x-wechat-key-slot"), slot);
        assert_eq!(received.field("x-wechat-receive-id"), account.receive_id);
    }
    for kind in ["token", "encoding_aes_key"] {
        let used = |slot| {
            format!(
                "wxgate_credential_used_total{{endpoint=\"staff\",kind=\"{kind}\",slot=\"{slot}\"}}"
            )
        };
        assert_eq!((gate.metric(&used(0)), gate.metric(&used(1))), (1.0, 2.0));
    }
}

#[test]
fn a_reload_changes_what_becomes_of_messages_and_their_series_with_it() {
    let backend = Inbox::replying(REPLY);
    let gate = gate(
        &backend,
        &(SHOP.yaml("messages: observe") + &STAFF.yaml("messages: open")),
    );
    let series = |name: &str, result: &str| {
        let metrics = gate.metrics();
        let of = |line: &&str| {
            line.starts_with("wxgate_message")
                && line.contains(&format!("endpoint=\"{name}\""))
                && line.contains(&format!("result=\"{result}\""))
        };
        metrics.lines().filter(of).count()
    };
    let reasons = series("shop", "observed");
    assert_eq!(
        (
            reasons,
            series("shop", "ok"),
            series("shop", "refused"),
            series("staff", "sealed")
        ),
        (13, 1, 0, 1)
    );
    assert_eq!(SHOP.plain(MESSAGE).send(&gate).status(), 200);
    reload(&gate, |yaml| {
        yaml.replace("messages: observe", "messages: verify")
            .replace("messages: open", "messages: forward")
    });
    assert_eq!(
        (
            series("shop", "observed"),
            series("shop", "refused"),
            series("shop", "ok")
        ),
        (0, 13, 1)
    );
    assert_eq!(
        (
            series("staff", "sealed"),
            series("staff", "refused"),
            series("staff", "ok")
        ),
        (0, 0, 0)
    );
    assert_eq!(SHOP.plain(MESSAGE).send(&gate).status(), 403);
    assert_eq!(STAFF.plain(MESSAGE).send(&gate).status(), 200);
    reload(&gate, |yaml| yaml.replace("name: shop", "name: store"));
    assert_eq!(
        (
            series("shop", "refused"),
            series("shop", "ok"),
            series("store", "refused")
        ),
        (0, 0, 13)
    );
    reload(&gate, |yaml| {
        yaml.replace("messages: verify", "reply_within: 2s")
    });
    assert_eq!(
        (series("store", "refused"), series("store", "guarded")),
        (0, 1)
    );
    assert_eq!(gate.metric(&replies("store", "late")), 0.0);
}

#[test]
fn a_third_party_platform_has_its_tickets_and_the_messages_of_every_account() {
    let backend = Inbox::replying("success");
    let accounts = Account {
        path: "/open/$APPID$/callback",
        ..COMPONENT
    };
    let endpoints = COMPONENT.yaml("messages: open")
        + &accounts
            .yaml("messages: open, reply_within: 4s")
            .replace("name: open/$APPID$/callback", "name: accounts")
        + &Account {
            path: "/open/wxspecial/callback",
            ..COMPONENT
        }
        .yaml("messages: forward")
        .replace("name: open/wxspecial/callback", "name: special");
    let gate = gate(
        &backend,
        &endpoints.replace("name: open/ticket", "name: ticket"),
    );
    let ticket = "<xml><AppId>wx9876543210fedcba</AppId><InfoType>component_verify_ticket</InfoType><ComponentVerifyTicket>t</ComponentVerifyTicket></xml>";
    let posted = COMPONENT.sealed_in(ticket, |encrypt| format!("<xml><AppId><![CDATA[wx9876543210fedcba]]></AppId><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"));
    let answer = posted.send(&gate);
    assert_eq!(
        (answer.status(), answer.body_text()),
        (200, "success".into())
    );
    let received = backend.last_of(1);
    assert_eq!(
        (received.text(), received.field("x-wechat-verified")),
        (ticket, "ticket")
    );
    let message = COMPONENT.sealed(MESSAGE);
    for (number, id) in ["wx1234567890abcdef", "wxfedcba0987654321"]
        .into_iter()
        .enumerate()
    {
        let answer = message.to(&format!("/open/{id}/callback")).send(&gate);
        assert_eq!(answer.status(), 200);
        let received = backend.last_of(number + 2);
        assert_eq!(
            (received.text(), received.field("x-wechat-verified")),
            (MESSAGE, "accounts")
        );
        assert!(
            received
                .target()
                .starts_with(&format!("/open/{id}/callback?")),
            "{}",
            received.target()
        );
    }
    // What is written out comes first, and what is none of them is none.
    message.to("/open/wxspecial/callback").send(&gate);
    assert_eq!(backend.last_of(4).fields("x-wechat-verified"), [""; 0]);
    assert_eq!(message.to("/open/a/b/callback").send(&gate).status(), 308);
    assert_eq!(
        Account {
            receive_id: "wx1234567890abcdef",
            ..COMPONENT
        }
        .sealed(MESSAGE)
        .to("/open/wx1234567890abcdef/callback")
        .send(&gate)
        .status(),
        403
    );
    backend.last_of(4);
    // A verification would be answered too, and its query is no secret's way into the log.
    let envelope = seal(COMPONENT.key, &[3; 16], ECHOSTR, COMPONENT.receive_id);
    let query = Encrypted::new(COMPONENT.token, "1409659589", "263014780", &envelope).query();
    let answer = crate::client::get(gate.http, &format!("/open/wx1/callback?{query}"));
    assert_eq!(
        (answer.status(), answer.body_text().as_str()),
        (200, ECHOSTR)
    );
    let line = gate.wait_for_line(&[
        "\"kind\":\"access\"",
        "\"route\":\"verify\"",
        "/open/wx1/callback",
    ]);
    assert!(!line.contains("1409659589"), "{line}");
}
