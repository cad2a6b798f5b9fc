//! Traces: which one a request belongs to, and the spans that tell of it. They are sent by another thread.

pub mod context;
pub mod span;
pub mod spans;
pub mod tracer;
