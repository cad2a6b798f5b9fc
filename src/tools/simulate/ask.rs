//! Makes requests, and has each answer judged by itself.

use super::answer::Reply;
use super::compare::Outcome;
use super::connection::{self, Dial};
use super::console::{Asked, Console, Signing};
use super::dice::Dice;
use super::judge::{self, passes};
use super::plan::Role;
use super::request::{self, Client, Version};
use super::target::Target;

/// Who asks whom.
#[derive(Debug)]
pub struct Asker<'a> {
    /// Whose credentials are used.
    pub console: &'a Console,
    /// What is asked for.
    pub target: &'a Target,
    /// Where it is.
    pub dial: Dial,
    /// Chance.
    pub dice: Dice,
}

impl Asker<'_> {
    /// One request of the plan, and what its answer alone tells.
    pub fn one(&mut self, role: Role) -> Outcome {
        if matches!(role, Role::Message | Role::ForgedMessage) {
            return self.message(role);
        }
        let (console, target) = (self.console, self.target);
        let version = role.version(console);
        let (nonce, echo, signing) = role.shape();
        let asked = console.verification(nonce, echo, signing, &mut self.dice);
        let client = Client::Console(console.platform);
        let request = request::get(target, &asked.query, version, client);
        let reply = connection::ask(&self.dial, role == Role::WithoutSni, &request);
        let findings = if role.is_good() {
            judge::verification(&reply, &asked, version, console, target)
        } else {
            Vec::new()
        };
        Outcome {
            role,
            asked: Some(asked),
            reply,
            findings,
            is_moot: false,
        }
    }

    fn message(&mut self, role: Role) -> Outcome {
        let (_, _, signing) = role.shape();
        let (query, body) = self.console.message(signing, &mut self.dice);
        let version = role.version(self.console);
        let request = request::post(self.target, &query, version, &body);
        let reply = connection::ask(&self.dial, false, &request);
        let findings = if role == Role::Message {
            judge::message(&reply, self.console)
        } else {
            Vec::new()
        };
        Outcome {
            role,
            asked: None,
            reply,
            findings,
            is_moot: false,
        }
    }

    /// Whether a good verification passes at `target`, asked by `client`.
    pub fn passes(&mut self, target: &Target, client: Client) -> bool {
        let console = self.console;
        let (asked, version, reply) = self.good(target, client);
        passes(&judge::verification(
            &reply, &asked, version, console, target,
        ))
    }

    /// Whether anything is answered to a good verification at `target`.
    pub fn is_answered(&mut self, target: &Target) -> bool {
        let client = Client::Console(self.console.platform);
        self.good(target, client).2.is_ok()
    }

    fn good(&mut self, target: &Target, client: Client) -> (Asked, Version, Reply) {
        let (nonce, echo, signing) = Role::Usual.shape();
        let console = self.console;
        let asked = console.verification(nonce, echo, signing, &mut self.dice);
        let version = match client {
            Client::Browser => Version::Http11,
            Client::Console(_) => console.version(),
        };
        let request = request::get(target, &asked.query, version, client);
        let reply = connection::ask(&self.dial, false, &request);
        (asked, version, reply)
    }

    /// Whether the server takes what is signed so, by `console`, for good.
    pub fn takes(&mut self, console: &Console, signing: Signing) -> bool {
        let (nonce, echo, _) = Role::Usual.shape();
        let asked = console.verification(nonce, echo, signing, &mut self.dice);
        let client = Client::Console(console.platform);
        let request = request::get(self.target, &asked.query, console.version(), client);
        judge::gives_echo(&connection::ask(&self.dial, false, &request), &asked)
    }
}
