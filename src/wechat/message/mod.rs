//! The messages that a platform pushes to an endpoint: checked, opened, and their replies sealed.
//!
//! | file | has |
//! |---|---|
//! | `mode` | how an account's messages arrive: plain, compatible, safe |
//! | `query` | raw query → the parameters, and the query that plain mode would have had |
//! | `format` | XML or JSON, by the first byte |
//! | `xml` | the XML that platforms send, and nothing that makes XML dangerous |
//! | `xml_declaration` | the declaration in front of it |
//! | `json` | the one `Encrypt` of a JSON body |
//! | `encrypted` | body → its one `Encrypt` |
//! | `check` | the straight line through all of these |
//! | `reply` | the frame around a sealed reply |
//! | `deliver` | an opened XML message → JSON |
//! | `element` | an element with what is in it, and how it is written as JSON |
//! | `replay` | what was seen lately |
//!
//! Facts: `docs/protocol.md`, sections "Messages" and "Replies".

pub mod check;
pub mod deliver;
mod element;
pub mod encrypted;
pub mod format;
mod json;
pub mod mode;
pub mod query;
pub mod replay;
pub mod reply;
mod xml;
mod xml_declaration;

pub use self::check::{
    Fingerprint, Genuine, Opened, check, check_encrypted_head, check_plain_head,
};
pub use self::deliver::to_json;
pub use self::encrypted::{Encrypted, encrypted_field};
pub use self::format::Format;
pub use self::mode::Mode;
pub use self::query::{MessageQuery, plain_query};
pub use self::replay::{Seen, Sighting};
pub use self::reply::{Frame, Sealer, is_neutral};
