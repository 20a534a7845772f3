//! Values as cells of CSV (RFC 4180): null is an empty cell, the empty text a quoted one, lists and JSON are JSON text.

use std::borrow::Cow;

/// Appends a value as a cell, from its JSON. With `guarded`, text that a spreadsheet would take for a formula has a `'`
/// before it.
pub fn write_cell(json: &[u8], guarded: bool, out: &mut Vec<u8>) {
    match json.first() {
        Some(b'"') => write_text(&text_of(json), guarded, out),
        _ => write_json(json, out),
    }
}

/// Appends JSON as a cell: its text, also where it is a string, which would be read as other JSON without its quotes.
pub fn write_json(json: &[u8], out: &mut Vec<u8>) {
    match json.first() {
        None | Some(b'n') => {}
        Some(b'"' | b'[' | b'{') => quote(json, out),
        Some(_) => out.extend_from_slice(json),
    }
}

/// Appends text as a cell.
pub fn write_text(text: &str, guarded: bool, out: &mut Vec<u8>) {
    if guarded && text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        return write_text(&format!("'{text}"), false, out);
    }
    let plain = |byte: u8| !matches!(byte, b'"' | b',' | b'\r' | b'\n');
    if !text.is_empty() && text.bytes().all(plain) {
        out.extend_from_slice(text.as_bytes());
    } else {
        quote(text.as_bytes(), out);
    }
}

fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for piece in text.split_inclusive(|byte| *byte == b'"') {
        out.extend_from_slice(piece);
        if piece.ends_with(b"\"") {
            out.push(b'"');
        }
    }
    out.push(b'"');
}

fn text_of(json: &[u8]) -> Cow<'_, str> {
    let inner = json.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(json);
    if !inner.contains(&b'\\') {
        return String::from_utf8_lossy(inner);
    }
    Cow::Owned(serde_json::from_slice::<String>(json).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{write_cell, write_json};

    #[test]
    fn json_is_its_text_whatever_it_is() {
        for (json, cell) in [
            ("null", ""),
            (r#""""#, r#""""""""#),
            (r#""null""#, r#""""null""""#),
            (r#""1""#, r#""""1""""#),
            ("1", "1"),
            ("true", "true"),
            (r#"{"a":[1,"b"]}"#, r#""{""a"":[1,""b""]}""#),
        ] {
            let mut out = Vec::new();
            write_json(json.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), cell);
        }
    }

    #[test]
    fn cells_are_quoted_where_they_have_to_be() {
        for (json, cell, guarded) in [
            ("null", "", ""),
            ("\"\"", "\"\"", "\"\""),
            ("\"a b\"", "a b", "a b"),
            ("\"a,b\"", "\"a,b\"", "\"a,b\""),
            (r#""say \"hi\"\n\u0001""#, "\"say \"\"hi\"\"\n\u{1}\"", "\"say \"\"hi\"\"\n\u{1}\""),
            ("-12.5", "-12.5", "-12.5"),
            ("true", "true", "true"),
            (r#"["x","y"]"#, r#""[""x"",""y""]""#, r#""[""x"",""y""]""#),
            (r#""=1+1""#, "=1+1", "'=1+1"),
            (r#""@a,b""#, "\"@a,b\"", "\"'@a,b\""),
            ("\"é\"", "é", "é"),
        ] {
            let (mut plain, mut safe) = (Vec::new(), Vec::new());
            write_cell(json.as_bytes(), false, &mut plain);
            write_cell(json.as_bytes(), true, &mut safe);
            assert_eq!(
                (String::from_utf8_lossy(&plain).as_ref(), String::from_utf8_lossy(&safe).as_ref()),
                (cell, guarded)
            );
        }
    }
}
