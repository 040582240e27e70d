//! A relay from outside: as a process, and over raw sockets.

mod attacks;
mod client;
mod process;
mod wire;
