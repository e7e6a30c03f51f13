//! What an administrator starts the relay with: compose.yaml, Dockerfile and unit, held together with the program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use meetrelay::config::{self, Environment, Sources};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

fn compose() -> Value {
    serde_saphyr::from_str(&read("compose.yaml")).unwrap()
}

fn services(compose: &Value) -> impl Iterator<Item = (&String, &Value)> {
    compose["services"].as_object().unwrap().iter()
}

/// The texts of a list; none if there is no list.
fn texts(list: &Value) -> Vec<&str> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).collect()
}

/// `MEETRELAY__...` wherever it stands in a text.
fn variables(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    text.split(|c| !is_name(c))
        .filter(|word| word.starts_with("MEETRELAY__"))
        .collect()
}

fn drain_timeout() -> Duration {
    let sources = Sources::of(None, Environment::default());
    config::load(&sources).unwrap().config.server.drain_timeout
}

#[test]
fn every_variable_that_is_named_is_a_configuration_key() {
    let reference = config::reference();
    let files = [
        "compose.yaml",
        "Dockerfile",
        "README.md",
        "../README.md",
        "operations.md",
        "rabbitmq/README.md",
        "postgres/README.md",
        "meetrelay.toml",
        "systemd/meetrelay.service",
    ];
    let mut count = 0;
    for file in files {
        let text = read(file);
        for variable in variables(&text) {
            count += 1;
            let (name, suffix) = match variable.strip_suffix("_FILE") {
                Some(name) => (name, "[`_FILE`]"),
                None => (variable, ""),
            };
            assert!(
                reference.contains(&format!("`{name}`{suffix}")),
                "{file}: {variable} is no key"
            );
        }
    }
    assert!(count > 15, "only {count} variables were looked at");
}

#[test]
fn processes_may_take_longer_to_stop_than_the_relay_to_drain() {
    let drain = drain_timeout();
    let grace = compose()["services"]["relay"]["stop_grace_period"]
        .as_str()
        .and_then(|text| text.strip_suffix('s')?.parse().ok())
        .map(Duration::from_secs)
        .unwrap();
    assert!(
        grace > drain,
        "stop_grace_period {grace:?}, drain {drain:?}"
    );
    let unit = read("systemd/meetrelay.service");
    let stop = unit
        .lines()
        .find_map(|line| line.strip_prefix("TimeoutStopSec=")?.strip_suffix('s'))
        .map(|seconds| Duration::from_secs(seconds.parse().unwrap()))
        .unwrap();
    assert!(stop > drain, "TimeoutStopSec {stop:?}, drain {drain:?}");
}

#[test]
fn services_run_without_rights_and_are_watched() {
    let compose = compose();
    for (name, service) in services(&compose) {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(
            texts(&service["security_opt"]),
            ["no-new-privileges:true"],
            "{name}"
        );
        let user = service["user"].as_str().unwrap_or_default();
        assert!(
            !user.is_empty() && !user.starts_with('0') && user != "root",
            "{name}: {user:?}"
        );
        assert!(!texts(&service["healthcheck"]["test"]).is_empty(), "{name}");
        assert!(
            service["logging"]["options"]["max-size"].is_string(),
            "{name}"
        );
        for port in texts(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
        let image = service["image"].as_str().unwrap();
        assert!(is_pinned(image), "{name}: {image}");
    }
    let after = &compose["services"]["relay"]["depends_on"]["rabbitmq"]["condition"];
    assert_eq!(after, "service_healthy");
}

#[test]
fn every_secret_volume_and_file_that_compose_names_is_there() {
    let compose = compose();
    let secrets = compose["secrets"].as_object().unwrap();
    for (name, service) in services(&compose) {
        let used: BTreeSet<&str> = service["secrets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|secret| secret.as_str().or(secret["source"].as_str()).unwrap())
            .collect();
        for secret in &used {
            assert!(secrets.contains_key(*secret), "{name}: {secret}");
        }
        let environment = service["environment"].as_object();
        for (variable, file) in environment.into_iter().flatten() {
            if variable.ends_with("_FILE") {
                let secret = file
                    .as_str()
                    .unwrap()
                    .strip_prefix("/run/secrets/")
                    .unwrap();
                assert!(used.contains(secret), "{name}: {variable}");
            }
        }
        for volume in texts(&service["volumes"]) {
            let source = volume.split(':').next().unwrap();
            let is_there = match source.strip_prefix("./") {
                Some(file) => folder().join(file).is_file(),
                None => compose["volumes"].get(source).is_some(),
            };
            assert!(is_there, "{name}: {volume}");
        }
    }
}

#[test]
fn relay_broker_and_definitions_mean_the_same_virtual_host() {
    let conf = read("rabbitmq/relay.conf");
    let vhost = conf
        .lines()
        .find_map(|line| line.strip_prefix("default_vhost = "))
        .unwrap();
    let definitions: Value = serde_json::from_str(&read("rabbitmq/definitions.json")).unwrap();
    assert_eq!(definitions["vhosts"], serde_json::json!([{"name": vhost}]));
    let mut count = 0;
    for kind in ["exchanges", "queues", "bindings", "policies"] {
        for thing in definitions[kind].as_array().unwrap() {
            count += 1;
            assert_eq!(thing["vhost"], vhost, "{kind}: {thing}");
        }
    }
    assert!(count > 20, "only {count} things were looked at");
    let broker = "rabbitmq";
    assert!(compose()["services"].get(broker).is_some());
    let steps = read("README.md");
    let url = format!("@{broker}:5672/{vhost}\"");
    assert!(steps.contains(&url), "{url} is not in the steps");
    let import = "rabbitmqctl import_definitions <rabbitmq/definitions.json";
    assert!(steps.contains(import), "the import is not in the steps");
    let policies = definitions["policies"].as_array().unwrap().len();
    assert_eq!(policies, 3, "the steps say how many there are");
}

#[test]
fn every_setting_of_compose_stands_in_the_sample() {
    let text = read("compose.yaml");
    let sample = read("env.example");
    let mut count = 0;
    for part in text.split("${").skip(1) {
        count += 1;
        let name = part.split([':', '}']).next().unwrap();
        assert!(
            sample
                .lines()
                .any(|line| line.starts_with(&format!("{name}="))),
            "{name} is not in env.example"
        );
        let rest = &part[name.len()..];
        assert!(
            rest.starts_with(":?") || rest.starts_with(":-"),
            "{name}: unset is empty"
        );
    }
    assert!(count >= 4);
}

#[test]
fn image_is_built_in_stages_and_runs_as_nobody() {
    let text = read("Dockerfile");
    let instructions = |name: &str| -> Vec<&str> {
        let prefix = format!("{name} ");
        text.lines()
            .filter_map(|line| line.strip_prefix(prefix.as_str()))
            .collect()
    };
    let stages = instructions("FROM");
    assert!(stages.len() >= 2, "{stages:?}");
    for stage in stages {
        let image = stage.split_whitespace().next().unwrap();
        assert!(is_pinned(image), "{image}");
    }
    assert_eq!(instructions("USER"), ["65532:65532"]);
    assert_eq!(instructions("STOPSIGNAL"), ["SIGTERM"]);
    assert!(text.contains(r#"CMD ["/usr/local/bin/meetrelay", "healthcheck"]"#));
    for copied in instructions("COPY") {
        let sources: Vec<&str> = copied.split_whitespace().collect();
        if sources[0].starts_with("--from") {
            continue;
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let ignored = read("Dockerfile.dockerignore");
        for source in &sources[..sources.len() - 1] {
            assert!(root.join(source).exists(), "{source}");
            assert!(
                ignored.lines().any(|line| line == format!("!{source}")),
                "{source} is ignored"
            );
        }
    }
}

/// A tag with a whole version, not one that moves.
fn is_pinned(image: &str) -> bool {
    image
        .split_once(':')
        .is_some_and(|(_, tag)| tag.contains('.') && tag.starts_with(|c: char| c.is_ascii_digit()))
}
