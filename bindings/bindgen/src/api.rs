//! The sorted list of everything that the boundary exports, one signature a line.

use std::path::PathBuf;

use camino::Utf8Path;
use uniffi_bindgen::interface::{AsType, Callable, Enum, Object, Record, Type};
use uniffi_bindgen::{BindgenLoader, BindgenPaths, ComponentInterface, GlobalConfig};

use crate::Result;

const HEAD: &str =
    "# What bindings/uniffi exports. Written by `make api`; a test compares it with the library.\n";

/// What a released library lacks.
const ONLY_FOR_TESTS: &str = "fn advance(";

/// The file of the list.
pub(crate) fn path() -> PathBuf {
    crate::uniffi_crate().join("api.txt")
}

/// The list that a library calls for.
pub(crate) fn list(library: &str) -> Result<String> {
    let loader = BindgenLoader::new(BindgenPaths::default(), GlobalConfig::default());
    let mut lines = Vec::new();
    for interface in loader.load_cis(loader.load_metadata(Utf8Path::new(library))?)? {
        signatures(&interface, &mut lines);
    }
    lines.retain(|line| !line.starts_with(ONLY_FOR_TESTS));
    lines.sort();
    Ok(HEAD.to_owned() + &lines.join("\n") + "\n")
}

fn signatures(interface: &ComponentInterface, lines: &mut Vec<String>) {
    for function in interface.function_definitions() {
        lines.push(format!("fn {}", signature(function.name(), function)));
    }
    interface.object_definitions().iter().for_each(|object| of_object(object, lines));
    interface.record_definitions().iter().for_each(|record| lines.push(of_record(record)));
    interface.enum_definitions().iter().for_each(|definition| of_enum(definition, lines));
}

fn of_object(object: &Object, lines: &mut Vec<String>) {
    let word = if object.has_callback_interface() { "trait" } else { "object" };
    let name = object.name();
    lines.push(format!("{word} {name}"));
    for constructor in object.constructors() {
        lines.push(format!("{word} {name}: new {}", signature(constructor.name(), constructor)));
    }
    for method in object.methods() {
        lines.push(format!("{word} {name}: {}", signature(method.name(), method)));
    }
}

fn of_record(record: &Record) -> String {
    format!(
        "record {} {{ {} }}",
        record.name(),
        fields(record.fields().iter().map(|field| (field.name(), field.as_type())))
    )
}

fn of_enum(definition: &Enum, lines: &mut Vec<String>) {
    for variant in definition.variants() {
        let fields = fields(variant.fields().iter().map(|field| (field.name(), field.as_type())));
        let fields = if fields.is_empty() { fields } else { format!("({fields})") };
        lines.push(format!("enum {}: {}{fields}", definition.name(), variant.name()));
    }
}

fn fields<'a>(fields: impl Iterator<Item = (&'a str, Type)>) -> String {
    let show = |(name, kind): (&str, Type)| match name {
        "" => named(&kind),
        name => format!("{name}: {}", named(&kind)),
    };
    fields.map(show).collect::<Vec<_>>().join(", ")
}

fn signature(name: &str, callable: &dyn Callable) -> String {
    let asynchronous = if callable.is_async() { "async " } else { "" };
    let arguments =
        fields(callable.arguments().into_iter().map(|argument| (argument.name(), argument.as_type())));
    let given = callable.return_type().map_or_else(String::new, |kind| format!(" -> {}", named(kind)));
    let thrown = callable.throws_type().map_or_else(String::new, |kind| format!(" throws {}", named(kind)));
    format!("{asynchronous}{name}({arguments}){given}{thrown}")
}

fn named(kind: &Type) -> String {
    match kind {
        Type::UInt8 => "u8".to_owned(),
        Type::Int8 => "i8".to_owned(),
        Type::UInt16 => "u16".to_owned(),
        Type::Int16 => "i16".to_owned(),
        Type::UInt32 => "u32".to_owned(),
        Type::Int32 => "i32".to_owned(),
        Type::UInt64 => "u64".to_owned(),
        Type::Int64 => "i64".to_owned(),
        Type::Float32 => "f32".to_owned(),
        Type::Float64 => "f64".to_owned(),
        Type::Boolean => "bool".to_owned(),
        Type::String => "text".to_owned(),
        Type::Bytes => "bytes".to_owned(),
        Type::Timestamp => "timestamp".to_owned(),
        Type::Duration => "duration".to_owned(),
        Type::Object { name, .. }
        | Type::Record { name, .. }
        | Type::Enum { name, .. }
        | Type::CallbackInterface { name, .. }
        | Type::Custom { name, .. } => name.clone(),
        Type::Box { inner_type } => named(inner_type),
        Type::Optional { inner_type } => format!("{}?", named(inner_type)),
        Type::Sequence { inner_type } => format!("[{}]", named(inner_type)),
        Type::Set { inner_type } => format!("{{{}}}", named(inner_type)),
        Type::Map { key_type, value_type } => format!("{{{}: {}}}", named(key_type), named(value_type)),
    }
}

#[cfg(test)]
mod tests {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    use std::{env, fs};

    // Makes cargo build the library before this test.
    use tidelog_uniffi as _;

    #[test]
    fn the_list_of_signatures_is_fresh() {
        let program = env::current_exe().expect("a test program");
        let library = program.with_file_name(format!("{DLL_PREFIX}tidelog_uniffi{DLL_SUFFIX}"));
        let wanted =
            super::list(library.to_str().expect("a path in UTF-8")).expect("the library describes itself");
        let written = fs::read_to_string(super::path()).expect("api.txt");
        assert_eq!(written, wanted, "api.txt is stale: run `make api` and review the difference");
    }
}
