//! Redis's protocol over one socket, one command at a time: what a client costs that does nothing else.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
};

/// One connection.
pub(crate) struct Connection(BufStream<TcpStream>);

impl Connection {
    /// Opens `redis://[:password@]host:port[/0]`.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("redis://").context("a plain redis:// address")?;
        let (login, place) = rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
        let stream = TcpStream::connect(place.split('/').next().unwrap_or(place)).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self(BufStream::new(stream));
        if let Some((_, password)) = login.and_then(|login| login.split_once(':')) {
            connection.call(&["AUTH", password]).await?;
        }
        Ok(connection)
    }

    /// Sends a command and gives the first text or number of its answer.
    pub(crate) async fn call(&mut self, words: &[&str]) -> Result<String> {
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            _ = write!(text, "${}\r\n{word}\r\n", word.len());
        }
        self.0.write_all(text.as_bytes()).await?;
        self.0.flush().await?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<String> {
        let mut open = 1_usize;
        let mut first = None;
        while open > 0 {
            open -= 1;
            let mut line = String::new();
            self.0.read_line(&mut line).await?;
            let (kind, rest) = line.trim_end().split_at_checked(1).context("an empty answer")?;
            let value = match kind {
                "*" => {
                    open += rest.parse::<usize>().unwrap_or(0);
                    continue;
                }
                "$" if rest == "-1" => String::new(),
                "$" => {
                    let mut bytes = vec![0; rest.parse::<usize>()? + 2];
                    self.0.read_exact(&mut bytes).await?;
                    bytes.truncate(bytes.len() - 2);
                    String::from_utf8(bytes)?
                }
                "-" => bail!("Redis answers {rest}"),
                _ => rest.to_owned(),
            };
            first.get_or_insert(value);
        }
        Ok(first.unwrap_or_default())
    }
}
