//! What an SMTP server says to each line (RFC 5321), without I/O and without
//! judging recipients: `mod.rs` does both.
//!
//! Extensions: 8BITMIME (RFC 6152), SIZE (RFC 1870), PIPELINING (RFC 2920),
//! ENHANCEDSTATUSCODES (RFC 2034).

use std::borrow::Cow;
use std::fmt;

use super::lines::Line;
use super::mailbox::Mail;

/// RFC 5321 section 4.5.3.1.4 has 512; the parameters of MAIL may add to it.
const LONGEST_COMMAND: usize = 1024;
/// Section 4.5.3.1.6, the end included; a dot that was stuffed comes on top.
const LONGEST_TEXT: usize = 1001;
/// Section 4.5.3.1.8: at least as many must be taken.
const MOST_RECIPIENTS: usize = 100;
/// What SIZE announces.
const LARGEST_MAIL: usize = 1 << 20;

const NAME: &str = "sandbox.fanfare.invalid";

/// A reply: a code, and a line of text or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    lines: Vec<Cow<'static, str>>,
}

impl Reply {
    pub(super) fn new(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, lines: vec![text.into()] }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.lines.len().saturating_sub(1);
        self.lines.iter().enumerate().try_for_each(|(index, line)| {
            let line = line.replace(['\r', '\n'], " ");
            let mark = if index == last { ' ' } else { '-' };
            write!(f, "{}{mark}{line}\r\n", self.code)
        })
    }
}

/// The server's first words.
pub(super) fn greeting() -> Reply {
    Reply::new(220, format!("{NAME} ESMTP"))
}

/// What follows from a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing yet: the mail goes on.
    Wait,
    Answer(Reply),
    /// A well-formed recipient, to be taken or refused.
    Recipient(String),
    /// A whole mail, to be answered.
    Deliver(Mail),
    /// The answer, and the end of the connection.
    Quit(Reply),
}

/// What one connection remembers.
#[derive(Debug, Default)]
pub(super) struct Session {
    has_greeted: bool,
    /// The mail being handed over, from MAIL on.
    mail: Option<Mail>,
    /// Its text, from DATA on.
    text: Option<Text>,
}

#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    trouble: Option<Reply>,
}

impl Session {
    /// How long the next line may be, its end included.
    pub(super) fn longest_line(&self) -> usize {
        if self.text.is_some() { LONGEST_TEXT } else { LONGEST_COMMAND }
    }

    /// Takes a recipient that [`Step::Recipient`] brought.
    pub(super) fn add_recipient(&mut self, address: String) {
        self.mail.get_or_insert_default().to.push(address);
    }

    /// Takes one line in.
    pub(super) fn take(&mut self, line: &Line) -> Step {
        if self.text.is_some() {
            return self.take_text(line);
        }
        let Line::Whole(line) = line else {
            return answer(500, "5.5.2 the line is too long");
        };
        let Ok(line) = std::str::from_utf8(line) else {
            return answer(500, "5.5.2 the command is not ASCII");
        };
        if !line.is_ascii() || line.contains(['\r', '\n', '\0']) {
            return answer(500, "5.5.2 the command is not plain ASCII");
        }
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let argument = argument.trim_end();
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => self.hello(argument, true),
            "HELO" => self.hello(argument, false),
            "MAIL" => self.mail(argument),
            "RCPT" => self.recipient(argument),
            "DATA" => self.data(argument),
            "RSET" if argument.is_empty() => {
                self.mail = None;
                answer(250, "2.0.0 forgotten")
            }
            "NOOP" => answer(250, "2.0.0 ok"),
            "QUIT" if argument.is_empty() => {
                Step::Quit(Reply::new(221, format!("2.0.0 {NAME} closing connection")))
            }
            "RSET" | "QUIT" => answer(501, "5.5.4 no argument is taken"),
            "VRFY" => answer(252, "2.5.2 cannot verify; send some mail, it will be kept"),
            "HELP" => answer(214, "2.0.0 RFC 5321"),
            "EXPN" | "AUTH" | "STARTTLS" => answer(502, "5.5.1 not offered here"),
            _ => answer(500, "5.5.2 no such command"),
        }
    }

    /// Section 4.1.1.1: a greeting clears what was begun.
    fn hello(&mut self, name: &str, is_extended: bool) -> Step {
        if name.is_empty() || name.contains(' ') {
            return answer(501, "5.5.4 a domain or an address literal is needed");
        }
        self.has_greeted = true;
        self.mail = None;
        let mut reply = Reply::new(250, format!("{NAME} greets {name}"));
        if is_extended {
            let size = format!("SIZE {LARGEST_MAIL}");
            let fixed = ["8BITMIME", "PIPELINING", "ENHANCEDSTATUSCODES", "HELP"];
            reply.lines.push(size.into());
            reply.lines.extend(fixed.map(Cow::Borrowed));
        }
        Step::Answer(reply)
    }

    fn mail(&mut self, argument: &str) -> Step {
        if !self.has_greeted {
            return answer(503, "5.5.1 say EHLO first");
        }
        if self.mail.is_some() {
            return answer(503, "5.5.1 a mail is being handed over already");
        }
        let Some((from, parameters)) = path(argument, "FROM:", true) else {
            return answer(501, "5.5.4 MAIL FROM:<address> is needed");
        };
        for parameter in parameters.split_whitespace() {
            if let Some(refusal) = refuse_parameter(parameter) {
                return Step::Answer(refusal);
            }
        }
        self.mail = Some(Mail { from, ..Mail::default() });
        answer(250, "2.1.0 sender ok")
    }

    fn recipient(&mut self, argument: &str) -> Step {
        let Some(mail) = &self.mail else {
            return answer(503, "5.5.1 say MAIL first");
        };
        let Some((to, parameters)) = path(argument, "TO:", false) else {
            return answer(501, "5.5.4 RCPT TO:<address> is needed");
        };
        if !parameters.is_empty() {
            return answer(555, "5.5.4 no such parameter");
        }
        if mail.to.len() >= MOST_RECIPIENTS {
            return answer(452, "4.5.3 too many recipients");
        }
        Step::Recipient(to)
    }

    fn data(&mut self, argument: &str) -> Step {
        if !argument.is_empty() {
            return answer(501, "5.5.4 no argument is taken");
        }
        match &self.mail {
            None => answer(503, "5.5.1 say MAIL first"),
            Some(mail) if mail.to.is_empty() => answer(554, "5.5.1 no valid recipients"),
            Some(_) => {
                self.text = Some(Text::default());
                answer(354, "end with a line that is a dot")
            }
        }
    }

    fn take_text(&mut self, line: &Line) -> Step {
        let text = self.text.get_or_insert_default();
        let line = match line {
            Line::Whole(line) => line,
            Line::TooLong => {
                text.trouble.get_or_insert(Reply::new(500, "5.6.0 a line is too long"));
                return Step::Wait;
            }
        };
        if line == b"." {
            return self.end_of_text();
        }
        // Section 4.5.2: what begins with a dot had one put before it.
        let line = line.strip_prefix(b".").unwrap_or(line);
        if line.contains(&b'\r') || line.contains(&b'\n') {
            text.trouble.get_or_insert(Reply::new(554, "5.6.0 a bare CR or LF"));
        }
        if text.bytes.len() + line.len() + 2 > LARGEST_MAIL {
            text.trouble.get_or_insert(Reply::new(552, "5.3.4 the mail is too large"));
        } else {
            text.bytes.extend_from_slice(line);
            text.bytes.extend_from_slice(b"\r\n");
        }
        Step::Wait
    }

    fn end_of_text(&mut self) -> Step {
        let text = self.text.take().unwrap_or_default();
        let mut mail = self.mail.take().unwrap_or_default();
        if let Some(refusal) = text.trouble {
            return Step::Answer(refusal);
        }
        mail.data = String::from_utf8_lossy(&text.bytes).into_owned();
        Step::Deliver(mail)
    }
}

/// The address behind `FROM:` or `TO:`, and the parameters behind it. A source
/// route in front of the address is ignored, as section 4.1.1.3 asks.
fn path<'a>(argument: &'a str, word: &str, may_be_null: bool) -> Option<(String, &'a str)> {
    let head = argument.get(..word.len()).filter(|head| head.eq_ignore_ascii_case(word))?;
    let (path, rest) = argument[head.len()..].strip_prefix('<')?.split_once('>')?;
    if !rest.is_empty() && !rest.starts_with(' ') {
        return None;
    }
    let address = match path.strip_prefix('@') {
        Some(route) => route.split_once(':')?.1,
        None => path,
    };
    let is_good = match address.rsplit_once('@') {
        None if address.is_empty() => may_be_null,
        None => !may_be_null && address.eq_ignore_ascii_case("postmaster"),
        Some((user, domain)) => {
            !user.is_empty() && !domain.is_empty() && !address.contains([' ', '<'])
        }
    };
    is_good.then(|| (address.to_owned(), rest.trim()))
}

fn refuse_parameter(parameter: &str) -> Option<Reply> {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    match name.to_ascii_uppercase().as_str() {
        "SIZE" => match value.parse::<usize>() {
            Ok(size) if size <= LARGEST_MAIL => None,
            Ok(_) => Some(Reply::new(552, "5.3.4 the mail is too large")),
            Err(_) => Some(Reply::new(501, "5.5.4 SIZE is a number")),
        },
        "BODY" if ["7BIT", "8BITMIME"].iter().any(|known| value.eq_ignore_ascii_case(known)) => {
            None
        }
        "BODY" => Some(Reply::new(501, "5.5.4 BODY is 7BIT or 8BITMIME")),
        _ => Some(Reply::new(555, "5.5.4 no such parameter")),
    }
}

fn answer(code: u16, text: &'static str) -> Step {
    Step::Answer(Reply::new(code, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(session: &mut Session, line: &str) -> Step {
        session.take(&Line::Whole(line.as_bytes().to_vec()))
    }

    /// The code of each answer; recipients are all taken.
    fn codes(session: &mut Session, lines: &[&str]) -> Vec<u16> {
        let code = |line: &&str| match take(session, line) {
            Step::Wait => 0,
            Step::Answer(reply) | Step::Quit(reply) => reply.code,
            Step::Recipient(address) => {
                session.add_recipient(address);
                250
            }
            Step::Deliver(_) => 250,
        };
        lines.iter().map(code).collect()
    }

    #[test]
    fn a_mail_is_handed_over_and_its_dots_unstuffed() {
        let mut session = Session::default();
        let lines = ["EHLO me", "MAIL FROM:<a@b.example> SIZE=20", "rcpt to:<c@d.example>", "DATA"];
        assert_eq!(codes(&mut session, &lines), [250, 250, 250, 354]);
        assert_eq!(codes(&mut session, &["Subject: x", "", "..", "..y", "."][..4]), [0; 4]);
        let Step::Deliver(mail) = take(&mut session, ".") else { panic!("not delivered") };
        assert_eq!(
            (mail.from.as_str(), mail.to.as_slice()),
            ("a@b.example", &["c@d.example".to_owned()][..])
        );
        assert_eq!(mail.data, "Subject: x\r\n\r\n.\r\n.y\r\n");
        assert_eq!(codes(&mut session, &["DATA"]), [503], "each mail begins with MAIL");
    }

    #[test]
    fn commands_come_in_their_order() {
        let mut session = Session::default();
        let lines = [
            "MAIL FROM:<a@b>",
            "EHLO",
            "HELO me",
            "RCPT TO:<c@d>",
            "DATA",
            "MAIL FROM:<>",
            "MAIL FROM:<a@b>",
            "DATA",
            "RSET",
            "RSET now",
            "MAIL FROM:<a@b>",
            "EHLO me",
            "RCPT TO:<c@d>",
            "NOOP x",
            "QUIT",
        ];
        let expected = [503, 501, 250, 503, 503, 250, 503, 554, 250, 501, 250, 250, 503, 250, 221];
        assert_eq!(codes(&mut session, &lines), expected);
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        let mut session = Session::default();
        let lines = [
            "EHLO me",
            "MAIL FROM: <a@b>",
            "MAIL FROM:a@b",
            "MAIL FROM:<a>",
            "MAIL FROM:<a@b>SIZE=1",
            "MAIL FROM:<a@b> X=1",
            "MAIL FROM:<a@b> SIZE=99999999",
            "MAIL FROM:<@x,@y:a@b> BODY=8bitmime",
            "RCPT TO:<>",
            "RCPT TO:<Postmaster>",
            "RCPT TO:<c@d> X",
            "STARTTLS",
            "FLY",
            "VRFY c",
        ];
        let expected = [250, 501, 501, 501, 501, 555, 552, 250, 501, 250, 555, 502, 500, 252];
        assert_eq!(codes(&mut session, &lines), expected);
        assert_eq!(session.take(&Line::TooLong), answer(500, "5.5.2 the line is too long"));
    }

    #[test]
    fn bare_line_ends_and_long_lines_spoil_a_mail() {
        for (spoilt, code) in [(Line::Whole(b"a\nb".to_vec()), 554), (Line::TooLong, 500)] {
            let mut session = Session::default();
            codes(&mut session, &["EHLO me", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA"]);
            assert_eq!(session.take(&spoilt), Step::Wait);
            assert_eq!(codes(&mut session, &["."]), [code]);
        }
    }

    #[test]
    fn replies_of_several_lines_are_marked() {
        let mut session = Session::default();
        let Step::Answer(reply) = take(&mut session, "EHLO me") else { panic!("no answer") };
        let text = reply.to_string();
        let lines: Vec<_> = text.split_terminator("\r\n").collect();
        assert!(lines.iter().rev().skip(1).all(|line| line.starts_with("250-")), "{text}");
        assert_eq!(lines.last(), Some(&"250 HELP"));
    }
}
