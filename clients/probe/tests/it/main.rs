//! The probe against an app, and an engine for containers, that are made for the purpose.

mod app;
mod docker;
mod engine;
mod publish;
mod shell;
