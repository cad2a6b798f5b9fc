//! Independent readers of what wxgate reads: slow, whole buffers only, and written from the specifications rather than
//! from wxgate's code.

pub mod chunks;
pub mod envelope;
pub mod frames;
pub mod head;
pub mod json;
pub mod proxy_protocol;
pub mod query;
pub mod signature;
pub mod stream;
pub mod xml;
