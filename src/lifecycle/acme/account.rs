//! The account at the server: that of the storage, or a new one, which is stored before it is used.

use instant_acme::{Account, AccountCredentials, ExternalAccountKey, NewAccount};
use zeroize::Zeroizing;

use super::client::Client;
use super::failure::{Failure, Step};
use super::storage::{ACCOUNT, Storage};
use crate::config::Acme;

/// Opens the stored one; `None` if there is none.
pub(super) async fn open(
    acme: &Acme,
    storage: &Storage,
    client: &Client,
) -> Result<Option<Account>, Failure> {
    let Some(stored) = storage.read(ACCOUNT)? else {
        return Ok(None);
    };
    // The error of a broken file does not quote it.
    let credentials: AccountCredentials = serde_json::from_slice(&stored).map_err(|error| {
        Step::Storage.broken(format!("{ACCOUNT} is broken ({:?})", error.classify()))
    })?;
    let builder = Account::builder_with_http(Box::new(client.clone()));
    let account = builder.from_credentials(credentials).await;
    tracing::debug!(directory = acme.directory, "ACME: account opened");
    account
        .map(Some)
        .map_err(|error| Step::Account.failed(error))
}

/// Makes a new one.
pub(super) async fn create(
    acme: &Acme,
    storage: &Storage,
    client: &Client,
) -> Result<Account, Failure> {
    let contact: Vec<_> = acme.contact.iter().map(String::as_str).collect();
    let wanted = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let external = acme.external_account.as_ref();
    let external =
        external.map(|account| ExternalAccountKey::new(account.key_id.clone(), &account.key()));
    let builder = Account::builder_with_http(Box::new(client.clone()));
    let (account, credentials) = builder
        .create(&wanted, acme.directory.clone(), external.as_ref())
        .await
        .map_err(|error| Step::Account.failed(error))?;
    let stored = serde_json::to_vec(&credentials).map_err(|error| Step::Storage.broken(error))?;
    storage.write(ACCOUNT, &Zeroizing::new(stored))?;
    tracing::info!(
        directory = acme.directory,
        account = account.id(),
        "ACME: new account"
    );
    Ok(account)
}
