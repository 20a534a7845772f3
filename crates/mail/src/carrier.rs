//! Who takes mails out: the log, an SMTP server, a directory, or a test.

use std::{
    collections::VecDeque,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, MultiPart, SinglePart},
    transport::smtp::client::{Tls, TlsParameters},
};
use parking_lot::Mutex;
use thiserror::Error;
use url::Url;

use crate::Mail;

/// How long one conversation with a mail server may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The most mails that a test's carrier keeps.
const KEPT: usize = 10_000;

/// Takes mails out.
pub enum Carrier {
    /// Writes them to the program's log, for development.
    Log,
    /// Hands them to an SMTP server.
    Smtp {
        /// `From`.
        from: Mailbox,
        /// The connections.
        transport: Box<AsyncSmtpTransport<Tokio1Executor>>,
    },
    /// Writes each into a file of a directory, for tests of other programs.
    Directory {
        /// Where.
        path: PathBuf,
        /// Numbers them.
        number: Arc<AtomicU64>,
    },
    /// Keeps them in memory, for tests.
    Memory(Kept),
}

/// The latest mails of a test.
#[derive(Debug, Clone, Default)]
pub struct Kept(Arc<Mutex<VecDeque<Mail>>>);

impl Kept {
    /// The mails to an address, oldest first.
    #[must_use]
    pub fn to(&self, address: &str) -> Vec<Mail> {
        self.0.lock().iter().filter(|mail| mail.to.eq_ignore_ascii_case(address)).cloned().collect()
    }
}

/// Why mail can't be sent at all.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The URL is not one of a mail server.
    #[error("`services.mail` is no URL of a mail server, as in \"smtp://user:password@host:587\"")]
    Url,
    /// The sender is no address.
    #[error("`mail.from` is no address, as in \"Shop <no-reply@shop.example>\"")]
    From,
    /// There is no TLS.
    #[error("TLS can't be set up for the mail server")]
    Tls(#[source] lettre::transport::smtp::Error),
    /// The directory can't be made.
    #[error("the directory of `services.mail` can't be made")]
    Directory(#[source] io::Error),
}

/// Why a mail did not go.
#[derive(Debug, Error)]
pub enum SendError {
    /// Never will.
    #[error("the mail is refused")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// May later.
    #[error("the mail server can't be reached, or can't take it now")]
    Later(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Carrier {
    /// An SMTP server: `smtp://user:password@host:587` (STARTTLS, but to this machine itself) or `smtps://…:465`.
    ///
    /// # Errors
    /// The URL or the sender is none.
    pub fn smtp(url: &str, from: &str) -> Result<Self, SetupError> {
        let from: Mailbox = from.parse().map_err(|_| SetupError::From)?;
        let url = Url::parse(url).map_err(|_| SetupError::Url)?;
        let host = url.host_str().ok_or(SetupError::Url)?.trim_matches(['[', ']']).to_owned();
        // In a URL of a scheme that it does not know, an address is but a name to the parser.
        let is_local = match host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => host == "localhost",
        };
        let parameters = || TlsParameters::new(host.clone()).map_err(SetupError::Tls);
        let (tls, port) = match url.scheme() {
            "smtps" => (Tls::Wrapper(parameters()?), 465),
            "smtp" if is_local => (Tls::None, 25),
            // Never plain over a network, not even where the server says that it can't do better.
            "smtp" => (Tls::Required(parameters()?), 587),
            _ => return Err(SetupError::Url),
        };
        let decode =
            |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned);
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.clone())
            .port(url.port().unwrap_or(port))
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if !url.username().is_empty() {
            let name = decode(url.username()).map_err(|_| SetupError::Url)?;
            let password = decode(url.password().unwrap_or("")).map_err(|_| SetupError::Url)?;
            builder = builder.credentials((name, password).into());
        }
        Ok(Self::Smtp { from, transport: Box::new(builder.build()) })
    }

    /// A directory, which is made.
    ///
    /// # Errors
    /// It can't be.
    pub fn directory(path: PathBuf) -> Result<Self, SetupError> {
        fs::create_dir_all(&path).map_err(SetupError::Directory)?;
        Ok(Self::Directory { path, number: Arc::new(AtomicU64::new(1)) })
    }

    /// Memory, and the way to look into it.
    #[must_use]
    pub fn memory() -> (Self, Kept) {
        let kept = Kept::default();
        (Self::Memory(kept.clone()), kept)
    }

    /// Takes a mail out.
    ///
    /// # Errors
    /// It is refused for good, or can't be taken now.
    pub async fn carry(&self, mail: &Mail) -> Result<(), SendError> {
        match self {
            Self::Log => {
                // Each on a line of its own, where a terminal makes links of them.
                tracing::info!(to = mail.to, subject = mail.subject, text = %format_args!("\n\n{}", mail.text), "mail");
                Ok(())
            }
            Self::Smtp { from, transport } => {
                let message = compose(from.clone(), mail)?;
                match transport.send(message).await {
                    Ok(_) => Ok(()),
                    Err(error) if is_of_the_mail(&error) => Err(SendError::Refused(error.into())),
                    Err(error) => Err(SendError::Later(error.into())),
                }
            }
            Self::Directory { path, number } => {
                let text = format!("To: {}\nSubject: {}\n\n{}", mail.to, mail.subject, mail.text);
                let (path, number) = (path.clone(), Arc::clone(number));
                let written = tokio::task::spawn_blocking(move || write(&path, &number, &text));
                let written = written.await.map_err(|error| SendError::Refused(error.into()))?;
                written.map_err(|error| SendError::Later(error.into()))
            }
            Self::Memory(kept) => {
                let mut kept = kept.0.lock();
                if kept.len() == KEPT {
                    kept.pop_front();
                }
                kept.push_back(mail.clone());
                Ok(())
            }
        }
    }
}

/// Writes a file under the next free number; complete when it has its name. Others may write into the same directory.
fn write(directory: &Path, number: &AtomicU64, text: &str) -> io::Result<()> {
    loop {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let (whole, part) = (directory.join(format!("{number:06}.eml")), directory.join(format!("{number:06}.part")));
        // Whoever makes the part has the number, unless another one has finished with it just before.
        match OpenOptions::new().write(true).create_new(true).open(&part) {
            Ok(_) if whole.exists() => fs::remove_file(&part)?,
            Ok(mut file) => return file.write_all(text.as_bytes()).and_then(|()| fs::rename(part, whole)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether the server refuses this mail for good, and not us: a password that is wrong will be set right.
fn is_of_the_mail(error: &lettre::transport::smtp::Error) -> bool {
    let about_us = [500, 502, 503, 504, 521, 530, 534, 535, 538];
    error.is_permanent() && error.status().is_some_and(|code| !about_us.contains(&u16::from(code)))
}

fn compose(from: Mailbox, mail: &Mail) -> Result<Message, SendError> {
    let refused = |error: Box<dyn std::error::Error + Send + Sync>| SendError::Refused(error);
    let to = mail.to.parse().map_err(|error: lettre::address::AddressError| refused(error.into()))?;
    let builder = Message::builder().from(from).to(Mailbox::new(None, to)).subject(&mail.subject);
    let message = match &mail.html {
        Some(html) => builder.multipart(MultiPart::alternative_plain_html(mail.text.clone(), html.clone())),
        None => builder.singlepart(SinglePart::plain(mail.text.clone())),
    };
    message.map_err(|error| refused(error.into()))
}
