//! The four layers, merged by figment, with each value's origin kept.
//!
//! Every default, variable and flag is a layer of its own: a value's tag then leads to exactly one name.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};
use zeroize::Zeroizing;

use super::config_error::ConfigError;
use super::env::Environment;
use super::fault::Faults;
use super::file::Files;
use super::overrides::Override;
use super::settings::Settings;
use super::{defaults, settings, yaml};

/// More than any configuration, and less than what would hurt.
const LARGEST_FILE: usize = 4 * 1024 * 1024;

/// Keys whose list of texts may also be one comma-separated text: the environment has no lists.
const LISTS_OF_TEXT: [&str; 6] = [
    "listen.https",
    "listen.http",
    "listen.proxy_protocol",
    "tls.acme.hosts",
    "tls.acme.contact",
    "trusted_proxies",
];

/// The origin of a value nobody wrote.
const DEFAULT_ORIGIN: &str = "default";

/// What the operator wrote: the merged, unchecked tree.
///
/// It holds literal secrets, so `Debug` shows nothing of it. Drop it once the settings are made.
pub struct Config {
    root: Value,
    origins: Figment,
    directory: PathBuf,
    environment: Environment,
    files: Rc<Files>,
    /// Faults that leave no trace in the tree.
    faults: Faults,
}

impl Config {
    /// Merges the layers: defaults, the YAML file, the environment, the command line.
    ///
    /// # Errors
    /// The file cannot be read, is not UTF-8, or is not YAML.
    pub fn read(
        path: Option<&Path>,
        overrides: &[Override],
        environment: Environment,
    ) -> Result<Self, ConfigError> {
        Self::read_noting(path, overrides, environment, Rc::default())
    }

    /// The same; what is read, here and by [`Config::check`], is noted in `files`.
    pub(super) fn read_noting(
        path: Option<&Path>,
        overrides: &[Override],
        environment: Environment,
        files: Rc<Files>,
    ) -> Result<Self, ConfigError> {
        let mut origins = defaults::trees().fold(Figment::new(), |figment, tree| {
            figment.merge(Layer::new(DEFAULT_ORIGIN, tree))
        });
        let mut secrets = BTreeSet::new();
        if let Some(path) = path {
            let tree = read_file(&files, path)?;
            for value in tree.values() {
                collect_variables(value, &mut secrets);
            }
            origins = origins.merge(Layer::new(path.display(), tree));
        }
        let (variables, unreadable) = environment.variables(&secrets);
        for variable in variables {
            let tree = nest(variable.levels.iter(), variable.value.into());
            let origin = format!("environment variable {}", variable.name);
            origins = origins.merge(Layer::new(origin, tree));
        }
        for flag in overrides {
            let tree = nest(flag.levels().into_iter(), flag.value().into());
            origins = origins.merge(Layer::new(flag.origin(), tree));
        }
        let mut root = origins
            .find_value("")
            .map_err(|error| ConfigError::Merge(Box::new(error)))?;
        split_lists(&mut root);
        let mut faults = Faults::default();
        for fault in unreadable {
            faults.push(fault);
        }
        Ok(Self {
            root,
            origins,
            directory: path
                .and_then(Path::parent)
                .unwrap_or(Path::new(""))
                .to_owned(),
            environment,
            files,
            faults,
        })
    }

    /// Checks everything, reading secrets and certificates.
    ///
    /// # Errors
    /// [`ConfigError::Faults`] with every fault there is.
    pub fn check(mut self) -> Result<Settings, ConfigError> {
        let mut faults = std::mem::take(&mut self.faults);
        match settings::check(&self, &mut faults) {
            Some(settings) if faults.is_empty() => Ok(settings),
            _ => Err(ConfigError::Faults(faults)),
        }
    }

    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    /// Who gave this value; `None` for a default.
    pub(super) fn origin(&self, tag: Tag) -> Option<String> {
        let name = &self.origins.get_metadata(tag)?.name;
        (name != DEFAULT_ORIGIN).then(|| name.to_string())
    }

    /// A path as it was written → one that can be opened.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").finish_non_exhaustive()
    }
}

/// One tree and where it came from.
struct Layer {
    origin: String,
    tree: Dict,
}

impl Layer {
    fn new(origin: impl fmt::Display, tree: Dict) -> Self {
        Self {
            origin: origin.to_string(),
            tree,
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.tree.clone()))
    }
}

/// `value` under `levels`: `["a", "b"]` → `{a: {b: value}}`.
pub(super) fn nest<S: AsRef<str>>(
    levels: impl DoubleEndedIterator<Item = S>,
    value: Value,
) -> Dict {
    let nested = levels.rev().fold(value, |inner, level| {
        Value::from(Dict::from([(level.as_ref().to_owned(), inner)]))
    });
    nested.into_dict().unwrap_or_default()
}

fn read_file(files: &Files, path: &Path) -> Result<Dict, ConfigError> {
    let bytes: Zeroizing<Vec<u8>> =
        files
            .read(path, LARGEST_FILE)
            .map_err(|source| ConfigError::Unreadable {
                path: path.to_owned(),
                source,
            })?;
    let text = std::str::from_utf8(&bytes).map_err(|source| ConfigError::NotText {
        path: path.to_owned(),
        source,
    })?;
    // Editors on Windows put it there, unseen.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut tree = yaml::parse(text).map_err(|source| ConfigError::Syntax {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    // A section whose keys are all commented out is a section nobody wrote.
    tree.retain(|_, value| !matches!(value, Value::Empty(..)));
    Ok(tree)
}

/// The names in every `{env: NAME}`. No other map of ours has a key `env`.
fn collect_variables(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Dict(_, dict) => {
            names.extend(dict.get("env").and_then(Value::as_str).map(str::to_owned));
            for inner in dict.values() {
                collect_variables(inner, names);
            }
        }
        Value::Array(_, items) => {
            for item in items {
                collect_variables(item, names);
            }
        }
        _ => {}
    }
}

/// `"a, b"` → `["a", "b"]`, and empty text → `[]`, with the origin kept.
fn split_lists(root: &mut Value) {
    for key in LISTS_OF_TEXT {
        let Some(value) = find_mut(root, key) else {
            continue;
        };
        if let Value::String(tag, text) = value {
            let pieces = text.split(',').map(str::trim);
            let items = pieces.filter(|piece| !piece.is_empty());
            *value = Value::Array(
                *tag,
                items.map(|item| Value::String(*tag, item.into())).collect(),
            );
        }
    }
}

fn find_mut<'v>(root: &'v mut Value, key: &str) -> Option<&'v mut Value> {
    key.split('.').try_fold(root, |value, level| match value {
        Value::Dict(_, dict) => dict.get_mut(level),
        _ => None,
    })
}
