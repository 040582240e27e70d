//! TLS for `wss://`: rustls with ring and Mozilla's root certificates, given explicitly.
//!
//! A library must not install a process-wide provider, and without one the default connector of
//! the WebSocket crate panics; so the configuration is made here, once.

use std::sync::{Arc, LazyLock};

use rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::Connector;

static CONFIG: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
});

/// What connects to `wss://` and, without TLS, to `ws://` addresses.
pub(crate) fn connector() -> Connector {
    Connector::Rustls(Arc::clone(&CONFIG))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_made_without_a_process_wide_provider() {
        assert!(matches!(connector(), Connector::Rustls(_)));
        assert!(rustls::crypto::CryptoProvider::get_default().is_none());
    }
}
