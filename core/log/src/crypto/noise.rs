//! Noise handshakes.
