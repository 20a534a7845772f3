//! The client's address: the peer's, unless the peer is a proxy that is trusted to say whose it is.

use std::net::IpAddr;

use http::HeaderMap;

/// Proxies whose `X-Forwarded-For` is believed: says whether an address is one; none where no proxy is trusted.
#[derive(Default)]
pub struct TrustedProxies(pub Option<Box<dyn Fn(IpAddr) -> bool + Send + Sync>>);

impl TrustedProxies {
    /// The address of the client: the last one of the chain that is no trusted proxy.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut address = peer.to_canonical();
        if !self.trusts(address) {
            return address;
        }
        let chain: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        for hop in chain.iter().rev() {
            let Ok(hop) = hop.trim().parse::<IpAddr>() else { break };
            address = hop.to_canonical();
            if !self.trusts(address) {
                break;
            }
        }
        address
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.as_ref().is_some_and(|trusted| trusted(address))
    }
}
