//! The flags of a fleet of references: its store, and how its replicas are run.

use std::str::FromStr;

use clap::Args;

use crate::adapter::AdapterSettings;
use crate::adapter::spec::Spec;
use crate::adapter::store::{STORE_FORMS, Store};
use crate::error::Error;

/// The flags of a fleet of references.
#[derive(Clone, Debug, Args)]
pub struct StoreArgs {
    /// The store of a fleet of references [default: sqlite]
    #[arg(help = format!("The store of a fleet of references: {STORE_FORMS} [default: sqlite]"), long, value_name = "STORE", value_parser = Store::from_str)]
    pub store: Option<Store>,
    /// Make each replica of a fleet of references a process of its own, which a crash kills
    #[arg(long)]
    pub processes: bool,
}

impl StoreArgs {
    /// The settings with these flags in them.
    ///
    /// # Errors
    ///
    /// A usage error: there are such flags, and the router is another.
    pub(crate) fn in_settings(&self, router: &Spec, settings: AdapterSettings) -> Result<AdapterSettings, Error> {
        let flags = [
            (self.store.is_some(), "`--store` is the store"),
            (self.processes, "`--processes` is how the replicas are run"),
        ];
        let misplaced = flags
            .into_iter()
            .find(|(given, _)| *given && *router != Spec::Reference);
        if let Some((_, what)) = misplaced {
            return Err(Error::Usage(format!(
                "{what} of a fleet of references; leave it out, or say `--router reference`"
            )));
        }
        Ok(AdapterSettings {
            store: self.store.clone().unwrap_or(Store::Sqlite),
            processes: self.processes,
            ..settings
        })
    }

    /// The words that give these flags again; an address without its password.
    pub(crate) fn words(&self) -> Vec<String> {
        let store = self
            .store
            .iter()
            .flat_map(|store| ["--store".to_owned(), store.to_string()]);
        store.chain(self.processes.then(|| "--processes".to_owned())).collect()
    }
}
