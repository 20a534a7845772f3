//! The smallest axum server: what HTTP alone costs on this machine, with no database behind it.
//!
//! Environment: `PORT` (7001).

use std::error::Error;

use axum::{Router, routing::get, serve::ListenerExt as _};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::var("PORT").map_or(Ok(7001), |port| port.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let routes = Router::new().route("/", get(|| async { "hello world" }));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        // A connection that refuses TCP_NODELAY is only slower; it still gets its answer.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        axum::serve(listener, routes).await?;
        Ok(())
    })
}
