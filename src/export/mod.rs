//! Spans on their way to a collector, by OTLP over HTTP, on a thread of their own.

pub mod collector;
pub mod exporter;
pub mod otlp;
