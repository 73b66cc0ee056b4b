use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use http::{Response, StatusCode};
use http_body_util::Full;

use super::{Outcome, Settings};
use crate::http::net::{Certificates, Listener, Stop};
use crate::http::{Health, OperatorToken};
use crate::telemetry::{self, Metrics};

/// Serve until SIGTERM or SIGINT.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    settings: Settings,
}

impl Serve {
    pub(super) async fn run(self) -> Outcome {
        let config = self.settings.load()?;
        telemetry::init(&config.log)?;
        let stop = Stop::new();
        stop.on_signals()?;

        let certificates = config
            .control
            .tls_dir
            .as_deref()
            .map(Certificates::open)
            .transpose()?;
        if let Some(certificates) = &certificates {
            certificates.watch(config.net.tls_reload_interval, stop.clone())?;
        }
        let control =
            Listener::bind("control", config.control.listen, certificates.as_ref()).await?;
        tracing::info!(address = %control.local_addr()?, "control listens");

        let metrics = Metrics::new();
        metrics.show_connections("control", control.connections());
        let operator = OperatorToken::new(config.operator_token.as_ref());
        let health = Arc::new(Health::new(metrics, operator, stop.clone()));
        control
            .serve(&config.net, stop, move |request, _peer| {
                let health = Arc::clone(&health);
                async move {
                    health.answer(&request).await.unwrap_or_else(|| {
                        let mut response = Response::new(Full::<Bytes>::default());
                        *response.status_mut() = StatusCode::NOT_FOUND;
                        response
                    })
                }
            })
            .await;
        Ok(())
    }
}
