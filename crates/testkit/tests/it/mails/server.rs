//! A mail server of the tests' own: it takes mails, or refuses them as it is told.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A mail as it came.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) to: String,
    pub(crate) text: String,
}

/// The server; gone when dropped.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    taken: Arc<Mutex<Vec<Taken>>>,
    /// What is said to the next recipients, in place of yes.
    refusals: Arc<Mutex<Vec<&'static str>>>,
    accepting: JoinHandle<()>,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl MailServer {
    /// A server at a port; at any free one for 0.
    pub(crate) async fn start(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (taken, refusals) = (Arc::<Mutex<Vec<Taken>>>::default(), Arc::<Mutex<Vec<&'static str>>>::default());
        let (keep, refuse) = (Arc::clone(&taken), Arc::clone(&refusals));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, Arc::clone(&keep), Arc::clone(&refuse)));
            }
        });
        Self { port, taken, refusals, accepting }
    }

    /// Says this to the next recipient.
    pub(crate) fn refuse(&self, answer: &'static str) {
        self.refusals.lock().push(answer);
    }

    /// What has come, once it is so much.
    pub(crate) async fn mails(&self, count: usize) -> Vec<Taken> {
        for _ in 0..1_500 {
            let taken = self.taken.lock().clone();
            if taken.len() >= count {
                return taken;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("fewer than {count} mails: {:?}", self.taken.lock());
    }
}

async fn talk(stream: TcpStream, taken: Arc<Mutex<Vec<Taken>>>, refusals: Arc<Mutex<Vec<&'static str>>>) {
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    let mut mail = Taken { to: String::new(), text: String::new() };
    if writing.write_all(b"220 mail.test ESMTP\r\n").await.is_err() {
        return;
    }
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match line.split(' ').next().unwrap_or("") {
            "EHLO" => "250-mail.test\r\n250 8BITMIME".to_owned(),
            "RCPT" => {
                let to = line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(to, _)| to);
                to.clone_into(&mut mail.to);
                refusals.lock().pop().unwrap_or("250 ok").to_owned()
            }
            "DATA" => {
                if writing.write_all(b"354 go on\r\n").await.is_err() {
                    return;
                }
                mail.text.clear();
                while let Ok(Some(line)) = lines.next_line().await {
                    if line == "." {
                        break;
                    }
                    mail.text.push_str(&line);
                    mail.text.push('\n');
                }
                taken.lock().push(mail.clone());
                "250 taken".to_owned()
            }
            "QUIT" => "221 bye".to_owned(),
            _ => "250 ok".to_owned(),
        };
        if writing.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() || line == "QUIT" {
            return;
        }
    }
}
