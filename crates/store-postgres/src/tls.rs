//! TLS to PostgreSQL, as libpq's `sslmode` and `sslrootcert` say it.
//!
//! | `sslmode` | |
//! | --- | --- |
//! | `disable` | none |
//! | `prefer` | where the server has it, whoever it is |
//! | `require` | always, whoever the server is; with `sslrootcert` as `verify-ca` |
//! | `verify-ca` | always, with a server whose certificate is signed by one of `sslrootcert` |
//! | `verify-full` | and is for the host of the URL |
//!
//! Without a word, `prefer`; to this machine itself, `disable`.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
};
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Who the server has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    Anybody,
    SignedBy,
    SignedByAndNamed,
}

/// What the URL says of TLS.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    mode: Option<String>,
    root: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

/// Takes what a URL says of TLS out of it, since the rest is read by a library that knows less of it.
pub(crate) fn take_wishes(url: &str) -> (String, Wishes) {
    let mut wishes = Wishes::default();
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), wishes) };
    let mut rest = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let wish = match name {
            "sslmode" => &mut wishes.mode,
            "sslrootcert" => &mut wishes.root,
            "sslcert" => &mut wishes.certificate,
            "sslkey" => &mut wishes.key,
            _ => {
                rest.push(pair);
                continue;
            }
        };
        *wish = Some(percent_decode_str(value).decode_utf8_lossy().into_owned());
    }
    let base = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    (base, wishes)
}

/// Sets the mode, and makes what connects by it.
///
/// # Errors
/// What is wrong with the wishes.
pub(crate) fn set_up(config: &mut Config, wishes: &Wishes) -> Result<MakeRustlsConnect, String> {
    let here = config.get_hosts().iter().all(is_here);
    let (mode, trust) = match (wishes.mode.as_deref(), wishes.root.is_some()) {
        (None, false) if here => (SslMode::Disable, Trust::Anybody),
        (Some("disable"), _) => (SslMode::Disable, Trust::Anybody),
        (None | Some("prefer"), _) => (SslMode::Prefer, Trust::Anybody),
        (Some("require"), false) => (SslMode::Require, Trust::Anybody),
        (Some("require" | "verify-ca"), _) => (SslMode::Require, Trust::SignedBy),
        (Some("verify-full"), _) => (SslMode::Require, Trust::SignedByAndNamed),
        (Some(other), _) => {
            return Err(format!("sslmode={other} is none of disable, prefer, require, verify-ca and verify-full"));
        }
    };
    config.ssl_mode(mode);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier::new(trust, wishes.root.as_deref(), provider)?));
    let client = match (&wishes.certificate, &wishes.key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates("sslcert", certificate)?;
            let key =
                PrivateKeyDer::from_pem_file(key).map_err(|error| format!("sslkey={key} can't be read: {error}"))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| format!("sslcert and sslkey: {error}"))?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => return Err("sslcert and sslkey go together".to_owned()),
    };
    Ok(MakeRustlsConnect::new(client))
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => match name.parse::<std::net::IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => name == "localhost",
        },
    }
}

fn certificates(what: &str, path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |reason: String| format!("{what}={path} can't be read: {reason}");
    let read = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    let read = read.collect::<Result<Vec<_>, _>>().map_err(|error| wrong(error.to_string()))?;
    if read.is_empty() { Err(wrong("it has no certificate".to_owned())) } else { Ok(read) }
}

/// Those who may sign the server's certificate; the system's where none are named.
fn roots(path: Option<&str>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match path {
        None | Some("system") => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
        Some(path) => {
            for certificate in certificates("sslrootcert", path)? {
                roots.add(certificate).map_err(|error| format!("sslrootcert={path}: {error}"))?;
            }
        }
    }
    if roots.is_empty() {
        Err("the system has no root certificates: name some in sslrootcert".to_owned())
    } else {
        Ok(roots)
    }
}

/// Says whether a server is who it has to be; that it has its certificate's key is checked in any case.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    /// None where anybody will do.
    signed: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(trust: Trust, root: Option<&str>, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let signed = match trust {
            Trust::Anybody => None,
            Trust::SignedBy | Trust::SignedByAndNamed => {
                let roots = Arc::new(roots(root)?);
                let made = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
                Some(made.map_err(|error| error.to_string())?)
            }
        };
        Ok(Self { trust, signed, provider })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(signed) = &self.signed else { return Ok(ServerCertVerified::assertion()) };
        match signed.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last, once all else is good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.trust == Trust::SignedBy => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
