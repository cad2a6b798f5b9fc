//! The files below `deploy/`: that they parse, agree with each other and with the program, and are documented.
//!
//! What needs kubectl, helm or the schemas of Kubernetes is in `tests/kubernetes/check`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tempfile::TempDir;
use yaml_serde::Value;

use crate::gate::{Ended, certificate, command, finish};

/// What the pods' Secrets would bring.
const DUMMIES: [(&str, &str); 3] = [
    ("wechat-token", "TOKENdummy1"),
    ("wecom-token", "TOKENdummy2"),
    (
        "wecom-encoding-aes-key",
        "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    ),
];

const CONFIGURATIONS: [&str; 2] = ["docker/config.yaml", "kubernetes/base/config.yaml"];

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    let path = top().join("deploy").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn documents(text: &str) -> Vec<Value> {
    yaml_serde::Deserializer::from_str(text)
        .map(|document| {
            let mut value = Value::deserialize(document).unwrap();
            value.apply_merge().unwrap();
            value
        })
        .collect()
}

fn yaml(name: &str) -> Value {
    documents(&read(name)).into_iter().next().unwrap()
}

/// All files below `deploy/`, by their names from there.
fn files() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![top().join("deploy")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(top().join("deploy")).unwrap();
                found.push(name.to_str().unwrap().to_owned());
            }
        }
    }
    found
}

fn subfolders(name: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(top().join("deploy").join(name)).unwrap();
    let folders = entries.map(|entry| entry.unwrap().path());
    folders
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

/// The ports in the addresses that a configuration listens on.
fn listened(settings: &Value) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    for listener in ["https", "http", "admin"] {
        let value = &settings["listen"][listener];
        let texts = value
            .as_sequence()
            .map_or_else(|| vec![value.clone()], Clone::clone);
        for text in texts {
            let (_, port) = text.as_str().unwrap().rsplit_once(':').unwrap();
            found.insert(port.parse().unwrap());
        }
    }
    found
}

fn numbers<'a>(list: &'a Value, key: &'a str) -> impl Iterator<Item = u64> + 'a {
    let list = list.as_sequence().unwrap().iter();
    list.map(move |each| each[key].as_u64().unwrap())
}

/// The environment that an overlay's patch gives to wxgate.
fn environment(patch: &str) -> BTreeMap<String, String> {
    let patch = yaml(patch);
    let operations = patch.as_sequence().unwrap().iter();
    let env = operations
        .filter(|each| each["path"].as_str().unwrap().ends_with("/env"))
        .flat_map(|each| each["value"].as_sequence().unwrap());
    env.map(|each| {
        let text = |key: &str| each[key].as_str().unwrap().to_owned();
        (text("name"), text("value"))
    })
    .collect()
}

/// Runs `check` on a configuration with files in the places of its secrets.
fn check(configuration: &str, environment: &BTreeMap<String, String>) -> Ended {
    let dir = TempDir::new().unwrap();
    let secrets = dir.path().join("secrets");
    std::fs::create_dir_all(&secrets).unwrap();
    certificate(&secrets, &["wx.test"]);
    for (name, content) in DUMMIES {
        std::fs::write(secrets.join(name), content).unwrap();
    }
    let place = secrets.to_str().unwrap();
    let text = read(configuration)
        .replace("/run/secrets/wxgate-tls/", &format!("{place}/"))
        .replace("/run/secrets/wxgate/", &format!("{place}/"))
        .replace("/run/secrets/", &format!("{place}/"));
    let path = dir.path().join("config.yaml");
    std::fs::write(&path, text).unwrap();
    let mut command = command(&["check", "--config", path.to_str().unwrap()]);
    command.envs(environment);
    finish(command)
}

#[test]
fn every_yaml_file_parses() {
    let files = files();
    let plain = files
        .iter()
        .filter(|name| name.ends_with(".yaml") && !name.contains("/templates/"));
    let mut seen = 0;
    for name in plain {
        assert!(!documents(&read(name)).is_empty(), "{name} is empty");
        seen += 1;
    }
    assert!(seen > 15, "only {seen}: the scan sees nothing");
}

#[test]
fn the_program_accepts_every_configuration_that_a_manifest_brings() {
    for (configuration, patch) in [
        (CONFIGURATIONS[0], None),
        (
            CONFIGURATIONS[1],
            Some("kubernetes/overlays/native-sidecar/sidecar.yaml"),
        ),
        (
            CONFIGURATIONS[1],
            Some("kubernetes/overlays/classic/end.yaml"),
        ),
    ] {
        let environment = patch.map(environment).unwrap_or_default();
        assert_eq!(environment.len(), if patch.is_some() { 2 } else { 0 });
        let ended = check(configuration, &environment);
        assert_eq!(ended.code, Some(0), "{configuration}: {}", ended.output);
    }
}

#[test]
fn the_chart_s_default_configuration_is_accepted_once_it_has_a_certificate() {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &["wx.test"]);
    let values = yaml("helm/wxgate/values.yaml");
    let mut text = yaml_serde::to_string(&values["config"]).unwrap();
    text.push_str("\ntls: {certificates: [{cert: tls.crt, key: tls.key}]}\n");
    let path = dir.path().join("config.yaml");
    std::fs::write(&path, text).unwrap();
    let ended = finish(command(&["check", "--config", path.to_str().unwrap()]));
    assert_eq!(ended.code, Some(0), "{}", ended.output);
}

#[test]
fn images_and_chart_have_the_program_s_version() {
    let version = env!("CARGO_PKG_VERSION");
    let chart = yaml("helm/wxgate/Chart.yaml");
    assert_eq!(chart["version"].as_str(), Some(version));
    assert_eq!(chart["appVersion"].as_str(), Some(version));
    let base = yaml("kubernetes/base/kustomization.yaml");
    let image = &base["images"][0];
    assert_eq!(image["name"].as_str(), Some("wxgate"));
    assert_eq!(image["newTag"].as_str(), Some(version));
    for name in ["docker/compose.php.yaml", "docker/compose.java.yaml"] {
        let image = &yaml(name)["services"]["wxgate"]["image"];
        assert_eq!(image.as_str(), Some(format!("wxgate:{version}").as_str()));
    }
    let dockerfile = read("docker/Dockerfile");
    assert!(
        dockerfile.contains(&format!("\nARG VERSION={version}\n")),
        "{version} is not in the Dockerfile"
    );
    let rust = env!("CARGO_PKG_RUST_VERSION");
    assert!(
        dockerfile.contains(&format!("rust:{rust}-slim")),
        "Rust {rust} is not in the Dockerfile"
    );
}

#[test]
fn ports_are_the_same_everywhere() {
    let ports: BTreeSet<u64> = [8443, 8081, 9090].into();
    let for_clients: BTreeSet<u64> = [8443, 8081].into();
    for name in CONFIGURATIONS {
        assert_eq!(listened(&yaml(name)), ports, "{name}");
    }
    let deployment = yaml("kubernetes/base/deployment.yaml");
    let gate = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(gate["name"].as_str(), Some("wxgate"));
    let named: BTreeSet<u64> = numbers(&gate["ports"], "containerPort").collect();
    assert_eq!(named, ports);
    for probe in ["readinessProbe", "livenessProbe"] {
        assert_eq!(gate[probe]["httpGet"]["port"].as_u64(), Some(9090));
    }
    let service = yaml("kubernetes/base/service.yaml");
    let targets: BTreeSet<u64> = numbers(&service["spec"]["ports"], "targetPort").collect();
    assert_eq!(targets, for_clients);
    let policy = yaml("kubernetes/base/networkpolicy.yaml");
    let rules = policy["spec"]["ingress"].as_sequence().unwrap();
    let open: BTreeSet<u64> = numbers(&rules[0]["ports"], "port").collect();
    assert_eq!(open, for_clients);
    let values = yaml("helm/wxgate/values.yaml");
    let chart = values["ports"].as_mapping().unwrap().values();
    let chart: BTreeSet<u64> = chart.map(|port| port.as_u64().unwrap()).collect();
    assert_eq!(chart, ports);
    let dockerfile = read("docker/Dockerfile");
    let exposed = dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("EXPOSE "));
    let exposed: BTreeSet<u64> = exposed
        .unwrap()
        .split(' ')
        .map(|port| port.parse().unwrap())
        .collect();
    assert_eq!(exposed, ports);
    for name in ["docker/compose.php.yaml", "docker/compose.java.yaml"] {
        let published = &yaml(name)["services"]["wxgate"]["ports"];
        let published = published.as_sequence().unwrap().iter();
        let published: Vec<_> = published.map(|each| each.as_str().unwrap()).collect();
        assert_eq!(published, ["443:8443", "80:8081"], "{name}");
    }
}

#[test]
fn every_container_of_the_compose_files_is_bounded_and_its_files_are_there() {
    for name in ["docker/compose.php.yaml", "docker/compose.java.yaml"] {
        let compose = yaml(name);
        for (service, bounds) in compose["services"].as_mapping().unwrap() {
            let service = service.as_str().unwrap();
            assert_eq!(bounds["user"].as_str(), Some("65532:65532"), "{service}");
            assert_eq!(bounds["read_only"].as_bool(), Some(true), "{service}");
            assert_eq!(bounds["cap_drop"][0].as_str(), Some("ALL"), "{service}");
            for volume in bounds["volumes"].as_sequence().unwrap() {
                let (source, _) = volume.as_str().unwrap().split_once(':').unwrap();
                let source: PathBuf = top().join("deploy/docker").join(source);
                let is_there = source.exists() || source.ends_with("secrets");
                assert!(is_there, "{name}: no {}", source.display());
            }
        }
    }
}

#[test]
fn the_documentation_lists_every_overlay_component_and_value() {
    let guide = std::fs::read_to_string(top().join("docs/kubernetes.md")).unwrap();
    for kind in ["overlays", "components"] {
        for name in subfolders(&format!("kubernetes/{kind}")) {
            assert!(guide.contains(&format!("`{kind}/{name}`")), "{kind}/{name}");
        }
    }
    let readme = read("helm/wxgate/README.md");
    let values = yaml("helm/wxgate/values.yaml");
    for key in values.as_mapping().unwrap().keys() {
        let key = key.as_str().unwrap();
        let is_listed =
            readme.contains(&format!("`{key}`")) || readme.contains(&format!("`{key}."));
        assert!(is_listed, "{key} is not in the chart's README");
    }
}
