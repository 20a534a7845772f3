//! Lets requests wait while `mainstay dev` changes the database and the app, so that none meets one without the other.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedRwLockWriteGuard, RwLock, RwLockReadGuard};

/// How long requests that run may hold up a change; a slow upload would hold it up for long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where requests wait; in production none does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pause(Option<Arc<RwLock<()>>>);

impl Pause {
    /// One at which requests do wait.
    pub(crate) fn possible() -> Self {
        Self(Some(Arc::default()))
    }

    /// A request begins; it goes on until the guard is dropped.
    pub(crate) async fn pass(&self) -> Option<RwLockReadGuard<'_, ()>> {
        match &self.0 {
            Some(lock) => Some(lock.read().await),
            None => None,
        }
    }

    /// Requests wait until the guard is dropped. None where those that run took too long: then nobody waits.
    pub(crate) async fn begin(&self) -> Option<OwnedRwLockWriteGuard<()>> {
        let lock = Arc::clone(self.0.as_ref()?);
        tokio::time::timeout(PATIENCE, lock.write_owned()).await.ok()
    }
}
