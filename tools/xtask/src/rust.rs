//! Just enough of Rust's syntax to measure it: comments and literals blanked, functions found by their braces.

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of its `fn`, from 1.
    pub line: usize,
    /// Lines from there to its closing brace.
    pub lines: usize,
}

/// The source with every character of comments and literals replaced by a blank; lines stay.
pub fn code(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skip(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment or literal that begins at `at` ends; `at` itself if none does.
fn skip(chars: &[char], at: usize) -> usize {
    let starts = |text: &str| text.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    let find = |from: usize, text: &str| {
        let text: Vec<char> = text.chars().collect();
        let found = chars.get(from..).and_then(|rest| rest.windows(text.len()).position(|w| w == text));
        found.map_or(chars.len(), |offset| from + offset + text.len())
    };
    let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        '/' if starts("//") => find(at, "\n").saturating_sub(1).max(at + 2),
        '/' if starts("/*") => find(at + 2, "*/"),
        '"' => quoted(chars, at + 1, '"'),
        'r' if !in_word && raw_hashes(chars, at + 1).is_some() => {
            let hashes = raw_hashes(chars, at + 1).unwrap_or(0);
            find(at + hashes + 2, &format!("\"{}", "#".repeat(hashes)))
        }
        // A character and not a lifetime: it closes after one character or an escape.
        '\'' if chars.get(at + 1) == Some(&'\\') => quoted(chars, at + 1, '\''),
        '\'' if chars.get(at + 2) == Some(&'\'') => at + 3,
        _ => at,
    }
}

fn quoted(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// The number of `#` between `r` and the quote of a raw string.
fn raw_hashes(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at.min(chars.len())..].iter().take_while(|c| **c == '#').count();
    (chars.get(at + hashes) == Some(&'"')).then_some(hashes)
}

/// The functions of a source, nested ones included.
pub fn functions(source: &str) -> Vec<Function> {
    let code = code(source);
    let mut functions = vec![];
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back();
        let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() || before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let Some(body) = body(&code[at..]) else { continue };
        let line = code[..at].matches('\n').count() + 1;
        functions.push(Function { name, line, lines: code[at..at + body].matches('\n').count() + 1 });
    }
    functions
}

/// Where the body that follows a signature ends; `None` for a function without one.
fn body(code: &str) -> Option<usize> {
    let mut depth = 0;
    let mut nested = 0;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => nested += 1,
            ')' | ']' => nested -= 1,
            ';' if depth == 0 && nested == 0 => return None,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_comments_are_blank() {
        let source = "let a = \"{ \\\" }\"; // }\nlet b = '{'; let c: &'static str = r#\"}\"#; /* { */ f();";
        let code = code(source);
        assert!(!code.contains(['{', '}']), "{code}");
        assert!(code.contains("&'static str") && code.ends_with("f();"), "{code}");
        assert_eq!(code.lines().count(), 2);
    }

    #[test]
    fn functions_are_measured_by_their_braces() {
        let source = "fn a();\nfn b(x: [u8; 2]) {\n  if x { '}'; }\n}\nimpl T { pub fn c() {} }\n";
        let found: Vec<_> = functions(source).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
        assert_eq!(found, [("b".into(), 2, 3), ("c".into(), 5, 1)]);
    }
}
