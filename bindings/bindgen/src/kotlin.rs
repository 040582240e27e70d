//! What is made otherwise in the generated Kotlin module.
//!
//! A call tells its outcome in a structure in native memory. The generated code makes one for every
//! call, and leaves it to the garbage collector: that is most of what a short call costs, and memory
//! that the heap does not know of. Here each thread keeps one for all of its calls.

use std::fs;
use std::path::Path;

use crate::Result;

const MODULE: &str = "io/tidelog/internal/tidelog.kt";

const ONE_EACH_CALL: &str = "\
    var status = UniffiRustCallStatus()
    val return_value = callback(status)
    uniffiCheckCallStatus(errorHandler, status)
    return return_value
";

const KEPT: &str = "\
    val kept = uniffiKeptStatus.get()
    // A call within a call finds it in use.
    val status = kept.status ?: UniffiRustCallStatus()
    kept.status = null
    try {
        status.code = UNIFFI_CALL_SUCCESS
        val return_value = callback(status)
        uniffiCheckCallStatus(errorHandler, status)
        return return_value
    } finally {
        kept.status = status
    }
";

const KEEPER: &str = "
private class UniffiKeptStatus { var status: UniffiRustCallStatus? = UniffiRustCallStatus() }
private val uniffiKeptStatus: ThreadLocal<UniffiKeptStatus> = ThreadLocal.withInitial { UniffiKeptStatus() }
";

/// Lets each thread keep its structure. Fails if another version of UniFFI writes it in other words.
pub(crate) fn keep_status(folder: &Path) -> Result<()> {
    let path = folder.join(MODULE);
    let text = fs::read_to_string(&path)?;
    Ok(fs::write(&path, kept(&text)?)?)
}

fn kept(text: &str) -> Result<String> {
    if text.matches(ONE_EACH_CALL).count() != 1 {
        return Err(
            "the generated Kotlin calls Rust in other words: see bindings/bindgen/src/kotlin.rs".into()
        );
    }
    Ok(text.replace(ONE_EACH_CALL, KEPT) + KEEPER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_keeps_its_structure() {
        let text = format!("fun call() {{\n{ONE_EACH_CALL}}}\n");
        let changed = kept(&text).expect("the words are there");
        assert!(changed.contains(KEPT) && changed.ends_with(KEEPER) && !changed.contains(ONE_EACH_CALL));
    }

    #[test]
    fn other_words_are_refused() {
        assert!(kept("fun call() {}\n").is_err());
    }
}
