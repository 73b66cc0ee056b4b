use std::collections::BTreeMap;

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::{Map, Value, json};

use super::remote::{ApiPath, InOrganization, Remote};
use super::{Outcome, pair, print};

/// Plans: how much organizations may have and use, and what that costs.
#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List all plans, the oldest first. By the operator's token.
    List(Remote),
    /// Show a plan by its short name, by the operator's token; or, without one, the plan that an
    /// organization is on.
    Show {
        /// The plan's short name.
        #[arg(conflicts_with = "org")]
        plan: Option<String>,
        #[command(flatten)]
        place: InOrganization,
    },
    /// Make a plan that organizations can be put on. By the operator's token.
    Create {
        /// Its short name, which stays: 1 to 63 of a-z, 0-9 and -.
        slug: String,
        /// What people call it; the short name, if nothing is said.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        terms: Terms,
        #[command(flatten)]
        remote: Remote,
    },
    /// Say something else in a plan, from now on for whoever is on it; what is not named stays. By
    /// the operator's token.
    Change {
        /// The plan's short name.
        slug: String,
        /// What people are to call it.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        terms: Terms,
        /// A limit to lift; may be given again.
        #[arg(long = "no-limit", value_name = "NAME")]
        lifted: Vec<String>,
        /// A meter that is to cost nothing; may be given again.
        #[arg(long = "no-price", value_name = "METER")]
        free: Vec<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Put an organization on a plan. By the operator's token.
    Set {
        /// The plan's short name.
        #[arg(required_unless_present = "none")]
        plan: Option<String>,
        /// Take the organization off the plan that it is on: nothing is limited, and nothing costs.
        #[arg(long, conflicts_with = "plan")]
        none: bool,
        #[command(flatten)]
        place: InOrganization,
    },
}

/// What a plan says.
#[derive(Debug, Args)]
struct Terms {
    /// How much there may be: `agents=5`, `stored_bytes=1000000`, `requests_per_hour=1000`. May be
    /// given again.
    #[arg(long = "limit", value_name = "NAME=MAX", value_parser = limit)]
    limits: Vec<(String, u64)>,
    /// What use costs, in units of credit for so much of a meter: `requests=1/1000`. May be given
    /// again.
    #[arg(long = "price", value_name = "METER=UNITS/AMOUNT", value_parser = price)]
    prices: Vec<(String, Price)>,
    /// Whether credit has to be there first.
    #[arg(long, value_enum)]
    billing: Option<Billing>,
}

#[derive(Debug, Clone, Copy)]
struct Price {
    units: u64,
    per: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Billing {
    /// Use that no credit pays for is owed.
    Postpaid,
    /// Without credit nothing is done.
    Prepaid,
}

impl Plan {
    pub(super) async fn run(self) -> Outcome {
        match self.command {
            Command::List(remote) => {
                let plans = remote.client()?.all(&ApiPath::of(&["plans"])?, &[]).await?;
                if remote.json {
                    return Ok(plans.iter().try_for_each(print::json)?);
                }
                let plans: Vec<Value> = plans.iter().map(in_words).collect();
                Ok(print::items(false, PLAN, &plans)?)
            }
            Command::Show { plan, place } => {
                let client = place.client()?;
                match plan {
                    Some(slug) => {
                        let plan = client.get(&ApiPath::of(&["plans", &slug])?).await?;
                        show(place.json(), &plan)
                    }
                    None => {
                        let assigned = client.get(&client.below(&["plan"]).await?).await?;
                        show_assigned(place.json(), &assigned)
                    }
                }
            }
            Command::Create {
                slug,
                name,
                terms,
                remote,
            } => {
                let mut plan = json!({
                    "slug": slug,
                    "name": name.unwrap_or_else(|| slug.clone()),
                    "limits": {},
                    "prices": {},
                });
                terms.put_into(&mut plan);
                let path = ApiPath::of(&["plans"])?;
                let made = remote.client()?.send(Method::POST, &path, &plan).await?;
                show(remote.json, &made)
            }
            Command::Change {
                slug,
                name,
                terms,
                lifted,
                free,
                remote,
            } => {
                let path = ApiPath::of(&["plans", &slug])?;
                let change = |plan: Value| {
                    let mut plan = json!({
                        "name": name.map_or_else(|| plan["name"].clone(), Value::from),
                        "limits": plan["limits"],
                        "prices": plan["prices"],
                        "billing": plan["billing"],
                    });
                    members(&mut plan, "limits", |limits| {
                        limits.retain(|limit, _| !lifted.contains(limit));
                    });
                    members(&mut plan, "prices", |prices| {
                        prices.retain(|meter, _| !free.contains(meter));
                    });
                    terms.put_into(&mut plan);
                    plan
                };
                let changed = remote.client()?.edit(&path, change).await?;
                show(remote.json, &changed)
            }
            Command::Set { plan, place, .. } => {
                let client = place.client()?;
                let path = client.below(&["plan"]).await?;
                let body = json!({"plan": plan});
                let assigned = client.send(Method::PUT, &path, &body).await?;
                show_assigned(place.json(), &assigned)
            }
        }
    }
}

impl Terms {
    /// Puts what is named in the place of what a plan says until now.
    fn put_into(self, plan: &mut Value) {
        members(plan, "limits", |limits| {
            let named = self.limits.into_iter();
            limits.extend(named.map(|(limit, max)| (limit, max.into())));
        });
        members(plan, "prices", |prices| {
            let named = self.prices.into_iter();
            let shown = |Price { units, per }| json!({"units": units, "per": per});
            prices.extend(named.map(|(meter, price)| (meter, shown(price))));
        });
        if let Some(billing) = self.billing {
            plan["billing"] = match billing {
                Billing::Postpaid => "postpaid".into(),
                Billing::Prepaid => "prepaid".into(),
            };
        }
    }
}

fn members(plan: &mut Value, name: &str, change: impl FnOnce(&mut Map<String, Value>)) {
    if let Some(members) = plan[name].as_object_mut() {
        change(members);
    }
}

fn limit(text: &str) -> Result<(String, u64), &'static str> {
    let (name, max) = pair(text).map_err(|_| "NAME=MAX is expected")?;
    let max = max.parse().map_err(|_| "MAX is a whole number")?;
    Ok((name, max))
}

fn price(text: &str) -> Result<(String, Price), &'static str> {
    let expected = "METER=UNITS/AMOUNT is expected, in whole numbers";
    let (meter, price) = pair(text).map_err(|_| expected)?;
    let (units, per) = price.split_once('/').unwrap_or((&price, "1"));
    let (Ok(units), Ok(per)) = (units.parse(), per.parse()) else {
        return Err(expected);
    };
    Ok((meter, Price { units, per }))
}

fn show(as_json: bool, plan: &Value) -> Outcome {
    match as_json {
        true => Ok(print::json(plan)?),
        false => Ok(print::item(false, PLAN, &in_words(plan))?),
    }
}

/// The plan that an organization is on, if it is on one.
fn show_assigned(as_json: bool, assigned: &Value) -> Outcome {
    match (as_json, &assigned["plan"]) {
        (true, _) => Ok(print::json(assigned)?),
        (false, Value::Null) => Ok(print::lines(["No plan: no limit, no price".to_owned()])?),
        (false, plan) => show(false, plan),
    }
}

/// The plan with its limits and prices as they are given on the command line.
fn in_words(plan: &Value) -> Value {
    let words = |name: &str, of: &dyn Fn(&Value) -> Option<String>| -> Vec<String> {
        let members: BTreeMap<_, _> = plan[name].as_object().into_iter().flatten().collect();
        let said = members.into_iter();
        said.filter_map(|(name, value)| Some(format!("{name}={}", of(value)?)))
            .collect()
    };
    let mut shown = plan.clone();
    shown["limits"] = json!(words("limits", &|max| max
        .as_u64()
        .map(|max| max.to_string())));
    shown["prices"] = json!(words("prices", &|price| {
        let (units, per) = (price["units"].as_u64()?, price["per"].as_u64()?);
        Some(format!("{units}/{per}"))
    }));
    shown
}

const PLAN: [(&str, &str); 6] = [
    ("SLUG", "slug"),
    ("NAME", "name"),
    ("BILLING", "billing"),
    ("LIMITS", "limits"),
    ("PRICES", "prices"),
    ("CREATED", "created_at"),
];
