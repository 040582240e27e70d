//! Tells the linker how a Node addon is linked.
fn main() {
    napi_build::setup();
}
