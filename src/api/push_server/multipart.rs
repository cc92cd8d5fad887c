//! Forms with files in them: `multipart/form-data` (RFC 7578), read from a body that is whole already.

/// A part: its name in lower case, and what it holds.
pub type Part = (String, Vec<u8>);

/// The parts of a form; none where the body is no such form.
pub fn parts(content_type: &str, body: &[u8]) -> Option<Vec<Part>> {
    let boundary = boundary(content_type)?;
    // A delimiter begins a line; the first may begin the body.
    let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
    let mut rest = match body.strip_prefix(&delimiter[2..]) {
        Some(rest) => rest,
        None => &body[find(body, &delimiter)? + delimiter.len()..],
    };
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        let line_end = find(rest, b"\r\n")?;
        // Only blanks may pad a delimiter.
        rest[..line_end].iter().all(|byte| b" \t".contains(byte)).then_some(())?;
        // The line's own end is kept: headers may be none.
        rest = &rest[line_end..];
        let end = find(rest, &delimiter)?;
        let (part, behind) = (&rest[..end], &rest[end + delimiter.len()..]);
        let head_end = find(part, b"\r\n\r\n")?;
        let name = name(&part[..head_end])?;
        parts.push((name.to_ascii_lowercase(), part[head_end + 4..].to_vec()));
        rest = behind;
    }
}

fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary")?;
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

/// The name in a part's `Content-Disposition`.
fn name(head: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(head).ok()?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (header, value) = line.split_once(':')?;
        header.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let (kind, parameters) = disposition.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return None;
    }
    parameter(parameters, "name")
}

/// A parameter's value, with or without quotes. Semicolons within quotes end nothing.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        let (name, behind) = rest.split_once('=')?;
        let (value, after) = match behind.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => behind.split_at(behind.find(';').unwrap_or(behind.len())),
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value.trim().to_owned());
        }
        rest = after;
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "multipart/form-data; boundary=\"x; y\"";

    #[test]
    fn fields_and_files_are_read_as_they_are() {
        let body =
            b"preamble\r\n--x; y\r\nContent-Disposition: form-data; name=\"Apns_Topic\"\r\n\r\n\
            com.example.app\r\n--x; y\r\nContent-Type: application/octet-stream\r\n\
            content-disposition: form-data; filename=\"a;name=b.p8\"; name=apns_pkcs8_pem\r\n\r\n\
            \x00\r\n--x\xff\r\n\r\n--x; y--\r\n";
        let expected = vec![
            ("apns_topic".to_owned(), b"com.example.app".to_vec()),
            ("apns_pkcs8_pem".to_owned(), b"\x00\r\n--x\xff\r\n".to_vec()),
        ];
        assert_eq!(parts(FORM, body), Some(expected));
        assert_eq!(parts(FORM, b"--x; y--"), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_form_is_none() {
        let cut = b"--x; y\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue";
        for body in [&b""[..], b"--x; y", b"--x; y\r\n\r\nvalue\r\n--x; y--", cut] {
            assert_eq!(parts(FORM, body), None);
        }
        assert_eq!(parts("application/json", b"{}"), None);
        assert_eq!(parts("multipart/form-data", b"--x--"), None);
        assert_eq!(parts("multipart/form-data; boundary=", b"----"), None);
    }
}
