//! The alerts of the settings, put together with what carries them.

use std::sync::Arc;

use ::alerts::{Alert, Alerts, Means, Per, To};
use app::settings::{self, AlertPer, AlertTo, Settings};
use engine::Engine;
use mail::Templates;
use model::Problem;

use crate::identity;

/// All alerts of an app.
///
/// # Errors
/// A template is none, TLS can't be set up, or a URL is none.
pub(crate) fn assemble(settings: &Settings, engine: &Arc<Engine>) -> Result<Alerts, Problem> {
    let wrong = |error: &dyn std::error::Error| Problem::internal(error.to_string());
    let alerts = settings.alerts.iter().map(alert).collect::<Result<Vec<_>, _>>()?;
    let templates = Templates::load(Some(&settings.directory.join("templates"))).map_err(|error| wrong(&error))?;
    let clock = Arc::clone(engine.clock());
    let means = Means {
        store: Arc::clone(engine.store()),
        client: outgoing::Client::default(),
        carrier: identity::carrier(settings).map_err(|error| wrong(&error))?,
        templates,
        clock: Box::new(move || clock.now()),
        public_url: settings.server.public_url.clone(),
    };
    Ok(Alerts::new(alerts, means))
}

fn alert(alert: &settings::Alert) -> Result<Alert, Problem> {
    let to = match &alert.to {
        AlertTo::Mail(address) => To::Mail(address.clone()),
        AlertTo::Webhook { url, secret, allow_private } => To::Webhook {
            url: url.expose().parse().map_err(|_| Problem::internal("the URL of an alert is none"))?,
            secret: secret.clone(),
            allow_private: *allow_private,
        },
    };
    let per = match alert.per {
        AlertPer::Address => Per::Address,
        AlertPer::Account => Per::Account,
        AlertPer::All => Per::All,
    };
    let settings::Alert { name, on, count, period, pause, .. } = alert.clone();
    Ok(Alert { name, on, count, period, per, to, pause })
}
