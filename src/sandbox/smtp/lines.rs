//! Lines off the wire: they end with CR LF and with nothing else (RFC 5321
//! section 2.3.8).

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// One line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Vec<u8>),
    /// More bytes than are allowed; the line was skipped.
    TooLong,
}

/// What was received and not yet taken.
#[derive(Debug, Default)]
pub(super) struct Lines {
    received: BytesMut,
    /// Up to here no line ends.
    searched: usize,
    is_skipping: bool,
}

impl Lines {
    /// The next line of at most `limit` bytes, its end included; `None` when the
    /// client has closed the connection.
    pub(super) async fn next(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        limit: usize,
    ) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.take(limit) {
                return Ok(Some(line));
            }
            if stream.read_buf(&mut self.received).await? == 0 {
                return Ok(None);
            }
        }
    }

    fn take(&mut self, limit: usize) -> Option<Line> {
        let unsearched = &self.received[self.searched..];
        let found = unsearched.windows(2).position(|window| window == b"\r\n");
        let Some(end) = found.map(|place| self.searched + place) else {
            // The CR may be here and its LF yet to come.
            self.searched = self.received.len().saturating_sub(1);
            if self.received.len() > limit {
                self.received.advance(self.searched);
                self.searched = 0;
                self.is_skipping = true;
            }
            return None;
        };
        let line = self.received.split_to(end);
        self.received.advance(2);
        self.searched = 0;
        if std::mem::take(&mut self.is_skipping) || line.len() + 2 > limit {
            return Some(Line::TooLong);
        }
        Some(Line::Whole(line.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_end_with_both_characters() {
        let mut wire: &[u8] = b"NOOP\r\na\nb\rc\r\n0123456789\r\nQUIT\r\nrest";
        let mut lines = Lines::default();
        let mut taken = Vec::new();
        while let Some(line) = lines.next(&mut wire, 10).await.unwrap() {
            taken.push(line);
        }
        let whole = |text: &str| Line::Whole(text.as_bytes().to_vec());
        assert_eq!(taken, [whole("NOOP"), whole("a\nb\rc"), Line::TooLong, whole("QUIT")]);
    }
}
