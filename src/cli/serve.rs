use std::io::{self, Write};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use http::{Response, StatusCode};
use http_body_util::{Either, Full};
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::open::{Absent, Opened};
use super::print::{Endpoint, Exports};
use super::{Outcome, Settings};
use crate::audit::ActivityReader;
use crate::authn::{Authn, OpenId, OpenIdProvider};
use crate::authz::Operator;
use crate::blobs::{self, Blobs};
use crate::config::{self, Config};
use crate::drive::Drive;
use crate::http::api::{Api, Parts};
use crate::http::kv::Kv;
use crate::http::net::{Certificates, Listener, Stop};
use crate::http::pipeline::Pipeline;
use crate::http::s3::S3;
use crate::http::secrets_manager::SecretsManager;
use crate::http::sts::Sts;
use crate::http::{Health, OperatorToken};
use crate::metering::{Credits, Metering, Usage};
use crate::ops::provision::{FirstStart, Provisioner, ProvisionerParts, Templates, first_start};
use crate::ops::{
    AbandonedUploadSettings, Act, Checkpoints, Collector, CollectorSettings, Destroyer, Expirer,
    Replays, Settler,
};
use crate::telemetry::{self, Metrics};
use crate::tenancy::SignUps;
use crate::vault::Vault;

/// Serve until SIGTERM or SIGINT.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    settings: Settings,
}

impl Serve {
    /// Puts the program together, serves, and takes it apart in this order:
    ///
    /// ```text
    /// signal ── listeners drain ── jobs end ── usage and activity are written ── last checkpoint
    /// ```
    pub(super) async fn run(self) -> Outcome {
        let mut config = self.settings.load()?;
        telemetry::init(&config.log)?;
        let templates = Templates::read(&config.templates)?;
        let stop = Stop::new();
        stop.on_signals()?;

        // Sockets first: a second server on the same ports ends before it touches anything.
        let api = listen(
            "api",
            config.api.listen,
            &config.api.tls_dir,
            &config,
            &stop,
        )
        .await?;
        let control_dir = &config.control.tls_dir;
        let control = listen(
            "control",
            config.control.listen,
            control_dir,
            &config,
            &stop,
        )
        .await?;
        // Port 0 has become one that can be told.
        config.api.listen = api.local_addr()?;

        let opened = Opened::open(&config, Absent::Make).await?;
        show_first_key(&config, &opened).await?;
        let house = House::build(&config, templates, opened, &api, &control)?;
        if let Err(error) = house.blobs.check().await {
            tracing::warn!(%error, "the blob store does not answer; not ready until it does");
        }

        let background = Background::start(&house, &config, &stop);
        tracing::info!(address = %api.local_addr()?, "api listens");
        tracing::info!(address = %control.local_addr()?, "control listens");
        let (drained, served) = (Stop::new(), Stop::new());
        let serve = async {
            tokio::join!(
                house.serve_api(api, &config.net, stop.clone()),
                house.serve_control(control, &config, stop.clone()),
            );
            drained.request();
            background.end().await;
            served.request();
        };
        let mut ended = pin!(async { tokio::join!(serve, house.follow(served.requested())) });
        let reason = tokio::select! {
            _ = &mut ended => return Ok(()),
            reason = house.opened.platform.stopped() => reason,
        };
        // After a failed sync nobody knows what the disk holds: the next start finds out. Nothing
        // is acknowledged in between, and whoever waits is told so.
        stop.request();
        tokio::select! {
            _ = &mut ended => {}
            () = drained.requested() => {}
        }
        Err(reason.into())
    }
}

/// The running program's parts.
struct House {
    opened: Opened,
    blobs: Arc<dyn Blobs>,
    metering: Arc<Metering>,
    credits: Arc<Credits>,
    metrics: Metrics,
    pipeline: Arc<Pipeline>,
    drive: Arc<Drive>,
    s3: Arc<S3>,
    secrets: Arc<SecretsManager>,
    vault: Arc<Vault>,
    sts: Arc<Sts>,
    open_id: Arc<OpenId>,
    templates: Templates,
}

impl House {
    fn build(
        config: &Config,
        templates: Templates,
        opened: Opened,
        api: &Listener,
        control: &Listener,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let metrics = Metrics::new();
        metrics.show_connections("api", api.connections());
        metrics.show_connections("control", control.connections());
        let (clock, entropy) = (opened.clock.clone(), opened.entropy.clone());
        // Blocks on a disk, once, while nobody is served.
        let blobs = blobs::open(&config.blobs)?;
        let credits = Arc::new(Credits::new(
            opened.catalog.clone(),
            Arc::clone(&opened.keyring),
            clock.clone(),
        ));
        let metering = Metering::new(opened.catalog.clone(), clock.clone());
        let metering = Arc::new(metering.charging(Arc::clone(&credits)));
        metrics.register(|registry| {
            opened.audit.register(registry);
            metering.register(registry);
        });
        let drive = opened.drive(&config.drive, Arc::clone(&blobs));
        let vault = Arc::new(Vault::new(
            opened.catalog.clone(),
            Arc::clone(&opened.keyring),
            clock.clone(),
            entropy.clone(),
        ));
        let authn = Authn::new(
            opened.platform.clone(),
            Arc::clone(&opened.keyring),
            config.api.region.clone(),
            clock.clone(),
            entropy.clone(),
        );
        let open_id = Arc::new(OpenId::new(
            open_id_providers(&config.oidc),
            Arc::clone(&opened.keyring),
            clock.clone(),
            entropy.clone(),
        )?);
        let tenancy = Arc::clone(&opened.tenancy);
        let sts = Sts::new(tenancy, Arc::clone(&open_id), clock.clone());
        let pipeline = Pipeline::new(
            opened.node,
            authn,
            Arc::clone(&opened.tenancy),
            Arc::clone(&opened.audit),
            Arc::clone(&metering),
            metrics.clone(),
            clock,
            entropy,
        );
        let drive = Arc::new(drive);
        Ok(Self {
            s3: Arc::new(S3::new(Arc::clone(&drive), &config.api)),
            drive,
            sts: Arc::new(sts),
            open_id,
            templates,
            pipeline: Arc::new(pipeline),
            secrets: Arc::new(SecretsManager::new(Arc::clone(&vault), &config.api)),
            vault,
            opened,
            blobs,
            metering,
            credits,
            metrics,
        })
    }

    /// One address for all of Amazon's APIs, told apart as their clients do.
    async fn serve_api(&self, listener: Listener, net: &config::Net, stop: Stop) {
        let pipeline = Arc::clone(&self.pipeline);
        let (s3, sts, secrets) = (
            Arc::clone(&self.s3),
            Arc::clone(&self.sts),
            Arc::clone(&self.secrets),
        );
        listener
            .serve(net, stop, move |request, peer| {
                let pipeline = Arc::clone(&pipeline);
                let (s3, sts, secrets) = (Arc::clone(&s3), Arc::clone(&sts), Arc::clone(&secrets));
                async move {
                    if SecretsManager::is_asked(request.headers()) {
                        pipeline.answer(&*secrets, request, &peer).await
                    } else if Sts::is_asked(&request) {
                        pipeline.answer(&*sts, request, &peer).await
                    } else {
                        pipeline.answer(&*s3, request, &peer).await
                    }
                }
            })
            .await;
    }

    async fn serve_control(&self, listener: Listener, config: &Config, stop: Stop) {
        let health = Arc::new(self.health(config, stop.clone()));
        let api = Arc::new(self.control_api(config));
        let kv = Arc::new(self.kv());
        let pipeline = Arc::clone(&self.pipeline);
        listener
            .serve(&config.net, stop, move |request, peer| {
                let (health, api) = (Arc::clone(&health), Arc::clone(&api));
                let kv = Arc::clone(&kv);
                let pipeline = Arc::clone(&pipeline);
                async move {
                    if let Some(response) = health.answer(&request).await {
                        return response.map(Either::Left);
                    }
                    let request = match api.answer(&pipeline, request, &peer).await {
                        Ok(response) => return response.map(Either::Right),
                        Err(request) => request,
                    };
                    if let Ok(response) = kv.answer(&pipeline, request, &peer).await {
                        return response.map(Either::Right);
                    }
                    let mut response = Response::new(Either::Left(Full::<Bytes>::default()));
                    *response.status_mut() = StatusCode::NOT_FOUND;
                    response
                }
            })
            .await;
    }

    fn kv(&self) -> Kv {
        let (tenancy, clock) = (&self.opened.tenancy, &self.opened.clock);
        Kv::new(Arc::clone(&self.vault), Arc::clone(tenancy), clock.clone())
    }

    fn destroyer(&self, config: &Config) -> Destroyer {
        let opened = &self.opened;
        Destroyer::new(
            opened.jobs.clone(),
            opened.platform.clone(),
            Arc::clone(&self.blobs),
            Arc::clone(&opened.keyring),
            opened.node,
            opened.clock.clone(),
        )
        .with_backups_kept(config.data.backups_kept)
    }

    fn control_api(&self, config: &Config) -> Api {
        let opened = &self.opened;
        Api::new(
            OperatorToken::new(config.operator_token.as_ref()),
            match config.control.sign_ups {
                config::SignUps::Open => SignUps::Open,
                config::SignUps::Closed => SignUps::Closed,
            },
            Parts {
                tenancy: Arc::clone(&opened.tenancy),
                administration: Arc::clone(&opened.administration),
                provisioner: Provisioner::new(ProvisionerParts {
                    platform: opened.platform.clone(),
                    keyring: Arc::clone(&opened.keyring),
                    tenancy: Arc::clone(&opened.tenancy),
                    administration: Arc::clone(&opened.administration),
                    drive: Arc::clone(&self.drive),
                    templates: self.templates.clone(),
                    clock: opened.clock.clone(),
                    entropy: opened.entropy.clone(),
                }),
                destroyer: self.destroyer(config),
                metering: Arc::clone(&self.metering),
                credits: Arc::clone(&self.credits),
                usage: Usage::new(
                    opened.catalog.clone(),
                    Arc::clone(&opened.keyring),
                    opened.clock.clone(),
                    opened.entropy.clone(),
                ),
                activity: ActivityReader::new(
                    opened.catalog.clone(),
                    opened.platform.clone(),
                    Arc::clone(&opened.keyring),
                ),
                vault: Arc::clone(&self.vault),
                drive: Arc::clone(&self.drive),
                replays: Replays::new(
                    opened.catalog.clone(),
                    Arc::clone(&opened.keyring),
                    opened.clock.clone(),
                    opened.entropy.clone(),
                ),
                open_id: Arc::clone(&self.open_id),
            },
        )
    }

    /// Keeps caches coherent with what other processes change, and states that this node is there.
    async fn follow(&self, stop: impl Future<Output = ()> + Send) {
        let Opened {
            node,
            platform,
            keyring,
            ..
        } = &self.opened;
        let tend = async || {
            keyring.tend().await;
            self.pipeline.tend();
        };
        platform.follow(*node, tend, stop).await;
    }

    fn health(&self, config: &Config, stop: Stop) -> Health {
        let operator = OperatorToken::new(config.operator_token.as_ref());
        let (catalog, blobs) = (self.opened.platform.clone(), Arc::clone(&self.blobs));
        Health::new(self.metrics.clone(), operator, stop)
            .with_probe(
                "catalog",
                Box::new(move || {
                    let catalog = catalog.clone();
                    Box::pin(async move { catalog.ready().await.map_err(|e| e.to_string()) })
                }),
            )
            .with_probe(
                "blobs",
                Box::new(move || {
                    let blobs = Arc::clone(&blobs);
                    Box::pin(async move { blobs.check().await.map_err(|e| e.to_string()) })
                }),
            )
    }
}

/// What works beside the listeners.
struct Background {
    /// End with the listeners.
    jobs: JoinSet<()>,
    /// End when nobody adds anything any more.
    writers: JoinSet<()>,
    stop_writers: Stop,
    checkpoints: JoinHandle<()>,
    stop_checkpoints: Stop,
}

impl Background {
    fn start(house: &House, config: &Config, stop: &Stop) -> Self {
        let opened = &house.opened;
        let (stop_writers, stop_checkpoints) = (Stop::new(), Stop::new());

        let mut jobs = JoinSet::new();
        let collector = Collector::new(
            opened.jobs.clone(),
            Arc::clone(&house.blobs),
            CollectorSettings {
                collect_interval: config.drive.collect_interval,
                orphan_sweep_interval: config.drive.orphan_sweep_interval,
                orphan_age: config.drive.orphan_age,
            },
            opened.node,
            opened.clock.clone(),
        );
        let stopping = stop.clone();
        jobs.spawn(async move { collector.run(stopping.requested()).await });

        let settler = Settler::new(
            opened.jobs.clone(),
            Arc::clone(&opened.tenancy),
            Arc::clone(&house.credits),
            Operator::authenticated(),
            opened.node,
            opened.clock.clone(),
        );
        let stopping = stop.clone();
        jobs.spawn(async move { settler.run(stopping.requested()).await });

        let expirer = Expirer::new(
            opened.jobs.clone(),
            house.destroyer(config),
            Arc::clone(&house.vault),
            Arc::clone(&opened.audit),
            Operator::authenticated(),
            opened.node,
            opened.clock.clone(),
        )
        .giving_up_uploads(
            Arc::clone(&opened.keyring),
            AbandonedUploadSettings::from(&config.drive),
        );
        let stopping = stop.clone();
        jobs.spawn(async move { expirer.run(stopping.requested()).await });

        let mut writers = JoinSet::new();
        let (audit, stopping) = (Arc::clone(&opened.audit), stop_writers.clone());
        writers.spawn(async move { audit.run(stopping.requested()).await });
        let (metering, stopping) = (Arc::clone(&house.metering), stop_writers.clone());
        writers.spawn(async move { metering.run(stopping.requested()).await });

        let checkpoints = Checkpoints::new(
            &config.audit,
            opened.platform.clone(),
            Arc::clone(&opened.keyring),
            opened.node,
            opened.clock.clone(),
        );
        let (audit, stopping) = (Arc::clone(&opened.audit), stop_checkpoints.clone());
        Self {
            jobs,
            writers,
            stop_writers,
            checkpoints: tokio::spawn(async move {
                checkpoints.run(&audit, stopping.requested()).await;
            }),
            stop_checkpoints,
        }
    }

    /// Waits for each to have done its work. One that panicked has been logged where it did.
    async fn end(self) {
        self.jobs.join_all().await;
        self.stop_writers.request();
        self.writers.join_all().await;
        self.stop_checkpoints.request();
        let _logged = self.checkpoints.await;
    }
}

async fn listen(
    name: &'static str,
    address: std::net::SocketAddr,
    tls_dir: &Option<std::path::PathBuf>,
    config: &Config,
    stop: &Stop,
) -> Result<Listener, Box<dyn std::error::Error + Send + Sync>> {
    let open =
        |directory: &Path| -> Result<Certificates, Box<dyn std::error::Error + Send + Sync>> {
            let certificates = Certificates::open(directory)?;
            certificates.watch(config.net.tls_reload_interval, stop.clone())?;
            Ok(certificates)
        };
    let certificates = tls_dir.as_deref().map(open).transpose()?;
    Ok(Listener::bind(name, address, certificates.as_ref()).await?)
}

/// Shows the first access key of a new server on standard output, ready to be pasted. Logs go
/// elsewhere.
async fn show_first_key(config: &Config, opened: &Opened) -> Outcome {
    let operator = Operator::authenticated();
    let request_id = Uuid::from_bytes(opened.entropy.uuid_v7(opened.clock.now_ms()));
    let act = Act {
        operator: &operator,
        request_id: &request_id.to_string(),
        source: None,
    };
    let endpoint = Endpoint::of(config);
    let show = |first: &FirstStart| {
        let exports = Exports {
            id: first.access_key.id().as_str(),
            secret: first.access_key.expose(),
            endpoint: &endpoint,
        };
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "# The first access key, of the organization {}. Its secret is shown this once.\n\
             {exports}\
             # Then, for instance:\n\
             aws s3 mb s3://first-bucket\n\
             echo hello | aws s3 cp - s3://first-bucket/hello.txt\n\
             aws s3 cp s3://first-bucket/hello.txt -",
            first.slug
        )?;
        out.flush()
    };
    first_start(&act, &opened.administration, show).await?;
    Ok(())
}

/// Providers as the settings name them, whose form has been checked.
fn open_id_providers(settings: &[config::OidcProvider]) -> Vec<OpenIdProvider> {
    let provider = |settings: &config::OidcProvider| {
        let audiences = settings.audiences.iter();
        OpenIdProvider {
            name: settings.name.clone(),
            issuer: settings.issuer.clone(),
            client_id: settings.client_id.clone(),
            client_secret: settings
                .client_secret
                .as_ref()
                .map(|secret| Zeroizing::new(secret.expose().to_owned())),
            audiences: audiences
                .filter_map(|audience| audience.split_once(config::ORGANIZATION))
                .map(|(before, after)| (before.to_owned(), after.to_owned()))
                .collect(),
            algorithms: settings.id_token_signing_alg_values.clone(),
        }
    };
    settings.iter().map(provider).collect()
}
