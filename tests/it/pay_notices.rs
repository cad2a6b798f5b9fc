//! Payment notices are signed in ways of their own, over the raw body and by headers: they pass to a shop that verifies
//! them with its SDK, beside endpoints whose messages are opened.

use serde_json::{Value, json};

use crate::gate::Gate;
use crate::inbox::{Posted, SHOP};
use crate::partners::{Backend, Sdk};

#[test]
fn payment_notices_pass_to_an_sdk_that_verifies_them() {
    let mut pay = Sdk::start(&["sdk/pay_driver.py"]);
    let key = pay.ask(&json!({"op": "key"}));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let dir = Backend::folder();
    std::fs::write(dir.path().join("pay.pem"), text(&key["public"])).unwrap();
    let (api_key, serial) = (text(&key["api_key"]), text(&key["serial"]));
    let shop = Backend::start_in(
        dir,
        "pay",
        &["tcp", "--api-key", &api_key, "--serial", &serial],
    );
    let endpoint = SHOP.yaml("messages: open, reply_within: 4.5s");
    let gate = Gate::start(&format!(
        "{}http: {{other: forward}}\nendpoints:\n{endpoint}",
        shop.yaml()
    ));
    for (version, expected) in [("v2", "支付 测试"), ("v3", "1217752501201407033233368018")] {
        let notice = pay.ask(&json!({"op": version}));
        let fields: String = notice["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| format!("{name}: {}\r\n", text(value)))
            .collect();
        let mut posted = Posted {
            target: format!("/pay/{version}"),
            body: text(&notice["body"]).into_bytes(),
        };
        let answer = posted.send_with(&gate, &fields);
        assert_eq!(answer.status(), 200, "{version}: {}", answer.body_text());
        assert!(
            answer.body_text().contains(expected),
            "{}",
            answer.body_text()
        );
        // One that was changed on its way is not taken: the SDK does look.
        let position = posted.body.iter().position(|byte| *byte == b'S').unwrap();
        posted.body[position] = b'T';
        assert_eq!(posted.send_with(&gate, &fields).status(), 401, "{version}");
    }
}
