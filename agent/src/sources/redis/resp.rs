//! Redis' protocol (RESP 2), as much of it as asking for statistics needs.
//!
//! Constraints: what is read is bounded in every direction (a line, a text, a list, its depth, and
//! all of it together), for the peer may be anything that listens on the port; memory is taken as
//! bytes arrive, not as lengths are promised.

use std::pin::Pin;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// The longest line: a status, an error or a length.
const MOST_LINE: usize = 64 << 10;
/// All bytes of one collection. `INFO ALL` of a large server with modules stays below 1 MiB.
const MOST_BYTES: usize = 8 << 20;
/// The longest list that is asked for has a few dozen parts.
const MOST_PARTS: usize = 1_024;
/// A slow log is a list of entries with a list of words each.
const DEEPEST: u32 = 4;

/// What connects to a server.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// An answer to one command.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    Text(String),
    Error(String),
    Integer(i64),
    Nothing,
    List(Vec<Reply>),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum RespError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("the connection was closed")]
    Closed,
    #[error("the answer is not Redis' protocol")]
    Garbage,
    #[error("the answer is longer than {0} bytes or parts")]
    TooLong(usize),
}

/// One connection.
pub(super) struct Connection {
    stream: BufReader<Box<dyn Duplex>>,
    left: usize,
}

impl Connection {
    pub(super) fn new(stream: Box<dyn Duplex>) -> Self {
        Self {
            stream: BufReader::new(stream),
            left: MOST_BYTES,
        }
    }

    /// Sends all commands at once, and reads the answer to each.
    pub(super) async fn ask(&mut self, commands: &[&[&str]]) -> Result<Vec<Reply>, RespError> {
        let mut bytes = Vec::new();
        for command in commands {
            bytes.extend(format!("*{}\r\n", command.len()).bytes());
            for word in *command {
                bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
            }
        }
        self.stream.get_mut().write_all(&bytes).await?;
        self.stream.get_mut().flush().await?;
        let mut replies = Vec::with_capacity(commands.len());
        for _ in commands {
            replies.push(self.reply(0).await?);
        }
        Ok(replies)
    }

    fn reply(
        &mut self,
        depth: u32,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, RespError>> + Send + '_>> {
        Box::pin(async move {
            let line = self.line().await?;
            let (kind, rest) = line.split_at_checked(1).ok_or(RespError::Garbage)?;
            match kind {
                "+" => Ok(Reply::Text(rest.to_owned())),
                "-" => Ok(Reply::Error(rest.to_owned())),
                ":" => rest
                    .parse()
                    .map(Reply::Integer)
                    .map_err(|_| RespError::Garbage),
                "$" => match length(rest)? {
                    None => Ok(Reply::Nothing),
                    Some(length) => self.text(length).await.map(Reply::Text),
                },
                "*" if depth < DEEPEST => match length(rest)? {
                    None => Ok(Reply::Nothing),
                    Some(parts) if parts > MOST_PARTS => Err(RespError::TooLong(MOST_PARTS)),
                    Some(parts) => {
                        let mut list = Vec::new();
                        for _ in 0..parts {
                            list.push(self.reply(depth + 1).await?);
                        }
                        Ok(Reply::List(list))
                    }
                },
                _ => Err(RespError::Garbage),
            }
        })
    }

    async fn line(&mut self) -> Result<String, RespError> {
        let most = MOST_LINE.min(self.left);
        let mut line = Vec::new();
        let limit = u64::try_from(most).unwrap_or(u64::MAX);
        let read = (&mut self.stream)
            .take(limit)
            .read_until(b'\n', &mut line)
            .await?;
        self.left -= read;
        match line.strip_suffix(b"\r\n") {
            Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
            None if read == most => Err(RespError::TooLong(most)),
            None if line.ends_with(b"\n") => Err(RespError::Garbage),
            None => Err(RespError::Closed),
        }
    }

    async fn text(&mut self, length: usize) -> Result<String, RespError> {
        if length.saturating_add(2) > self.left {
            return Err(RespError::TooLong(MOST_BYTES));
        }
        self.left -= length + 2;
        let mut text = Vec::new();
        let limit = u64::try_from(length + 2).unwrap_or(u64::MAX);
        let read = (&mut self.stream)
            .take(limit)
            .read_to_end(&mut text)
            .await?;
        if read < length + 2 {
            return Err(RespError::Closed);
        }
        match text.strip_suffix(b"\r\n") {
            Some(text) => Ok(String::from_utf8_lossy(text).into_owned()),
            None => Err(RespError::Garbage),
        }
    }
}

/// A length; `-1` stands for nothing.
fn length(text: &str) -> Result<Option<usize>, RespError> {
    if text == "-1" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| RespError::Garbage)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn read(bytes: Vec<u8>) -> Result<Vec<Reply>, String> {
        let (near, far) = tokio::io::duplex(64);
        let serve = async {
            let (mut reader, mut writer) = tokio::io::split(far);
            // The other side may have heard enough, and be gone.
            writer.write_all(&bytes).await.ok();
            writer.shutdown().await.ok();
            let mut asked = Vec::new();
            reader.read_to_end(&mut asked).await.unwrap();
            asked
        };
        let ask = async {
            let mut connection = Connection::new(Box::new(near));
            let replies = connection.ask(&[&["PING", "ä"]]).await;
            replies.map_err(|error| error.to_string())
        };
        let (replies, asked) = tokio::join!(ask, serve);
        assert_eq!(asked, "*2\r\n$4\r\nPING\r\n$2\r\nä\r\n".as_bytes());
        replies
    }

    #[tokio::test]
    async fn replies() {
        let text = |text: &str| Reply::Text(text.to_owned());
        for (bytes, expected) in [
            ("+OK\r\n", Ok(text("OK"))),
            ("-ERR no\r\n", Ok(Reply::Error("ERR no".to_owned()))),
            (":-7\r\n", Ok(Reply::Integer(-7))),
            ("$5\r\na\r\nbc\r\n", Ok(text("a\r\nbc"))),
            ("$0\r\n\r\n", Ok(text(""))),
            ("$-1\r\n", Ok(Reply::Nothing)),
            ("*-1\r\n", Ok(Reply::Nothing)),
            ("*0\r\n", Ok(Reply::List(vec![]))),
            (
                "*2\r\n:1\r\n*1\r\n+a\r\n",
                Ok(Reply::List(vec![
                    Reply::Integer(1),
                    Reply::List(vec![text("a")]),
                ])),
            ),
            ("", Err("the connection was closed")),
            ("+OK", Err("the connection was closed")),
            ("$5\r\nab", Err("the connection was closed")),
            ("*3\r\n:1\r\n", Err("the connection was closed")),
            (
                "HTTP/1.1 400 Bad Request\r\n",
                Err("the answer is not Redis' protocol"),
            ),
            ("+OK\n", Err("the answer is not Redis' protocol")),
            ("\r\n", Err("the answer is not Redis' protocol")),
            ("ä\r\n", Err("the answer is not Redis' protocol")),
            ("$2\r\nabcd", Err("the answer is not Redis' protocol")),
            ("$-2\r\n", Err("the answer is not Redis' protocol")),
            (":1.5\r\n", Err("the answer is not Redis' protocol")),
            (
                "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
                Err("the answer is not Redis' protocol"),
            ),
            (
                "$99999999999\r\n",
                Err("the answer is longer than 8388608 bytes or parts"),
            ),
            (
                "*99999999\r\n",
                Err("the answer is longer than 1024 bytes or parts"),
            ),
        ] {
            let got = read(bytes.as_bytes().to_vec()).await;
            let expected = expected.map(|reply| vec![reply]).map_err(str::to_owned);
            assert_eq!(got, expected, "{bytes:?}");
        }
        let endless = read(vec![b'+'; 100_000]).await.unwrap_err();
        assert_eq!(endless, "the answer is longer than 65536 bytes or parts");
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_not_panic(
            start in "[+$*:-]?[0-9]{0,3}(\r\n)?",
            bytes in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let all = [start.into_bytes(), bytes].concat();
            runtime.block_on(read(all)).ok();
        }
    }
}
